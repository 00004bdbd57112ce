"""The stacks in which every adapter is tested: a client file each, and one line in this list."""

from support.stacks import django, fastapi, flask, starlette
from support.variants import Variant

VARIANTS: list[Variant] = [*flask.VARIANTS, *fastapi.VARIANTS, *starlette.VARIANTS, *django.VARIANTS]
