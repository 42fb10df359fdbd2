"""The test's build of the firmware: the same code with fewer chunks, a shorter ring and no looks in between.

Each constant divides time or volume into pieces of which the rules say nothing; smaller numbers of them bring the
interesting states together. Limits that the rules do speak of (400 ms, 5 s, 30 s, `not_after`) stay.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import patch

from mesofirmware import alarms, app, clock, keys, ledger, log, metered, safety
from mesoprotocol import limits, wire

RING = 2
"""Doses that the ledger remembers."""


def _latch(self: alarms.Alarms, alarm: int, value: int) -> None:
    latch = wire.ALARM_TABLE[alarm][1]
    if latch:
        self._latches.up(latch)


BUILD: tuple[tuple[Any, str, Any], ...] = (
    (limits, "CONTACT_STEADY_MS", 0),
    (limits, "LEDGER_DOSES", RING),
    (ledger, "_SLOTS", RING + 1),
    (keys, "_AT", 512),
    (metered, "_CHUNKS", 3),
    (metered, "_LOOK_US", 151_000),
    (safety, "_LOOK_US", 2 * clock.FOREVER),
    (safety, "_SOON_US", 2 * clock.FOREVER),
    (safety, "_PULSES_US", 0),
    (safety, "_LOAD_US", 0),
    (app, "_TELEMETRY_DOSE_US", 2 * clock.FOREVER),
    (alarms.Alarms, "up", _latch),
    (log.Log, "recover", lambda *_: 0),
    (log.Log, "add", lambda *_: None),
    (log.Log, "refuse", lambda *_: None),
)
"""The log is not kept, and of an alarm only its latch is: no rule speaks of them, and each would be another state."""


@contextmanager
def small() -> Iterator[None]:
    """Within this block the firmware is built small."""
    with ExitStack() as stack:
        for module, name, value in BUILD:
            stack.enter_context(patch.object(module, name, value))
        yield
