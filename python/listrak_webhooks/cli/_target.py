"""The URL of an endpoint."""

from __future__ import annotations

import os
import re
import ssl
from typing import NamedTuple

import click

from listrak_webhooks._extras import importing

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
    """Return what decides whether a certificate is trusted: the system's store, or `SSL_CERT_FILE`.

    Raises:
        click.UsageError: `SSL_CERT_FILE` cannot be read.
    """
    import httpx2  # noqa: PLC0415

    try:
        return httpx2.create_ssl_context()
    except OSError as error:  # ssl.SSLError is one
        name = next((each for each in ("SSL_CERT_FILE", "SSL_CERT_DIR") if os.environ.get(each)), None)
        if name is None:
            raise
        reason = "it holds no certificates in PEM" if isinstance(error, ssl.SSLError) else error.strerror
        raise click.UsageError(
            f"the authorities to trust cannot be read from {os.environ[name]}, which the environment variable {name} "
            f"names: {reason}"
        ) from None
