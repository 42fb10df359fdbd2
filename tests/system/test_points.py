"""A point that was dosed is not dosed again for a minute, whoever asks: the plant is the witness."""

from __future__ import annotations

import pytest

from mesoinjector import Delivered, Injector, LimitExceeded, NotDelivered, Unknown
from mesoprotocol import limits
from tests.bench_of_one import Bench, after_flow

DOSE = {"volume_ml": 0.02, "depth_mm": 1.0, "zone": "cheek"}
WAIT_US = limits.POINT_WAIT_S * 1_000_000


def refused(bench: Bench, injector: Injector, point: int) -> None:
    """And nothing moved."""
    before = bench.plant()
    with pytest.raises(LimitExceeded, match=rf"POINT_WAIT.*Next: wait until {limits.POINT_WAIT_S} s have passed"):
        injector.dose(**DOSE, point=point)
    after = bench.plant()
    assert (after["plunger_steps"], after["punctures"]) == (before["plunger_steps"], before["punctures"])


def given(bench: Bench, injector: Injector, point: int) -> None:
    """And it has reached the skin."""
    before = bench.plant()["skin_nl"]
    result = injector.dose(**DOSE, point=point)
    assert isinstance(result, Delivered) and result.complete
    assert bench.plant()["skin_nl"] - before == pytest.approx(20_000, abs=1_000)


@pytest.mark.requirement("SR-03")
def test_a_point_waits_for_a_minute(bench: Bench) -> None:
    injector = bench.ready()
    given(bench, injector, 1)
    refused(bench, injector, 1)
    given(bench, injector, 2)
    bench.rest(WAIT_US)
    given(bench, injector, 1)
    refused(bench, injector, 1)


@pytest.mark.requirement("SR-03")
def test_points_without_a_number_do_not_wait(here: Bench) -> None:
    injector = here.ready()
    given(here, injector, 0)
    given(here, injector, 0)


@pytest.mark.requirement("SR-03")
def test_another_treatments_points_are_others(here: Bench) -> None:
    injector = here.ready()
    given(here, injector, 1)
    injector.begin_treatment()
    here.rest(1_000_000)
    injector.prime(0.1)
    given(here, injector, 1)


@pytest.mark.requirement("SR-03")
def test_where_nothing_was_given_nobody_waits(here: Bench) -> None:
    injector = here.ready()
    here.device.control("present", 0)
    assert isinstance(injector.dose(**DOSE, point=1), NotDelivered)
    here.device.control("present", 1)
    given(here, injector, 1)


@pytest.mark.requirement("SR-03")
def test_a_restart_shortens_no_wait(here: Bench) -> None:
    injector = here.ready()
    given(here, injector, 1)
    given(here, injector, 2)
    here.rest(WAIT_US - 20_000_000)
    here.device.control("reset")
    again = here.connect()
    again.prime(0.1)
    for point in (1, 2):
        refused(here, again, point)
    here.rest(WAIT_US)
    for point in (1, 2):
        given(here, again, point)


@pytest.mark.requirement("SR-03")
def test_a_dose_that_a_reset_interrupted_was_given_at_its_point(here: Bench) -> None:
    injector = here.ready()
    injector.listen(after_flow(5_000, lambda: here.device.control("reset")))
    result = injector.dose(**DOSE, point=1)
    assert isinstance(result, Unknown)
    again = here.connect()
    again.acknowledge(result.dose_id, "M. Curie")
    again.clear()
    here.rest(1_000_000)
    again.prime(0.1)
    refused(here, again, 1)
    given(here, again, 2)
