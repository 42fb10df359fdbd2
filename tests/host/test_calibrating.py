"""What a calibration concludes: it finds what was planted within its own interval, and refuses what it cannot tell."""

from __future__ import annotations

import math
import random
from statistics import stdev

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats

from mesoinjector import calibrating
from mesoinjector.calibrating import Finding, Weighed, judge

TOLERANCE = 20
"""Permille that the profile allows a syringe."""


def doses(
    gain: float,
    delivers: float = 1.0,
    noise: float = 0.001,
    seed: int = 1,
    each: int = 5,
    volumes: tuple[int, ...] = (20_000, 80_000),
    lost_nl: float = 0.0,
) -> list[Weighed]:
    """Doses of a device whose encoder counts `gain` of the way, and whose steps deliver so much of what they should."""
    drawn = random.Random(seed)
    way = 0.0
    made = []
    for i in range(each * len(volumes)):
        asked = volumes[i % len(volumes)]
        before = way
        way += asked * gain
        counted = way // 72 * 72 - before // 72 * 72
        weighed = asked * delivers * (1 + drawn.gauss(0, noise)) - lost_nl
        made.append(Weighed(f"{i:016x}", asked, asked, round(counted), round(asked * gain), weighed, "complete"))
    return made


def found(gain: float, delivers: float = 1.0, **how: float) -> Finding:
    return judge(doses(gain, delivers, **how), 1_000_000, TOLERANCE)  # type: ignore[arg-type]


# --- Physics against published figures -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("celsius", "kg_m3"),
    [(4.0, 999.9749), (15.0, 999.1026), (20.0, 998.2067), (25.0, 997.0470), (30.0, 995.6488), (40.0, 992.2152)],
)
def test_density_of_water_is_that_of_the_tables(celsius: float, kg_m3: float) -> None:
    assert calibrating.water_kg_m3(celsius) == pytest.approx(kg_m3, abs=0.001)


@pytest.mark.parametrize(
    ("celsius", "hpa", "z"),
    [(20.0, 950, 1.0028), (20.0, 1013, 1.0029), (21.5, 1000, 1.0032), (23.0, 1050, 1.0036), (23.5, 1050, 1.0037)],
)
def test_z_is_that_of_iso_8655(celsius: float, hpa: float, z: float) -> None:
    assert calibrating.z_ul_per_mg(celsius, hpa) == pytest.approx(z, abs=0.00006)


def test_students_t_is_that_of_the_tables() -> None:
    for degrees in range(1, 31):
        assert calibrating.student(degrees) == pytest.approx(stats.t.ppf(0.975, degrees), abs=0.0006)
    assert calibrating.student(1_000) > stats.t.ppf(0.975, 1_000)


def test_a_mass_becomes_a_volume() -> None:
    assert calibrating.weighed_nl(1_000, 20_900, 100, 1.0029) == pytest.approx(20_058)


@given(st.lists(st.floats(1.0, 100.0), min_size=3, max_size=12))
def test_a_line_through_points_on_a_line_is_that_line(to: list[float]) -> None:
    assume(max(to) > calibrating.APART * min(to))
    fitted = calibrating.ratio([3.0 + 1.02 * each for each in to], to)
    assert fitted.value == pytest.approx(1.02) and fitted.offset_nl == pytest.approx(3.0, abs=1e-6)
    assert fitted.half == pytest.approx(0.0, abs=1e-6)


# --- Doses -----------------------------------------------------------------------------------------------


@given(st.floats(0.95, 1.05), st.floats(0.996, 1.004), st.integers(0, 1_000))
def test_a_planted_gain_is_found_within_its_interval(gain: float, delivers: float, seed: int) -> None:
    """Wherever the scale's whole interval lies nearer to the steps than to the encoder."""
    finding = found(gain, delivers, seed=seed)
    quantum = 2 * 72 / 500_000
    assume(abs(gain - 1.0) > max(0.012, 2.05 * (abs(finding.scale.value - 1.0) + finding.scale.half) + quantum))
    assert finding.better_ppm is not None, finding.said
    assert abs(1e6 / finding.better_ppm - gain) <= finding.encoder.half + quantum
    assert abs(finding.better_ppm * gain / 1e6 - 1.0) < 0.001
    assert finding.error_after < finding.error_before
    assert not finding.loud


def test_the_interval_holds_what_was_planted_as_often_as_it_says() -> None:
    held = [
        abs(finding.scale.value - 1.01) <= finding.scale.half
        for finding in (found(1, 1.01, seed=i) for i in range(400))
    ]
    assert 0.92 < sum(held) / len(held) < 0.98


@given(st.floats(0.9, 1.1), st.floats(0.03, 0.3), st.integers(0, 1_000))
def test_noise_is_refused(gain: float, noise: float, seed: int) -> None:
    finding = found(gain, noise=noise, seed=seed)
    assume(finding.scale.half > 0.01)
    assert finding.better_ppm is None and "scatter" in finding.said and "Nothing is written" in finding.said


def test_what_is_right_is_left_alone() -> None:
    finding = found(1.0)
    assert finding.better_ppm is None and "as good" in finding.said and not finding.loud


@given(st.floats(0.85, 1.15), st.integers(0, 1_000))
def test_steps_that_are_wrong_are_not_hidden_in_the_encoder(off: float, seed: int) -> None:
    """A screw that moves by too much: encoder and scale agree, and no gain may be made of it."""
    assume(abs(off - 1.0) > 0.012)
    finding = found(off, off, seed=seed)
    assert finding.better_ppm is None
    assert "against the steps" in finding.loud[0] and "no setting corrects" in finding.loud[0]


@given(st.floats(0.85, 1.15), st.integers(0, 1_000))
def test_a_syringe_of_another_bore_is_said_and_never_written(delivers: float, seed: int) -> None:
    assume(abs(delivers - 1.0) > 0.012)
    finding = found(1.0, delivers, seed=seed)
    assert finding.better_ppm is None
    said = finding.loud[0]
    assert f"{100 * abs(finding.scale.value - 1):.1f} %" in said and ("more" if delivers > 1 else "less") in said
    assert abs(delivers - 1) < 0.025 or "Do not treat" in said


@given(st.floats(0.97, 1.03), st.floats(0.97, 1.03), st.integers(0, 1_000))
def test_nothing_is_proposed_but_what_the_whole_interval_calls_better(gain: float, delivers: float, seed: int) -> None:
    finding = found(gain, delivers, seed=seed)
    if finding.better_ppm is not None:
        for scale in (finding.scale.value - finding.scale.half, finding.scale.value + finding.scale.half):
            assert abs(1 / scale - 1) < abs(finding.encoder.value / scale - 1)


def test_between_encoder_and_steps_the_scale_decides_or_nobody() -> None:
    finding = found(1.02, 1.012)
    assert finding.better_ppm is None and "Nobody can tell" in finding.said


def test_a_gain_beyond_its_range_is_a_defect() -> None:
    finding = judge(doses(0.95), 1_090_000, TOLERANCE)
    assert finding.better_ppm is None and "1,100,000" in finding.said


def test_what_each_dose_loses_is_an_offset_and_no_gain() -> None:
    finding = found(0.98, lost_nl=300.0, noise=0.0001)
    assert finding.scale.value == pytest.approx(1.0, abs=0.001)
    assert finding.scale.offset_nl == pytest.approx(-300, abs=20)


def test_an_outlier_is_shown_and_counted() -> None:
    made = doses(1.0)
    fell = made[4]
    beside = Weighed(fell.dose_id, fell.asked_nl, fell.stepped_nl, fell.counted_nl, fell.told_nl, 10_000.0, "complete")
    finding = judge([*made[:4], beside, *made[5:]], 1_000_000, TOLERANCE)
    assert finding.outliers == (4,)
    assert finding.volumes[0].doses == 5 and finding.volumes[0].mean_nl == pytest.approx(18_000, rel=0.01)
    assert "scatter" in finding.said


def test_figures_of_a_volume() -> None:
    made = doses(1.0, 1.01, noise=0.002)
    volume = judge(made, 1_000_000, TOLERANCE).volumes[1]
    errors = [100 * dose.error for dose in made if dose.asked_nl == 80_000]
    half = stats.t.ppf(0.975, 4) * stdev(errors) / math.sqrt(5)
    assert (volume.asked_nl, volume.doses) == (80_000, 5)
    assert volume.error_percent == pytest.approx(sum(errors) / 5)
    assert volume.half_percent == pytest.approx(half, rel=0.001)
    assert volume.cv_percent == pytest.approx(stdev(errors) / (1 + volume.error_percent / 100), rel=0.001)


@pytest.mark.parametrize("made", [[], doses(1.0)[:2]])
def test_too_few_doses_are_refused(made: list[Weighed]) -> None:
    with pytest.raises(ValueError, match="at least 3"):
        judge(made, 1_000_000, TOLERANCE)


def test_a_check_that_is_worse_is_told() -> None:
    before = found(0.98)
    assert calibrating.is_worse(doses(1.0), before) == ""
    assert "off the scale now" in calibrating.is_worse(doses(0.97), before)
    early = Weighed("0" * 16, 80_000, 40_000, 40_000, 40_000, 40_000.0, "encoder")
    assert "ended early: encoder" in calibrating.is_worse([early], before)
    for nothing in (0.0, -1.0):  # the vessel was taken off
        assert "weigh nothing" in calibrating.is_worse(doses(1.0, delivers=nothing, noise=0.0), before)


# --- Zeros -----------------------------------------------------------------------------------------------

ZERO = (-1_000, 1_000, 100.0, "um")


@given(st.integers(-900, 900), st.integers(-90, 90), st.integers(0, 1_000))
def test_a_planted_zero_is_found(was: int, off: int, seed: int) -> None:
    drawn = random.Random(seed)
    readings = [1_000.0 + off + drawn.gauss(0, 15) for _ in range(40)]
    zero = calibrating.zero(readings, [1_000.0] * 40, was, *ZERO)
    if zero.wanted is None:
        assert abs(zero.off) <= max(zero.half, 1.0) and "as good" in zero.said
    else:
        assert zero.wanted == was + round(zero.off) and abs(zero.wanted - was - off) < 5 * zero.half


@pytest.mark.parametrize(
    ("readings", "said"),
    [
        ([0.0, 400.0] * 20, "scatter"),
        ([10.0 * i for i in range(30)], "drift"),
        ([50.0 - 0.001 * i for i in range(30)], "A zero of 50"),
        ([1_500.0 + i % 2 for i in range(30)], "-1,000 to 1,000"),
        ([0.0, 1.0], "scatter"),
    ],
)
def test_a_zero_of_what_does_not_rest_is_refused(readings: list[float], said: str) -> None:
    zero = calibrating.zero(readings, [0.0] * len(readings), 0, *ZERO)
    assert said in zero.said
    assert (zero.wanted is None) == ("Nothing is written" in zero.said)
