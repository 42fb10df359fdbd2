"""The real Connection, journal and firmware, in every order of events within a budget: the ten rules hold."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from tests.exploration import scale
from tests.exploration.explore import FAULTS, Budget, Exploration, Report
from tests.summary import TOLD

KEYED = FAULTS | {"stranger", "forge"}
BUDGETS = {
    "one dose, two faults": (Budget(faults=2, toggles=2, repeats=1, beats=0), 40_000),
    "two doses, one fault": (Budget(faults=1, doses=2, toggles=3, repeats=0, beats=0, looks=1), 40_000),
    "one dose, two faults, keys": (Budget(faults=2, toggles=2, repeats=1, beats=0, kinds=KEYED, keyed=True), 40_000),
    "two doses, one fault, keys": (
        Budget(faults=1, doses=2, toggles=3, repeats=0, beats=0, looks=1, kinds=KEYED, keyed=True),
        40_000,
    ),
}
"""Each with the distinct states to be seen."""

SEED = 1
TITLE = "exploration: distinct states, no rule broken in any"


def explore(name: str, exploration: Exploration, most: int, seed: int | None = None) -> tuple[Report, str]:
    """Explore, print the figures, and show what is wrong if anything is."""
    report = exploration.run(most, seed)
    order = "breadth first" if seed is None else f"seed {seed}"
    line = (
        f"{name}, {order}: {report.states:,} states{' (all)' if report.finished else ''}, runs of up to {report.depth} "
        f"events, {report.transitions:,} transitions and {report.resolved:,} on the way to an answer"
    )
    print(line)
    assert not report.violation, "\n".join((report.violation, *report.trace))
    return report, line


@pytest.mark.timeout(900)
@pytest.mark.requirement("SR-25", "SR-26", "SR-33")
@pytest.mark.parametrize("name", BUDGETS)
def test_the_ten_rules_hold(name: str, record_property: Callable[[str, object], None]) -> None:
    budget, most = BUDGETS[name]
    with scale.small():
        exploration = Exploration(budget)
        report, line = explore(name, exploration, most, SEED)
        record_property(TOLD, [TITLE, line])
        assert report.states >= most
        # what was explored is worth it: doses end in every way
        assert {kind for kind, _ in exploration.endings()} == {"Delivered", "NotDelivered", "Unknown"}
        # and its memory holds: what a component did once, it does again, whatever it has done in between
        for component in (exploration.device, exploration.host):
            for event, outcome in random.Random(1).sample(component.done(), 1_000):
                assert component.run(*event) == outcome, event


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("kind", "keyed"),
    [(kind, keyed) for keyed in (False, True) for kind in sorted(KEYED if keyed else FAULTS) if kind != "stop"],
)
def test_one_fault_anywhere_in_every_run_of_a_dose(
    kind: str, keyed: bool, record_property: Callable[[str, object], None]
) -> None:
    with scale.small():
        budget = Budget(faults=1, toggles=2, repeats=0, beats=0, kinds=frozenset({kind}), keyed=keyed)
        report, line = explore(f"{kind}, keys" if keyed else kind, Exploration(budget), 50_000)
        record_property(TOLD, [TITLE, line])
        assert report.finished
