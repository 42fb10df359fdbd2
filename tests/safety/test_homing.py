"""Homing on a board that says wrong things: each ends it, by its reason, and nothing goes on moving."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from mesoprotocol import messages, wire
from mesosim.world import plant
from mesosim.world.world import START_US
from tests.safety.watch import Watch

HOME = messages.PrepareHome(b"", 0)
PRESSED_US = 760_000
"""After COMMIT; homing has begun then."""


def stuck(call: str, value: int) -> Callable[[Watch], None]:
    return lambda host: host.world.meddle().add(call, "stuck", 0, 0, value)


def flipped(bit: int) -> Callable[[Watch], None]:
    return lambda host: host.world.meddle().add("inputs", "flipped_bit", 0, 0, bit)


def bare() -> Watch:
    """A host of a device with nothing mounted."""
    host = Watch()
    host.open()
    for what in ("syringe", "cartridge"):
        host.world.control(what, 0)
    host.world.meddle()
    return host


WRONG: dict[str, tuple[int, Callable[[Watch], None], str]] = {
    "the depth stop does not arrive": (PRESSED_US, stuck("depth.busy", 1), "DRIVE_FAULT"),
    "it is not at its switch": (PRESSED_US, flipped(9), "DRIVE_FAULT"),
    "the drive does not arrive": (PRESSED_US, stuck("drive.busy", 1), "NEEDLE_NOT_HOME"),
    "the index is elsewhere": (PRESSED_US, stuck("index_position", 3_233), "NEEDLE_NOT_HOME"),
    "the needle is not home": (PRESSED_US, flipped(6), "NEEDLE_NOT_HOME"),
    "no batch can be fed": (PRESSED_US, stuck("plunger.room", 0), "TIME"),
    "no step is counted": (PRESSED_US, stuck("plunger.position", 0), "ENCODER"),
    "the permit falls": (3_000_000, lambda host: host.world.plant.permit(host.world._t, False, False), "PERMIT"),
}


@pytest.mark.requirement("SR-29")
@pytest.mark.parametrize("name", WRONG)
def test_homing_ends_by_its_reason(name: str) -> None:
    after_us, happens, reason = WRONG[name]
    host = bare()
    dose = host.try_dose(HOME, after_us, lambda: happens(host))
    assert dose.outcome is not None
    assert messages.REASON_NAMES[dose.outcome.reason] == reason
    assert dose.outcome.dose_state == wire.DOSE_ABORTED
    host.world.meddle().clear()
    host.rest(2_000_000)
    after = host.account()
    assert not after["moving"] and after["needle_home"] and after["tip_nl"] == 0


@pytest.mark.requirement("SR-35")
@pytest.mark.parametrize("name", ["the drive does not arrive", "the needle is not home"])
def test_its_alarm_is_told_when_it_is_found(name: str) -> None:
    after_us, happens, reason = WRONG[name]
    host = bare()
    found: list[int] = []
    homing = host.app._transaction.homing
    abort = homing.abort

    def noted(now: int, reason: int) -> None:
        found.append(host.world._t // plant.TICKS_PER_US - START_US)
        abort(now, reason)

    homing.abort = noted  # type: ignore[method-assign]
    host.try_dose(HOME, after_us, lambda: happens(host))
    assert [told.name for told in host.told] == [reason]
    assert 0 <= host.told[0].t_us - found[0] <= 200_000
