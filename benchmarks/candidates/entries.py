"""Fill a memory guard with deliveries as they would live in it; as a script, print what one takes in memory.

.venv/bin/python -m benchmarks.candidates.entries 1000000
"""

from __future__ import annotations

import gc
import sys
import time

from listrak_webhooks import Webhook
from listrak_webhooks.replay import MemoryReplayGuard

from benchmarks.deliveries import SECRET
from benchmarks.harness import machine

WEBHOOK = Webhook(SECRET)


def fill(guard: MemoryReplayGuard, count: int) -> None:
    """Handle `count` deliveries, sent evenly over the tolerance until now, so that all of them are still remembered."""
    now = int(time.time())
    for number in range(count):
        body, sent = b'{"filler":%d}' % number, now - number % WEBHOOK.tolerance
        with guard.handle(WEBHOOK.verify(body, WEBHOOK.signed_headers(body, sent), now=now)) as first:
            assert first


def main(count: int) -> None:
    """Print the bytes of resident memory for each of `count` entries, as far as the system tells."""
    # What a first use allocates, and keeps, is not an entry's.
    fill(MemoryReplayGuard(), 1000)
    guard = MemoryReplayGuard(count)
    gc.collect()
    before = machine.resident_memory()
    fill(guard, count)
    gc.collect()
    after = machine.resident_memory()
    assert len(guard) == count
    print("unknown" if before is None or after is None else (after - before) / count)


if __name__ == "__main__":
    main(int(sys.argv[1]))
