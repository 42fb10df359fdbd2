"""Motion as segments: `direction | (steps - 1) << 1`, interval in ticks of 40 ns before each step.

All tables are built in integers below 2^30 into buffers that exist from the start. One revolution of the
needle drive is 3,200 steps and one puncture; a cycle's ticks are whole, and the caller carries the remainder.
"""

from array import array

from mesoprotocol import limits

TICKS_PER_US = 25
STEPS_PER_REV = 3200
UM_PER_DEPTH_STEP = 10
CARRIAGE_STEPS = limits.CARRIAGE_TRAVEL_UM * 16 // 5
"""The carriage's whole travel, of 0.3125 um a step."""
HOMING_INTERVAL = 5 * 1_000_000 * TICKS_PER_US // (16 * limits.HOMING_UM_PER_S)
"""Ticks between plunger steps of homing."""
DEPTH_INTERVAL = 12_500
"""Ticks between steps of the depth stop: 2,000 steps/s, 20 mm/s."""

_RAMP_SEGMENTS = 16
_CYCLE_STEPS = 800
"""Steps of a ramp within a revolution: 33 ms up to 48,000 steps/s (start ramps take at least 14 ms)."""
_CRUISE = 521
"""Ticks a step at 48,000 steps/s: half strokes and slow rates; a half stroke takes 50 ms, a whole one 100 ms."""
_SLOW_CYCLE = 2_500_000
"""Cycles longer than this (100 ms) are a fast stroke after a dwell at top dead centre, so that every stop
finds the needle home within 150 ms, ramps included."""


def cycle_ticks(rate_per_min: int) -> int:
    """Whole ticks of one stroke: 1,500,000,000 / rate, rounded down, without an integer above 2^30."""
    half = 750_000_000
    return 2 * (half // rate_per_min) + 2 * (half % rate_per_min) // rate_per_min


def cycle_remainder(rate_per_min: int) -> int:
    """What `cycle_ticks` leaves: 1,500,000,000 - cycle_ticks * rate."""
    return 2 * (750_000_000 % rate_per_min) % rate_per_min


def plunger_steps(volume_nl: int, profile: tuple) -> int:
    """Plunger steps for a volume, to the nearest."""
    per = profile[limits.PROFILE_PL_PER_STEP]
    return (volume_nl * 1000 + per // 2) // per


def plunger_interval(profile: tuple, flow_nl_per_s: int) -> int:
    """Ticks between plunger steps at a flow."""
    return profile[limits.PROFILE_PL_PER_STEP] * 1000 * TICKS_PER_US // flow_nl_per_s


def isqrt(n: int) -> int:
    """Integer square root of 0 <= n < 2^30 - 1."""
    x = n
    y = (x + 1) // 2
    while y < x:
        x = y
        y = (x + n // x) // 2
    return x


# middle of each segment as a 32nd part of the way: speed grows with the root of the way
_SLOWER = tuple([isqrt((32 << 16) // (2 * i + 1)) for i in range(_RAMP_SEGMENTS)])


class Table:
    """A list of segments in a buffer of its own; `n` words are in use, taking `ticks` in all."""

    def __init__(self, segments: int) -> None:
        self.words = array("i", [0] * (2 * segments))
        self.n = 0
        self.ticks = 0

    def clear(self) -> None:
        """Forget all segments."""
        self.n = 0
        self.ticks = 0

    def add(self, steps: int, interval: int, forward: bool) -> None:
        """Append a segment of `steps` > 0 steps. Raises IndexError when the buffer is full."""
        if steps <= 0 or interval <= 0:
            raise ValueError("segment of %d steps, %d ticks" % (steps, interval))
        n = self.n
        self.words[n] = (1 if forward else 0) | (steps - 1) << 1
        self.words[n + 1] = interval
        self.n = n + 2
        self.ticks += steps * interval

    def add_ramp(self, steps: int, interval: int, up: bool) -> None:
        """Append a constant-acceleration ramp between rest and `interval` over `steps` steps, forward."""
        per = steps // _RAMP_SEGMENTS
        i = 0
        while i < _RAMP_SEGMENTS:
            self.add(per, interval * _SLOWER[i if up else _RAMP_SEGMENTS - 1 - i] >> 8, True)
            i += 1


def half_stroke(table: Table) -> None:
    """Between the dead centres, from rest to rest, in 50 ms."""
    table.clear()
    table.add_ramp(400, _CRUISE, True)
    table.add(800, _CRUISE, True)
    table.add_ramp(400, _CRUISE, False)


def stroke(table: Table, ticks: int, from_rest: bool, to_rest: bool) -> None:
    """One revolution. In steady state it takes exactly `ticks`; a cycle with a ramp takes longer.

    Slow strokes (over 100 ms) start and end at rest by themselves and always take exactly `ticks`.
    """
    table.clear()
    if ticks > _SLOW_CYCLE:
        table.add_ramp(_CYCLE_STEPS, _CRUISE, True)
        table.add(STEPS_PER_REV - 2 * _CYCLE_STEPS, _CRUISE, True)
        table.add_ramp(_CYCLE_STEPS, _CRUISE, False)
        dwell = ticks - table.ticks
        # the dwell stands before the first step: split it off the first segment
        steps = table.words[0] >> 1
        first = table.words[1]
        i = table.n
        while i > 0:
            table.words[i + 1] = table.words[i - 1]
            i -= 1
        table.words[0] = 1
        table.words[1] = first + dwell
        table.words[2] = 1 | (steps - 1) << 1
        table.n += 2
        table.ticks += dwell
        return
    interval = ticks // STEPS_PER_REV
    longer = ticks % STEPS_PER_REV
    steady = STEPS_PER_REV
    if from_rest:
        table.add_ramp(_CYCLE_STEPS, interval, True)
        steady -= _CYCLE_STEPS
    if to_rest:
        steady -= _CYCLE_STEPS
    if from_rest or to_rest:
        table.add(steady, interval, True)
    else:
        if longer:
            table.add(longer, interval + 1, True)
        table.add(STEPS_PER_REV - longer, interval, True)
    if to_rest:
        table.add_ramp(_CYCLE_STEPS, interval, False)


def straight(table: Table, steps: int, interval: int) -> None:
    """`steps` steps at one interval, backward if negative."""
    table.clear()
    table.add(steps if steps > 0 else -steps, interval, steps > 0)
