"""What a campaign's results add up to. Pure: no files, no drawing.

Volumes are in nl, times in the unit of their name, errors of dose as fractions of what was asked. Dose accuracy is
judged by what the plant got into the skin, over doses that ended complete in cases without a fault: a dose under a
fault is judged by its case's expectations.
"""

from __future__ import annotations

import statistics as plain
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from mesosim.lab.campaign.results import Result
from mesosim.lab.report import statistics

Item = TypeVar("Item")
Group = TypeVar("Group")

WINDOWS = (1, 2, 5, 10, 30, 60)
"""Consecutive doses in a window of the trumpet curve."""

TRACES = 6
"""Pressure traces that are kept, of failed cases first."""


@dataclass(frozen=True, slots=True)
class Dose:
    """One dose of one case."""

    result: Result
    index: int
    said: dict[str, Any]

    @property
    def error(self) -> float | None:
        """Of the volume in the skin, as a fraction of what was asked; None for a prime."""
        asked, skin = self.said["asked_nl"], self.said["plant_skin_nl"]
        return (skin - asked) / asked if self.said["kind"] == "dose" and asked > 0 and skin is not None else None

    @property
    def judged(self) -> bool:
        """Whether it counts for dose accuracy."""
        complete = self.said["result"] == "Delivered" and self.said["reason"] == "complete"
        return complete and self.error is not None and not self.result.outcome.fault


@dataclass(frozen=True, slots=True)
class Volume:
    """Accuracy of the doses of one volume; `asked_nl` None: of all together."""

    asked_nl: int | None
    errors: list[float]
    spread: statistics.Spread

    def within(self, limit: float) -> bool | None:
        """Whether the tolerance interval lies within ± `limit`; None if there is no interval.

        The normal one where the sample may be normal, else the one that holds for any distribution.
        """
        held = self.spread.normal if self.spread.looks_normal else self.spread.free
        return None if held is None else -limit <= held[0] and held[1] <= limit


@dataclass(frozen=True, slots=True)
class Window:
    """One width of the trumpet curve: the worst errors of any window of so many doses, over all cases."""

    width: int
    windows: int
    least: float
    most: float


@dataclass(frozen=True, slots=True)
class Cadence:
    """Intervals between strokes, all runs together."""

    histogram: list[tuple[int, int]]
    """Start of the bin in us, count; sorted."""
    strokes: int
    asked: int
    worst_interval_us: int
    worst_depth_um: int

    def quantile_us(self, share: float) -> int:
        """Bin that holds this share."""
        return statistics.quantile(self.histogram, share)


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault of one kind in one mode, over all its cases."""

    name: str
    mode: str
    kind: str
    hazard: str
    runs: int
    failed: int
    not_judged: int
    """Cases in which nothing said which alarm it is to raise."""
    standing: str
    """See `Outcome`; "" for what is met."""
    detected: int
    in_time: int
    """Detected, and not later than the time to hazard (or without one)."""
    bounds: tuple[float, float]
    """Clopper-Pearson, of the share detected."""
    alarms: list[tuple[str, int]]
    times_ms: list[int]
    hazard_ms: int | None

    @property
    def median_ms(self) -> float | None:
        """Time to alarm."""
        return plain.median(self.times_ms) if self.times_ms else None

    @property
    def most_ms(self) -> int | None:
        """Longest time to alarm."""
        return max(self.times_ms, default=None)


@dataclass
class Account:
    """Everything the page says in numbers."""

    results: list[Result] = field(default_factory=list)
    doses: list[Dose] = field(default_factory=list)

    @property
    def failing(self) -> list[Result]:
        """Failed cases, in the order of scenario and seed."""
        return [result for result in self.results if not result.outcome.passed]

    def failures(self) -> list[list[Result]]:
        """Failed cases that failed in the same way, the most frequent ways last: what is rare is hardest to find."""
        alike = _grouped(
            self.failing, lambda r: (r.outcome.scenario, r.key.runtime, r.outcome.fault, *r.outcome.findings)
        )
        return sorted(alike.values(), key=len)

    @property
    def judged(self) -> list[Dose]:
        """Doses that count for accuracy."""
        return [dose for dose in self.doses if dose.judged]

    @property
    def virtual_s(self) -> float:
        """Device time that was simulated."""
        return sum(result.outcome.duration_us for result in self.results) / 1e6

    @property
    def false_alarms(self) -> list[Result]:
        """Cases without a fault in which something was raised, though they expected nothing."""
        return [r for r in self.results if not r.outcome.fault and r.outcome.alarm and not r.outcome.passed]

    def volumes(self) -> list[Volume]:
        """Accuracy by volume asked, and of all together if there is more than one."""
        grouped = _grouped(self.judged, lambda dose: int(dose.said["asked_nl"]))
        rows = [_volume(asked, doses) for asked, doses in sorted(grouped.items())]
        return rows + ([_volume(None, self.judged)] if len(rows) > 1 else [])

    def trumpet(self) -> list[Window]:
        """Worst error of the sum over windows of consecutive judged doses of a case."""
        cases = list(_grouped(self.judged, lambda dose: dose.result.key).values())
        found = []
        for width in WINDOWS:
            errors = [
                error
                for doses in cases
                if len(doses) >= width
                for error in statistics.windows(
                    [dose.said["plant_skin_nl"] for dose in doses], [dose.said["asked_nl"] for dose in doses], width
                )
            ]
            if errors:
                found.append(Window(width, len(errors), min(errors), max(errors)))
        return found

    def cadence(self) -> Cadence | None:
        """All strokes of all runs; None if there were none."""
        runs = [result.outcome.strokes for result in self.results if result.outcome.strokes.get("intervals_us")]
        if not runs:
            return None
        counts: Counter[int] = Counter()
        for run in runs:
            counts.update({int(start): count for start, count in run["intervals_us"].items()})
        return Cadence(
            sorted(counts.items()),
            strokes=sum(run["count"] for run in runs),
            asked=sum(run["asked"] for run in runs),
            worst_interval_us=max((run["worst_interval_us"] for run in runs), key=abs),
            worst_depth_um=max((run["worst_depth_um"] for run in runs), key=abs),
        )

    def faults(self) -> list[Fault]:
        """The fault matrix, those least often detected first."""
        faulty = [result for result in self.results if result.outcome.fault]
        grouped = _grouped(faulty, lambda result: (result.outcome.fault, result.mode, result.kind))
        rows = [_fault(*about, results) for about, results in grouped.items()]
        return sorted(rows, key=lambda row: (row.detected / row.runs, row.name, row.mode, row.kind))

    def traces(self) -> list[Result]:
        """Cases whose pressure is shown: failed ones first, then one of each scenario."""
        traced = [result for result in self.results if len(result.outcome.pressure) > 1]
        firsts = {result.outcome.scenario: result for result in reversed(traced)}
        chosen = [result for result in traced if not result.outcome.passed] + list(firsts.values())[::-1]
        return list({result.key: result for result in chosen}.values())[:TRACES]

    def requirements(self) -> list[tuple[str, int, int]]:
        """Requirement, cases that bear on it, how many of them failed."""
        cases: Counter[str] = Counter()
        failed: Counter[str] = Counter()
        for result in self.results:
            cases.update(result.outcome.requirements)
            if not result.outcome.passed:
                failed.update(result.outcome.requirements)
        return [(name, count, failed[name]) for name, count in sorted(cases.items())]

    def scenarios(self) -> list[tuple[str, str, list[Result]]]:
        """Scenario, runtime, its cases."""
        grouped = _grouped(self.results, lambda result: (result.outcome.scenario, result.key.runtime))
        return [(name, runtime, results) for (name, runtime), results in grouped.items()]


def account(results: Iterable[Result]) -> Account:
    """Add up results, in the order of scenario, runtime, seed."""
    ordered = sorted(results, key=lambda result: (result.outcome.scenario, result.key.runtime, result.key.seed))
    doses = [Dose(result, i, said) for result in ordered for i, said in enumerate(result.outcome.doses)]
    return Account(ordered, doses)


def _volume(asked_nl: int | None, doses: Sequence[Dose]) -> Volume:
    errors = [dose.error for dose in doses if dose.error is not None]
    return Volume(asked_nl, errors, statistics.spread(errors))


def _fault(name: str, mode: str, kind: str, results: list[Result]) -> Fault:
    outcomes = [result.outcome for result in results]
    detected = [outcome for outcome in outcomes if outcome.alarm]
    hazards = [outcome.hazard_ms for outcome in outcomes if outcome.hazard_ms is not None]
    return Fault(
        name=name,
        mode=mode,
        kind=kind,
        hazard=outcomes[0].hazard,
        runs=len(outcomes),
        failed=sum(not outcome.passed for outcome in outcomes),
        not_judged=sum(not outcome.judged for outcome in outcomes),
        standing=outcomes[0].standing.removeprefix("met"),
        detected=len(detected),
        in_time=sum(
            outcome.hazard_ms is None or (outcome.alarm_ms is not None and outcome.alarm_ms <= outcome.hazard_ms)
            for outcome in detected
        ),
        bounds=statistics.proportion(len(detected), len(outcomes)),
        alarms=Counter(outcome.alarm for outcome in detected).most_common(),
        times_ms=sorted(outcome.alarm_ms for outcome in detected if outcome.alarm_ms is not None),
        hazard_ms=min(hazards, default=None),
    )


def _grouped(items: Iterable[Item], of: Callable[[Item], Group]) -> dict[Group, list[Item]]:
    groups: dict[Group, list[Item]] = {}
    for item in items:
        groups.setdefault(of(item), []).append(item)
    return groups
