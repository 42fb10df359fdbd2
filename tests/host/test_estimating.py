"""What is said of a plan before it is run, against the simulated device's own time."""

from __future__ import annotations

import pytest

from mesoinjector.estimating import HAND_S, estimate
from mesoinjector.plans import MeteredPlan, Plan, load, parse
from mesoinjector.treatment import Treatment
from mesoprotocol import messages, wire
from tests.bench_of_one import Bench
from tests.host.test_modes_in_plans import PERFUSION, REPEAT, RETRACT, TEST, TEXT
from tests.house.rooms import ROOT

PLANS = ROOT / "examples" / "plans"
STROKES = {**REPEAT, "points": 3, "more": "stroke_ml = 0.02\nrate_per_min = 30", "volume_ml": 0.07}
ERROR = 0.04


def plans() -> list[Plan]:
    texts = [TEXT.format(**how) for how in (TEST, REPEAT, STROKES, PERFUSION, RETRACT)]
    files = [load(PLANS / name) for name in ("face-30-points.toml", "fractional-900.toml")]
    return [*files, *(parse(text, "here") for text in texts)]


def device_s(bench: Bench, plan: Plan) -> tuple[float, float]:
    """How long the simulated device ran while it primed, and while it gave the plan: from RUNNING to IDLE."""
    injector = bench.connect()
    runs: list[int] = []
    began: list[int] = []

    def listen(event: object) -> None:
        if isinstance(event, messages.PhaseEvent):
            if event.state == wire.STATE_RUNNING:
                began.append(event.time)
            elif event.state == wire.STATE_IDLE:
                runs.append(event.time - began[-1])

    injector.listen(listen)
    assert Treatment(injector, plan).run()
    prime = runs.pop(0) if isinstance(plan, MeteredPlan) else 0
    return prime / 1e6, sum(runs) / 1e6


@pytest.mark.parametrize("i", range(7))
def test_the_devices_time_is_as_said(i: int, here: Bench) -> None:
    plan = plans()[i]
    prime_s, took_s = device_s(here, plan)
    said = estimate(plan)
    assert said.device_s == pytest.approx(took_s, rel=ERROR), f"{said.device_s / took_s - 1:+.2%}"
    assert prime_s <= said.prime_s


def test_volumes_and_the_hand_are_said_apart() -> None:
    found = estimate(load(PLANS / "face-30-points.toml"))
    assert (found.volume_nl, found.prime_nl, found.strokes) == (600_000, 100_000, 0)
    assert found.hand_s == 31 * HAND_S
    found = estimate(load(PLANS / "fractional-900.toml"))
    assert (found.volume_nl, found.prime_nl, found.strokes, found.points) == (0, 0, 1800, 3)
    assert found.strokes_s == 120.0 and found.hand_s == 3 * HAND_S


@pytest.mark.parametrize(("change", "more"), [(("0.02", "0.04"), True), (("60", "30"), True), (("5.0", "10.0"), False)])
def test_what_takes_longer_is_said_to(change: tuple[str, str], more: bool) -> None:
    text = TEXT.format(**(PERFUSION if change[0] == "5.0" else REPEAT))
    before, after = (estimate(parse(each, "here")).device_s for each in (text, text.replace(*change)))
    assert (after > before) is more
