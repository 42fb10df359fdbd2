"""Which points are remembered, and how long."""

from __future__ import annotations

import pytest

from mesofirmware import clock, points
from mesoprotocol import limits

WAIT_US = limits.POINT_WAIT_S * 1_000_000


@pytest.mark.requirement("SR-03")
def test_a_point_waits_to_the_millisecond():
    time = clock.Clock(5)
    book = points.Points(time)
    assert not book.must_wait(7)
    book.dosed(7)
    time.update(5 + WAIT_US - 1)
    assert book.must_wait(7) and not book.must_wait(8)
    time.update(5 + WAIT_US)
    assert not book.must_wait(7)


@pytest.mark.requirement("SR-03")
def test_the_later_of_two_doses_counts():
    time = clock.Clock(0)
    book = points.Points(time)
    book.dosed(7)
    time.update(WAIT_US)
    book.dosed(7)
    time.update(WAIT_US + 1_000_000)
    assert book.must_wait(7)


@pytest.mark.requirement("SR-03")
def test_the_oldest_of_64_is_forgotten():
    book = points.Points(clock.Clock(0))
    for point in range(1, limits.POINTS + 1):
        book.dosed(point)
    assert all(book.must_wait(point) for point in range(1, limits.POINTS + 1))
    book.dosed(999)
    assert [point for point in range(1, limits.POINTS + 1) if not book.must_wait(point)] == [1]


def test_what_has_no_number_waits_for_nothing():
    book = points.Points(clock.Clock(0))
    book.dosed(0)
    assert not book.must_wait(0)
