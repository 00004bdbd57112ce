"""What the client file of a stack is made of: a variant serves one view, and says what is peculiar to it."""

from __future__ import annotations

import contextlib
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar

from listrak_webhooks import Event

from support.deliveries import Answer, Delivery
from support.helpers import SECRET

if TYPE_CHECKING:
    from collections.abc import Generator
    from contextlib import AbstractContextManager

Handle = Callable[[Event], Any]
Send = Callable[[Delivery], Answer]


class Endpoint:
    """An app with one view behind the adapter."""

    def __init__(self, send: Send, key: str) -> None:
        self._send = send
        self.key = key

    def send(self, delivery: Delivery) -> Answer:
        """Send a delivery the way the framework's server would."""
        return self._send(delivery)

    def is_rejection(self, answer: Answer, status: int, code: str) -> bool:
        """Return whether this is that rejection, in the framework's usual form and without another word."""
        usual = answer.headers["content-type"].startswith("application/json")
        return usual and (answer.status, answer.json()) == (status, {self.key: code})


class Variant(ABC):
    """One framework, one kind of handler, one kind of server. Each stack has a subclass."""

    framework: ClassVar[str]
    key: ClassVar[str] = "error"
    """The name of the code in the JSON of a rejection."""
    takes_any_result: ClassVar[bool] = False
    """The framework makes a response of whatever a view returns; elsewhere it raises a `TypeError` for some."""
    finds_secret_late: ClassVar[bool] = False
    """The secret may be configured after the decoration; if it is missing, each delivery gets a 500."""
    judges_any_length: ClassVar[bool] = False
    """The adapter sees every `Content-Length`; elsewhere something before it rejects or ignores an absurd one."""

    def __init__(self, *, is_async: bool, style: str = "") -> None:
        self.is_async = is_async
        self.style = style
        self.name = "-".join(filter(None, [self.framework, style, "async" if is_async else "def"]))

    @property
    def decorates(self) -> bool:
        """Whether the adapter is a decorator of the view, so that it sees what the view returns."""
        return True

    @property
    def can_await(self) -> bool:
        """Whether the adapter can await something around the view."""
        return self.is_async

    @property
    def streams(self) -> bool:
        """Whether the adapter gets the body as it arrives, and can stop reading it."""
        return True

    @contextlib.contextmanager
    def endpoint(self, handle: Handle, *args: Any, **options: Any) -> Generator[Endpoint, None, None]:
        """Yield an endpoint whose view calls `handle`; the rest are the adapter's own arguments."""
        arguments = args or (() if options.get("resolver") else (SECRET,))
        with self.serve(handle, *arguments, **options) as send:
            yield Endpoint(send, self.key)

    @abstractmethod
    def serve(self, handle: Handle, *args: Any, **options: Any) -> AbstractContextManager[Send]:
        """Make an app with one view at `PATH` that calls `handle`, and return what sends a delivery to it."""

    @abstractmethod
    def response(self, status: int) -> Any:
        """Return a response with a status, as a view of the framework does."""
