"""Intervals against published or independently counted figures."""

from __future__ import annotations

import math
import random

import pytest

from mesosim.lab.report import statistics


@pytest.mark.parametrize(
    ("n", "content", "k"),
    [
        (20, 0.95, 2.760),
        (30, 0.95, 2.555),
        (60, 0.95, 2.335),
        (20, 0.975, 3.154),
        (30, 0.975, 2.921),
        (60, 0.975, 2.670),
        (60, 0.99, 3.068),
        (1000, 0.975, 2.328),
        (100_000, 0.975, 2.250),
    ],
)
def test_k_factors(n: int, content: float, k: float) -> None:
    assert statistics.k_factor(n, content) == pytest.approx(k, abs=0.0006)


def test_a_tolerance_interval_holds_its_content_as_often_as_it_says() -> None:
    """Of 2,000 normal samples of 30, as many intervals as promised hold 97.5 %, within 4 standard errors."""
    stream, k = random.Random(1), statistics.k_factor(30)

    def below(x: float) -> float:
        return 0.5 * math.erfc(-x / math.sqrt(2))

    held = 0
    for _ in range(2000):
        sample = [stream.gauss(0, 1) for _ in range(30)]
        mean = sum(sample) / 30
        s = math.sqrt(sum((x - mean) ** 2 for x in sample) / 29)
        held += below(mean + k * s) - below(mean - k * s) >= 0.975
    assert abs(held / 2000 - 0.95) < 4 * math.sqrt(0.95 * 0.05 / 2000)


def test_without_a_distribution() -> None:
    """188 doses are needed for least and greatest; 93 for 95 % content. The rank follows the binomial distribution."""
    assert statistics.order_statistics_n() == 188
    assert statistics.order_statistics_n(0.95) == 93
    assert statistics.spread(range(187)).free is None
    assert statistics.spread(range(188)).free == (0, 187)
    n = 1000
    free = statistics.spread(range(n)).free
    assert free is not None
    outside = n - 1 - (free[1] - free[0])  # ranks left out at both ends

    def confidence(left_out: float) -> float:
        """That at least 97.5 % lie between: fewer than `n - left_out` of n fall into the content."""
        count = round(n - left_out - 1)
        return sum(math.comb(n, i) * 0.975**i * 0.025 ** (n - i) for i in range(count))

    assert confidence(outside + 1) >= 0.95 > confidence(outside + 3)


def test_normal_or_not() -> None:
    stream = random.Random(2)
    normal = statistics.spread([stream.gauss(0, 1) for _ in range(300)])
    skewed = statistics.spread([stream.expovariate(1) for _ in range(300)])
    assert normal.looks_normal and not skewed.looks_normal
    assert statistics.spread([1.0, 2.0]).normal is None


def test_bounds_of_proportions() -> None:
    assert statistics.proportion(0, 10) == pytest.approx((0, 1 - 0.025**0.1))
    assert statistics.proportion(10, 10) == pytest.approx((0.025**0.1, 1))
    assert statistics.proportion(0, 0) == (0, 1)
    low, high = statistics.proportion(7, 20)

    def chance(p: float, counts: range) -> float:
        return sum(math.comb(20, i) * p**i * (1 - p) ** (20 - i) for i in counts)

    assert [chance(low, range(7, 21)), chance(high, range(8))] == pytest.approx([0.025, 0.025])


def test_quantiles_and_windows() -> None:
    histogram = [(66_600, 980), (66_700, 19), (70_000, 1)]
    assert [statistics.quantile(histogram, share) for share in (0.5, 0.98, 0.99, 0.999, 1)] == [
        66_600,
        66_600,
        66_700,
        66_700,
        70_000,
    ]
    assert statistics.windows([1, 2, 3], [2, 2, 2], 2) == pytest.approx([-0.25, 0.25])
