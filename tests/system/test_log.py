"""The device's log through the whole device: what it says, and that nobody changes it unseen."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from mesofirmware import log
from mesofirmware.records import Records
from mesoinjector import Delivered, DeviceError, Injector, LogAltered, PlanError, Service, device_log
from mesoinjector.cli import app
from mesoprotocol import messages, wire
from tests.bench_of_one import SERVICE, Bench, world

DOSE = {"volume_ml": 0.02, "depth_mm": 1.0, "zone": "cheek"}
WRONG = messages.Prepare(b"abcdefgh", 99, 20_000, 1_000, wire.MODE_SINGLE, 1, 6, 0)


def said(injector: Injector) -> list[tuple[str, str]]:
    found = Service(injector).log()
    assert found.broken_n is None
    return [(row["what"], row["said"]) for row in map(device_log.facts, found.entries)]


def restarted(bench: Bench, control: str = "reset") -> Injector:
    bench.rest(1_000_000)
    bench.device.control(control)
    injector = bench.connect()
    injector.wait(1)
    return injector


@pytest.mark.requirement("SR-20")
def test_what_happened_is_said(bench: Bench) -> None:
    injector = bench.ready()
    assert isinstance(injector.dose(**DOSE), Delivered)
    with pytest.raises(DeviceError, match="STALE_VIEW"):
        injector._pump.request(WRONG)
    injector.wait(1)
    injector.stop()
    injector.stop()
    injector.clear()
    Service(injector).calibrate(name="Marie")
    assert said(injector) == [
        ("boot", "power_on; no latch"),
        ("treatment", f"treatment {injector._treatment}"),
        ("armed", "dose 1, mode 2"),
        ("ended", "dose 1: complete"),
        ("armed", "dose 2, mode 1"),
        ("ended", "dose 2: complete"),
        ("refused", "dose 99: stale_view"),
        ("stop", "STOP 1; stopped"),
        ("cleared", "stopped; no latch"),
        ("settings", "generation 1"),
    ]
    assert said(restarted(bench))[10:] == [("boot", "power_on; no latch")]
    entries = Service(bench.connect()).log().entries
    assert [entry.boot for entry in entries] == [1] * 10 + [2]
    assert [entry.at_ms for entry in entries[:10]] == sorted(entry.at_ms for entry in entries[:10])


def test_an_interrupted_dose_is_in_the_log(here: Bench) -> None:
    injector = here.ready()

    def reset(event: object) -> None:
        if isinstance(event, messages.PhaseEvent) and event.state == wire.STATE_RUNNING:
            here.device.control("reset")

    injector.listen(reset)
    injector.dose(**DOSE)
    assert said(here.connect())[4:] == [
        ("armed", "dose 2, mode 1"),
        ("boot", "power_on; no latch"),
        ("ended", "dose 2: reset"),
    ]


def test_what_is_armed_is_chained_later(here: Bench) -> None:
    injector = here.ready()
    seen = []

    def look(event: object) -> None:
        if isinstance(event, messages.PhaseEvent) and event.state == wire.STATE_ARMED:
            seen.append((world(here).app._log.chained, world(here).app._log.newest))

    injector.listen(look)
    injector.dose(**DOSE)
    assert seen == [(4, 5)]
    assert Service(injector).log().entries[4].chain != bytes(8)


@pytest.mark.requirement("SR-20", "SR-34")
@pytest.mark.parametrize("at", [*range(0, 28, 3), 27])
def test_an_altered_entry_locks_therapy_and_says_why(at: int, here: Bench) -> None:
    here.ready()
    fram = world(here)._fram
    fram[log._slot(3) + at] ^= 0xFF
    before = bytes(fram[log._HEAD_AT :])
    for _ in range(2):
        injector = restarted(here)
        with pytest.raises(DeviceError, match=r"LOG_DAMAGED.*altered.*Next: service"):
            injector.dose(**DOSE)
        assert injector.clear() == wire.LATCH_LOG_DAMAGED
        found = Service(injector).log()
        assert found.broken_n in (3, 4) and len(found.entries) == 4
        assert bytes(fram[log._HEAD_AT :]) == before, "nothing is written over it"


@pytest.mark.requirement("SR-20", "SR-34")
def test_a_dose_that_was_altered_with_a_right_crc(here: Bench) -> None:
    """The ledger itself cannot tell; the log's chain can, on the device and on the host."""
    injector = here.ready()
    injector.dose(**DOSE)
    here.rest(1_000_000)
    from mesofirmware import ledger

    forger = Records(world(here).board.store, b"LEDGER1")
    values: list[int] = [0] * len(ledger.OUTCOME)
    at = 128 + 2 * 104 + 44
    assert forger.read(at, ledger.OUTCOME, values) == 1
    values[ledger.O_DELIVERED] -= 1
    forger.write(at, ledger.OUTCOME, values)
    found = Service(injector).log()
    assert found.entries[found.broken_n - 1].kind == wire.LOG_ENDED  # type: ignore[operator]
    injector = restarted(here)
    assert injector.status().latches == wire.LATCH_LOG_DAMAGED


@pytest.mark.requirement("SR-34")
def test_settings_that_vanish_are_missed(here: Bench) -> None:
    Service(here.ready()).calibrate(name="Marie")
    world(here).files.clear()
    injector = restarted(here)
    assert injector.status().latches == wire.LATCH_SETTINGS_DAMAGED
    assert Service(injector).settings().generation == 0
    assert world(here).files == {}


def test_a_log_that_is_kept_shows_what_was_replaced(here: Bench, tmp_path: Path) -> None:
    injector = here.ready()
    kept = tmp_path / "log"
    assert device_log.keep(Service(injector).log(), injector.uid, kept) == 4
    assert device_log.keep(Service(injector).log(), injector.uid, kept) == 0
    injector.dose(**DOSE)
    assert device_log.keep(Service(injector).log(), injector.uid, kept) == 2
    rows = kept.read_text().splitlines()
    with pytest.raises(PlanError, match="another"):
        device_log.keep(Service(injector).log(), "00" * 8, kept)
    kept.write_text("\n".join([rows[0].replace("power_on", "watchdog"), *rows[1:]]))
    with pytest.raises(LogAltered, match=r"entry 1 .*Next: do not use it"):
        device_log.keep(Service(injector).log(), injector.uid, kept)
    kept.write_text("\n".join([*rows, rows[-1].replace('"n": 6', '"n": 7')]))
    with pytest.raises(LogAltered, match="only 6"):
        device_log.keep(Service(injector).log(), injector.uid, kept)
    kept.write_text("rubbish")
    with pytest.raises(PlanError, match="does not read"):
        device_log.keep(Service(injector).log(), injector.uid, kept)


def test_anybody_may_read_it(bench: Bench) -> None:
    bench.keyed()
    assert said(bench.connect())[0] == ("boot", "power_on; no latch")
    assert said(bench.connect(SERVICE))[0] == ("boot", "power_on; no latch")


def test_the_command_line_shows_it(tmp_path: Path) -> None:
    kept = tmp_path / "log"
    run = CliRunner().invoke
    done = run(app, ["log", "--device", "sim://cpython", "--keep", str(kept)])
    assert done.exit_code == 0, done.output
    assert done.stdout.split() == ["1", "boot", "1", "0.000", "s", "boot", "power_on;", "no", "latch"]
    assert json.loads(kept.read_text())["what"] == "boot"
    done = run(app, ["log", "--device", "sim://cpython", "--json"])
    assert json.loads(done.stdout)["broken_n"] is None
