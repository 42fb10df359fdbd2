"""Leaving out one rule at a time: the exploration finds what goes wrong, or the other rules cover it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.exploration.rules import RULES, SWITCHES
from tests.exploration.table import judge, lines
from tests.summary import TOLD

COVERED = {
    "no id is looked up, any number is taken",
    "requests of any seq are executed",
    "STOP ends and does not latch",
    "START is not written",
}
"""Switches that show nothing alone. A change here is a change of what guards what: somebody reviews it.

START is covered by progress, which is reserved before anything is fed, and tells at boot as well that a dose moved.
"""


@pytest.mark.timeout(600)
def test_the_table_of_the_ten(record_property: Callable[[str, object], None]) -> None:
    verdicts = [judge(switch) for switch in SWITCHES]
    record_property(TOLD, ["exploration: without each of the ten rules", *lines(verdicts)])
    assert {v.switch.rule for v in verdicts} == set(RULES)
    assert {v.switch.without for v in verdicts if not v.report.violation} == COVERED
    # rules 2 and 6 guard each other: a repeated PREPARE is neither a new request nor a new id
    assert {v.switch.rule for v in verdicts if v.guard} == {2, 6}
