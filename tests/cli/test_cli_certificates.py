"""`check` and `send` over TLS: the certificate must be trusted, and its end is told in time."""

from __future__ import annotations

import contextlib
import datetime as dt
import ssl
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest
import trustme
from support.command_line import Result, call
from support.servers import serving

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path


class Handler(BaseHTTPRequestHandler):
    """Accepts everything: these tests are about the way there."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        """Respond with an empty 200."""
        self.rfile.read(int(self.headers.get("Content-Length", "0")))
        self.send_response_only(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Say nothing."""


class Quiet(ThreadingHTTPServer):
    """A server to which a client that does not like its certificate is not an error."""

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing."""


@contextlib.contextmanager
def tls_endpoint(certificate: trustme.LeafCert) -> Generator[int, None, None]:
    """Run an endpoint with a certificate, and yield its port."""
    server = Quiet(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    with serving(server) as port:
        yield port


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """Return a certificate authority."""
    return trustme.CA()


@pytest.fixture
def trusting(authority: trustme.CA, tmp_path: Path) -> dict[str, str]:
    """Return the variables of a machine that trusts the authority."""
    authority.cert_pem.write_to_path(str(tmp_path / "authority.pem"))
    return {"SSL_CERT_FILE": str(tmp_path / "authority.pem")}


def certificate_in(result: Result) -> dict[str, str]:
    """Return the finding on the certificate."""
    (found,) = [each for each in result.json()["findings"] if each["name"] == "certificate"]
    return dict(found)


def in_days(days: float) -> dt.datetime:
    """Return a time that is so many days away."""
    return dt.datetime.now(dt.timezone.utc) + dt.timedelta(days=days)


def test_a_trusted_certificate_is_green(authority: trustme.CA, trusting: dict[str, str]) -> None:
    """The finding says until when."""
    ends = in_days(90)
    with tls_endpoint(authority.issue_cert("127.0.0.1", not_after=ends)) as port:
        found = certificate_in(call("check", f"https://127.0.0.1:{port}/", "--json", variables=trusting))
    summary = f"its certificate is trusted until {ends:%Y-%m-%d}"
    assert found == {"name": "certificate", "level": "green", "summary": summary, "advice": ""}


def test_a_certificate_that_ends_soon_is_yellow(authority: trustme.CA, trusting: dict[str, str]) -> None:
    """There is time to renew it."""
    with tls_endpoint(authority.issue_cert("127.0.0.1", not_after=in_days(5.1))) as port:
        found = certificate_in(call("check", f"https://127.0.0.1:{port}/", "--json", variables=trusting))
    assert found["level"] == "yellow"
    assert "ends in 5 days" in found["summary"]


@pytest.mark.parametrize("problem", ["past", "other host", "other authority"])
def test_a_certificate_that_is_not_trusted_is_red(
    problem: str, authority: trustme.CA, trusting: dict[str, str]
) -> None:
    """The check is over, as Listrak would not connect; `send` gets no answer for the same reason."""
    words = {"past": "expired", "other host": "IP address mismatch", "other authority": "local issuer"}[problem]
    issuer = trustme.CA() if problem == "other authority" else authority
    host = "shop.example.com" if problem == "other host" else "127.0.0.1"
    ends = in_days(-1 if problem == "past" else 90)
    with tls_endpoint(issuer.issue_cert(host, not_before=in_days(-9), not_after=ends)) as port:
        result = call("check", f"https://127.0.0.1:{port}/", "--json", variables=trusting)
        sent = call("send", f"https://127.0.0.1:{port}/", variables=trusting)
    found = certificate_in(result)
    assert (result.status, found["level"], len(result.json()["findings"])) == (1, "red", 1)
    assert words in found["summary"]
    assert sent.status == 1
    assert "no answer  1: its certificate is not trusted" in sent.page.replace("no answer 1", "no answer  1")


def test_the_way_over_tls_is_the_same(authority: trustme.CA, trusting: dict[str, str]) -> None:
    """A large body, and one that waits for `100 Continue`, arrive."""
    with tls_endpoint(authority.issue_cert("127.0.0.1", "localhost")) as port:
        result = call("check", f"https://localhost:{port}/", "--json", variables=trusting)
        sent = call("send", f"https://localhost:{port}/", "--count", 3, variables=trusting)
    levels = {each["name"]: each["level"] for each in result.json()["findings"]}
    assert {levels[name] for name in ("large_body", "expect_continue", "lower_case_headers", "twice")} == {"green"}
    assert sent.status == 0


def test_plain_http_to_a_tls_port_is_no_answer(authority: trustme.CA, trusting: dict[str, str]) -> None:
    """Nor is TLS to a plain one."""
    with tls_endpoint(authority.issue_cert("127.0.0.1")) as port:
        assert call("check", f"http://127.0.0.1:{port}/", variables=trusting).status == 1
        assert call("send", f"http://127.0.0.1:{port}/", variables=trusting).status == 1
