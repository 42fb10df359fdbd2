"""The control path is broken on purpose, and the safety channel alone stops what moves. The plant says how far it got.

What is broken is the firmware's own object, in the middle of a dose or run; the channel shares none of it.
"""

from __future__ import annotations

import ast
import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mesofirmware import clock, motion, safety
from mesoprotocol import limits, messages, wire
from mesosim.lab.enumeration.host import Unexpected
from tests.safety.watch import DOSE, IN_DOSE_US, RUN, SMALL, Watch

NEVER_US = 1 << 28


def feeds_without_end(host: Watch) -> None:
    metered = host.app._transaction.metered
    metered._leg_left = 1 << 20
    metered._limit_us = NEVER_US


def counts_wrong(host: Watch) -> None:
    """Three times the steps, from the plan on."""
    plan = host.app._transaction.plan
    plan.values[0] *= 3
    plan.stroke_steps *= 3


def flows_too_fast(host: Watch) -> None:
    host.app._transaction.metered._interval //= 2


def sees_no_pressure(host: Watch) -> None:
    host.app._transaction.metered.volume.stored_pa = lambda: 0  # type: ignore[method-assign]
    host.app._transaction.metered.volume.needle = 0  # nor that it is less than the needle needs
    host.world.control("blocked", 1)


def hangs(host: Watch) -> None:
    host.app._transaction.step = lambda now, now_ms: clock.FOREVER  # type: ignore[method-assign]


def goes_deeper(host: Watch) -> None:
    """Its stop is set to 3 mm in the cheek, and it has no limit of its own."""
    transaction = host.app._transaction
    move = transaction.metered._stop.move

    def deeper(depth_um: int) -> None:
        transaction.metered._depth_um = 3_000
        move(3_000)

    transaction.metered._stop.move = deeper  # type: ignore[method-assign]
    transaction.plan.deepest_um = 4_000
    transaction.fractional.strokes.too_many_bad = lambda: False  # type: ignore[method-assign]


IN_A_DOSE: dict[str, tuple[messages.Prepare, int, Callable[[Watch], None], str, int]] = {
    "feeds without end": (DOSE, IN_DOSE_US, feeds_without_end, "OVER_DELIVERY", 110_000),
    "counts wrong": (DOSE, 0, counts_wrong, "OVER_DELIVERY", 110_000),
    "flows too fast": (DOSE, IN_DOSE_US, flows_too_fast, "OVER_DELIVERY", 60_000),
    "sees no pressure": (DOSE, IN_DOSE_US, sees_no_pressure, "PRESSURE", 60_000),
    "hangs": (SMALL, 1_200_000, hangs, "IN_SKIN", 22_000),
    "goes deeper": (SMALL._replace(zone=6), 0, goes_deeper, "DEPTH", 2_000),
}
"""Request, when after COMMIT, how it breaks, the alarm, what the plunger has swept at most, nl."""

PUSHED_IN_A_LOOK_NL = 100 * 40
"""At twice the flow, for 100 ms until it is told."""


@pytest.mark.requirement("SR-05", "SR-06", "SR-10", "SR-16")
@pytest.mark.parametrize("name", IN_A_DOSE)
def test_a_dose_whose_control_path_is_broken(name: str) -> None:
    request, after_us, breaks, alarm, most_nl = IN_A_DOSE[name]
    host = Watch().primed()
    began = host.account()["plunger_steps"]
    with contextlib.suppress(Unexpected):  # one that hangs says no end
        host.try_dose(request, after_us, lambda: breaks(host))
    assert [told.name for told in host.told][:1] == [alarm]
    steps = host.account()["plunger_steps"]
    # it stood when it was told, and stands
    assert steps == host.told[0].account["plunger_steps"]
    assert (steps - began) * limits.PROFILES[0][limits.PROFILE_PL_PER_STEP] // 1000 <= most_nl + PUSHED_IN_A_LOOK_NL
    host.rest(2_000_000)
    after = host.account()
    assert (after["plunger_steps"], after["needle_home"], after["moving"]) == (steps, True, False)


def strokes_without_end(host: Watch) -> None:
    """Asked for 40 in at most 60 s when it was armed."""
    transaction = host.app._transaction
    feed = transaction.fractional._feed

    def more() -> None:
        transaction.plan.args[wire.PREPARE_RUN_DURATION_S] = limits.RUN_MAX_S
        transaction.fractional._asked = limits.STROKES_MAX
        feed()

    transaction.fractional._feed = more  # type: ignore[method-assign]


def sees_no_trigger(host: Watch) -> None:
    host.app._transaction._stop_reason = lambda inputs: wire.REASON_COMPLETE  # type: ignore[method-assign]


IN_A_RUN: dict[str, tuple[int, Callable[[Watch], None], str, int]] = {
    "strokes without end": (60_000_000, strokes_without_end, "STROKES", 43),
    "sees no trigger": (1_000_000, sees_no_trigger, "STROKES", 14),
    "goes deeper": (60_000_000, goes_deeper, "DEPTH", 2),
}
"""When the trigger is let go after its press, how it breaks, the alarm, punctures at most. It makes 10 a second."""


@pytest.mark.requirement("SR-10", "SR-31")
@pytest.mark.parametrize("name", IN_A_RUN)
def test_a_run_whose_control_path_is_broken(name: str) -> None:
    released_us, breaks, alarm, most = IN_A_RUN[name]
    host = Watch().opened()
    host.world.control("release_after_us", released_us)
    began = host.account()["punctures"]
    with contextlib.suppress(Unexpected):
        host.try_dose(RUN, 0, lambda: breaks(host))
    assert [told.name for told in host.told][:1] == [alarm]
    host.rest(2_000_000)
    after = host.account()
    assert after["punctures"] - began <= most
    assert (after["needle_home"], after["moving"]) == (True, False)


@pytest.mark.requirement("SR-10")
def test_it_knows_nothing_of_the_control_path() -> None:
    """Of the firmware it has the clock's constant, its own store of bounds, and the table of its four pulses."""
    source = ast.parse(Path(safety.__file__).read_text(encoding="utf-8"))
    names: set[Any] = set()
    for node in source.body:  # not what is for types only
        if isinstance(node, ast.ImportFrom):
            names |= {alias.name for alias in node.names}
    assert names == {"clock", "guarded", "motion", "limits", "tick", "wire"}


def pushes(host: Watch) -> None:
    """The carriage goes forward where it should go back."""
    homing = host.app._transaction.homing

    def forward(now: int) -> None:
        motion.straight(homing._back, 640, motion.HOMING_INTERVAL)
        type(homing)._go_back(homing, now)

    homing._go_back = forward  # type: ignore[method-assign]


@pytest.mark.requirement("SR-10", "SR-16")
@pytest.mark.parametrize(("breaks", "alarm"), [(pushes, "OVER_DELIVERY"), (hangs, "")], ids=["pushes", "hangs"])
def test_homing_whose_control_path_is_broken(breaks: Callable[[Watch], None], alarm: str) -> None:
    host = Watch()
    host.open()
    for name in ("syringe", "cartridge"):
        host.world.control(name, 0)
    with contextlib.suppress(Unexpected):
        host.try_dose(messages.PrepareHome(b"", 0), 2_000_000 if breaks is hangs else 0, lambda: breaks(host))
    assert [told.name for told in host.told][:1] == ([alarm] if alarm else [])
    host.rest(40_000_000)
    after = host.account()
    assert after["plunger_steps"] < 640 and not after["moving"] and after["needle_home"]
    assert host.app._safety.reason == (wire.REASON_OVER_DELIVERY if alarm else wire.REASON_TIME)
