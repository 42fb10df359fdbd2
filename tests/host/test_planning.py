"""The host's own computation of a plan, against the device's echo."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesofirmware import motion
from mesoinjector import PlanError, planning
from mesoprotocol import limits, messages


@given(st.integers(1, limits.PRIME_MAX_NL))
def test_both_sides_come_to_the_same_steps(volume_nl: int) -> None:
    profile = limits.PROFILES[0]
    device = motion.plunger_steps(volume_nl, profile)
    assert abs(device - planning.steps_for(volume_nl, int(profile[limits.PROFILE_BORE_UM]))) <= 1 + device / 5000


@pytest.mark.requirement("SR-16")
def test_a_step_too_many_per_dose_is_noticed() -> None:
    request = messages.Prepare(b"abcdefgh", 1, 20_000, 1_000, 1, 1, 6, 1)
    steps = round(planning.steps_for(20_000, 4_780))
    plan = messages.PrepareReply(0, 1, round(steps * 1.01), 998, 1_000, b"crc.")
    with pytest.raises(PlanError, match="plunger steps"):
        planning.check_dose(request, plan)


@pytest.mark.requirement("SR-16")
def test_a_plan_of_another_request_is_noticed() -> None:
    request = messages.Prepare(b"abcdefgh", 1, 20_000, 1_000, 1, 1, 6, 1)
    plan = messages.PrepareReply(0, 1, round(planning.steps_for(20_000, 4_780)), 998, 1_000, b"crc.")
    with pytest.raises(PlanError, match="check sum"):
        planning.check_dose(request, plan)


@pytest.mark.requirement("SR-16")
@pytest.mark.parametrize(("ticks", "remainder"), [(1_666_667, 600), (1_666_665, 1500), (1_666_666, 599)])
def test_a_cadence_off_by_one_tick_is_noticed(ticks: int, remainder: int) -> None:
    request = messages.PrepareRun(b"abcdefgh", 1, 100, 1_000, 900, 6, 16, 40, 60)
    with pytest.raises(PlanError, match="ticks a minute"):
        planning.check_run(request, messages.PrepareRunReply(0, 1, ticks, remainder, 1_000, b"crc."))
