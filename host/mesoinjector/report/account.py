"""What a treatment record adds up to: standings, totals, cadence and depth figures. Pure, no drawing.

Volumes are in nl, depths in µm, times in µs, as in the record. A figure that has no data is ``None``,
never zero.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum

import numpy as np
import numpy.typing as npt

from mesoinjector.record import DoseRecord, FractionalRecord, Stroke, TreatmentRecord

DOSE_GOAL = 0.05
"""Delivered volume within ±5 % of set: the accuracy goal of the reference handpiece for 20 to 200 µl."""

DEPTH_GOAL_UM = 100
"""Stroke depth within ±0.10 mm of set: the accuracy goal, ibid."""

DEPTH_STOP_UM = 150
"""Stroke depth beyond ±0.15 mm of set makes a stroke bad, and stops the run as SR-31 says."""

Entry = DoseRecord | FractionalRecord


class Standing(Enum):
    """What is known of one dose or run. Whatever is not clearly known is ``UNKNOWN``."""

    COMPLETE = "complete"
    PARTIAL = "partial"
    NOT_DELIVERED = "not delivered"
    UNKNOWN = "unknown"


def standing(entry: Entry) -> Standing:
    """The standing of one dose or run."""
    match entry.result, entry.reason:
        case "Delivered", "complete":
            return Standing.COMPLETE
        case "Delivered", _:
            return Standing.PARTIAL
        case "NotDelivered", _:
            return Standing.NOT_DELIVERED
        case _:
            return Standing.UNKNOWN


def relative_error(volume_nl: int | None, dose: DoseRecord) -> float | None:
    """Error of ``volume_nl`` from the dose's set volume, as a fraction; a prime has no volume to hit."""
    if volume_nl is None or dose.kind == "prime" or dose.asked_nl <= 0:
        return None
    return (volume_nl - dose.asked_nl) / dose.asked_nl


def delivered_error(dose: DoseRecord) -> float | None:
    """Error of the volume that the device says it delivered; ``None`` while that is unknown."""
    return None if standing(dose) is Standing.UNKNOWN else relative_error(dose.delivered_nl, dose)


def endings(entries: Iterable[Entry]) -> list[tuple[int, Standing, str]]:
    """How many entries ended in which way: count, standing, reason, in order of first appearance."""
    counts = Counter((standing(entry), entry.reason) for entry in entries)
    return [(count, ended, reason) for (ended, reason), count in counts.items()]


@dataclass(frozen=True, slots=True)
class Volumes:
    """Totals over several doses."""

    count: int
    asked_nl: int
    delivered_nl: int | None
    """By the device; ``None`` if it is unknown for one of them, so that only the bounds hold."""
    lower_nl: int
    upper_nl: int
    plant_nl: int | None
    plant_skin_nl: int | None
    largest_error: float | None
    """The complete dose furthest from its set value by the device's account, as a signed fraction."""
    largest_skin_error: float | None
    """The same by the plant's account of what reached the skin."""


def volumes(doses: Sequence[DoseRecord]) -> Volumes:
    """Add up ``doses``."""
    complete = [d for d in doses if standing(d) is Standing.COMPLETE]
    return Volumes(
        count=len(doses),
        asked_nl=sum(d.asked_nl for d in doses),
        delivered_nl=_total(None if standing(d) is Standing.UNKNOWN else d.delivered_nl for d in doses),
        lower_nl=sum(d.lower_nl for d in doses),
        upper_nl=sum(d.upper_nl for d in doses),
        plant_nl=_total(d.plant_nl for d in doses),
        plant_skin_nl=_total(d.plant_skin_nl for d in doses),
        largest_error=_furthest(relative_error(d.delivered_nl, d) for d in complete),
        largest_skin_error=_furthest(relative_error(d.plant_skin_nl, d) for d in complete),
    )


def _furthest(errors: Iterable[float | None]) -> float | None:
    return max((error for error in errors if error is not None), key=abs, default=None)


def _total(volumes_nl: Iterable[int | None]) -> int | None:
    known = list(volumes_nl)
    present = [nl for nl in known if nl is not None]
    return sum(present) if present and len(present) == len(known) else None


@dataclass(frozen=True, slots=True)
class Cadence:
    """Steady strokes' intervals against the set interval, by the device's own clock."""

    strokes: int
    per_min: float
    rate_error_ppm: float
    mean_error_us: float
    smallest_error_us: float
    largest_error_us: float


@dataclass(frozen=True, slots=True)
class Depth:
    """Needle protrusion at bottom dead centre, over all recorded strokes."""

    mean_um: float
    smallest_um: int
    largest_um: int
    within_goal: float
    """Share of strokes within ``DEPTH_GOAL_UM`` of set."""


@dataclass(frozen=True, slots=True)
class RunAccount:
    """One fractional run and its figures."""

    run: FractionalRecord
    cadence: Cadence | None
    depth: Depth | None
    bad: tuple[Stroke, ...]
    holes_per_cm2: float | None


def interval_errors_us(run: FractionalRecord) -> npt.NDArray[np.float64]:
    """Error of each steady interval from the set one, in µs."""
    steady = [stroke.interval_us for stroke in run.records if stroke.steady and stroke.interval_us > 0]
    return np.array(steady, dtype=float) - run.set_interval_us


def run_account(run: FractionalRecord) -> RunAccount:
    """The figures of one run."""
    return RunAccount(
        run=run,
        cadence=_cadence(run),
        depth=_depth(run),
        bad=tuple(stroke for stroke in run.records if stroke.bad),
        holes_per_cm2=None if run.upper_strokes or not run.area_mm2 else run.strokes * run.needles * 100 / run.area_mm2,
    )


def _cadence(run: FractionalRecord) -> Cadence | None:
    errors = interval_errors_us(run)
    if not errors.size:
        return None
    mean = float(errors.mean())
    per_min = 60e6 / (run.set_interval_us + mean)
    return Cadence(
        strokes=errors.size,
        per_min=per_min,
        rate_error_ppm=(per_min / run.set_per_min - 1) * 1e6,
        mean_error_us=mean,
        smallest_error_us=float(errors.min()),
        largest_error_us=float(errors.max()),
    )


def _depth(run: FractionalRecord) -> Depth | None:
    if not run.records:
        return None
    depths = np.array([stroke.depth_um for stroke in run.records])
    return Depth(
        mean_um=float(depths.mean()),
        smallest_um=int(depths.min()),
        largest_um=int(depths.max()),
        within_goal=float(np.mean(np.abs(depths - run.depth_um) <= DEPTH_GOAL_UM)),
    )


@dataclass(frozen=True, slots=True)
class Account:
    """A whole treatment. Primes are apart: their fluid goes nowhere near a patient."""

    doses: list[DoseRecord]
    primes: list[DoseRecord]
    runs: list[RunAccount]
    total: Volumes
    primed: Volumes
    zones: list[tuple[str, int, Volumes]]
    """Zone, depth, totals, in order of first appearance."""
    unknown: list[Entry]
    unfinished: list[Entry]
    off_by_device: list[DoseRecord]
    """Complete doses outside ±``DOSE_GOAL`` by the device's account."""
    off_by_plant: list[DoseRecord]
    """Complete doses outside ±``DOSE_GOAL`` in the skin, by the simulator's account."""


def account(record: TreatmentRecord) -> Account:
    """Everything the page says in numbers."""
    doses = [dose for dose in record.doses if dose.kind != "prime"]
    primes = [dose for dose in record.doses if dose.kind == "prime"]
    entries: list[Entry] = [*record.doses, *record.runs]
    complete = [dose for dose in doses if standing(dose) is Standing.COMPLETE]
    sites = dict.fromkeys((dose.zone, dose.depth_um) for dose in doses)
    return Account(
        doses=doses,
        primes=primes,
        runs=[run_account(run) for run in record.runs],
        total=volumes(doses),
        primed=volumes(primes),
        zones=[
            (zone, depth, volumes([d for d in doses if (d.zone, d.depth_um) == (zone, depth)])) for zone, depth in sites
        ],
        unknown=[e for e in entries if standing(e) is Standing.UNKNOWN],
        unfinished=[e for e in entries if standing(e) in (Standing.PARTIAL, Standing.NOT_DELIVERED)],
        off_by_device=[d for d in complete if _misses(d.delivered_nl, d)],
        off_by_plant=[d for d in complete if _misses(d.plant_skin_nl, d)],
    )


def _misses(volume_nl: int | None, dose: DoseRecord) -> bool:
    error = relative_error(volume_nl, dose)
    return error is not None and abs(error) > DOSE_GOAL
