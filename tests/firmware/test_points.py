"""Which points are remembered, and how long."""

from __future__ import annotations

import pytest

from mesofirmware import points
from mesoprotocol import limits

WAIT_MS = limits.POINT_WAIT_S * 1000


@pytest.mark.requirement("SR-03")
@pytest.mark.parametrize("began_ms", [0, 5, (1 << 30) - 5])
def test_a_point_waits_to_the_millisecond(began_ms: int):
    book = points.Points()
    book.now_ms = began_ms
    assert not book.must_wait(7)
    book.dosed(7)
    book.now_ms = (began_ms + WAIT_MS - 1) % (1 << 30)
    assert book.must_wait(7) and not book.must_wait(8)
    book.now_ms = (began_ms + WAIT_MS) % (1 << 30)
    assert not book.must_wait(7)


@pytest.mark.requirement("SR-03")
def test_the_later_of_two_doses_counts():
    book = points.Points()
    book.dosed(7)
    book.now_ms = WAIT_MS
    book.dosed(7)
    book.now_ms = WAIT_MS + 1
    assert book.must_wait(7)


@pytest.mark.requirement("SR-03")
def test_the_oldest_of_64_is_forgotten():
    book = points.Points()
    for point in range(1, limits.POINTS + 1):
        book.dosed(point)
    assert all(book.must_wait(point) for point in range(1, limits.POINTS + 1))
    book.dosed(999)
    assert [point for point in range(1, limits.POINTS + 1) if not book.must_wait(point)] == [1]


def test_what_has_no_number_waits_for_nothing():
    book = points.Points()
    book.dosed(0)
    assert not book.must_wait(0)
