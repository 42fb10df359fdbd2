"""What happens without each of the ten rules: a counterexample, or that the others cover it.

`python -m tests.exploration.table` prints the table with every counterexample in full.
"""

from __future__ import annotations

import sys
from typing import NamedTuple

from tests.exploration import scale
from tests.exploration.explore import Exploration, Report
from tests.exploration.rules import RULES, SWITCHES, Switch, left_out

MOST = 40_000
"""States within which a counterexample must come."""


class Verdict(NamedTuple):
    """What leaving a rule out leads to."""

    switch: Switch
    report: Report
    guard: Switch | None
    """What holds instead: without both there is a counterexample, without either alone there is none."""

    @property
    def text(self) -> str:
        """In a line."""
        if self.report.violation:
            return f"{self.report.violation} ({len(self.report.trace)} steps, {self.report.states:,} states)"
        seen = f"{'all ' if self.report.finished else ''}{self.report.states:,} states"
        if self.guard:
            return f"covered by rule {self.guard.rule}, unless {self.guard.without} ({seen})"
        return f"covered by the others ({seen})"


def judge(switch: Switch) -> Verdict:
    """Explore without a rule; if nothing goes wrong, also without each of those that may guard the same."""
    with scale.small(), left_out(switch):
        report = Exploration(switch.budget).run(MOST)
    if report.violation or not switch.guarded:
        return Verdict(switch, report, None)
    second = next(other for other in SWITCHES if other.without == switch.guarded)
    with scale.small(), left_out(second):
        alone = Exploration(switch.budget).run(MOST)
    with scale.small(), left_out(switch, second):
        both = Exploration(switch.budget).run(MOST)
    guards = both.violation and not alone.violation
    return Verdict(switch, report, second if guards else None)


def lines(verdicts: list[Verdict]) -> list[str]:
    """The table of the ten."""
    out = []
    for rule, text in RULES.items():
        out.append(f"{rule:2}  {text}")
        out += [f"      without: {v.switch.without}: {v.text}" for v in verdicts if v.switch.rule == rule]
    return out


if __name__ == "__main__":
    chosen = [int(each) for each in sys.argv[1:]]
    verdicts = [judge(switch) for switch in SWITCHES if not chosen or switch.rule in chosen]
    print("\n".join(lines(verdicts)))
    for verdict in verdicts:
        if verdict.report.trace:
            print(f"\nrule {verdict.switch.rule}, {verdict.switch.without}: {verdict.report.violation}")
            print("\n".join(verdict.report.trace))
