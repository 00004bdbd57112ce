"""The client of `send`, and the proxy that the environment tells it to use."""

from __future__ import annotations

import os
import urllib.request

import click

from listrak_webhooks._extras import importing

from ._problems import NO_ANSWER_SECONDS
from ._target import trusted_certificates

with importing("httpx2", needed_by="send"):
    import httpx2


def client_for(concurrency: int) -> httpx2.AsyncClient:
    """Return a client, which uses the proxies of the environment and follows no redirects.

    Args:
        concurrency: how many requests are under way at the same time, at most.

    Raises:
        click.UsageError: a variable of the environment names a proxy or a file that cannot be used.
    """
    certificates = trusted_certificates()
    limits = httpx2.Limits(max_connections=concurrency, max_keepalive_connections=concurrency)
    try:
        return httpx2.AsyncClient(timeout=NO_ANSWER_SECONDS, limits=limits, verify=certificates)
    except (ValueError, httpx2.InvalidURL, ImportError) as error:
        # Which of the variables it was the library does not say.
        for scheme in ("http", "https", "all"):
            if scheme in urllib.request.getproxies() and (reason := _problem_of_proxy(_proxy_of(scheme))):
                raise click.UsageError(
                    f"httpx2, which sends, cannot use the proxy that {_source_of(scheme)} names: {reason}"
                ) from None
        raise click.UsageError(f"httpx2, which sends, cannot be set up: {error}") from None


def by_way_of(url: str) -> str:
    """Return words for the proxy that requests take, as an addition to a problem; empty if there is none.

    Args:
        url: where requests go.
    """
    target = httpx2.URL(url)
    found = urllib.request.getproxies()
    scheme = next((each for each in (target.scheme, "all") if each in found), None)
    if scheme is None or urllib.request.proxy_bypass(target.netloc.decode("ascii")):
        return ""
    proxy = httpx2.URL(_proxy_of(scheme))
    # Without the name and the password that it may hold.
    where = proxy.netloc.decode("ascii")
    return f" (by way of the proxy {proxy.scheme}://{where}, which {_source_of(scheme)} names)"


def _proxy_of(scheme: str) -> str:
    """Return the URL of a proxy; a host and a port alone are one for http."""
    url = urllib.request.getproxies()[scheme]
    return url if "://" in url else f"http://{url}"


def _problem_of_proxy(url: str) -> str:
    """Return why a proxy cannot be used, without its URL, which may hold a password; empty if it can be."""
    try:
        httpx2.AsyncHTTPTransport(proxy=httpx2.Proxy(url))
    except ImportError:
        return 'SOCKS needs a library; pip install "httpx2[socks]"'
    except httpx2.InvalidURL:
        return "it is not a URL; set it to one such as http://HOST:PORT, or unset it"
    except ValueError:
        return "it does not begin with http://, https:// or socks5://; set it to such a URL, or unset it"
    return ""


def _source_of(scheme: str) -> str:
    """Return the variable that names a proxy; some systems have settings for it besides."""
    names = [f"{scheme}_proxy", f"{scheme.upper()}_PROXY"]  # in this order they count
    return next((f"the environment variable {name}" for name in names if os.environ.get(name)), "the system")
