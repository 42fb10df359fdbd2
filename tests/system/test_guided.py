"""Guided calibration through the whole device: a planted error is found, corrected, checked, and kept in history.

The plant is the witness: what it let out is held against what was asked and what the device says.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from mesoinjector import (
    AuthError,
    Delivered,
    Injector,
    PlanError,
    calibrating,
    changing,
    errors,
    guided,
    history,
    scale,
)
from mesoinjector.service import Service
from mesoinjector.weighing import Hands
from mesoprotocol import wire
from mesosim import handpiece
from mesosim import runtime as simulator
from mesosim.scale import BenchScale
from tests.bench_of_one import OPERATOR, SERVICE, Bench

VOLUMES = [0.02, 0.08]
PROFILE = "1ml-30G4-aqueous"


@dataclass
class Someone:
    """Hands that do what they are told, and what they were told."""

    agrees: bool = True
    looks: bool = True
    said: list[str] = field(default_factory=list)
    before_write: Callable[[], None] = lambda: None

    def hands(self) -> guided.Hands:
        def agree(what: str) -> bool:
            self.before_write()
            self.said.append(what)
            return self.agrees

        return Hands(self.said.append, self.said.append, agree, lambda _: self.looks, lambda done, of: None)


def symbol(bench: Bench, name: str, value: float) -> None:
    bench.device.control("set", [name, round(value * 1000)])


def weighed_by(injector: Injector, protocol: str) -> tuple[scale.Scale, BenchScale]:
    link = injector.link
    line = BenchScale(
        protocol,
        link.now_us,
        lambda t_us: injector.wait((t_us - link.now_us()) / 1e6),
        lambda: link.control("account")["tip_nl"],
    )
    return scale.PROTOCOLS[protocol](line, f"sim:{protocol}"), line


def calibrated(
    injector: Injector, someone: Someone | None = None, protocol: str = "sics", **tuned: Any
) -> guided.Doses:
    it, line = weighed_by(injector, protocol)
    for name, value in tuned.items():
        setattr(line, name, value)
    hands = (someone or Someone()).hands()
    return guided.doses(injector, it, calibrating.z_ul_per_mg(20.0), "Ada", hands, VOLUMES, 5, 2, PROFILE)


def errors_percent(bench: Bench, injector: Injector) -> list[tuple[float, float]]:
    """Doses once more: what the plant let out against what was asked, and what the device says against the plant."""
    injector.new_syringe()
    injector.prime(0.1)
    found = []
    for point, volume_ml in enumerate((0.02, 0.05, 0.1, 0.2), start=500):
        before = bench.plant()["tip_nl"]
        result = injector.dose(volume_ml, 1.0, "body", point)
        injector.wait(3)
        given = bench.plant()["tip_nl"] - before
        assert isinstance(result, Delivered) and result.complete, result
        assert result.lower_nl <= given <= result.upper_nl
        found.append((100 * (given / (volume_ml * 1e6) - 1), 100 * (result.delivered_nl / given - 1)))
    return found


# --- Doses -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("protocol", ["sics", "sbi"])
@pytest.mark.parametrize("gain", [970, 988, 1012, 1025])
def test_a_planted_gain_is_found_written_checked_and_doses_are_right(gain: int, protocol: str, here: Bench) -> None:
    symbol(here, "sensor.encoder.gain_permille", gain)
    injector = here.connect()
    result = calibrated(injector, protocol=protocol)
    assert result.written and not result.put_back and not result.loud, (result.said, result.put_back)
    assert abs(result.now["encoder_gain_ppm"] * gain / 1e9 - 1) < 0.001
    assert [each.reason for each in result.checks] == ["complete"] * 4
    for given, told in errors_percent(here, injector):
        assert abs(given) < 1 and abs(told) < 1
    (noted,) = changing.history(injector.journal, injector.uid)
    assert (noted.kind, noted.operator, noted.former["encoder_gain_ppm"]) == ("dose", "Ada", 1_000_000)
    assert noted.wanted == result.now
    assert len(noted.measured["doses"]) == 10
    about = next(data for _, _, kind, _, _, data in injector.journal.entries() if kind == "treatment")
    assert (
        about["purpose"] == "calibration" and about["operator"] == "Ada" and "SIM" in about["scale"]
    ) or protocol == "sbi"


@pytest.mark.parametrize("seed", [2, 4, 7, 11])
def test_specimens_within_their_tolerances_are_corrected_alike(seed: int, tmp_path: Path) -> None:
    """Bore, needle, friction and sensors as drawn: what is wrong with the syringe goes into no gain."""
    bench = Bench(simulator.start("cpython", seed, "", handpiece.load().drawn(seed)), tmp_path / "journal.sqlite")
    gain = bench.device.control("get", "sensor.encoder.gain_permille") * 0.98
    symbol(bench, "sensor.encoder.gain_permille", gain)
    result = calibrated(bench.connect())
    assert result.written and not result.put_back, (result.said, result.put_back)
    assert abs(result.now["encoder_gain_ppm"] * gain / 1e9 - 1) < 0.001
    bench.device.close()


def test_what_stands_as_well_is_left(here: Bench) -> None:
    injector = here.connect()
    result = calibrated(injector)
    assert not result.written and "as good" in result.said and not result.loud
    assert changing.history(injector.journal, injector.uid) == []
    assert Service(injector).settings().generation == 0


@pytest.mark.parametrize(
    ("bore_um", "gain", "said"),
    [
        (4_851, 1_030, "encoder and scale agree against the steps"),  # as a screw that moves 3 % too far
        (4_720, 975, "encoder and scale agree against the steps"),
        (4_840, 1_000, "beyond the 2 %"),
        (4_850, 990, "beyond the 2 %"),
        (4_812, 1_000, "within the 2 %"),
    ],
)
def test_what_no_setting_corrects_is_said_and_never_written(bore_um: int, gain: int, said: str, here: Bench) -> None:
    symbol(here, "syringe.bore_um", bore_um)
    symbol(here, "sensor.encoder.gain_permille", gain)
    injector = here.connect()
    result = calibrated(injector)
    assert not result.written and said in result.loud[0] and "no setting corrects" in result.loud[0]
    assert Service(injector).settings().generation == 0


@pytest.mark.parametrize("tuned", [{"noise_ug": 3_000.0}, {"evaporation_ug_per_s": 5.0, "noise_ug": 3_000.0}])
def test_a_scale_that_scatters_decides_nothing(tuned: dict[str, float], here: Bench) -> None:
    symbol(here, "sensor.encoder.gain_permille", 988)
    result = calibrated(here.connect(), **tuned)
    assert not result.written and "scatter" in result.said


def test_what_evaporates_is_subtracted(here: Bench) -> None:
    result = calibrated(here.connect(), evaporation_ug_per_s=20.0)
    assert result.finding is not None
    for volume in result.finding.volumes:
        assert abs(volume.error_percent) < 0.3  # not subtracted, the smallest would be 1 % off


@pytest.mark.parametrize("fault", ["never_stable", "overload", "silent", "garbage", "unit"])
def test_a_scale_that_fails_ends_it_and_nothing_is_written(fault: str, here: Bench) -> None:
    injector = here.connect()
    with pytest.raises(errors.ScaleError):
        calibrated(injector, fault=fault)
    assert Service(injector).settings().generation == 0
    assert injector.journal.open_doses(injector.uid) == []


def test_who_does_not_agree_writes_nothing(here: Bench) -> None:
    symbol(here, "sensor.encoder.gain_permille", 988)
    injector = here.connect()
    result = calibrated(injector, Someone(agrees=False))
    assert not result.written and "not wanted" in result.said
    assert changing.history(injector.journal, injector.uid) == []


def test_a_latch_that_nobody_looks_at_stays(here: Bench) -> None:
    symbol(here, "sensor.encoder.gain_permille", 988)
    injector = here.connect()
    with pytest.raises(errors.CalibrationError, match="stands"):
        calibrated(injector, Someone(looks=False))
    assert injector.status().latches


def test_a_check_that_is_worse_puts_back_what_stood(here: Bench) -> None:
    symbol(here, "sensor.encoder.gain_permille", 988)
    injector = here.connect()
    someone = Someone(before_write=lambda: symbol(here, "sensor.encoder.gain_permille", 960))
    result = calibrated(injector, someone)
    assert result.written and "check" in result.put_back
    assert Service(injector).settings().encoder_gain_ppm == 1_000_000
    assert [each.kind for each in changing.history(injector.journal, injector.uid)] == ["dose", "put back"]


def test_a_scale_that_fails_at_the_check_puts_back_what_stood(here: Bench) -> None:
    symbol(here, "sensor.encoder.gain_permille", 988)
    injector = here.connect()
    it, line = weighed_by(injector, "sics")
    someone = Someone(before_write=lambda: setattr(line, "fault", "silent"))
    z = calibrating.z_ul_per_mg(20.0)
    result = guided.doses(injector, it, z, "Ada", someone.hands(), VOLUMES, 5, 2, PROFILE)
    assert "no answer" in result.put_back
    assert Service(injector).settings().encoder_gain_ppm == 1_000_000


class Gone(Exception):
    """What ends a program that was not expected to end."""


@pytest.mark.parametrize("end", [KeyboardInterrupt, Gone])
def test_a_check_that_is_broken_off_leaves_nothing_unchecked(end: type[BaseException], here: Bench) -> None:
    symbol(here, "sensor.encoder.gain_permille", 988)
    injector = here.connect()
    asked: list[int] = []

    def progress(done: int, of: int) -> None:
        asked.append(of)
        if of == 4:  # a check
            raise end

    z = calibrating.z_ul_per_mg(20.0)
    it, _ = weighed_by(injector, "sics")
    hands = dataclasses.replace(Someone().hands(), progress=progress)
    with pytest.raises(end):
        guided.doses(injector, it, z, "Ada", hands, VOLUMES, 5, 2, PROFILE)
    assert asked.count(10) == 10
    assert Service(injector).settings().encoder_gain_ppm == 1_000_000
    assert [each.kind for each in changing.history(injector.journal, injector.uid)] == ["dose", "put back"]


def test_a_line_that_breaks_in_the_check_is_said_with_what_to_do(here: Bench) -> None:
    symbol(here, "sensor.encoder.gain_permille", 988)
    injector = here.connect()
    it, _ = weighed_by(injector, "sics")
    hands = dataclasses.replace(
        Someone().hands(), progress=lambda done, of: here.link(injector).cut() if of == 4 else None
    )
    z = calibrating.z_ul_per_mg(20.0)
    with pytest.raises(errors.CalibrationError, match=r"encoder_gain_ppm 1012\d+ may be in force.*restore"):
        guided.doses(injector, it, z, "Ada", hands, VOLUMES, 5, 2, PROFILE)
    again = here.connect()
    (noted, *_) = changing.history(again.journal, again.uid)
    assert changing.restore(again, noted.row, "Ada").encoder_gain_ppm == 1_000_000


def test_what_stood_is_put_back_also_while_a_latch_stands(here: Bench) -> None:
    symbol(here, "sensor.encoder.gain_permille", 988)
    injector = here.connect()
    looked: list[str] = []

    def spoil() -> None:
        looked.append("spoiled")
        symbol(here, "sensor.encoder.gain_permille", 960)

    someone = Someone(before_write=spoil)
    hands = dataclasses.replace(someone.hands(), looked=lambda _: not looked)
    it, _ = weighed_by(injector, "sics")
    result = guided.doses(injector, it, calibrating.z_ul_per_mg(20.0), "Ada", hands, VOLUMES, 5, 2, PROFILE)
    assert "stands" in result.put_back and injector.status().latches
    assert Service(injector).settings().encoder_gain_ppm == 1_000_000


def test_values_that_somebody_types(here: Bench) -> None:
    symbol(here, "sensor.encoder.gain_permille", 988)
    injector = here.connect()

    def reads(question: str) -> str:
        if "show" not in question:
            return ""
        injector.wait(3)
        return f"{injector.link.control('account')['tip_nl'] / 1002.9:.2f}"

    z = calibrating.z_ul_per_mg(20.0)
    result = guided.doses(injector, scale.Typed(reads), z, "Ada", Someone().hands(), VOLUMES, 5, 2, PROFILE)
    assert result.written and not result.put_back
    (past,) = history.treatments(injector.journal)
    assert (past.about["purpose"], past.ended) == ("calibration", "complete")


def test_a_device_that_cannot_dose_is_not_calibrated_by_doses(here: Bench) -> None:
    symbol(here, "sensor.encoder.gain_permille", 930)
    injector = here.connect()
    with pytest.raises(errors.CalibrationError, match=r"primed: encoder.*Nothing was written. Next: "):
        calibrated(injector)
    assert Service(injector).settings().generation == 0


def test_only_service_calibrates(here: Bench) -> None:
    symbol(here, "sensor.encoder.gain_permille", 988)
    operator = here.keyed()
    with pytest.raises(AuthError, match="ROLE"):
        changing.change(operator, "set", "Ada", "", {"encoder_gain_ppm": 1_010_000}, {})
    injector = here.connect(SERVICE)
    assert injector.hello.uid == operator.hello.uid and OPERATOR.role != SERVICE.role
    result = calibrated(injector)
    assert result.written and not result.put_back


# --- Zeros -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("offset", [-4_000, 700])
def test_the_pressure_sensor_is_zeroed_at_the_air(offset: int, here: Bench) -> None:
    symbol(here, "sensor.pressure.offset_pa", offset)
    injector = here.connect()
    result = guided.pressure(injector, "Ada", Someone().hands())
    assert result.written and not result.put_back
    # its step is 100 Pa, rounded down
    assert abs(result.now["pressure_zero_pa"] - (offset - 50)) < 120
    assert abs(guided.pressure(injector, "Ada", Someone().hands()).found.off) < 100  # type: ignore[union-attr]


def test_a_pressure_that_does_not_rest_is_no_zero(here: Bench) -> None:
    symbol(here, "sensor.pressure.drift_pa_per_min", 10_000)
    symbol(here, "sensor.pressure.noise_pa", 5_000)
    injector = here.connect()
    result = guided.pressure(injector, "Ada", Someone().hands())
    assert not result.written and "Nothing is written" in result.said


def bare(bench: Bench) -> Injector:
    for name in ("syringe", "cartridge"):
        bench.device.control(name, 0)
    return bench.connect()


def test_the_carrier_sensor_is_zeroed_by_a_gauge(here: Bench) -> None:
    symbol(here, "sensor.carrier.offset_um", 120)
    injector = bare(here)
    result = guided.depth(injector, "Ada", Someone().hands(), [1.0, 3.0], lambda at: at)
    assert result.written and not result.put_back and not result.loud
    assert abs(result.now["carrier_zero_um"] - 120) < 15
    dry = injector.dry_run(10, 2.0, 300)
    assert isinstance(dry, Delivered) and dry.worst_depth_um < 60


def test_a_carrier_sensor_of_another_scale_is_said(here: Bench) -> None:
    symbol(here, "sensor.carrier.gain_permille", 1_050)
    result = guided.depth(bare(here), "Ada", Someone(agrees=False).hands(), [1.0, 3.0], lambda at: at)
    assert "its scale is off" in result.loud[0]


def test_a_gauge_far_from_the_set_depth_is_a_slip_of_the_hand(here: Bench) -> None:
    injector = bare(here)
    with pytest.raises(PlanError, match="gauge at 1 mm = 10"):
        guided.depth(injector, "Ada", Someone().hands(), [1.0, 3.0], lambda at: 10 * at)
    assert Service(injector).settings().generation == 0


# --- History ---------------------------------------------------------------------------------------------


def test_history_is_kept_and_put_back(here: Bench) -> None:
    injector = here.connect()
    changing.change(injector, "set", "Ada", "one", {"name": "one", "encoder_gain_ppm": 1_010_000}, {})
    changing.change(injector, "set", "Bob", "two", {"name": "two"}, {})
    first, second = changing.history(injector.journal, injector.uid)
    assert (first.operator, second.operator, second.former["name"]) == ("Ada", "Bob", "one")
    now = changing.restore(injector, second.row, "Cy")
    assert (now.name, now.encoder_gain_ppm) == ("one", 1_010_000)
    now = changing.restore(injector, first.row, "Cy")
    assert (now.name, now.encoder_gain_ppm) == ("", 1_000_000)
    assert [each.kind for each in changing.history(injector.journal, injector.uid)] == [
        "set",
        "set",
        "restore",
        "restore",
    ]
    with pytest.raises(PlanError, match=f"there are: {first.row}, {second.row}"):
        changing.restore(injector, 99, "Cy")
    injector.journal.verify()


def test_nothing_is_written_without_a_name_or_out_of_range(here: Bench) -> None:
    injector = here.connect()
    with pytest.raises(PlanError, match="--operator"):
        changing.change(injector, "set", "Dr. Who", "", {"name": "x"}, {})
    with pytest.raises(PlanError, match="encoder_gain_ppm"):
        changing.change(injector, "set", "Ada", "", {"encoder_gain_ppm": 5}, {})
    assert changing.history(injector.journal, injector.uid) == []
    assert injector.status().state == wire.STATE_IDLE


def test_restoring_a_row_leaves_what_others_have_changed(here: Bench) -> None:
    injector = here.connect()
    changing.change(injector, "set", "Ada", "measured", {"carrier_zero_um": -10}, {})
    changing.change(injector, "set", "Ada", "its number", {"name": "MI-0001"}, {})
    first, _ = changing.history(injector.journal, injector.uid)
    now = changing.values(changing.restore(injector, first.row, "Bob"))
    assert (now["carrier_zero_um"], now["name"]) == (0, "MI-0001")
    changing.change(injector, "set", "Ada", "the same", {"name": "MI-0001"}, {})
    *_, last = changing.history(injector.journal, injector.uid)
    with pytest.raises(errors.PlanError, match=r"has changed nothing\. Nothing was written"):
        changing.restore(injector, last.row, "Bob")
