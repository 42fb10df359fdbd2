"""Zones of the body and profiles of syringes, by name, as this host's copy of the device's limits has them."""

from __future__ import annotations

from typing import NamedTuple, cast

from mesoinjector.errors import PlanError
from mesoprotocol import limits


class Zone(NamedTuple):
    """A row of `limits.ZONES`."""

    id: int
    name: str
    metered_um: int
    """Deepest of metered doses."""
    fractional_um: int
    """Deepest of fractional runs."""
    dose_nl: int
    """Largest dose."""


class Profile(NamedTuple):
    """A row of `limits.PROFILES`: syringe, needle and fluid."""

    id: int
    name: str
    bore_um: int
    capacity_nl: int
    pl_per_step: int
    pl_per_count: int
    compliance_nl_per_kpa: int
    resistance_pa_s_per_ul: int
    needle_pa_s_per_ul: int
    flow_nl_per_s: int
    tolerance_permille: int
    pressure_max_kpa: int


# device code has no name for what is in a tuple
_zone_rows = cast("tuple[tuple[int, str, int, int, int], ...]", limits.ZONES)
_profile_rows = cast("tuple[tuple[int, str, int, int, int, int, int, int, int, int, int, int], ...]", limits.PROFILES)

ZONES = {row[1]: Zone(*row) for row in _zone_rows}
PROFILES = {row[1]: Profile(*row) for row in _profile_rows}


def zone(name: str) -> Zone:
    """Raises `PlanError` with the names there are."""
    for each in ZONES.values():
        if each.name == name:
            return each
    raise PlanError(f"zone {name!r} is not known. Known zones: {', '.join(ZONES)}.")


def profile(name: str) -> Profile:
    """Raises `PlanError` with the names there are."""
    for each in PROFILES.values():
        if each.name == name:
            return each
    raise PlanError(f"profile {name!r} is not known. Known profiles: {', '.join(PROFILES)}.")
