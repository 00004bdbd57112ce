"""The examples in the docstrings of the kit are true."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import listrak_webhooks.testing
import pytest

MODULES = [
    f"listrak_webhooks.testing.{module.name}" for module in pkgutil.iter_modules(listrak_webhooks.testing.__path__)
]


@pytest.mark.parametrize("name", ["listrak_webhooks.testing", *MODULES])
def test_the_examples_run(name: str) -> None:
    """Each prints what it says."""
    assert doctest.testmod(importlib.import_module(name), raise_on_error=True).failed == 0


def test_there_are_examples() -> None:
    """Every function and class of the face has one."""
    finder = doctest.DocTestFinder(recurse=False)
    for name in listrak_webhooks.testing.__all__:
        if name not in {"Clock", "SignedDelivery"}:
            (example,) = finder.find(getattr(listrak_webhooks.testing, name), name)
            assert example.examples, name
