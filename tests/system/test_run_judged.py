"""A run while it goes: each stroke's depth and place, the cartridge, the zone."""

from __future__ import annotations

from typing import Any

import pytest

from mesoinjector import Delivered, Injector, LimitExceeded
from mesoprotocol import messages, wire
from tests.bench_of_one import Bench, after_strokes, world

RUN: dict[str, Any] = {"strokes": 300, "depth_mm": 1.0, "zone": "cheek", "area_cm2": 40}
STEPS_PER_TURN = 3200


def ready(bench: Bench) -> Injector:
    injector = bench.connect()
    injector.begin_treatment()
    return injector


@pytest.mark.requirement("SR-01")
@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"zone": 5, "depth_um": 1_001}, "ZONE_LIMIT"),
        ({"zone": 11, "depth_um": 2_001}, "ZONE_LIMIT"),
        ({"zone": 99}, "ZONE_LIMIT"),
    ],
)
def test_a_run_beyond_a_limit_is_refused(changes: dict[str, int], name: str, here: Bench) -> None:
    """A zone is treated deeper in single doses than by a run."""
    injector = ready(here)
    n = injector.status().next_n
    request = messages.PrepareRun(b"abcdefgh", n, 100, 1_000, 900, 6, 16, 40, 60)
    with pytest.raises(LimitExceeded) as refused:
        injector._pump.request(request._replace(**changes))
    assert refused.value.name == name
    assert injector.status().state == wire.STATE_IDLE


@pytest.mark.requirement("SR-18")
def test_a_cartridge_that_comes_off_ends_the_run(here: Bench) -> None:
    injector = ready(here)
    injector.listen(after_strokes(24, lambda: here.device.control("cartridge", 0)))
    result = injector.fractional(**RUN)
    assert isinstance(result, Delivered) and result.reason == "syringe" and not result.complete
    rested = here.rest()
    assert rested["needle_home"] and not rested["moving"] and rested["punctures"] < 40


@pytest.mark.requirement("SR-31")
@pytest.mark.parametrize("off_um", [-400, 250])
def test_the_third_stroke_out_of_depth_ends_the_run(off_um: int, here: Bench) -> None:
    injector = ready(here)
    injector.listen(after_strokes(24, lambda: here.device.control("depth_offset_um", off_um)))
    result = injector.fractional(**RUN)
    assert isinstance(result, Delivered) and result.reason == "strokes"
    assert result.bad_strokes == 3
    rested = here.rest()
    assert rested["needle_home"] and rested["punctures"] == result.strokes < 40


@pytest.mark.requirement("SR-31")
def test_an_index_out_of_its_place_ends_the_run(here: Bench) -> None:
    """The drive has slipped by an eighth of a turn: its index comes where the odometer does not expect it."""
    injector = ready(here)
    board = world(here).board
    exact = board.index_position

    def slip() -> None:
        board.index_position = lambda: exact() + STEPS_PER_TURN // 8

    injector.listen(after_strokes(24, slip))
    result = injector.fractional(**RUN)
    assert isinstance(result, Delivered) and result.reason == "strokes"
    assert here.rest()["punctures"] < 40


@pytest.mark.requirement("SR-29")
def test_a_depth_stop_that_was_stopped_on_its_way_is_homed_before_it_is_used(here: Bench) -> None:
    injector = ready(here)
    injector.fractional(**{**RUN, "strokes": 5})
    here.rest(1_000_000)
    depth = world(here).board.depth
    home, homed = depth.home, []

    def watched() -> None:
        homed.append(1)
        home()

    depth.home = watched

    plant = world(here).plant

    def release(event: Any) -> None:
        if isinstance(event, messages.PhaseEvent) and event.state == wire.STATE_RUNNING:
            at = injector.link.now_us() + 20_000
            here.link(injector).at(at, lambda: plant.set_input(world(here)._t, wire.INPUT_ESTOP, True))

    forget = injector.listen(release)
    stopped = injector.fractional(**{**RUN, "depth_mm": 2.0})
    forget()
    assert stopped.reason == "estop" and not homed
    here.device.control("estop", 0)
    here.rest(1_000_000)
    injector.clear()
    result = injector.fractional(**{**RUN, "strokes": 5})
    assert isinstance(result, Delivered) and result.complete and result.worst_depth_um < 100
    assert homed == [1]
