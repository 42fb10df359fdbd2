"""Service: the self-test that is asked for, and motion with nothing mounted. The plant is the witness."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from typer.testing import CliRunner

from mesoinjector import Delivered, DeviceError, Injector, NotDelivered
from mesoinjector.cli import app
from mesoinjector.service import Service
from mesoprotocol import messages, wire
from tests.bench_of_one import Bench, after_strokes, world

DRY: dict[str, Any] = {"strokes": 60, "depth_mm": 1.5, "rate_per_min": 600}
TURN = 3200
MOUNTED = ("syringe", "cartridge")


def bare(bench: Bench) -> Injector:
    """A device without syringe and cartridge."""
    for name in MOUNTED:
        bench.device.control(name, 0)
    return bench.connect()


def turns(bench: Bench) -> int:
    """How often the drive has turned, by the plant."""
    steps: int = world(bench).plant.drive.position(world(bench)._t)
    return steps // TURN


def fell(bench: Bench, bit: int, on: bool) -> Callable[[], None]:
    """A hand, skin or switch changes an input now."""
    here = world(bench)
    return lambda: here.plant.set_input(here._t, bit, on)


def test_the_command_line_has_the_device_test_itself() -> None:
    done = CliRunner().invoke(app, ["selftest", "--device", "sim://cpython", "--json"])
    assert done.exit_code == 0
    assert json.loads(done.stdout) == {"failed": [], "self_tests": 2}


# --- Dry runs -------------------------------------------------------------------------------------------


@pytest.mark.requirement("SR-31")
def test_a_dry_run_turns_the_drive_and_nothing_else(here: Bench) -> None:
    injector = bare(here)
    before, turned = here.plant(), turns(here)
    result = injector.dry_run(**DRY)
    assert isinstance(result, Delivered) and result.complete
    assert (result.strokes, result.bad_strokes, result.upper_nl) == (60, 0, 0)
    assert turns(here) - turned == 60
    after = here.rest()
    for name in ("plunger_steps", "tip_nl", "punctures"):
        assert after[name] == before[name], name
    assert after["needle_home"] and not after["moving"]
    entry = injector.ledger(result.n)
    assert (entry.mode, entry.strokes, entry.asked_strokes) == (wire.MODE_DRY, 60, 60)


def test_a_dry_run_uses_no_cartridge(here: Bench) -> None:
    bare(here).dry_run(**DRY)
    for name in MOUNTED:
        here.device.control(name, 1)
    assert not any(world(here).plant.cartridge.memory[32:40].strip(b"\xff"))
    injector = here.connect()
    injector.begin_treatment()
    assert Service(injector).cartridge().judged == wire.S_OK


@pytest.mark.requirement("SR-18")
@pytest.mark.parametrize(
    ("bit", "status"),
    [
        (wire.INPUT_SYRINGE, wire.S_INTERLOCK),
        (wire.INPUT_CARTRIDGE, wire.S_INTERLOCK),
        (wire.INPUT_CONTACT, wire.S_SKIN_CONTACT),
        (wire.INPUT_ESTOP, wire.S_INTERLOCK),
        (wire.INPUT_DRIVE_FAULT, wire.S_INTERLOCK),
    ],
    ids=["syringe", "cartridge", "contact", "estop", "fault"],
)
def test_a_dry_run_is_refused_with_anything_mounted_or_at_the_skin(bit: int, status: int, here: Bench) -> None:
    injector = bare(here)
    reply = injector.status()
    fell(here, bit, True)()
    here.rest(1_000_000) if bit == wire.INPUT_ESTOP else None
    if bit == wire.INPUT_ESTOP:
        status = wire.S_LATCHED
    with pytest.raises(DeviceError) as refused:
        injector.dry_run(**DRY)
    assert refused.value.status == status
    assert injector.status().next_n == reply.next_n
    assert turns(here) == 0


def test_a_dry_run_that_its_time_cannot_hold_is_refused(here: Bench) -> None:
    injector = bare(here)
    request = messages.PrepareDry(b"12345678", injector.hello.next_n, 601, 1_000, 600, 60)
    with pytest.raises(DeviceError, match="RUN_TIME"):
        injector._pump.request(request)
    assert injector._pump.request(request._replace(strokes=600)).status == wire.S_OK


STOPS: dict[str, tuple[Callable[[Bench, Injector], Callable[[], Any]], str]] = {
    "contact": (lambda bench, _: fell(bench, wire.INPUT_CONTACT, True), "contact"),
    "cartridge": (lambda bench, _: fell(bench, wire.INPUT_CARTRIDGE, True), "syringe"),
    "syringe": (lambda bench, _: fell(bench, wire.INPUT_SYRINGE, True), "syringe"),
    "estop": (lambda bench, _: fell(bench, wire.INPUT_ESTOP, True), "estop"),
    "stop": (lambda _, injector: injector._send_stop, "stop"),
    "trigger, for good": (lambda bench, _: fell(bench, wire.INPUT_TRIGGER_A, False), "held_timeout"),
}


@pytest.mark.requirement("SR-27", "SR-29")
@pytest.mark.parametrize("name", STOPS)
def test_a_dry_run_ends_within_a_stroke(name: str, here: Bench) -> None:
    injector = bare(here)
    how, reason = STOPS[name]
    injector.listen(after_strokes(16, how(here, injector)))
    result = injector.dry_run(**DRY)
    assert isinstance(result, Delivered) and not result.complete
    assert result.reason == reason
    assert result.strokes == turns(here) <= 16 + 3
    assert here.rest()["needle_home"]


def test_a_dry_run_is_held_and_goes_on_away_from_the_skin(here: Bench) -> None:
    injector = bare(here)
    here.device.control("release_after_us", 2_000_000)
    here.device.control("press_again_us", 500_000)
    result = injector.dry_run(**DRY)
    assert isinstance(result, Delivered) and result.complete and result.strokes == turns(here) == 60


def test_the_command_line_moves_the_drive() -> None:
    device = "sim://cpython?seed=3&mounted=nothing"
    done = CliRunner().invoke(app, ["dry", "--device", device, "--strokes", "30", "--json"])
    assert done.exit_code == 0, done.output
    facts = json.loads(done.stdout)
    assert (facts["result"], facts["strokes"], facts["reason"]) == ("Delivered", 30, "complete")


def test_the_command_line_says_that_something_is_mounted() -> None:
    done = CliRunner().invoke(app, ["dry", "--device", "sim://cpython?seed=3"])
    assert isinstance(done.exception, DeviceError)
    assert "mounted, for service" in str(done.exception)


def test_nobody_presses_and_nothing_moves(here: Bench) -> None:
    injector = bare(here)
    here.device.control("present", 0)
    result = injector.dry_run(**DRY)
    assert isinstance(result, NotDelivered) and result.reason == "arm_timeout"
    assert turns(here) == 0
