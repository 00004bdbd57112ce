"""The sender: plays Listrak through the test client that a project has already."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from listrak_webhooks import _clock
from listrak_webhooks._core import Webhook

from . import _arguments, _clients
from ._delivery import Delivery, SignedDelivery
from .check import acheck, check

if TYPE_CHECKING:
    from datetime import datetime

    from listrak_webhooks._types import Secrets, SigningEncoding


class Sender:
    """Plays Listrak: signs deliveries, and sends them through a test client.

    The clients are those of Flask, Werkzeug, Django (`Client`, `AsyncClient`), Django REST framework, Starlette and
    FastAPI, httpx and httpx2 (with any transport), requests (with the whole URL as `path`) and aiohttp.

    Args:
        secret: the secret of the endpoint, as for `Webhook`.
        now: the time of the signatures, in Unix seconds or as an aware `datetime`; the present by default. It does not
            move the endpoint's clock: `stop_clock` does.

    Raises:
        ConfigurationError: the secret cannot be one.
        TypeError, ValueError: `now` cannot be a time.

    Example:
        >>> from flask import Flask
        >>> from listrak_webhooks.flask import listrak_webhook
        >>> from listrak_webhooks.testing import Sender, cart
        >>> app = Flask(__name__)
        >>> @app.post("/listrak")
        ... @listrak_webhook("the secret of the tests")
        ... def listrak(event):
        ...     return event.email
        >>> listrak = Sender("the secret of the tests")
        >>> listrak.send(app.test_client(), cart(email="jane@example.com"), path="/listrak").text
        'jane@example.com'
    """

    def __init__(self, secret: Secrets, now: float | datetime | None = None) -> None:
        self._now = None if now is None else _arguments.time("now", now)
        self._secret = secret
        self._webhook = Webhook(secret)

    def __repr__(self) -> str:
        return f"Sender(now={self._now})"

    @property
    def webhook(self) -> Webhook:
        """A webhook that accepts what the sender signs."""
        return self._webhook

    def signed(self, delivery: Delivery | SignedDelivery, encoding: SigningEncoding = "base64") -> SignedDelivery:
        """Return a delivery as it is sent: signed with the sender's secret at the sender's time.

        Args:
            delivery: what to sign; what is signed already is returned as it is.
            encoding: how the signature is written.
        """
        if isinstance(delivery, SignedDelivery):
            return delivery
        _check_delivery(delivery)
        now = _clock.second() if self._now is None else self._now
        return delivery.signed(self._secret, int(now // 1), encoding)

    def send(self, client: Any, delivery: Delivery | SignedDelivery, path: str) -> Any:
        """Send a delivery through a synchronous client.

        Args:
            client: one of those above.
            delivery: signed here, unless it is signed already.
            path: where the endpoint is, as the client takes it; redirects are not followed.

        Returns:
            The client's own answer.

        Raises:
            TypeError: the client is not one of those above, or it is asynchronous; or another argument is not what it
                should be.
            Exception: what the client raises, such as an exception of the handler.
        """
        return _clients.only_answer(_clients.send(client, self._request(delivery, path)))

    async def asend(self, client: Any, delivery: Delivery | SignedDelivery, path: str) -> Any:
        """Send a delivery through an asynchronous client, or a synchronous one; else as `send`."""
        return await _clients.awaited(_clients.send(client, self._request(delivery, path)))

    def check(self, client: Any, path: str, *, delivery: Delivery | None = None) -> None:
        """See that an endpoint is fit for Listrak, through a synchronous client.

        It sends about 25 deliveries: genuine ones in both encodings, twice, with large and odd bodies; forged, changed,
        stale, future and unsigned ones. What should be handled reaches your handler.

        Args:
            client: one of those above.
            path: where the endpoint is.
            delivery: what your handler takes, if it does not take any delivery; a cart by default.

        Raises:
            AssertionError: the endpoint is not fit; the message is a table of what was found and what to do. What the
                client raised is its cause.
            TypeError: the client is not one of those above, or it is asynchronous.

        Example:
            def test_endpoint(listrak, client):
                listrak.check(client, path="/listrak")
        """
        _check_arguments(path, delivery, "check(client, path)")
        check(client, path, secret=self._secret, now=self._now, delivery=delivery)

    async def acheck(self, client: Any, path: str, *, delivery: Delivery | None = None) -> None:
        """Do what `check` does, through an asynchronous client."""
        _check_arguments(path, delivery, "acheck(client, path)")
        await acheck(client, path, secret=self._secret, now=self._now, delivery=delivery)

    def _request(self, delivery: Delivery | SignedDelivery, path: str) -> _clients.Request:
        _check_arguments(path, delivery, "send(client, delivery, path)", SignedDelivery)
        signed = self.signed(delivery)
        return _clients.Request("POST", path, signed.body, signed.headers)


_NOT_PATHS: tuple[type[Any], ...] = (Delivery, SignedDelivery, bytes, int, float, dict, type(None))


def _check_arguments(path: object, delivery: object, call: str, *also: type) -> None:
    """Raise if what is given is not a delivery and a path, because they are swapped, say."""
    __tracebackhide__ = True
    if delivery is not None or also:
        _check_delivery(delivery, call, *also)
    # A lazy object and the URL of a client are paths too.
    if isinstance(path, _NOT_PATHS) or _clients.is_known(path):
        raise TypeError(f"path must be a str, such as '/listrak', not {_arguments.kind_of(path)}; the call is {call}")


def _check_delivery(delivery: object, call: str = "", *also: type) -> None:
    __tracebackhide__ = True
    if isinstance(delivery, (Delivery, *also)):
        return
    kind = _arguments.kind_of(delivery)
    signed = "; it is signed here" if isinstance(delivery, SignedDelivery) else ""
    rest = f"; the call is {call}" if also else ""
    raise TypeError(f"delivery must be a Delivery, such as cart() or Delivery(body=b'…'), not {kind}{signed}{rest}")
