"""Calibration and settings through the whole device: readings that were wrong are right, and what is damaged locks."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from mesoinjector import AuthError, Delivered, DeviceError, Injector, PlanError, Service
from mesoinjector.cli import app
from mesoprotocol import messages, wire
from tests.bench_of_one import SERVICE, Bench, world

DOSE = {"volume_ml": 0.02, "depth_mm": 1.0, "zone": "cheek"}
RUN = {"strokes": 10, "depth_mm": 1.0, "zone": "cheek", "area_cm2": 40}


def symbol(bench: Bench, name: str, value: float) -> None:
    bench.device.control("set", [name, round(value * 1000)])


def deviation_um(injector: Injector) -> int:
    """How far the strokes of a run were from what was set, by the carrier sensor."""
    result = injector.fractional(**RUN)
    return int(injector.ledger(result.n).worst_depth_um)


def test_a_calibrated_carrier_sensor_measures_depth(here: Bench) -> None:
    injector = here.ready()
    symbol(here, "sensor.carrier.offset_um", 120)
    assert 90 < deviation_um(injector) < 150
    assert Service(injector).calibrate(carrier_zero_um=120).carrier_zero_um == 120
    assert deviation_um(injector) < 60
    here.device.control("reset")
    injector = here.connect()
    assert Service(injector).settings()[2:] == (1, "", 120, 0, 1_000_000)
    assert deviation_um(injector) < 60


def test_a_calibrated_encoder_measures_the_dose(here: Bench) -> None:
    injector = here.ready()
    symbol(here, "sensor.encoder.gain_permille", 970)
    symbol(here, "sensor.pressure.offset_pa", 3_000)
    service = Service(injector)
    service.calibrate(encoder_gain_ppm=1_000_000_000 // 970, pressure_zero_pa=3_000)
    assert abs(injector.status().pressure_pa) < 1_500
    before = here.plant()["tip_nl"]
    result = injector.dose(**DOSE)
    given = here.rest(2_000_000)["tip_nl"] - before
    assert isinstance(result, Delivered)
    entry = injector.ledger(result.n)
    assert entry.lower_nl <= given <= entry.upper_nl
    assert abs(entry.delivered_nl - given) < 600


@pytest.mark.requirement("SR-33")
def test_only_service_writes(here: Bench) -> None:
    operator = here.keyed()
    with pytest.raises(AuthError, match="ROLE"):
        Service(operator).calibrate(name="mine")
    assert Service(operator).settings().generation == 0
    service = Service(here.connect(SERVICE))
    assert service.calibrate(name="Marie").name == "Marie"


def test_nothing_is_written_while_something_is_in_hand(here: Bench) -> None:
    injector = here.ready()
    injector.wait(1)
    n = injector.status().next_n
    plan = injector._pump.request(messages.Prepare(b"abcdefgh", n, 20_000, 1_000, wire.MODE_SINGLE, 1, 6, 0))
    with pytest.raises(DeviceError, match="WRONG_STATE"):
        Service(injector).calibrate(name="mine")
    tick = injector._pump.connection.device_tick(injector.link.now_us())
    commit = messages.Commit(b"abcdefgh", plan.plan_crc, injector.hello.boot_id, (tick + 1_000_000) & 0x3FFFFFFF)
    assert injector._pump.request(commit).state == wire.STATE_ARMED
    with pytest.raises(DeviceError, match="WRONG_STATE"):
        Service(injector).calibrate(name="mine")
    assert world(here).files == {}


@pytest.mark.parametrize("bad", [{"name": "x" * 17}, {"name": "é"}, {"carrier_zero_um": 1001}, {"encoder_gain_ppm": 1}])
def test_bad_input_is_named_and_sends_nothing(bad: dict[str, object], here: Bench) -> None:
    service = Service(here.connect())
    with pytest.raises(PlanError, match=next(iter(bad))):
        service.calibrate(**bad)  # type: ignore[arg-type]
    assert world(here).files == {}


@pytest.mark.requirement("SR-34")
@pytest.mark.parametrize("at", [0, 4, 5, 21, 23, 27, 31, 34])
def test_a_damaged_file_locks_therapy_and_says_why(at: int, here: Bench) -> None:
    injector = here.ready()
    Service(injector).calibrate(name="one")
    Service(injector).calibrate(name="two", pressure_zero_pa=-300)
    files = world(here).files
    altered = bytearray(files["settings.a"])
    altered[at] ^= 0xFF
    files["settings.a"] = bytes(altered)
    before = dict(files)
    for _ in range(2):
        here.device.control("reset")
        injector = here.connect()
        injector.wait(1)
        with pytest.raises(DeviceError, match=r"SETTINGS_DAMAGED.*calibration.*Next: service"):
            injector.dose(**DOSE)
        request = messages.Prepare(b"abcdefgh", injector.status().next_n, 20_000, 1_000, wire.MODE_SINGLE, 1, 6, 0)
        with pytest.raises(DeviceError, match="SETTINGS_DAMAGED"):  # the device itself, whatever a host thinks
            injector._pump.request(request)
        assert injector.clear() == wire.LATCH_SETTINGS_DAMAGED
        with pytest.raises(DeviceError, match="SETTINGS_DAMAGED"):
            Service(injector).calibrate(name="mine")
        assert injector.ledger(1).n == 1
        assert files == before


def test_the_command_line_says_what_is_set() -> None:
    done = CliRunner().invoke(app, ["settings", "--device", "sim://cpython", "--json"])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["encoder_gain_ppm"] == 1_000_000
    done = CliRunner().invoke(
        app, ["calibrate", "set", "--device", "sim://cpython", "--operator", "Ada", "--pressure-zero-pa", "250"]
    )
    assert done.exit_code == 0, done.output
    assert "pressure zero pa         250" in done.stdout
