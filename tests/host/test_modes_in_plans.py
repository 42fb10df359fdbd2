"""Plans of the modes test, repeat and perfusion: what they may say, and that they are given."""

from __future__ import annotations

from typing import Any

import pytest

from mesoinjector import PlanError
from mesoinjector.plans import MeteredPlan, parse
from mesoinjector.treatment import Treatment
from mesoprotocol import wire
from tests.bench_of_one import Bench

TEXT = """
[plan]
name = "Some"
mode = "{mode}"
points = {points}
profile = "1ml-30G4-aqueous"
prime_ml = 0.1
{more}

[[zone]]
name = "body"
depth_mm = 1.5
volume_ml = {volume_ml}
points = {points}
"""
TEST: dict[str, Any] = {"mode": "test", "points": 1, "more": "", "volume_ml": 0.015}
REPEAT: dict[str, Any] = {
    **{"mode": "repeat", "points": 2, "volume_ml": 0.02},
    "more": "stroke_ml = 0.005\nrate_per_min = 60",
}
PERFUSION: dict[str, Any] = {"mode": "perfusion", "points": 2, "more": "flow_ul_per_s = 5.0", "volume_ml": 0.03}


RETRACT: dict[str, Any] = {"mode": "metered", "points": 2, "more": "retract = true", "volume_ml": 0.02}


@pytest.mark.parametrize("how", [TEST, REPEAT, PERFUSION, RETRACT], ids=lambda how: str(how["mode"]))
def test_a_plan_is_given(how: dict[str, Any], here: Bench) -> None:
    plan = parse(TEXT.format(**how), "here")
    assert isinstance(plan, MeteredPlan)
    injector = here.connect()
    treatment = Treatment(injector, plan, lambda _: None)
    assert treatment.run()
    doses = [dose for dose in treatment.record.doses if dose.kind == "dose"]
    entries = [injector.ledger(n) for n in range(2, 2 + len(doses))]
    assert len(doses) == how["points"]
    asked = round(how["volume_ml"] * 1e6)
    retrograde = [entry.mode == wire.MODE_RETROGRADE for entry in entries]
    assert retrograde == ["retract" in how["more"]] * len(doses)
    assert all(dose.asked_nl == asked and abs(dose.delivered_nl - asked) < asked / 20 for dose in doses)


@pytest.mark.parametrize(
    ("how", "change", "told"),
    [
        (TEST, {"points": 2}, "plan.points = 2: must be 1 to 1 in a test"),
        (TEST, {"more": "retract = true"}, "plan.retract = true: must be false in a test"),
        (RETRACT, {"more": "retract = 1"}, "plan.retract = 1: must be a valid boolean"),
        (PERFUSION, {"more": "flow_ul_per_s = 5\nretract = true"}, "plan.retract = True: unknown key"),
        (TEST, {"volume_ml": 0.05}, r"zone\[0\].volume_ml = 0.05: must be 0.01 to 0.02 ml in zone body"),
        (REPEAT, {"more": "stroke_ml = 0.005"}, "plan.rate_per_min: missing"),
        (REPEAT, {"more": "stroke_ml = 0.001\nrate_per_min = 60"}, "plan.stroke_ml = 0.001: must be 0.005 to 0.05 ml"),
        (REPEAT, {"more": "stroke_ml = 0.01\nrate_per_min = 400"}, "plan.rate_per_min = 400: must be 6 to 300"),
        (REPEAT, {"volume_ml": 0.6}, r"zone\[0\].volume_ml = 0.6: must be 0.005 to 0.5 ml in zone body"),
        (PERFUSION, {"more": ""}, "plan.flow_ul_per_s: missing"),
        (PERFUSION, {"more": "flow_ul_per_s = 51"}, "plan.flow_ul_per_s = 51: must be 1 to 50 ul/s"),
        (PERFUSION, {"more": "flow_ul_per_s = 5\nstroke_ml = 0.01"}, "plan.stroke_ml = 0.01: unknown key"),
        (PERFUSION, {"mode": "both"}, "plan.mode = 'both': must be 'metered', 'test', 'repeat', 'perfusion' or"),
    ],
)
def test_a_plan_is_refused(how: dict[str, Any], change: dict[str, Any], told: str) -> None:
    with pytest.raises(PlanError, match=told):
        parse(TEXT.format(**{**how, **change}), "here")


def test_a_stroke_keeps_to_its_zone() -> None:
    text = TEXT.format(**{**REPEAT, "more": "stroke_ml = 0.03\nrate_per_min = 30", "volume_ml": 0.09})
    with pytest.raises(PlanError, match=r"plan.stroke_ml = 0.03: must be 0.005 to 0.02 ml in zone nose"):
        parse(text.replace('"body"', '"nose"'), "here")
