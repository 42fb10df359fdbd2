"""Arguments as people write them, in ml and mm, to integers in nl and um; out of range they are refused."""

from __future__ import annotations

from mesoinjector.errors import PlanError


def nanolitres(volume_ml: float, name: str, low_nl: int, high_nl: int, zone: str = "") -> int:
    """A volume as integer nl. Raises `PlanError` outside low_nl .. high_nl."""
    in_range(name, volume_ml, low_nl / 1e6, high_nl / 1e6, "ml", zone)
    return round(volume_ml * 1e6)


def micrometres(depth_mm: float, low_um: int, high_um: int, zone: str = "") -> int:
    """A depth as integer um. Raises `PlanError` outside low_um .. high_um."""
    in_range("depth_mm", depth_mm, low_um / 1000, high_um / 1000, "mm", zone)
    return round(depth_mm * 1000)


def in_range(name: str, value: object, low: float, high: float, unit: str = "", zone: str = "") -> None:
    """Raises `PlanError` naming key, value and range, also for what is no number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise PlanError(f"{name} = {value!r}: must be a number, {low:g} to {high:g} {unit}. Nothing was sent.")
    if not low <= value <= high:
        place = f" in zone {zone}" if zone else ""
        span = f"{low:g} to {high:g} {unit}".rstrip()
        raise PlanError(f"{name} = {value!r}: must be {span}{place}. Nothing was sent.")


def whole(name: str, value: object, low: int, high: int) -> None:
    """Raises `PlanError` unless `value` is a whole number in low .. high."""
    in_range(name, value, low, high)
    if not isinstance(value, int):
        raise PlanError(f"{name} = {value!r}: must be a whole number, {low} to {high}. Nothing was sent.")
