"""What is measured: a candidate, and the call that it prepares for a delivery."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.deliveries import Delivery


@dataclass(frozen=True)
class Call:
    """One call, ready to be made again and again."""

    function: Callable[..., object]
    arguments: tuple[object, ...]
    accepts: Callable[[object], bool]
    """Whether what the function returned means: genuine, and read right where it reads."""
    fresh: Callable[[int], list[tuple[object, ...]]] | None = None
    """Makes the arguments of that many calls, where each needs its own; `arguments` are none then."""

    def accepted(self, rejections: tuple[type[Exception], ...]) -> bool:
        """Make the call and say whether the delivery was accepted; other exceptions than `rejections` pass through."""
        arguments = self.arguments if self.fresh is None else self.fresh(1).pop()
        try:
            result = self.function(*arguments)
        except rejections:
            return False
        return self.accepts(result)


@dataclass(frozen=True)
class Candidate:
    """One row of the table."""

    name: str
    prepare: Callable[[Delivery], Call]
    """What to call for a delivery."""
    rejections: tuple[type[Exception], ...] = ()
    """The exceptions that mean: rejected."""
    note: str = ""
    """What it does more or less than ours."""
    rejects: bool = True
    """Whether it can tell a tampered delivery from a genuine one."""
    checks_time: bool = True
    """Whether it can tell an old one."""
    comparable: bool = True
    """Whether it does what ours does, so that one can be said to be behind the other."""
