"""A board whose readings stand as they are set and that notes what it is asked, and the safety channel alone on it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mesofirmware.alarms import Alarms
from mesofirmware.latches import Latches
from mesofirmware.safety import Safety
from mesoprotocol import messages, tick, wire

HELD = wire.INPUT_TRIGGER_A | wire.INPUT_TRIGGER_B | wire.INPUT_CONTACT
PERMIT = wire.INPUT_PERMIT_PLUNGER
HOME = wire.INPUT_NEEDLE_HOME
LOOK_US = 50_000


class Axis:
    """Of an axis what the channel uses."""

    def __init__(self, note: Callable[..., None]) -> None:
        self.steps = 0
        self.note = note

    def feed(self, words: Any, n: int, cycles: int, hold: bool) -> None:
        """See the port."""
        self.note("feed", list(words[:n]), cycles, hold)

    def position(self) -> int:
        """See the port."""
        return self.steps

    def stop(self) -> int:
        """See the port."""
        self.note("stop")
        return self.steps

    def park(self) -> None:
        """See the port."""
        self.note("park")


class Still:
    """`calls` is what it was asked to do since that was last emptied; readings are attributes."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self.plunger = Axis(self.note)
        self.drive = Axis(self.note)
        self.levels = HELD
        self.counts = 1_000
        self.strokes = tick.MASK - 1
        self.pa = 0
        self.um = 0
        self.deepest_um = 0
        self.mv = 3_800
        self.program = True

    def note(self, *call: Any) -> None:
        """Something was asked for."""
        self.calls.append(call)

    def inputs(self) -> int:
        """See the port, as all below."""
        return self.levels

    def encoder(self) -> int:
        return self.counts

    def index_count(self) -> int:
        return self.strokes & tick.MASK

    def pressure_pa(self) -> int:
        return self.pa

    def needle_um(self) -> int:
        return self.um

    def protrusion_um(self) -> int:
        return self.deepest_um

    def battery_mv(self) -> int:
        return self.mv

    def program_intact(self) -> bool:
        return self.program

    def permit(self, on: bool, away: bool) -> None:
        self.note("permit", on, away)

    def enable(self, on: bool) -> None:
        self.note("enable", on)

    def feed_deadman(self) -> None:
        self.note("deadman")

    def light(self, pattern: int) -> None:
        self.note("light", pattern)


class Alone:
    """The channel without a control path; `now` begins just before the tick wraps."""

    def __init__(self, request: Any = None) -> None:
        self.board = Still()
        self.alarms = Alarms(self.board, Latches(), [0, 0])
        self.told: list[tuple[str, int]] = []
        self.alarms.on_alarm = self._hear
        self.safety = Safety(self.board, self.alarms)
        self.now = tick.MASK - 10_000
        self.request = request

    def _hear(self) -> None:
        v = self.alarms.values
        self.told.append((messages.ALARM_NAMES[v[wire.EVENT_ALARM_ALARM]], v[wire.EVENT_ALARM_VALUE]))

    def step(self, us: int = 0) -> int:
        """Its step, so much later; the wait that it asks for."""
        self.now = tick.add(self.now, us)
        return self.safety.step(self.now)

    def asked(self) -> list[tuple[Any, ...]]:
        """What the board was asked for since the last call."""
        calls, self.board.calls = self.board.calls, []
        return calls

    def armed(self) -> Alone:
        """Permit and power were tried."""
        self.safety.arm(list(self.request), messages.REQUESTS[type(self.request)][0])
        wait = 0
        for _ in range(5):
            wait = self.step(wait) if not self.safety.ready() else 0
        assert self.safety.ready()
        self.asked()
        return self

    def begun(self) -> Alone:
        """Motor power is on, the plunger's permit too if it is a dose."""
        self.armed()
        self.safety.power()
        self.safety.permit()
        self.asked()
        return self

    def stopped(self, name: str, value: int) -> None:
        """It has just stopped what moves, and then told that alarm."""
        calls = self.asked()
        stops = [("permit", False, False), ("stop",)]
        if isinstance(self.request, messages.PrepareRun):
            stops.append(("park",))
        at = calls.index(stops[0])
        assert calls[at : at + len(stops) + 1][:-1] == stops
        assert calls[at + len(stops)][0] == "light"
        assert self.told == [(name, value)]
        assert messages.REASON_NAMES[self.safety.reason] == name

    def in_order(self) -> None:
        """It has stopped nothing and told nothing."""
        assert ("permit", False, False) not in self.asked()
        assert self.told == []
        assert self.safety.reason == wire.REASON_COMPLETE
