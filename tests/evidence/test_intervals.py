"""Tolerance factors beyond the tables of tests/campaign/test_statistics.py: laws, and an older formula beside them."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from mesosim.lab.report import statistics


@pytest.mark.parametrize(("content", "k"), [(0.975, 2.670), (0.95, 2.335)])
def test_the_factors_of_sixty_devices(content: float, k: float) -> None:
    assert statistics.k_factor(60, content) == pytest.approx(k, abs=0.0005)


@pytest.mark.parametrize("n", [20, 60, 200])
@pytest.mark.parametrize("content", [0.95, 0.975, 0.99])
def test_howe_s_formula_is_a_little_less(n: int, content: float) -> None:
    z, chi2 = stats.norm.ppf((1 + content) / 2), stats.chi2.ppf(1 - statistics.CONFIDENCE, n - 1)
    howe = z * math.sqrt((n - 1) * (1 + 1 / n) / chi2)
    assert 0 < statistics.k_factor(n, content) - howe < 0.02


@settings(max_examples=10, deadline=None)
@given(n=st.integers(3, 120), content=st.sampled_from([0.9, 0.95, 0.975]), confidence=st.sampled_from([0.9, 0.95]))
def test_more_devices_less_content_and_less_confidence_need_a_smaller_factor(
    n: int, content: float, confidence: float
) -> None:
    k = statistics.k_factor(n, content, confidence)
    assert statistics.k_factor(n + 1, content, confidence) < k
    assert statistics.k_factor(n, content - 0.01, confidence) < k
    assert statistics.k_factor(n, content, confidence - 0.01) < k
    assert k > stats.norm.ppf((1 + content) / 2)


@given(n=st.integers(2, 600), content=st.sampled_from([0.9, 0.95, 0.975]))
def test_what_is_between_order_statistics_is_enough_and_no_more_is(n: int, content: float) -> None:
    """The confidence that `rank` values may be left out at each end is a sum of binomial terms."""
    rank = statistics.trimmed(n, content, 0.95)

    def confidence(left_out: int) -> float:
        return float(stats.binom.cdf(n - 2 * left_out, n, content))

    assert not rank or confidence(rank) >= 0.95
    assert 2 * (rank + 1) >= n or confidence(rank + 1) < 0.95
    assert bool(rank) == (n >= statistics.order_statistics_n(content))
