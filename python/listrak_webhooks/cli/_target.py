"""The URL of an endpoint."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

import click

from listrak_webhooks._extras import importing

if TYPE_CHECKING:
    import ssl


_HOST = re.compile(r"[A-Za-z0-9._-]+|\[?[0-9A-Fa-f]*:[0-9A-Fa-f:.]*(?:%[A-Za-z0-9._-]+)?\]?")
_LAST_PORT = 65_535


class Target(NamedTuple):
    """Where an endpoint is."""

    url: str
    is_tls: bool
    host: str
    """As it is looked up and as its certificate names it: an international name is in ASCII."""
    port: int
    host_header: str
    path: str
    """With the query."""


def target_of(ctx: click.Context, param: click.Parameter, value: str) -> Target:
    """Return where an URL leads that is the value of an argument.

    Raises:
        click.BadParameter: it is not an http or https URL, or it holds credentials.
    """
    with importing("httpx2", needed_by="sending"):
        import httpx2  # noqa: PLC0415

    def bad(reason: str) -> click.BadParameter:
        return click.BadParameter(reason, ctx, param)

    try:
        url = httpx2.URL(value)
        host = url.raw_host.decode("ascii")
    except (httpx2.InvalidURL, UnicodeError, ValueError):
        raise bad("it cannot be read as a URL") from None
    if url.scheme not in {"http", "https"} or not host:
        raise bad("it does not begin with https:// or http:// and the name of a host")
    is_tls = url.scheme == "https"
    port = url.port or (443 if is_tls else 80)
    if not _HOST.fullmatch(host) or port > _LAST_PORT:
        raise bad("its host or its port cannot be one")
    if url.userinfo:
        raise bad("it holds credentials, which Listrak does not send")
    without_fragment = str(url.copy_with(fragment=None))
    return Target(without_fragment, is_tls, host, port, url.netloc.decode("ascii"), url.raw_path.decode("ascii"))


def trusted_certificates() -> ssl.SSLContext:
    """Return what decides whether a certificate is trusted: the system's store, or `SSL_CERT_FILE`."""
    import httpx2  # noqa: PLC0415

    return httpx2.create_ssl_context()
