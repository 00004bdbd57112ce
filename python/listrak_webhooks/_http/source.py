"""Which `Webhook` an endpoint verifies with: given in code, else the framework's setting, else the environment."""

from __future__ import annotations

import enum
from copy import copy
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from listrak_webhooks._core import Webhook
from listrak_webhooks.exceptions import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable

    from listrak_webhooks._types import Secrets

SETTING = "LISTRAK_WEBHOOK_SECRET"
"""The name of the framework's setting, and of the environment variable, that hold the secret."""


class Absent(enum.Enum):
    """The type of `ABSENT`."""

    ABSENT = enum.auto()

    def __repr__(self) -> str:
        return "..."


ABSENT: Final = Absent.ABSENT
"""An argument that was not passed. `None` is not the same: it is an unset variable that somebody passed as a secret."""

Given: TypeAlias = "Webhook | Secrets | Literal[Absent.ABSENT]"


def is_decorated(argument: object) -> bool:
    """Return whether the argument of `@listrak_webhook` is the view itself.

    A lazy object can be called, whatever is behind it; so what Python calls text or a list is never a view.
    """
    return callable(argument) and not isinstance(argument, str | bytes | list | tuple | Webhook)


class Source:
    """Where an endpoint gets its `Webhook` from.

    Making one never raises, so that its caller can let go of the secret before `check` raises: error reporters send
    the variables of each frame that an exception passes.

    Args:
        given: what the user passed, or `ABSENT`.
        read_setting: returns the framework's setting, or `None` if it has none.
    """

    def __init__(self, given: Given = ABSENT, read_setting: Callable[[], Secrets | None] = lambda: None) -> None:
        self._given: Webhook | None = None
        self._error: ConfigurationError | None = None
        self._read_setting = read_setting
        self._from_setting: tuple[Secrets, Webhook] | None = None
        self._from_environment: Webhook | None = None
        if given is not ABSENT:
            self._keep(given)

    def _keep(self, given: Webhook | Secrets) -> None:
        if isinstance(given, Webhook):
            self._given = given
            return
        try:
            self._given = Webhook(given)
        except ConfigurationError as error:
            self._error = ConfigurationError(str(error))

    @property
    def is_given(self) -> bool:
        """Whether the user passed a secret or a `Webhook`, right or wrong."""
        return self._given is not None or self._error is not None

    def check(self) -> None:
        """Find a mistake in what was given.

        Raises:
            ConfigurationError: it cannot be a secret.
        """
        if self._error is not None:
            raise self._error

    def get(self) -> Webhook:
        """Return the `Webhook`, keyed once for as long as its secret stays the same.

        Raises:
            ConfigurationError: there is no secret, or it cannot be one.
        """
        if self._given is not None:
            return self._given
        self.check()
        setting = self._read_setting()
        if setting is None:
            if self._from_environment is None:
                self._from_environment = Webhook.from_env(SETTING)
            return self._from_environment
        if self._from_setting is None or self._from_setting[0] != setting:
            try:
                # A copy, because the user's list could be changed in place.
                self._from_setting = (copy(setting), Webhook(setting))
            except ConfigurationError as error:
                # Error reporters keep the variables of every frame that an exception passes.
                del setting
                raise error.with_traceback(None) from None
        return self._from_setting[1]


def check_resolved(webhook: object) -> Webhook:
    """Return what a resolver returned, if it is a `Webhook`.

    Raises:
        ConfigurationError: it is something else, such as `None` for an account that is not known.
    """
    if not isinstance(webhook, Webhook):
        raise ConfigurationError(
            f"the resolver returned {type(webhook).__name__} and not a Webhook; "
            "without a secret nothing can be verified, so let it raise for what it does not know"
        )
    return webhook
