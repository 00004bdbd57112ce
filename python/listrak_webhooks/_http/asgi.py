"""The body of an ASGI request, read within its limits and its deadline, under asyncio and under trio."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import TYPE_CHECKING, Any, NoReturn, TypeAlias

import anyio

from listrak_webhooks.exceptions import BodyTooLargeError

from .body import (
    DRAIN_BYTES,
    DRAIN_SECONDS,
    Body,
    body_consumed,
    body_late,
    missing_body,
    parse_content_length,
)

if TYPE_CHECKING:
    from collections.abc import Generator
    from types import TracebackType

    from listrak_webhooks._core import Webhook

Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
RawHeaders: TypeAlias = Iterable[tuple[bytes, bytes]]

DRAIN_PAUSE = 0.5
"""After how many seconds of silence a sender is taken to wait for the response, so that nothing is left to drain."""


def header(headers: RawHeaders, name: bytes) -> str | None:
    """Return the value of the first header with this name, in lower case as ASGI has them."""
    for each, value in headers:
        if each == name:
            return value.decode("latin-1")
    return None


def _declared(headers: RawHeaders) -> int | None:
    """Return the number in `Content-Length`, if there is one; without a detour by way of text, as a rule.

    Raises:
        BodyUnavailableError: it is not a number.
    """
    for name, value in headers:
        if name == b"content-length":
            longest = 18
            if value.isdigit() and len(value) <= longest:
                return int(value)
            return parse_content_length(value.decode("latin-1"))
    return None


def read_body(receive: Receive, headers: RawHeaders, webhook: Webhook, seconds: float) -> Body | Awaitable[Body]:
    """Return the body of a request, or something to await it by if it is not there yet.

    Args:
        receive: the request's.
        headers: the request's.
        webhook: its `max_body` is the limit.
        seconds: how long the body may take, from now to its end.

    Raises:
        BodyTooLargeError: it is over the limit. What is sent of it is thrown away, up to a bound, so that the sender
            sees the response.
        BodyUnavailableError: it did not arrive in time, or the client went away.
    """
    declared = _declared(headers)
    try:
        if declared is not None:
            webhook.check_size(declared)
    except BodyTooLargeError as error:
        return _drained(_Reader(receive, webhook), headers, declared, error)
    first = _begin(receive)
    # Most bodies are there already and in one piece; then neither a timer nor a coroutine is needed.
    if isinstance(first, dict) and first["type"] == "http.request" and not first.get("more_body"):
        data = first.get("body") or b""
        return Body(data) if len(data) == declared else as_received(data, headers)
    return _rest_of_body(_Reader(receive, webhook), first, headers, seconds)


async def _rest_of_body(
    reader: _Reader, first: Message | Awaitable[Message], headers: RawHeaders, seconds: float
) -> Body:
    try:
        return as_received(await reader.read(first, seconds), headers)
    except BodyTooLargeError as error:
        return await _drained(reader, headers, _declared(headers), error)


async def _drained(reader: _Reader, headers: RawHeaders, declared: int | None, error: BodyTooLargeError) -> NoReturn:
    if _is_worth_draining(headers, declared):
        await reader.drain()
    raise error from None


def as_received(data: bytes, headers: RawHeaders) -> Body:
    """Return a body that was read, together with what indicates that part of it is missing."""
    missing = missing_body(
        data,
        declared=_declared(headers),
        chunked=header(headers, b"transfer-encoding") is not None,
        encoding=header(headers, b"content-encoding"),
    )
    return Body(data, missing)


def _is_worth_draining(headers: RawHeaders, declared: int | None) -> bool:
    # Who expects to be asked has sent nothing, and must not be asked now.
    return header(headers, b"expect") is None and (declared is None or declared <= DRAIN_BYTES)


class _Reader:
    """The messages of one request's body.

    What has come is kept here and not in variables, which error reporters send with every frame of a traceback.
    """

    __slots__ = ("_has_ended", "_pieces", "_receive", "_size", "_webhook")

    def __init__(self, receive: Receive, webhook: Webhook) -> None:
        self._receive = receive
        self._webhook = webhook
        self._pieces: list[bytes] = []
        self._size = 0
        self._has_ended = False

    async def read(self, first: Message | Awaitable[Message], seconds: float) -> bytes:
        """Return the whole body, of which the first message is there or is to be waited for."""
        with _AsyncioDeadline(seconds) if _is_asyncio() else anyio.move_on_after(seconds):
            self._keep(first if isinstance(first, MutableMapping) else await first)
            while not self._has_ended:
                self._keep(await self._receive())
            return b"".join(self._pieces)
        raise body_late(seconds)

    def _keep(self, message: Message) -> None:
        if message["type"] == "http.disconnect":
            raise body_consumed("the body ended early")
        self._has_ended = not message.get("more_body", False)
        self._pieces.append(message.get("body") or b"")
        self._size += len(self._pieces[-1])
        self._webhook.check_size(self._size)

    async def drain(self) -> None:
        """Read and throw away what is left of the body, up to a bound in bytes and in time."""
        self._pieces.clear()
        left = DRAIN_BYTES - self._size
        try:
            with anyio.move_on_after(DRAIN_SECONDS):
                while left > 0 and not self._has_ended:
                    self._has_ended = True
                    with anyio.move_on_after(DRAIN_PAUSE):
                        message = await self._receive()
                        self._has_ended = message["type"] != "http.request" or not message.get("more_body", False)
                        left -= len(message.get("body") or b"")
        except Exception:  # noqa: BLE001
            # The response is the same.
            return


def _is_asyncio() -> bool:
    """Return whether asyncio runs the caller; else it is trio, in a loop of its own or as a guest."""
    try:
        return asyncio.current_task() is not None
    except RuntimeError:
        return False


class _AsyncioDeadline:
    """A deadline for a `with` block, which may be entered in the middle of a coroutine that `_Begun` has begun.

    A cancel scope may not: those that the coroutine has entered before it waited would be left in the wrong order.
    `asyncio.timeout` could, from Python 3.11 on.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._has_passed = False

    def __enter__(self) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101
        self._task = task
        if sys.version_info >= (3, 11):
            self._requests = task.cancelling()
        self._timer = asyncio.get_running_loop().call_later(self._seconds, self._pass)

    def _pass(self) -> None:
        self._has_passed = True
        self._task.cancel()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool:
        """Return whether the block was left because of the deadline, and not because somebody else cancels the task."""
        self._timer.cancel()
        if not self._has_passed:
            return False
        if sys.version_info >= (3, 11) and self._task.uncancel() > self._requests:
            return False
        return kind is asyncio.CancelledError


def _begin(receive: Receive) -> Message | Awaitable[Message]:
    """Call a coroutine function and run it up to the first point at which it waits.

    Returns:
        Its result, if it does not wait at all; else something to await.
    """
    awaitable = receive()
    # Where trio was never imported it does not run; that question is the cheaper one.
    if not hasattr(awaitable, "send") or ("trio" in sys.modules and not _is_asyncio()):
        return awaitable
    try:
        return _Begun(awaitable, awaitable.send(None))  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType]
    except StopIteration as end:
        message: Message = end.value
        return message


class _Begun:
    """A coroutine that has been run up to the first point at which it waits. To await it is to wait for the rest.

    Args:
        coroutine: what has been begun.
        request: what it asks of the event loop.
    """

    __slots__ = ("_coroutine", "_request")

    def __init__(self, coroutine: Any, request: Any) -> None:
        self._coroutine = coroutine
        self._request = request

    def __await__(self) -> Generator[Any, Any, Message]:
        coroutine, request = self._coroutine, self._request
        while True:
            try:
                response = yield request
            except BaseException as error:  # noqa: BLE001
                resume, value = coroutine.throw, error
            else:
                resume, value = coroutine.send, response
            try:
                request = resume(value)
            except StopIteration as end:
                message: Message = end.value
                return message
