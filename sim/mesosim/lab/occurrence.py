"""A scenario's faults at work: armed on the world, the line or the host when their time comes, and when that was."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mesoinjector.journal import Intended, Journal
from mesoinjector.results import Result
from mesosim.lab import inject
from mesosim.lab.catalogue import Fault
from mesosim.lab.frames import DOWN, UP
from mesosim.lab.frames import Fault as FrameFault
from mesosim.lab.line import FaultyLine
from mesosim.lab.link import Killed
from mesosim.lab.scenario import FaultTable, Scenario
from mesosim.lab.witness import Witness

BLINK_US = 300_000
"""How long a line that comes and goes is away, and there."""
AFTER_US = 500_000
"""How long the plant is watched closely beyond the time to hazard."""
WAYS = {"link": {DOWN, UP}, "link.down": {DOWN}, "link.up": {UP}}


class MortalJournal(Journal):
    """A journal whose host can die at one of its writes."""

    def __init__(self) -> None:
        super().__init__(":memory:")
        self.dies: dict[str, str] = {}
        """Step of `catalogue.JOURNAL_STEPS`: `before` or `after` its write the host is gone."""
        self.on_death: Callable[[], None] = lambda: None

    def intend(self, device: str, dose: Intended) -> None:
        """See `Journal`. Raises `Killed`."""
        self._mortal("intended", lambda: super(MortalJournal, self).intend(device, dose))

    def commit(self, device: str, dose_id: str) -> None:
        """See `Journal`. Raises `Killed`."""
        self._mortal("committed", lambda: super(MortalJournal, self).commit(device, dose_id))

    def close_dose(self, device: str, result: Result) -> None:
        """See `Journal`. Raises `Killed`."""
        self._mortal("outcome", lambda: super(MortalJournal, self).close_dose(device, result))

    def _mortal(self, step: str, write: Callable[[], None]) -> None:
        when = self.dies.pop(step, "")
        if when != "before":
            write()
        if when:
            self.on_death()
            raise Killed


class Occurrences:
    """All faults of one scenario."""

    def __init__(self, scenario: Scenario, witness: Witness, line: FaultyLine | None, journal: MortalJournal) -> None:
        self._tables = scenario.fault
        self._witness = witness
        self._line = line
        self._journal = journal
        self.onset_us: int | None = None
        """When the first fault began."""

    def begin(self, step: int) -> None:
        """The step of this number begins, counted from 1; 0 before the first."""
        for table in self._tables:
            if (table.step or 0) == step:
                origin = self._witness.t_us if step else 0
                self._arm(table, max(self._witness.t_us, origin + round(table.at_s * 1e6)))

    def _arm(self, table: FaultTable, at_us: int) -> None:
        fault = table.entry
        if self.onset_us is None or at_us < self.onset_us:
            self.onset_us = at_us
            self._witness.watch(at_us, fault.hazard_ms * 1000 + AFTER_US)
        duration_s = fault.duration_s if table.duration_s is None else table.duration_s
        kind, value = fault.checked(table.kind, table.value)
        if fault.on_the_line:
            self._witness.at(at_us, lambda: self._break(fault, kind, value, at_us, duration_s))
            return
        control: tuple[str, Any] = inject.request(fault, kind, value, duration_s, at_us)
        if control[0] == "meddle":
            self._witness.at(at_us, lambda: self._witness.control(*control))
            if duration_s:
                self._witness.at(at_us + round(duration_s * 1e6), lambda: self._witness.control("meddle", None))
        else:
            self._witness.control(*control)

    def _break(self, fault: Fault, kind: str, value: float | None, at_us: int, duration_s: float) -> None:
        """What lies between host and device goes wrong."""
        owner, _, name = fault.target.partition(".")
        if owner == "host":
            self._journal.dies[fault.name.rpartition(".")[2]] = kind
            return
        assert self._line
        if owner == "frame":
            self._line.arm(FrameFault(name, 1, kind, round(value or 0)))
            return
        end_us = at_us + round(duration_s * 1e6) if duration_s else None
        self._cut(WAYS[fault.target], kind == "intermittent", end_us)

    def _cut(self, ways: set[str], blinks: bool, end_us: int | None) -> None:
        line, witness = self._line, self._witness
        assert line
        if end_us is not None and witness.t_us >= end_us:
            line.cut -= ways
            return
        line.cut ^= ways
        if blinks:
            witness.at(witness.t_us + BLINK_US, lambda: self._cut(ways, blinks, end_us))
        elif end_us is not None:
            witness.at(end_us, lambda: self._cut(ways, blinks, end_us))

    def struck(self, ended_us: int) -> bool:
        """Whether the first fault came about before the last step had ended."""
        if self.onset_us is None or self.onset_us > ended_us:
            return False
        owner, _, name = self._tables[0].entry.name.partition(".")
        if owner == "host":
            return name.removeprefix("crash.") not in self._journal.dies
        return owner != "frame" or (self._line is not None and bool(self._line.hits))

    def end(self) -> None:
        """The line is whole again, and the Board does what it is called for."""
        if any(table.entry.target.startswith("board.") for table in self._tables):
            self._witness.control("meddle", None)
        if self._line:
            self._line.disarm()
            self._line.cut.clear()
