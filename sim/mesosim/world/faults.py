"""Faults that live in the world: a symbol steps, ramps, comes and goes, or sticks, from an instant on and for a time.

Event-driven as the hand is: `next_t` says when one of them does something next, `take` does it. Times are in
ticks of 40 ns. Values are fractions of integers, so that every interpreter computes with the same number.
"""

from mesosim.world import trace
from mesosim.world.axis import NEVER

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from mesosim.world import targets

KINDS = ("step", "ramp", "intermittent", "stuck")
MODES = ("set", "scale", "add")
RAMP_TICKS = 250000
"""10 ms between two changes of a ramp."""


class Fault:
    """One fault, from an object with these members; times in microseconds, whole numbers.

    symbol: a name of `targets`. kind: one of KINDS. value: an integer, or [numerator, denominator]; what is stuck may
    lack it, and stays as it is. mode: how the value is meant, one of MODES: as it is, times the value before, or
    added to it. at_us: when, since the world began; at once if it is missing or past. for_us: how long; 0, or
    missing: until it is cleared. rise_us: how long a ramp rises. on_us, off_us: how an intermittent one comes and goes.
    """

    def __init__(self, asked: dict, now: int, ticks_per_us: int, origin: int) -> None:
        self.symbol: str = asked.get("symbol", "")
        self.kind: str = asked.get("kind", "step")
        self.mode: str = asked.get("mode", "set")
        if self.kind not in KINDS:
            raise ValueError("fault kind %r: must be one of %s" % (self.kind, ", ".join(KINDS)))
        if self.mode not in MODES:
            raise ValueError("fault mode %r: must be one of %s" % (self.mode, ", ".join(MODES)))
        self._holds = "value" not in asked
        if self._holds and self.kind != "stuck":
            raise ValueError("fault of kind %s: it needs a value" % self.kind)
        self._n, self._d = _fraction(asked.get("value", 0))
        self.next_t = max(now, origin + _whole(asked, "at_us", 0) * ticks_per_us)
        self._begin_t = self.next_t
        duration = _whole(asked, "for_us", 0) * ticks_per_us
        self._end_t = self.next_t + duration if duration else NEVER
        self._on = max(1, _whole(asked, "on_us", 50000)) * ticks_per_us
        self._off = max(1, _whole(asked, "off_us", 50000)) * ticks_per_us
        self._rise = max(RAMP_TICKS, _whole(asked, "rise_us", 1000000) * ticks_per_us)
        self._before: "int | float" = 0
        self._shown = False
        self.began = False

    def act(self, t: int, world: "targets.Targets") -> bool:
        """Do what is due at t; whether the fault goes on."""
        if not self.began:
            self.began = True
            self._before = world.get(self.symbol)
        if t >= self._end_t:
            self.end(t, world)
            return False
        if self.kind == "ramp":
            part = min(self._rise, t - self._begin_t)
            world.set(t, self.symbol, self._before + (self._full() - self._before) * part / self._rise)
            self.next_t = t + RAMP_TICKS if part < self._rise else self._end_t
        elif self.kind == "intermittent":
            self._shown = not self._shown
            world.set(t, self.symbol, self._full() if self._shown else self._before)
            self.next_t = t + (self._on if self._shown else self._off)
        else:
            if not self._holds:
                world.set(t, self.symbol, self._full())
            if self.kind == "stuck":
                world.stick(self.symbol, True)
            self.next_t = self._end_t
        self.next_t = min(self.next_t, self._end_t)
        return True

    def end(self, t: int, world: "targets.Targets") -> None:
        """The fault goes away: what it changed is as before."""
        if not self.began:
            return
        if self.kind == "stuck":
            world.stick(self.symbol, False)
            world.set(t, self.symbol, world.meant(self.symbol))
        else:
            world.set(t, self.symbol, self._before)

    def _full(self) -> "int | float":
        """The value that the fault leads to."""
        n, d = self._n, self._d
        if self.mode == "scale":
            return self._before * n / d
        whole = n // d
        value: "int | float" = whole if whole * d == n else n / d
        return self._before + value if self.mode == "add" else value


class Faults:
    """All faults of one world."""

    def __init__(self, world: "targets.Targets", log: "trace.Trace") -> None:
        self._world = world
        self._log = log
        self._all: list[Fault] = []
        self.next_t = NEVER
        """When one of them does something next; NEVER if none will."""

    def add(self, t: int, asked: dict, ticks_per_us: int, origin: int) -> None:
        """A new fault; `origin` is when the world's microseconds began. ValueError if it cannot be."""
        if not isinstance(asked, dict):
            raise ValueError("fault %r: must be an object with symbol and kind" % (asked,))
        fault = Fault(asked, t, ticks_per_us, origin)
        self._world.get(fault.symbol)
        if fault.kind == "stuck" and not self._world.can_stick(fault.symbol):
            raise ValueError("%r cannot be stuck: nothing but a fault changes it" % fault.symbol)
        self._all.append(fault)
        self._find_next()

    def take(self, t: int) -> bool:
        """Do what is due by t; whether the firmware must be woken."""
        wake = False
        for fault in list(self._all):
            if fault.next_t <= t:
                going = fault.act(t, self._world)
                wake = wake or self._world.wakes
                self._log.blob(t, trace.FAULT, 1 if going else 0, fault.symbol.encode())
                if not going:
                    self._all.remove(fault)
        self._find_next()
        return wake

    def clear(self, t: int, symbol: str) -> bool:
        """End the faults of a symbol, all of them if it is empty; whether the firmware must be woken."""
        wake = False
        for fault in list(self._all):
            if symbol in ("", fault.symbol):
                fault.end(t, self._world)
                wake = wake or self._world.wakes
                self._all.remove(fault)
        self._find_next()
        return wake

    def active(self) -> list:
        """Symbols under a fault that has begun, in the order they were asked for."""
        return [fault.symbol for fault in self._all if fault.began]

    def _find_next(self) -> None:
        self.next_t = NEVER
        for fault in self._all:
            self.next_t = min(self.next_t, fault.next_t)


def _fraction(value: "Any") -> "tuple[int, int]":
    if isinstance(value, int):
        return (int(value), 1)
    if (
        isinstance(value, list)
        and len(value) == 2
        and isinstance(value[0], int)
        and isinstance(value[1], int)
        and value[1] > 0
    ):
        return (value[0], value[1])
    raise ValueError("fault value %r: must be a whole number, or [numerator, denominator above 0]" % (value,))


def _whole(asked: dict, key: str, otherwise: int) -> int:
    value = asked.get(key, otherwise)
    if not isinstance(value, int) or value < 0:
        raise ValueError("fault %s %r: must be a whole number of microseconds, 0 or more" % (key, value))
    return value
