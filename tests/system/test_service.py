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
from mesosim.lab.link import Killed
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


# --- Homing ---------------------------------------------------------------------------------------------

BACK_UM = 5_000
"""From a new device's carriage to its end, by the plant."""


def carriage_um(bench: Bench) -> float:
    """Where the carriage is, by the plant."""
    here = world(bench)
    um: float = here.plant._plunger_um(here._t)
    return um


def after_way_back(nl: int, act: Callable[[], Any]) -> Callable[[Any], None]:
    """A listener that acts once, when the carriage stands so much of the first profile's syringe behind its start."""
    done: list[bool] = []

    def listen(event: Any) -> None:
        if isinstance(event, messages.Telemetry) and event.plunger_nl <= -nl and not done:
            done.append(True)
            act()

    return listen


def test_homing_brings_all_three_axes_to_their_origins(here: Bench) -> None:
    injector = bare(here)
    injector.dry_run(4, 2.0, 600)  # the depth stop is elsewhere
    before, turned, plant = here.plant(), turns(here), world(here).plant
    assert plant.carriage._stop.position(world(here)._t) == 200
    result = injector.home()
    assert isinstance(result, Delivered) and result.complete and result.upper_nl == 0
    after = here.rest()
    t = world(here)._t
    assert plant.carriage._stop.position(t) == plant.depth.position(t) == 0
    assert (turns(here) - turned, plant.drive.position(t) % TURN, after["needle_home"]) == (1, 0, True)
    assert carriage_um(here) == -BACK_UM
    lost = -plant.plunger.position(t) - BACK_UM / 0.3125
    assert 0 <= lost <= 2 * 640, "it was stopped at its end"
    assert (after["tip_nl"], after["punctures"]) == (before["tip_nl"], before["punctures"])
    entry = injector.ledger(result.n)
    assert (entry.mode, entry.steps, entry.upper_nl) == (wire.MODE_HOME, -plant.plunger.position(t), 0)
    assert not after["moving"] and not injector.status().latches


@pytest.mark.requirement("SR-08", "SR-22")
def test_after_homing_a_full_syringe_is_mounted_and_must_be_primed(here: Bench) -> None:
    injector = here.ready()
    for _ in range(4):
        injector.dose(0.2, 1.0, "body")
    here.rest(2_000_000)  # the hand leaves the skin
    for name in MOUNTED:
        here.device.control(name, 0)
    assert injector.home().reason == "complete"
    for name in MOUNTED:
        here.device.control(name, 1)
    with pytest.raises(DeviceError, match="NOT_PRIMED"):
        injector.dose(0.02, 1.0, "body")
    assert isinstance(injector.prime(0.2), Delivered)
    for _ in range(3):
        assert isinstance(injector.dose(0.2, 1.0, "body"), Delivered)


@pytest.mark.requirement("SR-08", "SR-22")
@pytest.mark.parametrize("jammed", [True, False])
def test_homing_that_does_not_bring_the_carriage_back_makes_no_syringe_full(jammed: bool, here: Bench) -> None:
    injector = here.ready()
    for _ in range(4):
        injector.dose(0.2, 1.0, "body")
    here.rest(2_000_000)  # the hand leaves the skin
    for name in MOUNTED:
        here.device.control(name, 0)
    if jammed:
        stands = world(here).meddle()
        stands.add("encoder", "stuck", 0, 0, world(here).board.encoder())
        assert injector.home().reason == "complete", "it is taken for the end"
        stands.clear()
    else:
        injector.listen(after_way_back(-810_000, fell(here, wire.INPUT_TRIGGER_A, False)))
        assert injector.home().reason == "trigger"
    assert injector.alarms().standing & 1 << wire.ALARM_NEAR_EMPTY
    for name in MOUNTED:
        here.device.control(name, 1)
    here.rest(1_000_000)
    injector.prime(0.05)
    with pytest.raises(DeviceError, match="SYRINGE_EMPTY"):
        injector.dose(0.2, 1.0, "body")


def test_a_carriage_at_its_end_stays_there(here: Bench) -> None:
    injector = bare(here)
    injector.home()
    assert isinstance(injector.home(), Delivered)
    assert carriage_um(here) == -BACK_UM


@pytest.mark.requirement("SR-18")
@pytest.mark.parametrize("bit", [wire.INPUT_SYRINGE, wire.INPUT_CARTRIDGE, wire.INPUT_CONTACT, wire.INPUT_DRIVE_FAULT])
def test_homing_is_refused_with_anything_mounted_or_at_the_skin(bit: int, here: Bench) -> None:
    injector = bare(here)
    fell(here, bit, True)()
    with pytest.raises(DeviceError, match="SKIN_CONTACT" if bit == wire.INPUT_CONTACT else "INTERLOCK"):
        injector.home()
    assert (here.rest()["plunger_steps"], turns(here)) == (0, 0)


HOMING_STOPS = {
    **{name: stop for name, stop in STOPS.items() if "trigger" not in name},
    "trigger": (lambda bench, _: fell(bench, wire.INPUT_TRIGGER_A, False), "trigger"),
    "other trigger": (lambda bench, _: fell(bench, wire.INPUT_TRIGGER_B, False), "trigger"),
    "driver fault": (lambda bench, _: fell(bench, wire.INPUT_DRIVE_FAULT, True), "drive_fault"),
}


@pytest.mark.requirement("SR-27", "SR-28")
@pytest.mark.parametrize("name", HOMING_STOPS)
def test_homing_ends_at_once(name: str, here: Bench) -> None:
    injector = bare(here)
    how, reason = HOMING_STOPS[name]
    at: list[float] = []
    stop = how(here, injector)

    def act() -> None:
        at.append(carriage_um(here))
        stop()

    injector.listen(after_way_back(20_000, act))
    result = injector.home()
    assert isinstance(result, NotDelivered) and result.reason == reason
    assert -BACK_UM < carriage_um(here) <= at[0] < -1_000
    assert at[0] - carriage_um(here) <= 2_500 * 0.020, "the way until the next wake"
    rested = here.rest()
    assert rested["needle_home"] and not rested["moving"]


def test_homing_ends_when_nobody_is_heard(here: Bench) -> None:
    injector = bare(here)

    def die() -> None:
        here.link(injector).dead = True

    injector.listen(after_way_back(10_000, die))
    with pytest.raises(Killed):
        injector.home()
    here.rest()
    assert -BACK_UM < carriage_um(here) < -500
    again = here.connect()
    assert again.resolved[0].reason == "link_lost"
    assert again.status().latches & wire.LATCH_LINK_LOST


WRONG: dict[str, tuple[str, int, str]] = {
    "index": ("index_dead", 1, "needle_not_home"),
    "far away": ("carriage.back_um", 80_000_000, "encoder"),
}


@pytest.mark.requirement("SR-29")
@pytest.mark.parametrize("name", WRONG)
def test_homing_that_does_not_find_its_origins_says_so(name: str, here: Bench) -> None:
    injector = bare(here)
    control, value, reason = WRONG[name]
    here.device.control("set", (control, value)) if "." in control else here.device.control(control, value)
    result = injector.home()
    assert isinstance(result, NotDelivered) and result.reason == reason
    assert not here.rest()["moving"]


def test_the_command_line_homes() -> None:
    done = CliRunner().invoke(app, ["home", "--device", "sim://cpython?seed=3&mounted=nothing", "--json"])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["reason"] == "complete"
