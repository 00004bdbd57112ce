"""The URL of an endpoint."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

import click

if TYPE_CHECKING:
    import ssl


_HOST = re.compile(r"[A-Za-z0-9._-]+|\[?[0-9A-Fa-f:.]+(?:%[A-Za-z0-9._-]+)?\]?")
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


class Url(click.ParamType):
    """An http or https URL without credentials."""

    name = "url"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Target:
        """Return where the URL leads."""
        from .._extras import importing  # noqa: PLC0415

        with importing("httpx2", needed_by="sending"):
            import httpx2  # noqa: PLC0415

        try:
            url = httpx2.URL(value)
            host = url.raw_host.decode("ascii")
            path = url.raw_path.decode("ascii")
            netloc = url.netloc.decode("ascii")
        except (httpx2.InvalidURL, UnicodeError, ValueError, TypeError):
            self.fail("it cannot be read as a URL", param, ctx)
        if url.scheme not in {"http", "https"} or not host:
            self.fail("it does not begin with https:// or http:// and the name of a host", param, ctx)
        is_tls = url.scheme == "https"
        port = url.port or (443 if is_tls else 80)
        if not _HOST.fullmatch(host) or port > _LAST_PORT:
            self.fail("its host or its port cannot be one", param, ctx)
        if url.userinfo:
            self.fail("it holds credentials, which Listrak does not send", param, ctx)
        return Target(str(url.copy_with(fragment=None)), is_tls, host, port, netloc, path)


def trusted_certificates() -> ssl.SSLContext:
    """Return what decides whether a certificate is trusted: the system's store, or `SSL_CERT_FILE`."""
    import httpx2  # noqa: PLC0415

    return httpx2.create_ssl_context()
