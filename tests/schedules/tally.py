"""How many schedules were played, and which faults have hit which messages: counted, added up, printed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from mesosim.lab.frames import KINDS, MESSAGES
from mesosim.lab.schedules.play import Play

PROPERTY = "schedules"
"""Name of the property under which a test reports its tally."""


@dataclass
class Tally:
    """Of one part, or of all."""

    schedules: int = 0
    in_dose: int = 0
    """Faults between PREPARE's first byte and OUTCOME."""
    cells: Counter[tuple[str, str]] = field(default_factory=Counter)

    def take(self, play: Play) -> None:
        """Count a schedule that was played to its end."""
        self.schedules += 1
        self.in_dose += sum(hit.in_dose for hit in play.line.hits)
        self.cells.update((hit.fault.message, hit.fault.kind) for hit in play.line.hits)

    def add(self, other: Tally) -> None:
        """Count what another has counted."""
        self.schedules += other.schedules
        self.in_dose += other.in_dose
        self.cells.update(other.cells)

    def plain(self) -> list[Any]:
        """As numbers and lists, to go from one process to another."""
        return [self.schedules, self.in_dose, [[*cell, n] for cell, n in self.cells.items()]]

    @classmethod
    def of(cls, plain: list[Any]) -> Tally:
        """What `plain` gave."""
        schedules, in_dose, cells = plain
        return cls(schedules, in_dose, Counter({(message, kind): n for message, kind, n in cells}))

    def lines(self) -> Iterable[str]:
        """The table of message x fault, and the counts."""
        faults = self.cells.total()
        yield f"{'':22}" + "".join(f"{kind:>10}" for kind in KINDS)
        for message in MESSAGES:
            yield f"{message:22}" + "".join(f"{self.cells[message, kind]:>10}" for kind in KINDS)
        share = 100 * self.in_dose // max(faults, 1)
        yield f"{self.schedules} schedules, {faults} faults, {share} % of them between PREPARE's first byte and OUTCOME"
