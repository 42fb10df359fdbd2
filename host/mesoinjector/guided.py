"""Calibrating step by step: measure, decide, show, ask, write with what stood kept, check, and put back what is worse.

Where somebody's hands, eyes or word are needed, `Hands` says so; nothing here knows of a terminal.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from statistics import mean
from typing import Any

from mesoinjector import calibrating, changing, errors
from mesoinjector.arguments import in_range
from mesoinjector.calibrating import Finding, Weighed, Zero
from mesoinjector.catalogue import profile as profile_of
from mesoinjector.injector import Injector
from mesoinjector.results import Delivered
from mesoinjector.scale import Scale
from mesoinjector.service import Service
from mesoinjector.weighing import Hands, Weighing
from mesoprotocol import messages

READINGS, EVERY_S = 60, 0.1
"""Of the pressure sensor at rest."""
PRESSURE_NOISE_PA = 1_000.0
"""What the sensor may scatter by: what profiles are judged with (A-23)."""
STROKES, RATE_PER_MIN = 20, 300
"""Of a dry run for its depth."""
CARRIER_NOISE_UM = 40.0
"""What the sensor may scatter by: twice and a half of 15 um rms."""
SCALE_UM = 40.0
"""Two depths whose errors differ by more are no matter of a zero."""
_RECORD = struct.Struct("<IHB")


@dataclass(slots=True)
class Calibrated:
    """What came of it."""

    kind: str
    said: str
    loud: tuple[str, ...] = ()
    former: dict[str, Any] = field(default_factory=dict[str, Any])
    now: dict[str, Any] = field(default_factory=dict[str, Any])
    """As it is in force."""
    written: bool = False
    put_back: str = ""
    """Why the check has put back what stood; empty if it has not."""


@dataclass(slots=True)
class Doses(Calibrated):
    """A gravimetric calibration."""

    finding: Finding | None = None
    doses: Sequence[Weighed] = ()
    checks: Sequence[Weighed] = ()
    treatment: int = 0


@dataclass(slots=True)
class Zeroed(Calibrated):
    """The zero of a sensor."""

    found: Zero | None = None
    readings: Sequence[float] = ()
    truth: Sequence[float] = ()


def doses(
    injector: Injector,
    scale: Scale,
    z: float,
    operator: str,
    hands: Hands,
    volumes_ml: Sequence[float],
    each: int,
    checks: int,
    profile: str,
) -> Doses:
    """Weigh doses, and bring the encoder's gain to the steps where the scale says that this is right.

    Raises `CalibrationError`, `ScaleError`, and what doses and settings raise. `weighing.check` was asked before.
    """
    changing.check(operator)
    weighing = Weighing(injector, scale, z, profile, hands)
    former = changing.values(Service(injector).settings())
    weighing.begin({"operator": operator, "scale": f"{scale.name}, {scale.identity()}"})
    try:
        found = _doses(injector, weighing, former, z, operator, hands, volumes_ml, each, checks, profile)
    except BaseException:
        weighing.end("ended early")
        raise
    weighing.end()
    return found


def _doses(
    injector: Injector,
    weighing: Weighing,
    former: dict[str, Any],
    z: float,
    operator: str,
    hands: Hands,
    volumes_ml: Sequence[float],
    each: int,
    checks: int,
    profile: str,
) -> Doses:
    given = weighing.give(volumes_ml, each)
    finding = calibrating.judge(given, former["encoder_gain_ppm"], profile_of(profile).tolerance_permille)
    found = Doses("dose", finding.said, finding.loud, former, former, finding=finding, doses=given)
    found.treatment = weighing.treatment
    if finding.better_ppm is None:
        return found
    measured = {"doses": [asdict(dose) for dose in given], "finding": asdict(finding), "z_ul_per_mg": z}
    if not _write(injector, found, operator, hands, {"encoder_gain_ppm": finding.better_ppm}, measured):
        return found
    with _or_put_back(injector, found, operator):
        found.checks = weighing.give(volumes_ml, checks)
        found.put_back = calibrating.is_worse(found.checks, finding)
    return found


def pressure(injector: Injector, operator: str, hands: Hands) -> Zeroed:
    """The pressure sensor's zero, with its luer open to the air. Raises as `changing.change`."""
    hands.ready("Take syringe and needle off, so that the luer is open to the air, and leave the handpiece lying")

    def read() -> tuple[list[float], list[float]]:
        readings: list[float] = []
        for _ in range(READINGS):
            injector.wait(EVERY_S)
            readings.append(float(injector.status().pressure_pa))
        return readings, [0.0] * READINGS

    limits = calibrating.PRESSURE_ZERO_PA
    return _zero(injector, operator, hands, "pressure", "pressure_zero_pa", limits, PRESSURE_NOISE_PA, "Pa", read)


def depth(
    injector: Injector, operator: str, hands: Hands, depths_mm: Sequence[float], gauge_mm: Callable[[float], float]
) -> Zeroed:
    """The carrier sensor's zero, by dry runs against a gauge that holds the farthest it was pushed.

    `gauge_mm`: what the gauge shows after the run of a set depth. Raises as `changing.change` and `dry_run`.
    """
    hands.ready("Take syringe and cartridge off, and set the depth gauge to the nose: 0 is the nose plane")

    def read() -> tuple[list[float], list[float]]:
        readings: list[float] = []
        truth: list[float] = []
        for depth_mm in depths_mm:
            hands.say(f"{depth_mm:g} mm: press and hold the trigger until it stops")
            strokes = _strokes(injector, depth_mm, hands)
            true_mm = gauge_mm(depth_mm)
            in_range(f"gauge at {depth_mm:g} mm", true_mm, depth_mm - 1.0, depth_mm + 1.0, "mm")
            readings += strokes
            truth += [1_000 * true_mm] * len(strokes)
        return readings, truth

    limits = calibrating.CARRIER_ZERO_UM
    found = _zero(injector, operator, hands, "depth", "carrier_zero_um", limits, CARRIER_NOISE_UM, "µm", read)
    found.loud = _slope(found)
    return found


def _slope(found: Zeroed) -> tuple[str, ...]:
    """What is off by more at one depth than at another."""
    errors_um: dict[float, list[float]] = {}
    for reading, true in zip(found.readings, found.truth, strict=True):
        errors_um.setdefault(true, []).append(reading - true)
    means = [mean(each) for each in errors_um.values()]
    apart = max(means) - min(means)
    if apart <= SCALE_UM:
        return ()
    said = f"The carrier sensor's error differs by {apart:.0f} µm between the depths: its scale is off"
    return (f"{said}, and no setting corrects that. Next: service.",)


def _strokes(injector: Injector, depth_mm: float, hands: Hands) -> list[float]:
    """The depths of a dry run's strokes by the carrier sensor, um; also of one that bad strokes have ended."""
    result = injector.dry_run(STROKES, depth_mm, RATE_PER_MIN)
    reply = injector.strokes(0)
    if not isinstance(result, Delivered) or reply.count < calibrating.FEWEST:
        raise errors.CalibrationError(
            f"the dry run at {depth_mm:g} mm ended early: {result.reason}. Nothing was written. Next: look at the "
            "handpiece, hold the trigger until it stops, and again."
        )
    injector.wait(1.0)
    latches = injector.status().latches
    names = ", ".join(name.lower() for bit, name in messages.LATCH_BITS.items() if latches & bit)
    if latches and hands.looked(
        f"It ended early: {result.reason}, {names} stands. The handpiece was looked at: clear it?"
    ):
        injector.clear()
    return [float(um) for _, um, _ in _RECORD.iter_unpack(bytes(reply.records)[: reply.count * _RECORD.size])]


def _zero(
    injector: Injector,
    operator: str,
    hands: Hands,
    kind: str,
    name: str,
    limits: tuple[int, int],
    noise: float,
    unit: str,
    read: Callable[[], tuple[list[float], list[float]]],
) -> Zeroed:
    changing.check(operator)
    former = changing.values(Service(injector).settings())
    readings, truth = read()
    zero = calibrating.zero(readings, truth, former[name], *limits, noise, unit)
    found = Zeroed(kind, zero.said, (), former, former, found=zero, readings=readings, truth=truth)
    if zero.wanted is None:
        return found
    measured = {"readings": readings, "truth": truth, "found": asdict(zero)}
    if not _write(injector, found, operator, hands, {name: zero.wanted}, measured):
        return found
    with _or_put_back(injector, found, operator):
        again, truth = read()
        off = mean(reading - true for reading, true in zip(again, truth, strict=True))
        if abs(off) >= abs(zero.off):
            found.put_back = f"the readings are {off:+.0f} {unit} off now, and were {zero.off:+.0f}"
    return found


def _write(
    injector: Injector, found: Calibrated, operator: str, hands: Hands, wanted: dict[str, Any], measured: dict[str, Any]
) -> bool:
    """Show, ask, write."""
    for name, value in wanted.items():
        hands.say(f"{found.said} To write: {name} {found.former[name]:,} -> {value:,}.")
    if not hands.agree("Write this to the device?"):
        found.said += " It was not wanted; nothing was written."
        return False
    found.now = changing.values(changing.change(injector, found.kind, operator, found.said, wanted, measured))
    found.written = True
    return True


@contextmanager
def _or_put_back(injector: Injector, found: Calibrated, operator: str) -> Generator[None]:
    """A check of what was written; if it says that this is worse, or cannot be made, what stood is put back."""
    try:
        yield
    except (errors.ScaleError, errors.CalibrationError, errors.DeviceError) as error:
        found.put_back = f"the check could not be made: {error}"
    except BaseException as error:  # Ctrl-C, a line that broke: unchecked it does not stay
        _put_back(injector, found, operator, f"the check was ended: {type(error).__name__}")
        raise
    if found.put_back:
        _put_back(injector, found, operator, found.put_back)


def _put_back(injector: Injector, found: Calibrated, operator: str, why: str) -> None:
    """Raises `CalibrationError` if that cannot be done."""
    try:
        found.now = changing.values(changing.change(injector, "put back", operator, why, found.former, {}))
    except errors.MesoError as error:
        stands = ", ".join(f"{name} {value}" for name, value in found.now.items() if value != found.former[name])
        raise errors.CalibrationError(
            f"{why}; and what stood could not be put back: {error} {stands} may be in force, unchecked. Next: "
            "`mesoinjector calibrate history`, then `restore` of its row, before anybody is treated."
        ) from None
