"""Segments: exact to the tick, complete to the step, and small enough for a board at every rate."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesofirmware import motion
from mesoprotocol import limits
from tests.small import Small

RATES = range(limits.RATE_MIN_PER_MIN, limits.RATE_MAX_PER_MIN + 1)
TICKS_PER_MS = 25_000
REFERENCE = limits.PROFILES[0]


def segments(table: motion.Table) -> list[tuple[int, int, int]]:
    """Direction, steps and interval of each segment, as a step generator reads them."""
    words = list(table.words[: table.n])
    return [
        (1 if word & 1 else -1, (word >> 1) + 1, interval)
        for word, interval in zip(words[::2], words[1::2], strict=True)
    ]


def steps(table: motion.Table) -> int:
    return sum(direction * count for direction, count, _ in segments(table))


def ticks(table: motion.Table) -> int:
    return sum(count * interval for _, count, interval in segments(table))


def stroke(cycle: int, from_rest: bool = False, to_rest: bool = False) -> motion.Table:
    table = motion.Table(40)
    motion.stroke(table, Small(cycle), from_rest, to_rest)
    assert ticks(table) == table.ticks
    return table


def test_no_rate_loses_a_tick():
    for rate in map(Small, RATES):
        cycle, remainder = motion.cycle_ticks(rate), motion.cycle_remainder(rate)
        assert int(cycle) * int(rate) + int(remainder) == 1_500_000_000
        assert 0 <= remainder < rate


@pytest.mark.parametrize("more", [0, 1])
def test_a_steady_stroke_is_one_turn_and_takes_exactly_its_ticks(more: int):
    for rate in RATES:
        cycle = motion.cycle_ticks(rate) + more
        table = stroke(cycle)
        assert (steps(table), ticks(table)) == (3200, cycle)


@pytest.mark.parametrize(("from_rest", "to_rest"), [(True, False), (False, True), (True, True)])
def test_a_stroke_with_a_ramp_is_one_turn_too(from_rest: bool, to_rest: bool):
    for rate in RATES:
        cycle = motion.cycle_ticks(rate)
        table = stroke(cycle, from_rest, to_rest)
        assert steps(table) == 3200
        assert ticks(table) >= cycle - 3200  # whole ticks a step


def test_every_segment_goes_forward_and_is_a_segment():
    for rate in RATES:
        for from_rest in (False, True):
            for direction, count, interval in segments(stroke(motion.cycle_ticks(rate), from_rest, True)):
                assert (direction, count > 0, interval > 0) == (1, True, True)


def test_a_ramp_is_monotonous_and_ends_at_speed():
    for rate in RATES:
        cycle = motion.cycle_ticks(rate)
        if cycle > 100 * TICKS_PER_MS:
            continue
        up = [interval for _, _, interval in segments(stroke(cycle, from_rest=True))]
        down = [interval for _, _, interval in segments(stroke(cycle, to_rest=True))]
        assert up == sorted(up, reverse=True)
        assert down == sorted(down)
        assert up[:16] == down[:-17:-1]


def test_in_and_out_are_half_a_turn_each_within_150_ms():
    table = motion.Table(40)
    motion.half_stroke(table)
    assert steps(table) == 1600
    assert ticks(table) < 150 * TICKS_PER_MS


def test_no_stroke_keeps_the_needle_out_for_longer_than_a_stop_may_take():
    """Also the first, the last and the only one: 150 ms after a stop the motor power is gone."""
    for rate in RATES:
        cycle = motion.cycle_ticks(rate)
        for from_rest, to_rest in ((False, False), (True, False), (False, True), (True, True)):
            table = stroke(cycle, from_rest, to_rest)
            dwell = segments(table)[0][2] if cycle > 100 * TICKS_PER_MS else 0
            assert ticks(table) - dwell < 150 * TICKS_PER_MS


def test_a_slow_stroke_is_quick_after_its_dwell():
    """Wherever it is stopped, the needle is home within 150 ms: the dwell stands before the first step."""
    for rate in RATES:
        cycle = motion.cycle_ticks(rate)
        if cycle <= 100 * TICKS_PER_MS:
            continue
        for from_rest, to_rest in ((False, False), (True, False), (False, True), (True, True)):
            table = stroke(cycle, from_rest, to_rest)
            _, first_steps, dwell = segments(table)[0]
            assert first_steps == 1
            assert ticks(table) == cycle
            assert ticks(table) - dwell < 150 * TICKS_PER_MS


@given(st.integers(0, (1 << 30) - 2))
def test_isqrt_is_the_integer_root(n: int):
    root = int(motion.isqrt(Small(n)))
    assert root * root <= n < (root + 1) * (root + 1)


@given(st.integers(-500_000, 500_000).filter(bool), st.integers(1, 1 << 20))
def test_straight_goes_there_at_one_interval(count: int, interval: int):
    table = motion.Table(1)
    motion.straight(table, count, interval)
    assert segments(table) == [(1 if count > 0 else -1, abs(count), interval)]


@pytest.mark.parametrize(("count", "interval"), [(0, 5), (-1, 5), (5, 0)])
def test_no_segment_is_empty(count: int, interval: int):
    with pytest.raises(ValueError, match="segment"):
        motion.Table(1).add(count, interval, True)


@given(st.integers(1, limits.PRIME_MAX_NL))
def test_a_volume_is_the_nearest_number_of_steps(volume_nl: int):
    count = motion.plunger_steps(Small(volume_nl), REFERENCE)
    assert abs(count * REFERENCE[limits.PROFILE_PL_PER_STEP] - volume_nl * 1000) <= 2804


def test_the_plunger_keeps_to_the_profiles_flow():
    profile = tuple(Small(v) if isinstance(v, int) else v for v in REFERENCE)
    interval = motion.plunger_interval(profile, profile[limits.PROFILE_FLOW_NL_PER_S])
    a_second = 1000 * TICKS_PER_MS // interval * REFERENCE[limits.PROFILE_PL_PER_STEP] // 1000
    assert abs(a_second - REFERENCE[limits.PROFILE_FLOW_NL_PER_S]) <= 10
