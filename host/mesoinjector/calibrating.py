"""What measurements say of a device's calibration, and whether another one would be better. No I/O, nothing is sent.

Doses are weighed as ISO 8655-6 weighs those of a pipette: water, its density at its temperature, buoyancy of the air,
what evaporates, several doses of at least two volumes. A dose has three accounts: what the scale says, what the
plunger's steps say (they meter it: `motion.plunger_steps`), and what its encoder says. `encoder_gain_ppm` scales the
last one alone; nothing that can be set changes how much a step delivers. So only a gain that brings the encoder to the
steps is ever proposed, and only where the scale says that the steps are right.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from statistics import mean, median, stdev

from mesoprotocol import limits

CARRIER_ZERO_UM = (-1_000, 1_000)
PRESSURE_ZERO_PA = (-50_000, 50_000)
ENCODER_GAIN_PPM = (900_000, 1_100_000)
"""Lowest and highest, as the device takes them: CALIBRATE in the schema."""
PPM = 1_000_000
WEIGHTS_KG_M3 = 8_000.0
"""What balances are adjusted with: OIML R 111-1."""
FEWEST = 3
"""Doses of a volume that an interval can be made of; ISO 8655-6 takes 10."""
OUTLIER, OUTLIER_LEAST = 3.5, 0.01
"""Modified z-score (Iglewicz and Hoaglin, 1993), and how far off at least: a drop that fell beside is 10 ul."""
WIDEST_PPM = 10_000
"""A ratio known less well than to 1 % decides nothing; choice: a fifth of the dose's goal of 5 %."""
AGREE = limits.ENCODER_SCALE_PERMILLE / 2_000
"""What a linear encoder may be off by and still be right: half of what the device lets it differ from the steps."""
NOTED = 0.01
"""Doses that are so far off are spoken of; choice: as WIDEST_PPM."""
APART = 1.5
"""Two volumes are two, and make a line, if the larger is so many times the smaller."""
STUDENT_975 = (
    *(12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131),
    *(2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042),
)
"""Student's t, 97.5 %, for 1 to 30 degrees of freedom; for more that of 30, which is a little wide."""


def water_kg_m3(celsius: float) -> float:
    """Density of air-free water, 0 to 40 C: Tanaka, Girard, Davis, Peuto, Bignell, Metrologia 38 (2001) 301."""
    a = celsius - 3.983035
    return 999.97495 * (1.0 - a * a * (celsius + 301.797) / (522_528.9 * (celsius + 69.34881)))


def air_kg_m3(celsius: float, hpa: float, humidity_percent: float) -> float:
    """Density of air, 600 to 1,100 hPa, 20 to 80 %, 15 to 27 C: the short form of CIPM-2007, OIML R 111-1, E.3-1."""
    return (0.34848 * hpa - 0.009 * humidity_percent * math.exp(0.061 * celsius)) / (273.15 + celsius)


def z_ul_per_mg(celsius: float, hpa: float = 1013.25, humidity_percent: float = 50.0) -> float:
    """ISO 8655-6's Z: the volume of water that a scale in air shows as 1 mg."""
    air = air_kg_m3(celsius, hpa, humidity_percent)
    return 1_000.0 * (1.0 - air / WEIGHTS_KG_M3) / (water_kg_m3(celsius) - air)


def half_interval(values: Sequence[float]) -> float:
    """Half of the 95 % interval of their mean, by Student's t; infinite for fewer than two."""
    if len(values) < 2:
        return math.inf
    return student(len(values) - 1) * stdev(values) / math.sqrt(len(values))


def student(degrees: int) -> float:
    """Student's t, 97.5 %. `degrees` >= 1."""
    return STUDENT_975[min(degrees, len(STUDENT_975)) - 1]


# --- Doses ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Weighed:
    """One dose, by all three accounts."""

    dose_id: str
    asked_nl: int
    stepped_nl: int
    """By the steps that were made."""
    counted_nl: int
    """By the plunger's encoder, between two samples at rest: whole 71 nl or so, of which nothing adds up."""
    told_nl: int
    """By the device's own account: its encoder's way, less what it takes to be stored at the end."""
    weighed_nl: float
    """By the scale, buoyancy and evaporation considered."""
    reason: str
    """How it ended: `complete`, or why early. It was weighed all the same."""

    @property
    def error(self) -> float:
        """Of the scale against the steps, a fraction."""
        return self.weighed_nl / self.stepped_nl - 1.0


@dataclass(frozen=True, slots=True)
class Volume:
    """The doses of one volume that was asked for."""

    asked_nl: int
    doses: int
    mean_nl: float
    error_percent: float
    """Of the mean, against the steps made."""
    half_percent: float
    """Half of its 95 % interval."""
    cv_percent: float


@dataclass(frozen=True, slots=True)
class Ratio:
    """How one account goes with another, and half of the 95 % interval of that."""

    value: float
    half: float
    offset_nl: float
    """What is the same in each dose, however large; 0 where the volumes lie too near for a line."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What a set of weighed doses says."""

    volumes: tuple[Volume, ...]
    scale: Ratio
    """Scale over steps: 1 where the doses are right."""
    encoder: Ratio
    """Encoder over steps: 1 where the gain is right, if the steps are."""
    outliers: tuple[int, ...]
    """Indices of doses far from the others. They are counted as all are."""
    gain_ppm: int
    """What was in force."""
    better_ppm: int | None
    """What would be better; None if nothing is."""
    error_before: float
    """Of the device's own account against the scale, a fraction."""
    error_after: float
    """The same with a gain that brings encoder and steps together."""
    said: str
    """The decision, and why."""
    loud: tuple[str, ...]
    """What is wrong and no setting corrects."""


def weighed_nl(before_ug: int, after_ug: int, lost_ug: float, z: float) -> float:
    """The volume of a dose from the mass before and after it, what evaporated meanwhile, and Z in ul/mg."""
    return (after_ug - before_ug + lost_ug) * z


def ratio(of: Sequence[float], to: Sequence[float]) -> Ratio:
    """The line of one account over another; where all doses are alike, the mean of their ratios. At least 3 of each."""
    n = len(to)
    if max(to) < APART * min(to):
        each = [a / b for a, b in zip(of, to, strict=True)]
        return Ratio(mean(each), half_interval(each), 0.0)
    middle, height = mean(to), mean(of)
    square = sum((b - middle) ** 2 for b in to)
    slope = sum((b - middle) * (a - height) for a, b in zip(of, to, strict=True)) / square
    offset = height - slope * middle
    # large doses scatter by more than small ones: HC3 (MacKinnon and White, 1985) takes each deviation as it is
    meat = 0.0
    for a, b in zip(of, to, strict=True):
        lever = 1.0 / n + (b - middle) ** 2 / square
        left = (a - slope * b - offset) / max(1.0 - lever, 0.1)
        meat += ((b - middle) * left) ** 2
    return Ratio(slope, student(n - 2) * math.sqrt(meat) / square, offset)


def outliers(doses: Sequence[Weighed]) -> tuple[int, ...]:
    """Those far from the median of all, by their median deviation; never dropped, for whoever looks."""
    errors = [dose.error for dose in doses]
    centre = median(errors)
    spread = median(abs(error - centre) for error in errors)
    least = max(OUTLIER * spread / 0.6745, OUTLIER_LEAST)
    return tuple(i for i, error in enumerate(errors) if abs(error - centre) > least)


def judge(doses: Sequence[Weighed], gain_ppm: int, tolerance_permille: int) -> Finding:
    """What a set of doses says; `tolerance_permille`: how far the syringe's own volume may be off.

    Raises ValueError for fewer than `FEWEST` doses, or one of which no step was made.
    """
    if len(doses) < FEWEST or any(dose.stepped_nl <= 0 for dose in doses):
        raise ValueError(f"{len(doses)} doses: must be at least {FEWEST}, and of each something must be given")
    stepped = [float(dose.stepped_nl) for dose in doses]
    scale = ratio([dose.weighed_nl for dose in doses], stepped)
    # from the first dose on: a sample's rounding is of the place, and does not grow with the way
    encoder = ratio([float(sum_nl) for sum_nl in accumulate(dose.counted_nl for dose in doses)], [*accumulate(stepped)])
    better_ppm, said, loud = _decide(scale, encoder, gain_ppm, tolerance_permille)
    return Finding(
        volumes=tuple(_volume(asked, doses) for asked in sorted({dose.asked_nl for dose in doses})),
        scale=scale,
        encoder=encoder,
        outliers=outliers(doses),
        gain_ppm=gain_ppm,
        better_ppm=better_ppm,
        error_before=abs(encoder.value / scale.value - 1.0),
        error_after=abs(1.0 / scale.value - 1.0),
        said=said,
        loud=tuple(loud),
    )


def _decide(scale: Ratio, encoder: Ratio, gain_ppm: int, tolerance_permille: int) -> tuple[int | None, str, list[str]]:
    """A better gain if there is one, what is said of it, and what no setting corrects."""
    if not (0.5 < scale.value < 2.0) or max(scale.half, encoder.half) * PPM > WIDEST_PPM:
        said = f"by the scale {_span(scale)} of what the steps say, by the encoder {_span(encoder)}"
        then = "Nothing is written. Next: draught shield, a covered vessel, more doses."
        return None, f"The doses scatter too much to decide anything: {said}. {then}", []
    loud = _beyond_settings(scale, encoder, tolerance_permille)
    if abs(encoder.value - 1.0) <= max(encoder.half, AGREE):
        return None, f"What stands is as good: encoder and steps agree, {_span(encoder)}. Nothing is written.", loud
    if abs(scale.value - 1.0) > tolerance_permille / 1000 + scale.half:
        return None, "Nothing is written: steps that do not give what they should are no measure.", loud
    # whatever the scale means within its interval, encoder and steps together must be nearer to it
    for each in (scale.value - scale.half, scale.value, scale.value + scale.half):
        if abs(1.0 / each - 1.0) >= abs(encoder.value / each - 1.0):
            said = f"the encoder says {_span(encoder)} of what the steps say, the scale {_span(scale)}"
            then = "Nothing is written. Next: another syringe, more doses; then service."
            return None, f"Nobody can tell whether encoder or steps are wrong: {said}. {then}", loud
    wanted = round(gain_ppm / encoder.value)
    if not ENCODER_GAIN_PPM[0] <= wanted <= ENCODER_GAIN_PPM[1]:
        low, high = ENCODER_GAIN_PPM
        said = f"The encoder would need a gain of {wanted:,} ppm; {low:,} to {high:,} is allowed."
        return None, f"{said} Nothing is written. Next: service, the encoder is defective.", loud
    if wanted == gain_ppm:
        return None, "What stands is as good. Nothing is written.", loud
    said = f"the encoder says {_span(encoder)} of what the steps say, the scale {_span(scale)}"
    return wanted, f"A gain of {wanted:,} ppm is better than {gain_ppm:,}: {said}.", loud


def _beyond_settings(scale: Ratio, encoder: Ratio, tolerance_permille: int) -> list[str]:
    """What the scale says of the steps."""
    off = scale.value - 1.0
    if abs(off) <= max(scale.half, NOTED):
        return []
    more = "more" if off > 0 else "less"
    said = (
        f"By the scale doses are {100 * abs(off):.1f} % {more} than was asked (± {100 * scale.half:.2f} %), and no "
        "setting corrects that"
    )
    allowed = f"the {tolerance_permille / 10:g} % that its profile allows a syringe"
    if abs(encoder.value / scale.value - 1.0) < abs(off) / 2:
        return [f"{said}: encoder and scale agree against the steps. Next: service, screw and motor of the plunger."]
    if abs(off) <= tolerance_permille / 1000 + scale.half:
        return [f"{said}: within {allowed}. Next: another syringe."]
    return [
        f"{said}: beyond {allowed}. Do not treat with it. Next: check that the syringe is that of the profile, the "
        "water's temperature, and the scale; then service."
    ]


def _span(of: Ratio) -> str:
    return f"{100 * of.value:.2f} % ± {100 * of.half:.2f} %"


def _volume(asked_nl: int, doses: Sequence[Weighed]) -> Volume:
    of = [dose for dose in doses if dose.asked_nl == asked_nl]
    errors = [100 * dose.error for dose in of]
    cv = stdev(errors) / (100 + mean(errors)) * 100 if len(of) > 1 else math.nan
    return Volume(asked_nl, len(of), mean(dose.weighed_nl for dose in of), mean(errors), half_interval(errors), cv)


def is_worse(checks: Sequence[Weighed], before: Finding) -> str:
    """Why check doses say that what was written is worse than what stood; empty if they do not."""
    early = [dose.reason for dose in checks if dose.reason != "complete"]
    if early:
        return f"a check dose ended early: {early[0]}"
    weighed, told = sum(dose.weighed_nl for dose in checks), sum(dose.told_nl for dose in checks)
    if weighed <= 0:
        return "by the scale the check doses weigh nothing"
    error = abs(told / weighed - 1.0)
    if error > before.error_before:
        return f"the device's account is {error:.2%} off the scale now, and was {before.error_before:.2%}"
    return ""


# --- Zeros ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Zero:
    """What readings at a known place say of a sensor's zero."""

    was: int
    wanted: int | None
    """None if what stands is as good, or the readings are no measure."""
    off: float
    half: float
    """Half of the 95 % interval of `off`."""
    said: str


def zero(
    readings: Sequence[float], truth: Sequence[float], was: int, low: int, high: int, noise: float, unit: str
) -> Zero:
    """The zero that brings readings to the truth. `noise`: their greatest standard deviation; a trend is no rest.

    Readings are as the device tells them, with the zero `was` in force; truth is what they should have been.
    """
    off_each = [reading - true for reading, true in zip(readings, truth, strict=True)]
    off, half = mean(off_each), half_interval(off_each)
    wanted = was + round(off)
    said = f"{off:+.0f} ± {half:.0f} {unit} off"
    refusal = ""
    third = len(off_each) // 3
    if len(off_each) < FEWEST or stdev(off_each) > noise:
        refusal = f"the readings scatter by more than {noise:g} {unit}: not at rest, or the sensor is defective"
    elif third > 1 and abs(mean(off_each[:third]) - mean(off_each[-third:])) > noise:
        refusal = f"the readings drift by more than {noise:g} {unit}: wait until they rest"
    elif not low <= wanted <= high:
        refusal = (
            f"the zero would be {wanted:,} {unit}, of {low:,} to {high:,}: the sensor is defective, or not at rest"
        )
    if refusal:
        return Zero(was, None, off, half, f"Nothing is written: {refusal}. Next: see that it is as asked, and again.")
    if abs(off) <= max(half, 1.0):
        return Zero(was, None, off, half, f"What stands is as good: {said}. Nothing is written.")
    return Zero(was, wanted, off, half, f"A zero of {wanted:,} {unit} is better than {was:,}: {said}.")
