"""Board calls of a device, and how two devices' calls are held against each other."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from mesoprotocol import stream
from mesosim.rp2.twin import TwinWorld, TwinWorld2350
from mesosim.runtime import InProcess
from mesosim.world import nominal, trace
from mesosim.world.world import START_US, World

TICKS_PER_US = 25
SAME_TICKS = TICKS_PER_US
"""Events are at the same time within a microsecond."""
READINGS = {
    trace.NOW: 1,
    trace.INDEX_TICK: 1,
    trace.POSITION: 1,
    trace.ENCODER: 1,
    trace.PRESSURE: 3,
    trace.NEEDLE: 13,
    trace.PROTRUSION: 8,
}
"""How far readings may be apart, being taken up to a microsecond apart: 1 us, a step, a count, 3 Pa. The carrier's
converter has counts of 3.1 um, and what it says of bottom dead centre is a mean over 5 degrees on either side, 3 um of
the cam's way; a step of the depth stop, which the resting needle follows, is 10 um."""
FIELDS = (
    (re.compile(r"^time$|tick$|_us$"), 2),
    (re.compile(r"_pa$"), 3),
    (re.compile(r"^needle_um$"), 13),
    (re.compile(r"_um$"), 8),
    (re.compile(r"_nl$"), 9),
)
"""The same, for what is said of them in messages; a count of the encoder is 9 nl."""
_MORE_READINGS = (trace.RECEIVE, trace.INPUTS, trace.BUSY, trace.ROOM, trace.INDEX_COUNT, trace.BATTERY)
_NAMES = {value: name for name, value in vars(trace).items() if name.isupper() and isinstance(value, int)}
_HARMLESS = (*READINGS, *_MORE_READINGS, trace.DEADMAN)
SERIAL = 0xE0 << 48 | 1
"""A cartridge chip's number that ends with its CRC, as a board reads it."""
QUIET = {
    "sensor.pressure.noise_pa": 0,
    "sensor.carrier.noise_um": 0,
    "sensor.battery.noise_mv": 0,
    "sensor.pressure.step_pa": 1000,
}
"""Thousandths of symbols that are not nominal: sensors without noise from the first reading on."""


class Call(NamedTuple):
    """A Board call: when, which, and its values, the last of which may be bytes."""

    t: int
    kind: int
    values: tuple[Any, ...]

    def __str__(self) -> str:
        us = self.t / TICKS_PER_US - START_US
        return f"{us:.2f} us {_NAMES[self.kind]} {self.values}"


class Calls(trace.Trace):
    """A trace that keeps what was called."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[Call] = []

    def add(self, t: int, kind: int, a: int, b: int, c: int) -> int:
        if kind < trace.BOOT or kind == trace.WAKE:
            self.calls.append(Call(t, kind, (a, b, c)))
        return a

    def blob(self, t: int, kind: int, a: int, data: bytes) -> None:
        if kind < trace.BOOT:
            self.calls.append(Call(t, kind, (a, bytes(data))))


class Recorded(InProcess):
    """A device whose calls are kept. Its sensors are without noise: the converter's mean draws more often than one
    reading does, so that the two boards' noise could not be the same."""

    def __init__(self, world: type[World]) -> None:
        self.log = Calls()
        self.world = world(1, self.log, tuple(QUIET.get(row[0], row[1]) for row in nominal.SYMBOLS))
        self.control("mount", {"serial": SERIAL})
        if isinstance(self.world, TwinWorld):
            # the simulator's chip copies a row in no time
            self.world.board.chip._chip._sleep_ms = lambda ms: None


def simulated() -> Recorded:
    """The simulator's board."""
    return Recorded(World)


def twin() -> Recorded:
    """The board file on the twin, an RP2040."""
    return Recorded(TwinWorld)


def twin_2350() -> Recorded:
    """The board file on the twin, an RP2350."""
    return Recorded(TwinWorld2350)


CHIPS = (twin, twin_2350)


def steps(calls: list[Call]) -> list[Call]:
    """All calls but those of a second wake within a microsecond that changes nothing.

    The simulator wakes the firmware for each line that a hand lets go of; the board does for what has let its permit
    fall, and for the fall.
    """
    kept: list[Call] = []
    step: list[Call] = []
    for call in [*calls, Call(1 << 62, trace.WAKE, ())]:
        if call.kind != trace.WAKE:
            step.append(call)
            continue
        again = kept and step and step[0].t - kept[-1].t <= SAME_TICKS
        if not (again and all(each.kind in _HARMLESS and len(each.values) == 3 for each in step)):
            kept += step
        step = []
    return kept


def differences(one: list[Call], other: list[Call]) -> list[str]:
    """Where two lists of calls are not the same, up to what their readings may differ by; at most ten."""
    one, other = steps(one), steps(other)
    found = [f"{len(one)} calls and {len(other)}"] if len(one) != len(other) else []
    for a, b in zip(one, other, strict=False):
        if a.kind != b.kind or abs(a.t - b.t) > SAME_TICKS or not _alike(a, b):
            found.append(f"{a} / {b}")
            if len(found) >= 10:
                break
    return found


def _alike(a: Call, b: Call) -> bool:
    if a.values == b.values:
        return True
    if len(a.values) != len(b.values):
        return False
    if a.kind in READINGS:
        return all(abs(x - y) <= READINGS[a.kind] for x, y in zip(a.values, b.values, strict=True))
    if a.kind in (trace.SEND, trace.RECEIVE):
        return _same_message(a.values[1], b.values[1])
    if a.kind in (trace.STORE_READ, trace.STORE_WRITE):
        # a record's depths and its CRC
        return a.values[0] == b.values[0] and len(a.values[1]) == len(b.values[1])
    return False


def _same_message(a: bytes, b: bytes) -> bool:
    one, other = stream.Decoder().feed(b"\0" + a), stream.Decoder().feed(b"\0" + b)
    if len(one) != len(other) or not one:
        # HELLO's reply, which names the interpreter, is kept in neither trace
        return not one and not other
    x, y = one[0], other[0]
    return (x.kind, x.msg_id, x.seq) == (y.kind, y.msg_id, y.seq) and _same_fields(x.message, y.message)


def _same_fields(a: Any, b: Any) -> bool:
    if type(a) is not type(b):
        return False
    for name, x, y in zip(a._fields, a, b, strict=True):
        least = next((far for field, far in FIELDS if field.search(name)), 0)
        if isinstance(x, int) and abs(x - y) <= least:
            continue
        # records of strokes bear their depth and their tick
        if x != y and not (isinstance(x, bytes) and name == "records" and len(x) == len(y)):
            return False
    return True
