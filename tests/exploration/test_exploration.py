"""The real Connection, journal and firmware, in every order of events within a budget: the ten rules hold."""

from __future__ import annotations

import random

import pytest

from tests.exploration import scale
from tests.exploration.explore import Budget, Exploration

BUDGETS = {
    "one dose, two faults": (Budget(faults=2, toggles=2, repeats=1, beats=0), 70_000),
    "two doses, one fault": (Budget(faults=1, doses=2, toggles=3, repeats=0, beats=2, looks=1), 70_000),
}
"""Each with the distinct states to be seen; the two run on two cores."""


@pytest.mark.timeout(900)
@pytest.mark.requirement("SR-25", "SR-26", "SR-29")
@pytest.mark.parametrize("name", BUDGETS)
def test_the_ten_rules_hold(name: str) -> None:
    budget, most = BUDGETS[name]
    with scale.small():
        exploration = Exploration(budget)
        report = exploration.run(most)
    print(f"{name}: {report.states:,} states, {report.transitions:,} transitions, no violation")
    assert not report.violation, "\n".join((report.violation, *report.trace))
    assert report.finished or report.states >= most
    # what was explored is worth it: doses end in every way
    endings = {kind for kind, _ in exploration.endings()}
    assert endings == {"Delivered", "NotDelivered", "Unknown"}
    # and its memory holds: what a component did once, it does again, whatever it has done in between
    for component in (exploration.device, exploration.host):
        for event, outcome in random.Random(1).sample(component.done(), 1_000):
            assert component.run(*event) == outcome, event
