"""Intervals and tests for reports: what a sample says about the devices and faults it was drawn from.

Every interval is exact for its model; nothing here is an approximation for large n.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import optimize, stats

CONTENT = 0.975
"""Share of all doses that a tolerance interval shall hold; ISO 11608-1's for a design."""

CONFIDENCE = 0.95

NOT_NORMAL = 0.05
"""Below this p a sample is not taken for one of a normal population."""

NODES, FAR = 100, 9.0
"""Of the quadrature of `k_factor`: points, and deviations beyond which the mean never lies (chance 1e-19)."""

FEWEST = 3
"""Smaller samples get no interval."""


@functools.cache
def k_factor(n: int, content: float = CONTENT, confidence: float = CONFIDENCE) -> float:
    """Factor of the two-sided tolerance interval mean ± k·s of a normal sample of `n`, by exact integration.

    k(60) is 2.670 for 97.5 % content and 95 % confidence. Over the sample mean's distance from the true mean, z·σ/√n,
    the interval must reach r(z) with Φ(z/√n + r) − Φ(z/√n − r) = content, which is a quantile of a noncentral chi²; the
    confidence is the chance that k·s is at least that.
    """

    nodes, weights = np.polynomial.legendre.leggauss(NODES)
    z = (nodes + 1) * (FAR / 2)
    chances = weights * FAR * stats.norm.pdf(z)  # of -z, too
    reach_squared = stats.ncx2.ppf(content, 1, z * z / n)

    def confidence_at(k: float) -> float:
        return float(chances @ stats.chi2.sf((n - 1) * reach_squared / k**2, n - 1))

    return float(optimize.brentq(lambda k: confidence_at(k) - confidence, 0.5, 1000, xtol=1e-7))


@functools.cache
def order_statistics_n(content: float = CONTENT, confidence: float = CONFIDENCE) -> int:
    """The smallest sample whose least and greatest value are a tolerance interval, whatever the distribution."""
    n = 2
    while _held_between(n, 1, content) < confidence:
        n += 1
    return n


def _held_between(n: int, trimmed: int, content: float) -> float:
    """Confidence that the values ranked `trimmed` from either end hold `content`; the share between them is a beta."""
    return float(stats.beta.sf(content, n - 2 * trimmed + 1, 2 * trimmed))


@dataclass(frozen=True, slots=True)
class Spread:
    """What a sample says of its population."""

    n: int
    mean: float
    deviation: float
    least: float
    most: float
    k: float | None
    """Of the tolerance interval; None for fewer than `FEWEST` values."""
    normal: tuple[float, float] | None
    """Tolerance interval if the population is normal."""
    free: tuple[float, float] | None
    """Tolerance interval whatever the distribution; None if the sample is too small for one."""
    p_normal: float | None
    """Anderson-Darling: p of such a sample from a normal population, within 0.01 and 0.15; None for too few values."""

    @property
    def looks_normal(self) -> bool:
        """Whether nothing speaks against the interval for a normal population."""
        return self.p_normal is None or self.p_normal > NOT_NORMAL


def spread(values: Sequence[float]) -> Spread:
    """Mean, deviation and tolerance intervals of `values`, at least one."""
    sample = np.sort(np.asarray(values, dtype=float))
    n, mean = len(sample), float(sample.mean())
    deviation = float(sample.std(ddof=1)) if n > 1 else 0.0
    k = k_factor(n) if n >= FEWEST else None
    return Spread(
        n=n,
        mean=mean,
        deviation=deviation,
        least=float(sample[0]),
        most=float(sample[-1]),
        k=k,
        normal=(mean - k * deviation, mean + k * deviation) if k is not None else None,
        free=_free(sample),
        p_normal=p_normal(sample) if n > 2 * FEWEST and deviation > 0 else None,
    )


def _free(sample: np.ndarray) -> tuple[float, float] | None:
    """The narrowest symmetric pair of order statistics that is a tolerance interval."""
    rank = trimmed(len(sample), CONTENT, CONFIDENCE)
    return (float(sample[rank - 1]), float(sample[len(sample) - rank])) if rank else None


def trimmed(n: int, content: float, confidence: float) -> int:
    """Rank from either end of the innermost of `n` values that are a tolerance interval; 0: there are too few."""
    rank = 0
    while 2 * (rank + 1) < n and _held_between(n, rank + 1, content) >= confidence:
        rank += 1
    return rank


def p_normal(sample: np.ndarray) -> float:
    """Anderson-Darling: p of such a sample from a normal population, within 0.01 and 0.15."""
    return float(stats.anderson(sample, "norm", method="interpolate").pvalue)


def proportion(count: int, n: int) -> tuple[float, float]:
    """Clopper-Pearson bounds of a proportion of which `count` of `n` were seen, at `CONFIDENCE`; n = 0 says nothing."""
    if n == 0:
        return 0.0, 1.0
    bounds = stats.binomtest(count, n).proportion_ci(CONFIDENCE, "exact")
    return float(bounds.low), float(bounds.high)


def quantile(values_and_counts: Sequence[tuple[int, int]], share: float) -> int:
    """The least value that at least `share` of a histogram's entries do not exceed; `values_and_counts` is sorted."""
    needed = math.ceil(share * sum(count for _, count in values_and_counts))
    for value, count in values_and_counts:
        needed -= count
        if needed <= 0:
            return value
    return values_and_counts[-1][0]


def windows(given: Sequence[float], asked: Sequence[float], width: int) -> list[float]:
    """Error of the sum over each window of `width` consecutive doses, as a fraction of what was asked of it."""
    given_sum, asked_sum = np.cumsum([0.0, *given]), np.cumsum([0.0, *asked])
    given_in, asked_in = given_sum[width:] - given_sum[:-width], asked_sum[width:] - asked_sum[:-width]
    return list((given_in - asked_in) / asked_in)
