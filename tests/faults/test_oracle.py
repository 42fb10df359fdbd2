"""What the oracle makes of an alarm, its time and the time to rest."""

from __future__ import annotations

import pytest

from mesosim.lab import oracle, scenario
from mesosim.lab.oracle import Alarm


@pytest.mark.parametrize(
    ("after_ms", "safe_ms", "late"),
    [
        (6000, 400, ""),
        (6600, 400, "the alarm occlusion came after 6600 ms; allowed are 6500 ms"),
        (6000, 600, "needle home and nothing pushed after 600 ms; allowed are 500 ms"),
        (6000, None, "needle home and nothing pushed never; allowed are 500 ms"),
    ],
)
def test_a_later_alarm_may_be_expected_but_not_a_later_rest(after_ms: int, safe_ms: int | None, late: str) -> None:
    given = scenario.load("occlusion")
    given = given.model_copy(update={"expect": given.expect.model_copy(update={"results": None})})
    assert oracle.judge(given, [], Alarm("occlusion", after_ms, safe_ms, True)) == ([late] if late else [])
