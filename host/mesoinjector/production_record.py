"""What the production line has seen of one board, as its report, its label and the table say it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, NamedTuple

from mesoinjector.production_register import Label
from mesoinjector.record import FractionalRecord

Verdict = Literal["passed", "failed", "left out"]


class Board(NamedTuple):
    """One board on the line."""

    name: str
    """Where it is connected: its port, or its place on the USB."""
    kind: str = ""
    """What it is, as its label says: `pico`, `pico2`."""


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that was done to a board."""

    name: str
    verdict: Verdict
    said: str
    facts: tuple[tuple[str, str], ...] = ()
    """What was read, with units."""


class Weighed(NamedTuple):
    """One dose on the scale, nl."""

    asked_nl: int
    weighed_nl: int


@dataclass(frozen=True, slots=True)
class Accuracy:
    """Doses on the scale, and whether they are good enough, as whoever weighed them judges."""

    passed: bool
    said: str
    """With which scale, by which measure."""
    doses: tuple[Weighed, ...]


@dataclass(slots=True)
class Made:
    """One board's way over the line."""

    board: Board
    begun: datetime
    """UTC, by this computer's clock."""
    serial: str = ""
    uid: str = ""
    firmware: str = ""
    runtime: str = ""
    simulated: bool = False
    at: str = "open"
    """The step that it has come to."""
    steps: list[Step] = field(default_factory=list[Step])
    run: FractionalRecord | None = None
    """The dry run, stroke by stroke."""
    accuracy: Accuracy | None = None
    label: Label | None = None
    """Once it is in the register; of a board that has not passed none."""

    @property
    def passed(self) -> bool:
        """Whether every step was done and none failed."""
        return self.label is not None and self.failure is None

    @property
    def failure(self) -> Step | None:
        """What ended its way."""
        return next((step for step in self.steps if step.verdict == "failed"), None)
