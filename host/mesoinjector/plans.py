"""Treatment plans in TOML: what is to be given where, checked as a whole before anything is sent.

    [plan]                                  [[zone]]
    name = "Face"                           name = "cheek"
    mode = "metered"                        depth_mm = 1.5
    profile = "1ml-30G4-aqueous"            volume_ml = 0.02
    prime_ml = 0.06                         points = 8
    points = 8

With `retract = true` in [plan] the needle is drawn back while each dose flows. `mode = "test"` is the same with one
point, and without that: the allergy test. `mode = "repeat"` (nappage) has `rate_per_min` and
`stroke_ml` in [plan] as well, `mode = "perfusion"` has `flow_ul_per_s`; each of their points is held by the trigger
until its `volume_ml` is given. A fractional plan has `mode = "fractional"`, `rate_per_min`, `needles` and `strokes` in
[plan], and `depth_mm`, `strokes` and `area_cm2` in each zone. Ranges are those of the device (`mesoprotocol.limits`).
`points` or `strokes` in [plan] is the sum over the zones: a file that lost its end is found out by it.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pydantic

from mesoinjector import catalogue
from mesoinjector.errors import PlanError
from mesoinjector.plan_files import (
    MODES,
    POINTS_MAX,
    FractionalFile,
    FractionalZone,
    MeteredFile,
    MeteredZone,
    PerfusionFile,
    PlanFile,
    RepeatFile,
)
from mesoprotocol import limits


@dataclass(frozen=True, slots=True)
class MeteredPlan:
    """Doses, or runs of strokes or flow, point by point. Volumes in ml, depths in mm, as written."""

    name: str
    text: str
    profile: str
    prime_ml: float
    zones: tuple[MeteredZone, ...]
    mode: str = "metered"
    """`metered`, `test`, `repeat` or `perfusion`; what follows is 0 where it does not belong to it."""
    stroke_ml: float = 0.0
    rate_per_min: int = 0
    flow_ul_per_s: float = 0.0
    retract: bool = False

    @property
    def points(self) -> int:
        """How many doses."""
        return sum(zone.points for zone in self.zones)

    @property
    def total_nl(self) -> int:
        """Of all points, and the most that priming takes."""
        points = sum(zone.points * round(zone.volume_ml * 1e6) for zone in self.zones)
        return round(self.prime_ml * 1e6) + points


@dataclass(frozen=True, slots=True)
class FractionalPlan:
    """One run a zone."""

    name: str
    text: str
    rate_per_min: int
    needles: int
    zones: tuple[FractionalZone, ...]

    @property
    def strokes(self) -> int:
        """How many strokes in all."""
        return sum(zone.strokes for zone in self.zones)


Plan = MeteredPlan | FractionalPlan


def load(path: Path) -> Plan:
    """Read and check a plan. Raises `PlanError` that names file, key, value and allowed range, for every fault."""
    return parse(text_of(path), str(path))


def text_of(path: Path) -> str:
    """What stands in a file. Raises `PlanError`."""
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise PlanError(f"{path}: there is no such file. Next: check the name.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise PlanError(f"{path}: cannot be read: {error}. Next: check the file.") from None


def name_in(text: str) -> str:
    """The name that a plan's text bears; empty if there is none."""
    try:
        match tables(text, "plan"):
            case {"plan": {"name": str(name)}}:
                return name
            case _:
                return ""
    except PlanError:
        return ""


def tables(text: str, origin: str) -> dict[str, Any]:
    """A text as TOML. Raises `PlanError`."""
    try:
        return tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise PlanError(f"{origin}: not a whole TOML file: {error}. Next: mend or fetch it again.") from None


def parse(text: str, origin: str) -> Plan:
    """Check a plan's text; `origin` names it in errors. Raises `PlanError`."""
    data = tables(text, origin)
    mode = data.get("plan", {}).get("mode") if isinstance(data.get("plan"), dict) else None
    try:
        file = _FILES.get(mode if isinstance(mode, str) else "", MeteredFile).model_validate(data)
    except pydantic.ValidationError as error:
        raise refused(origin, "plan", [sentence(item) for item in error.errors(include_url=False)]) from None
    faults = _fractional_faults(file) if isinstance(file, FractionalFile) else _metered_faults(file)
    if faults:
        raise refused(origin, "plan", faults)
    head = file.plan
    if isinstance(file, FractionalFile):
        return FractionalPlan(head.name, text, file.plan.rate_per_min, file.plan.needles, tuple(file.zone))
    how = file.plan.stroke_ml, file.plan.rate_per_min, file.plan.flow_ul_per_s, file.plan.retract
    return MeteredPlan(head.name, text, file.plan.profile, file.plan.prime_ml, tuple(file.zone), file.plan.mode, *how)


_FILES: dict[str, type[PlanFile]] = {
    "repeat": RepeatFile,
    "perfusion": PerfusionFile,
    "fractional": FractionalFile,
}
"""By mode; what is no mode is told of as a metered plan's fault."""


def refused(origin: str, what: str, faults: list[str]) -> PlanError:
    """The error that names all faults of a plan or session."""
    lines = "\n  ".join(faults)
    return PlanError(
        f"{origin}: the {what} is refused, nothing was sent:\n  {lines}\nNext: correct the {what} and run it again."
    )


def _metered_faults(file: MeteredFile | RepeatFile | PerfusionFile) -> list[str]:
    head = file.plan
    faults: list[str] = []
    profile = catalogue.PROFILES.get(head.profile)
    if profile is None:
        faults.append(_unknown("plan.profile", head.profile, catalogue.PROFILES))
    faults += _range("plan.prime_ml", head.prime_ml, 0.001, limits.PRIME_MAX_NL / 1e6, "ml")
    if head.mode == "repeat":
        strokes = limits.STROKE_MIN_NL / 1e6, limits.STROKE_MAX_NL / 1e6
        faults += _range("plan.stroke_ml", head.stroke_ml, *strokes, "ml")
        rates = limits.REPEAT_RATE_MIN_PER_MIN, limits.REPEAT_RATE_MAX_PER_MIN
        faults += _range("plan.rate_per_min", head.rate_per_min, *rates, "a minute")
    if head.mode == "perfusion":
        flows = limits.FLOW_MIN_NL_PER_S / 1e3, limits.FLOW_MAX_NL_PER_S / 1e3
        faults += _range("plan.flow_ul_per_s", head.flow_ul_per_s, *flows, "ul/s")
    if head.mode == "test":
        faults += _range("plan.points", head.points, 1, 1, "in a test")
        if head.retract:
            faults.append("plan.retract = true: must be false in a test")
    for i, zone in enumerate(file.zone):
        key = f"zone[{i}]"
        area = catalogue.ZONES.get(zone.name)
        faults += _range(f"{key}.points", zone.points, 1, POINTS_MAX, "")
        if area is None:
            faults.append(_unknown(f"{key}.name", zone.name, catalogue.ZONES))
            continue
        deepest = min(area.metered_um, limits.METERED_DEPTH_MAX_UM)
        least, most = _volumes_nl(head.mode, round(head.stroke_ml * 1e6), area.dose_nl)
        where = f"in zone {zone.name}"
        faults += _range(
            f"{key}.depth_mm", zone.depth_mm, limits.METERED_DEPTH_MIN_UM / 1e3, deepest / 1e3, "mm", where
        )
        faults += _range(f"{key}.volume_ml", zone.volume_ml, least / 1e6, most / 1e6, "ml", where)
        if head.mode == "repeat" and head.stroke_ml * 1e6 > area.dose_nl:
            faults += _range(
                "plan.stroke_ml", head.stroke_ml, limits.STROKE_MIN_NL / 1e6, area.dose_nl / 1e6, "ml", where
            )
    faults += _sum("plan.points", head.points, sum(zone.points for zone in file.zone))
    if faults:
        return faults
    total_nl = round(head.prime_ml * 1e6) + sum(zone.points * round(zone.volume_ml * 1e6) for zone in file.zone)
    assert profile is not None
    total, capacity = total_nl / 1e6, profile.capacity_nl / 1e6
    if total_nl > profile.capacity_nl:
        faults.append(
            f"zone[].volume_ml: {total:g} ml in all, priming included: must be at most {capacity:g} ml, the syringe of "
            f"profile {head.profile}"
        )
    if total_nl > limits.TREATMENT_MAX_NL:
        faults.append(f"zone[].volume_ml: {total:g} ml in all: must be at most {limits.TREATMENT_MAX_NL / 1e6:g} ml")
    return faults


def _volumes_nl(mode: str, stroke_nl: int, zone_nl: int) -> tuple[int, int]:
    """Least and most at one point: of a repeat the zone limits each stroke, not their sum."""
    if mode == "test":
        return limits.TEST_MIN_NL, min(zone_nl, limits.TEST_MAX_NL)
    if mode == "repeat":
        return stroke_nl, limits.REPEAT_MAX_NL
    return limits.DOSE_MIN_NL, min(zone_nl, limits.REPEAT_MAX_NL if mode == "perfusion" else limits.DOSE_MAX_NL)


def _fractional_faults(file: FractionalFile) -> list[str]:
    head = file.plan
    faults = _range(
        "plan.rate_per_min", head.rate_per_min, limits.RATE_MIN_PER_MIN, limits.RATE_MAX_PER_MIN, "a minute"
    )
    faults += _range("plan.needles", head.needles, limits.NEEDLES_MIN, limits.NEEDLES_MAX, "")
    for i, zone in enumerate(file.zone):
        key = f"zone[{i}]"
        area = catalogue.ZONES.get(zone.name)
        if area is None:
            faults.append(_unknown(f"{key}.name", zone.name, catalogue.ZONES))
            continue
        deepest = min(area.fractional_um, limits.FRACTIONAL_DEPTH_MAX_UM)
        where = f"in zone {zone.name}"
        faults += _range(
            f"{key}.depth_mm", zone.depth_mm, limits.FRACTIONAL_DEPTH_MIN_UM / 1e3, deepest / 1e3, "mm", where
        )
        faults += _range(f"{key}.area_cm2", zone.area_cm2, limits.AREA_MIN_CM2, limits.AREA_MAX_CM2, "cm2")
        most = min(limits.STROKES_MAX, limits.RUN_MAX_S * head.rate_per_min // 60)
        faults += _range(f"{key}.strokes", zone.strokes, 1, most, "")
        punctured_mm2 = zone.strokes * head.needles * limits.NEEDLE_AREA_X1000_MM2 / 1000
        allowed_mm2 = zone.area_cm2 * limits.COVERAGE_MAX_PERCENT
        if not faults and punctured_mm2 > allowed_mm2:
            fit = int(allowed_mm2 * 1000 / head.needles / limits.NEEDLE_AREA_X1000_MM2)
            faults.append(
                f"{key}.strokes = {zone.strokes}: must be 1 to {fit} on {zone.area_cm2} cm2 with {head.needles} "
                f"needles: at most {limits.COVERAGE_MAX_PERCENT} % of the area may be punctured"
            )
    return faults + _sum("plan.strokes", head.strokes, sum(zone.strokes for zone in file.zone))


def _sum(key: str, said: int, found: int) -> list[str]:
    if said == found:
        return []
    return [f"{key} = {said}: must be {found}, the sum over the zones; is the file whole?"]


def _range(key: str, value: float, low: float, high: float, unit: str, where: str = "") -> list[str]:
    if low <= value <= high:
        return []
    said = str(value)[:20] if isinstance(value, int) else f"{value:g}"
    return [f"{key} = {said}: must be {low:g} to {high:g} {unit} {where}".rstrip()]


def _unknown(key: str, value: str, known: Iterable[str]) -> str:
    return f"{key} = {value!r}: must be one of {', '.join(known)}"


def sentence(item: Any) -> str:
    """One fault of structure, in words."""
    key = ""
    for part in item["loc"]:
        key += f"[{part}]" if isinstance(part, int) else f".{part}" if key else str(part)
    kind = item["type"]
    if kind == "extra_forbidden":
        return f"{key} = {item['input']!r}: unknown key"
    if kind == "missing":
        return f"{key}: missing"
    if kind == "literal_error":
        return f"{key} = {item['input']!r}: must be {', '.join(map(repr, MODES[:-1]))} or {MODES[-1]!r}"
    message = item["msg"].removeprefix("Input should be ")
    return f"{key} = {item['input']!r}: must be {message}"
