"""What a device does, as moving plots in a terminal: pressure, plunger, needle, cadence, and what stands.

`Monitor` is told samples, and is a renderable of rich; it asks the device for nothing.
"""

from __future__ import annotations

from collections import deque
from typing import Any

from rich.console import Console, ConsoleOptions, Group, RenderResult
from rich.table import Table
from rich.text import Text

from mesoinjector.keeping import read_strokes
from mesoprotocol import messages

WIDTH = 48
"""Samples in a plot, the newest at the right."""
_BARS = "▁▂▃▄▅▆▇█"
_SERIES = {"pressure": ("kPa", 5.0), "plunger": ("ul", 1.0), "needle": ("mm", 0.5), "cadence": ("/min", 20.0)}
"""Unit, and the least that a plot spans: what is smaller is noise, and drawn flat."""


class Monitor:
    """The last samples, the state, and the last things told."""

    def __init__(self) -> None:
        self._series: dict[str, deque[float]] = {name: deque(maxlen=WIDTH) for name in _SERIES}
        self._told: deque[str] = deque(maxlen=4)
        self._state = "-"
        self._latches: list[str] = []
        self._inputs: list[str] = []

    def take(self, event: Any) -> dict[str, Any] | None:
        """An event, a sample or a STATUS answer; what a program would want to know of it, None if nothing."""
        if isinstance(event, messages.Telemetry):
            return self._take_sample(event)
        if isinstance(event, messages.StatusReply):
            self._state = messages.STATE_NAMES[event.state].lower()
            self._latches = _names(event.latches, messages.LATCH_BITS)
            self._inputs = _names(event.inputs, messages.INPUT_BITS)
            self._series["pressure"].append(event.pressure_pa / 1e3)
            facts = {"state": self._state, "latches": self._latches, "inputs": self._inputs}
            return {"status": {**facts, "pressure_pa": event.pressure_pa, "battery_mv": event.battery_mv}}
        if isinstance(event, messages.StrokeRecordsEvent):
            strokes = read_strokes(event.first, event.records)
            self._series["cadence"] += [60e6 / stroke.interval_us for stroke in strokes if stroke.interval_us]
            return {"strokes": [stroke.interval_us for stroke in strokes], "first": event.first}
        return self._take_said(event)

    def _take_sample(self, sample: messages.Telemetry) -> dict[str, Any]:
        self._series["pressure"].append(sample.pressure_pa / 1e3)
        self._series["plunger"].append(sample.plunger_nl / 1e3)
        self._series["needle"].append(sample.needle_um / 1e3)
        self._inputs = _names(sample.inputs, messages.INPUT_BITS)
        return {"sample": {**sample._asdict(), "inputs": self._inputs}}

    def _take_said(self, event: Any) -> dict[str, Any] | None:
        if isinstance(event, messages.PhaseEvent):
            self._state = messages.STATE_NAMES[event.state].lower()
            return {"state": self._state}
        if isinstance(event, messages.AlarmEvent):
            alarm, priority = messages.ALARM_NAMES[event.alarm].lower(), messages.PRIORITY_NAMES[event.priority].lower()
            self._told.append(f"alarm: {alarm} ({priority} priority)")
            return {"alarm": alarm, "priority": priority}
        if isinstance(event, messages.OutcomeEvent):
            reason = messages.REASON_NAMES[event.reason].lower()
            amount = f"{event.strokes} punctures" if event.asked_strokes else f"{event.delivered_nl / 1e3:.2f} ul"
            self._told.append(f"dose {event.dose_id.hex()}: {amount}, {reason}")
            return {"outcome": event.dose_id.hex(), "reason": reason, "delivered_nl": event.delivered_nl}
        return None

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        table = Table.grid(padding=(0, 1))
        for name, (unit, span) in _SERIES.items():
            values = self._series[name]
            now = f"{values[-1]:9.2f}" if values else f"{'-':>9}"
            ends = f"{min(values):.2f} to {max(values):.2f}" if values else ""
            table.add_row(name, now, unit, Text(plot(list(values), span).rjust(WIDTH), style="cyan"), ends)
        stands = f"{self._state}; inputs: {', '.join(self._inputs) or 'none'}"
        latched = Text(f"latched: {', '.join(self._latches)}", style="bold red") if self._latches else Text("")
        yield Group(table, Text(stands), latched, *(Text(line) for line in self._told))


def plot(values: list[float], span: float) -> str:
    """A line of bars over the values' range, `span` at least, around its middle."""
    if not values:
        return ""
    low, high = min(values), max(values)
    span = max(span, high - low)
    low = (low + high - span) / 2
    steps = len(_BARS) - 1
    return "".join(_BARS[min(steps, int((value - low) / span * (steps + 1)))] for value in values)


def _names(value: int, bits: dict[int, str]) -> list[str]:
    return [name.lower() for bit, name in bits.items() if value & bit]
