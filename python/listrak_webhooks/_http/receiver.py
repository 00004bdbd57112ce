"""The pipeline: one request in, one response out, and the handler in between if the delivery is genuine and the first.

    with receiver.receive(request) as reception:
        if reception.event is not None:
            reception.response = view(reception.event)
    return reception.response

Whose secret, the body within its limits, the verdict, the guard, the handler, the claim completed or given back, the
rejection logged and told: each step is written once, as a coroutine that `async with` awaits. What it awaits is there
already in a stack that blocks, so that `with` runs it to its end in one go. A stack that calls its handler elsewhere,
as FastAPI does, uses the two ends apart: `verify` and `handle`.
"""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar, cast

from listrak_webhooks._event_loops import in_thread
from listrak_webhooks._steps import run_through
from listrak_webhooks.exceptions import ConfigurationError, PayloadError, WebhookError
from listrak_webhooks.instrumentation import LogListener, OnRejectedListener

from .admission import Admission, check_guard, not_handled
from .body import DEFAULT_BODY_TIMEOUT, Body, check_body_timeout, verify
from .callables import check_callable
from .explaining import Explainer, note_event
from .rejection import Rejection, duplicate_outcome, emit, rejection_outcome
from .source import ABSENT, Given, Source, check_resolved

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from types import TracebackType

    from typing_extensions import Self

    from listrak_webhooks._core import Event, Webhook
    from listrak_webhooks._types import Headers, Secrets
    from listrak_webhooks.instrumentation import Listener, Outcome
    from listrak_webhooks.replay import AsyncReplayGuard, ReplayGuard

Request = TypeVar("Request")
Response = TypeVar("Response")


class Origin(NamedTuple):
    """Where a request came from."""

    peer: str | None = None
    """The address, as the server has it: the proxy's, if there is one that it does not trust."""
    path: str | None = None


class Stack(Generic[Request, Response]):
    """What the pipeline asks of a web stack. What may have to be awaited may return an awaitable if `can_await`."""

    can_await = False
    """Whether requests are received with `async with`."""

    def setting(self) -> Secrets | None:
        """Return the framework's setting with the secret, or `None` if it has none."""
        return None

    def headers(self, request: Request) -> Headers:
        """Return the headers as they came, in any form that `Webhook.verify` takes."""
        raise NotImplementedError

    def body(self, request: Request, webhook: Webhook, seconds: float) -> Body | Awaitable[Body]:
        """Return the raw body, and leave it where the framework finds it.

        Raises:
            BodyTooLargeError: it is over `max_body` or over the framework's own limit.
            BodyUnavailableError: it does not arrive within `seconds`, or other code has read it.
        """
        raise NotImplementedError

    def origin(self, request: Request) -> Origin:  # noqa: ARG002
        """Return where a request came from."""
        return Origin()

    def discard(self, request: Request) -> object:
        """Throw away what is left of a body that nobody reads, so that its sender sees the response."""

    def empty(self) -> Response:
        """Return an empty 200."""
        raise NotImplementedError

    def rejection(self, error: Rejection, status: int) -> Response:
        """Return the response to a rejected delivery: the error's code, in the framework's usual form."""
        raise NotImplementedError

    def status(self, response: Response) -> int:
        """Return the status of a response; anything may be raised for what is not a response."""
        raise NotImplementedError

    def status_of(self, error: Rejection) -> int:
        """Return the status that an error is rejected with."""
        return error.status

    def call(self, function: Callable[..., Any], *args: object) -> Any:
        """Call a function of the user's, which may be async or block."""
        return function(*args)

    def undo(self) -> None:
        """Undo what a handler did that raised an error which becomes a response."""

    def when_done(self, complete: Callable[[], None]) -> bool:  # noqa: ARG002
        """Return whether the claim is completed by `complete` later, when what the handler did is safe."""
        return False


class Arguments(Generic[Request]):
    """The arguments of `@listrak_webhook`, checked once.

    Making them never raises for a secret; `check` does, when nobody holds the secret any more (see `Source`).
    """

    def __init__(  # noqa: PLR0913
        self,
        webhook: Given = ABSENT,
        *,
        setting: Callable[[], Secrets | None] = lambda: None,
        resolver: Callable[[Request], Webhook | Awaitable[Webhook]] | None = None,
        replay: ReplayGuard | AsyncReplayGuard | None = None,
        on_rejected: Callable[[WebhookError, Request], object] | None = None,
        body_timeout: float = DEFAULT_BODY_TIMEOUT,
    ) -> None:
        self.source = Source(webhook, setting)
        self.resolver = resolver
        self.replay = replay
        self.on_rejected = on_rejected
        self.body_timeout = body_timeout

    def check(self) -> None:
        """Find what is wrong with the arguments as such.

        Raises:
            ConfigurationError: something is.
        """
        self.source.check()
        if self.source.is_given and self.resolver is not None:
            raise ConfigurationError("pass webhook or resolver, not both: a resolver already returns the Webhook")
        if self.resolver is not None:
            check_callable(self.resolver, "resolver", "a function of the request that returns the Webhook", 1)
        if self.on_rejected is not None:
            check_callable(self.on_rejected, "on_rejected", "a function of the error and the request", 2)
        self.body_timeout = check_body_timeout(self.body_timeout)

    def check_guard(self, *, can_await: bool) -> None:
        """Find what is wrong with the guard for a view that can or cannot await.

        Raises:
            ConfigurationError: something is.
        """
        check_guard(self.replay, can_await=can_await)


class Receiver(Generic[Request, Response]):
    """What receives the deliveries of one endpoint."""

    def __init__(self, stack: Stack[Request, Response], arguments: Arguments[Request]) -> None:
        self.stack = stack
        self.arguments = arguments
        self._explainer = Explainer()
        self.listeners: list[Listener] = [LogListener()]
        if arguments.on_rejected is not None:
            self.listeners.append(OnRejectedListener(arguments.on_rejected, stack.call))

    def receive(self, request: Request) -> Reception[Request, Response]:
        """Return the context in which a request is verified, admitted, handled and responded to."""
        return Reception(self, request)

    def handle(self, event: Event, request: Request) -> Reception[Request, Response]:
        """Return the context in which a verified event is admitted, handled and responded to."""
        return Reception(self, request, event)

    async def verify(self, request: Request) -> Event:
        """Return the event in a request.

        Raises:
            WebhookError, ConfigurationError: it is to be rejected.
        """
        stack, arguments = self.stack, self.arguments
        try:
            webhook = arguments.source.get() if arguments.resolver is None else await self._resolved(request)
        except Exception:
            discarded: Any = stack.discard(request)
            if stack.can_await and hasattr(discarded, "__await__"):
                await discarded
            raise
        body: Any = None
        try:
            body = stack.body(request, webhook, arguments.body_timeout)
            if stack.can_await and hasattr(body, "__await__"):
                body = await body
            return verify(webhook, body, stack.headers(request))
        except WebhookError as error:
            raw = body.data if isinstance(body, Body) else None
            note, headers = self._explainer.note, stack.headers(request)
            if stack.can_await and raw is not None and self._explainer.takes_long(error, len(raw)):
                await in_thread(partial(note, error, webhook, raw, headers))
            else:
                note(error, webhook, raw, headers)
            raise

    async def _resolved(self, request: Request) -> Webhook:
        resolved = self.stack.call(cast("Callable[..., Any]", self.arguments.resolver), request)
        return check_resolved(await resolved if self.stack.can_await and hasattr(resolved, "__await__") else resolved)

    async def reject(self, error: Rejection, request: Request, started: float | None = None) -> Response:
        """Tell the listeners of a rejection, and return the response.

        Args:
            error: why.
            request: the framework's own.
            started: `time.perf_counter()` when the request came; now by default.
        """
        status = self.stack.status_of(error)
        started = time.perf_counter() if started is None else started
        outcome = rejection_outcome(error, status, started, self.stack.origin(request))
        await self._emit(outcome, error, request)
        return self.stack.rejection(error, status)

    async def pass_over(self, event: Event, request: Request, started: float) -> Response:
        """Tell the listeners of a delivery that was handled before, and return the response."""
        response = self.stack.empty()
        await self._emit(duplicate_outcome(event, self.stack.status(response), started), None, request)
        return response

    async def _emit(self, outcome: Outcome, error: Rejection | None, request: Request) -> None:
        await emit(self.listeners, outcome, error, request, can_await=self.stack.can_await)


class Reception(Generic[Request, Response]):
    """The handling of one request, for `with` and for `async with`.

    Within the block either `event` is what the handler gets, and `response` has to be set to what it returned; or it is
    `None`, and `response` is there already. Behind the block `response` is what to respond with.
    """

    __slots__ = ("_admission", "_receiver", "_request", "_started", "event", "response")

    event: Event | None
    response: Any

    def __init__(self, receiver: Receiver[Request, Response], request: Request, event: Event | None = None) -> None:
        self._receiver = receiver
        self._request = request
        self._started = time.perf_counter()
        self._admission: Admission | None = None
        self.event = event
        self.response = None

    def __enter__(self) -> Self:
        return run_through(self.__aenter__())

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool:
        return run_through(self.__aexit__(kind, error, traceback))

    async def __aenter__(self) -> Self:
        receiver = self._receiver
        event, self.event = self.event, None
        try:
            if event is None:
                event = await receiver.verify(self._request)
            replay = receiver.arguments.replay
            if replay is not None:
                self._admission = Admission(replay, event, can_await=receiver.stack.can_await)
                if not await self._admission.enter():
                    self.response = await receiver.pass_over(event, self._request, self._started)
                    return self
        except (WebhookError, ConfigurationError) as error:
            if event is not None:
                note_event(error, event)
            self.response = await receiver.reject(error, self._request, self._started)
            return self
        self.event = event
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool:
        """Leave the guard, and return whether the error has become a response."""
        if self.event is None:
            return False
        if error is None:
            if self._admission is not None:
                await self._complete(self._admission)
            return False
        if self._admission is not None:
            await self._admission.leave(error)
        if not isinstance(error, PayloadError):
            return False
        note_event(error, self.event)
        self.response = await self._receiver.reject(error, self._request, self._started)
        self._receiver.stack.undo()
        return True

    async def _complete(self, admission: Admission) -> None:
        """Complete the claim behind a handler that returned, or give it back if the response says that it failed."""
        stack = self._receiver.stack
        try:
            error: BaseException | None = not_handled(stack.status(self.response))
            if error is None and stack.when_done(lambda: run_through(admission.leave())):
                return
        except BaseException as raised:
            await admission.leave(raised)
            raise
        await admission.leave(error)
