"""SR-32: a cartridge is used in one treatment. Chip, device and journal remember; each alone suffices to refuse."""

from __future__ import annotations

import json
from typing import Any

import pytest
from typer.testing import CliRunner

from mesofirmware import cartridge
from mesoinjector import Delivered, DeviceError, Injector, NotDelivered, Service
from mesoinjector.cli import app
from mesoprotocol import messages, wire
from mesosim.world.cartridge import LABEL_AT, MARK_AT
from tests.bench_of_one import OPERATOR, SERVICE, Bench, after_strokes, world

RUN: dict[str, Any] = {"strokes": 10, "depth_mm": 1.0, "zone": "cheek", "area_cm2": 40}
REQUEST = messages.PrepareRun(b"abcdefgh", 1, 10, 1_000, 900, 6, 16, 40, 60)
TODAY = 9_497


def begun(bench: Bench) -> Injector:
    injector = bench.connect()
    injector.begin_treatment()
    return injector


def refused(bench: Bench, injector: Injector, name: str, request: messages.PrepareRun = REQUEST) -> None:
    """By the device itself, whatever a host thinks; nothing moved and nothing was written."""
    before = bench.plant()["punctures"], bytes(world(bench).plant.cartridge.memory)
    with pytest.raises(DeviceError, match=rf"{name}\b.*Next: "):
        injector._pump.request(request._replace(n=injector.status().next_n))
    assert injector.status().state == wire.STATE_IDLE
    assert (bench.plant()["punctures"], bytes(world(bench).plant.cartridge.memory)) == before


def mount(bench: Bench, **what: object) -> None:
    bench.device.control("mount", what)


@pytest.mark.requirement("SR-32")
def test_a_new_one_is_marked_before_the_first_stroke(here: Bench) -> None:
    injector = begun(here)
    chip = world(here).plant.cartridge
    assert chip.memory[MARK_AT:] == b"\xff" * (len(chip.memory) - MARK_AT)
    marked: list[tuple[int, bool]] = []

    def look(event: object) -> None:
        if isinstance(event, messages.PhaseEvent) and event.state == wire.STATE_ARMED:
            marked.append((here.plant()["punctures"], chip.memory[MARK_AT] != 0xFF))

    injector.listen(look)
    assert isinstance(injector.fractional(**RUN), Delivered)
    assert marked == [(0, True)]
    assert bytes(chip.memory[MARK_AT : MARK_AT + 8]) == injector.hello.uid


@pytest.mark.requirement("SR-32")
def test_it_goes_on_in_its_treatment_also_after_a_restart(bench: Bench) -> None:
    injector = begun(bench)
    injector.fractional(**RUN)
    assert isinstance(injector.fractional(**RUN), Delivered)
    bench.rest(1_000_000)
    bench.device.control("reset")
    assert isinstance(bench.connect().fractional(**RUN), Delivered)


@pytest.mark.requirement("SR-32")
def test_chip_device_and_journal_each_refuse_alone(here: Bench) -> None:
    injector = begun(here)
    injector.fractional(**RUN)
    chip = world(here).plant.cartridge
    marked = bytes(chip.memory)
    injector.begin_treatment()
    with pytest.raises(DeviceError, match=r"CARTRIDGE_USED.*Next: throw it away"):
        injector.fractional(**RUN)
    refused(here, injector, "CARTRIDGE_USED")
    # the device alone: somebody has wiped the chip's mark
    chip.memory[MARK_AT:] = b"\xff" * (len(marked) - MARK_AT)
    refused(here, injector, "CARTRIDGE_USED")
    # the journal alone: and another device's memory
    ring = range(cartridge._AT, cartridge._AT + cartridge._SLOT * cartridge._SLOTS)
    kept = bytes(world(here)._fram[ring.start : ring.stop])
    for at in ring:
        world(here)._fram[at] = 0
    assert Service(injector).cartridge().judged == wire.S_OK
    with pytest.raises(DeviceError, match="CARTRIDGE_USED"):
        injector.fractional(**RUN)
    # the chip alone
    chip.memory[:] = marked
    refused(here, injector, "CARTRIDGE_USED")
    world(here)._fram[ring.start : ring.stop] = kept
    refused(here, injector, "CARTRIDGE_USED")


@pytest.mark.requirement("SR-32")
def test_a_treatment_number_that_comes_again_is_another_treatment(here: Bench) -> None:
    injector = begun(here)
    number = injector._treatment
    injector.fractional(**RUN)
    for treatment in (number + 1, number):
        injector._pump.request(messages.StartTreatment(treatment))
        refused(here, injector, "CARTRIDGE_USED")


@pytest.mark.requirement("SR-32")
@pytest.mark.parametrize(
    ("what", "name"),
    [
        ({"chip": False}, "NO_CHIP"),
        ({"used": ["0011223344556677", 1]}, "CARTRIDGE_USED"),
        ({"kind": wire.CARTRIDGE_HOLLOW}, "CARTRIDGE_KIND"),
        ({"kind": 0}, "CARTRIDGE_KIND"),
        ({"needles": 17}, "CARTRIDGE_KIND"),
        ({"needles": 11}, "CARTRIDGE_KIND"),
        ({"needles": 21}, "CARTRIDGE_KIND"),
        ({"expiry_day": TODAY - 1}, "CARTRIDGE_EXPIRED"),
    ],
)
def test_what_may_not_be_used(what: dict[str, object], name: str, here: Bench) -> None:
    injector = begun(here)
    mount(here, **what)
    refused(here, injector, name)
    with pytest.raises(DeviceError, match=name) if name != "CARTRIDGE_KIND" else pytest.raises(DeviceError):
        injector.fractional(**RUN)
    mount(here, serial=2, expiry_day=TODAY, needles=16)
    assert isinstance(injector.fractional(**RUN), Delivered)


@pytest.mark.requirement("SR-32", "SR-34")
@pytest.mark.parametrize("how", [lambda byte: byte ^ 0xFF, lambda byte: 0], ids=["inverted", "zero"])
def test_each_byte_of_the_chip(how: Any, here: Bench) -> None:
    injector = begun(here)
    injector.fractional(**RUN)
    memory = world(here).plant.cartridge.memory
    whole = bytes(memory)
    for at in (*range(LABEL_AT, 22), *range(MARK_AT, MARK_AT + 15)):
        memory[at] = how(memory[at])
        if bytes(memory) != whole:
            judged = Service(injector).cartridge().judged
            assert judged == wire.S_CHIP_DAMAGED, at
        memory[:] = whole
    assert Service(injector).cartridge().judged == wire.S_OK


@pytest.mark.requirement("SR-34")
def test_what_the_device_remembers_of_cartridges_is_damaged(here: Bench) -> None:
    """One slot, that which is written next, may be spoilt by a power cut; then chip and journal still refuse."""
    injector = begun(here)
    for serial in (1, 2, 3):
        mount(here, serial=serial)
        injector.fractional(**RUN)
    fram = world(here)._fram
    for entry in (1, 2):
        at = cartridge._AT + entry * cartridge._SLOT
        for offset in range(18):
            fram[at + offset] ^= 0xFF
            assert Service(injector).cartridge().judged == wire.S_STORE_FAILED
            fram[at + offset] ^= 0xFF
    assert Service(injector).cartridge().judged == wire.S_OK
    injector.begin_treatment()
    fram[cartridge._AT + 3 * cartridge._SLOT + 4] ^= 0xFF
    assert Service(injector).cartridge().judged == wire.S_CARTRIDGE_USED


@pytest.mark.requirement("SR-32")
def test_a_mark_that_the_chip_does_not_take(here: Bench) -> None:
    injector = begun(here)
    memory = world(here).plant.cartridge.memory
    chip = world(here).board.chip
    chip.write = lambda at, buf, n: None
    before = here.plant()["punctures"]
    result = injector.fractional(**RUN)
    assert isinstance(result, NotDelivered)
    assert here.rest(5_000_000)["punctures"] == before
    assert memory[MARK_AT] == 0xFF
    assert injector.status().latches == wire.LATCH_FAULT


@pytest.mark.requirement("SR-32")
def test_another_one_after_it_was_judged(here: Bench) -> None:
    injector = begun(here)
    reply = injector._pump.request(REQUEST)
    mount(here, serial=9)
    tick = injector._pump.connection.device_tick(injector.link.now_us())
    commit = messages.Commit(REQUEST.dose_id, reply.plan_crc, injector.hello.boot_id, (tick + 1_000_000) & 0x3FFFFFFF)
    with pytest.raises(DeviceError, match="CARTRIDGE_CHANGED"):
        injector._pump.request(commit)
    assert world(here).plant.cartridge.memory[MARK_AT] == 0xFF


@pytest.mark.requirement("SR-32")
def test_one_that_is_taken_off_while_armed(here: Bench) -> None:
    injector = begun(here)

    def take_off(event: object) -> None:
        if isinstance(event, messages.PhaseEvent) and event.state == wire.STATE_ARMED:
            here.device.control("cartridge", 0)

    here.device.control("present", 0)
    injector.listen(take_off)
    assert injector.fractional(**RUN).reason == "syringe"
    assert here.plant()["punctures"] == 0


def test_one_that_fails_in_a_run_is_marked(here: Bench) -> None:
    """Stopped in the middle: it goes on in this treatment, and in no other."""
    injector = begun(here)
    injector.listen(after_strokes(3, lambda: here.device.control("reset")))
    injector.fractional(**{**RUN, "strokes": 40})
    again = here.connect()
    assert Service(again).cartridge().judged == wire.S_OK
    again._pump.request(messages.StartTreatment(999))
    assert Service(again).cartridge().judged == wire.S_CARTRIDGE_USED


def test_a_device_that_knows_no_date_refuses(here: Bench) -> None:
    injector = here.connect()
    injector._pump.request(messages.StartTreatment(5))
    refused(here, injector, "DATE_UNKNOWN")
    injector._pump.request(messages.SetDate(TODAY))
    assert Service(injector).cartridge().judged == wire.S_OK
    here.device.control("reset")
    assert Service(here.connect()).cartridge().judged == wire.S_OK, "the date lasts"


def test_only_service_sets_the_date_back(here: Bench) -> None:
    here.keyed()
    operator = here.connect(OPERATOR)
    operator._pump.request(messages.SetDate(TODAY + 5))
    with pytest.raises(DeviceError, match="DATE_BACKWARDS"):
        operator._pump.request(messages.SetDate(TODAY + 4))
    service = here.connect(SERVICE)
    assert service._pump.request(messages.SetDate(TODAY)).day == TODAY


def test_the_command_line_says_what_is_mounted() -> None:
    done = CliRunner().invoke(app, ["cartridge", "--device", "sim://cpython?seed=3", "--json"])
    assert done.exit_code == 0, done.output
    said = json.loads(done.stdout)
    assert said["device_says"] == "date_unknown" and said["journal_says"] == "new"
    assert (said["kind"], said["needles"], said["lot"]) == ("puncture", 12, "LOT-2601")


def test_the_command_line_says_that_another_syringe_is_mounted() -> None:
    done = CliRunner().invoke(app, ["syringe", "--device", "sim://cpython?seed=3", "--json"])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout) == {"left_ml": 1.0}
