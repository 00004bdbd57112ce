"""The guard in memory."""

from __future__ import annotations

import contextlib
import logging
import time
from typing import Any

import pytest
from listrak_webhooks import ConfigurationError
from listrak_webhooks.replay import MemoryReplayGuard
from support.deliveries import logged
from support.guards import WEBHOOK, event_of
from support.helpers import BODY


class TestMemory:
    """What only the guard in memory can be asked."""

    def test_when_it_is_full_it_rejects_and_forgets_nothing(self) -> None:
        """Until an entry is given back or its time is over."""
        guard = MemoryReplayGuard(2)
        with guard.handle(event_of(b"1")), guard.handle(event_of(b"2")):
            pass
        with pytest.raises(Exception, match=r"the guard is full: each of its 2 .*; raise max_entries") as caught:
            guard.handle(event_of(b"3")).__enter__()
        assert getattr(caught.value, "code", "") == "replay_guard_unavailable"
        with guard.handle(event_of(b"1")) as first:
            assert not first
        assert len(guard) == 2

    def test_when_it_is_full_it_can_let_pass(self, caplog: pytest.LogCaptureFixture) -> None:
        """`fail_open` prefers handling something twice to handling it not at all, and says so."""
        guard = MemoryReplayGuard(1, fail_open=True)
        with guard.handle(event_of(b"1")):
            pass
        for _ in range(2):
            with guard.handle(event_of(b"2")) as first:
                assert first
        texts = [record.getMessage() for record in logged(caplog)]
        assert {record.levelno for record in logged(caplog)} == {logging.ERROR}
        assert "may be handled twice" in texts[0]
        assert "was handled, but that could not be saved" in texts[1]

    @pytest.mark.parametrize("max_entries", [0, -1, True, None, "9", 1.5])
    def test_its_size_is_a_positive_number(self, max_entries: Any) -> None:
        """It is never without a bound."""
        with pytest.raises(ConfigurationError, match="max_entries must be a positive int"):
            MemoryReplayGuard(max_entries)

    def test_a_clock_is_a_function(self) -> None:
        """And one that does not say the time is named."""
        wrong: Any = 5
        with pytest.raises(ConfigurationError, match="clock must be a function"):
            MemoryReplayGuard(clock=wrong)
        guard = MemoryReplayGuard(clock=lambda: 1 / 0)
        with pytest.raises(ConfigurationError, match="clock raised ZeroDivision"), guard.handle(event_of(BODY)):
            pass

    def test_many_entries_stay_within_the_promised_memory_and_time(self) -> None:
        """Far from a benchmark, which a busy machine would upset: the bounds are wide, and catch a mistake in kind."""
        guard, now = MemoryReplayGuard(), int(time.time())
        count = 200_000
        events = [
            WEBHOOK.verify(body, WEBHOOK.signed_headers(body, now - 890 + number % 1780))
            for number, body in ((number, b"%d" % number) for number in range(count))
        ]
        before = _resident_bytes()
        began = time.perf_counter()
        for event in events:
            with guard.handle(event):
                pass
        elapsed = time.perf_counter() - began
        assert len(guard) == count
        assert (_resident_bytes() - before) / count < 200
        assert elapsed / count < 20e-6


def _resident_bytes() -> int:
    with contextlib.suppress(FileNotFoundError), open("/proc/self/statm", encoding="ascii") as file:  # noqa: PTH123
        return int(file.read().split()[1]) * 4096
    pytest.skip("only Linux tells a process its memory like this")
