"""The computations that a figure may come from: a closed set, each of a table's rows, by numpy and scipy.

`recompute.py` has every one of them once more, in other words and without scipy; a test holds the two equal.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from mesosim.evidence.study import Figure, How, Row, Tables
from mesosim.lab.report import statistics

Array = NDArray[np.float64]


def figure(
    tables: Tables,
    id: str,
    label: str,
    unit: str,
    how: How,
    *,
    digits: int = 2,
    low: float | None = None,
    high: float | None = None,
) -> Figure:
    """The figure that `how` makes of the tables, with its limits. Raises KeyError for what is no computation."""
    return Figure(id, label, compute(tables, how), unit, how, digits, low, high)


def compute(tables: Tables, how: How) -> float | None:
    """The number; None if there are too few rows for it."""
    rows = tables.rows(how.table, how.where)
    found = COMPUTATIONS[how.do](rows, how)
    return None if found is None else float(found) * float(how.parameters.get("scale", 1.0))


def _values(rows: list[Row], how: How) -> Array:
    return np.array([float(row[how.column]) for row in rows])


def _parameter(how: How, name: str) -> float:
    return float(how.parameters[name])


def _of_values(least: int, compute: Callable[[Array], float]) -> Callable[[list[Row], How], float | None]:
    """A computation of a column's values, if there are `least` of them."""

    def made(rows: list[Row], how: How) -> float | None:
        return float(compute(_values(rows, how))) if len(rows) >= least else None

    return made


def _quantile(rows: list[Row], how: How) -> float | None:
    """The least value that a share `q` of all does not exceed."""
    if not rows:
        return None
    return float(np.quantile(_values(rows, how), _parameter(how, "q"), method="inverted_cdf"))


def _k(rows: list[Row], how: How) -> float | None:
    """Factor of the two-sided normal tolerance interval (ISO 16269-6) for as many values: see `statistics.k_factor`."""
    if len(rows) < statistics.FEWEST:
        return None
    return statistics.k_factor(len(rows), _parameter(how, "content"), _parameter(how, "confidence"))


def _tolerance(sign: int) -> Callable[[list[Row], How], float | None]:
    """mean -+ k s."""

    def made(rows: list[Row], how: How) -> float | None:
        k = _k(rows, how)
        if k is None:
            return None
        values = _values(rows, how)
        return float(values.mean() + sign * k * values.std(ddof=1))

    return made


def _free(end: int) -> Callable[[list[Row], How], float | None]:
    """An end of the tolerance interval between order statistics, whatever the distribution (ISO 16269-6)."""

    def made(rows: list[Row], how: How) -> float | None:
        content, confidence = _parameter(how, "content"), _parameter(how, "confidence")
        values = np.sort(_values(rows, how))
        trimmed = statistics.trimmed(len(values), content, confidence)
        if not trimmed:
            return None
        return float(values[trimmed - 1] if end < 0 else values[-trimmed])

    return made


def _range_content(rows: list[Row], how: How) -> float | None:
    """The share of the population that lies between the least and the greatest value, with a confidence."""
    if len(rows) < statistics.FEWEST:
        return None
    return float(stats.beta.isf(_parameter(how, "confidence"), len(rows) - 1, 2))


def _p_normal(rows: list[Row], how: How) -> float | None:
    """Anderson-Darling with mean and deviation estimated; see `statistics.p_normal`."""
    values = _values(rows, how)
    return statistics.p_normal(values) if len(values) > 2 * statistics.FEWEST and np.ptp(values) > 0 else None


def _bound(end: int) -> Callable[[list[Row], How], float | None]:
    """Clopper-Pearson bound of a proportion, at 95 %; the column is 0 or 1."""

    def made(rows: list[Row], how: How) -> float | None:
        if not rows:
            return None
        return statistics.proportion(round(float(_values(rows, how).sum())), len(rows))[end]

    return made


def _most(rows: list[Row], how: How) -> float | None:
    """One-sided Clopper-Pearson bound of a proportion, 95 %: of nothing seen in n, 1 - 0.05^(1/n), about 3/n."""
    n, count = len(rows), round(float(_values(rows, how).sum()))
    if not n:
        return None
    return 1.0 if count == n else float(stats.beta.ppf(0.95, count + 1, n - count))


def _allan(rows: list[Row], how: How) -> float | None:
    """Overlapping Allan deviation (IEEE 1139) over `m` intervals of times that should be `period` apart."""
    m, period = int(_parameter(how, "m")), _parameter(how, "period")
    times = _values(rows, how)
    if len(times) < 2 * m + 1:
        return None
    twice = times[2 * m :] - 2 * times[m:-m] + times[: -2 * m]
    return float(np.sqrt(np.mean(twice**2) / 2) / (m * period))


def _windows(rows: list[Row], how: How) -> Iterator[float]:
    """Error of the sum over each `width` consecutive rows of one `group`, as a fraction of the sum of `asked`."""
    width = int(_parameter(how, "width"))
    groups: dict[object, list[Row]] = {}
    for row in rows:
        groups.setdefault(row[str(how.parameters["group"])], []).append(row)
    for group in groups.values():
        if len(group) >= width:
            asked = [float(row[str(how.parameters["asked"])]) for row in group]
            yield from statistics.windows(list(_values(group, how)), asked, width)


def _window(choose: Callable[[Iterator[float]], float]) -> Callable[[list[Row], How], float | None]:
    def made(rows: list[Row], how: How) -> float | None:
        errors = list(_windows(rows, how))
        return choose(iter(errors)) if errors else None

    return made


COMPUTATIONS: dict[str, Callable[[list[Row], How], float | None]] = {
    "count": lambda rows, _: float(len(rows)),
    "sum": _of_values(0, lambda values: math.fsum(values)),
    "mean": _of_values(1, lambda values: float(values.mean())),
    "sd": _of_values(2, lambda values: float(values.std(ddof=1))),
    "min": _of_values(1, lambda values: float(values.min())),
    "max": _of_values(1, lambda values: float(values.max())),
    "max_abs": _of_values(1, lambda values: float(np.abs(values).max())),
    "quantile": _quantile,
    "k": _k,
    "tolerance_low": _tolerance(-1),
    "tolerance_high": _tolerance(1),
    "free_low": _free(-1),
    "free_high": _free(1),
    "range_content": _range_content,
    "p_normal": _p_normal,
    "share": _of_values(1, lambda values: float(values.mean())),
    "share_low": _bound(0),
    "share_high": _bound(1),
    "share_most": _most,
    "allan": _allan,
    "window_min": _window(min),
    "window_max": _window(max),
}
"""By name. `count` takes no column."""
