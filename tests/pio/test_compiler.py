"""Segments become words of the programs: exact to the tick, complete to the step, within a ring."""

from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesofirmware import motion
from mesofirmware.boards import rp2_programs
from mesoprotocol import limits
from tests.pio import cases
from tests.small import Small

SEGMENT = st.tuples(st.integers(1, 3200), st.integers(rp2_programs.DRIVE_TICKS, (1 << 30) - 1), st.integers(0, 1))
FIRST = 5


def batch(segments: list[tuple[int, int, int]], cyclic: bool) -> list[tuple[int, int, int]]:
    table = array("I", bytes(4 * 256))
    n = rp2_programs.compile_batch(cases.words_of(segments), 2 * len(segments), cyclic, table, FIRST)
    words = table[FIRST : FIRST + n]
    assert not any(table[:FIRST]) and not any(table[FIRST + n :])
    return [
        ((word >> 1) + 1, interval + rp2_programs.STEPPER_TICKS, word & 1)
        for word, interval in zip(words[::2], words[1::2], strict=True)
    ]


def drive(
    segments: list[tuple[int, int, int]], cyclic: bool, gated: bool, held: bool
) -> list[tuple[int, int, int, bool, bool]]:
    table = array("I", bytes(4 * 256))
    n = rp2_programs.compile_drive(cases.words_of(segments), 2 * len(segments), cyclic, gated, held, table, FIRST)
    words = table[FIRST : FIRST + n]
    return [
        (
            (word >> 3) + 1,
            interval + rp2_programs.DRIVE_TICKS,
            word & 1,
            bool(word & rp2_programs.GATED_BIT),
            bool(word & rp2_programs.HELD_BIT),
        )
        for word, interval in zip(words[::2], words[1::2], strict=True)
    ]


def each_step(segments: list[tuple]) -> list[tuple[int, int]]:
    """Interval and direction of every step."""
    return [(interval, way) for steps, interval, way, *_ in segments for _ in range(steps)]


@given(st.lists(SEGMENT, min_size=1, max_size=40))
def test_a_batch_keeps_its_segments(segments: list[tuple[int, int, int]]):
    assert batch(segments, cyclic=False) == segments


@given(st.lists(SEGMENT, min_size=1, max_size=40), st.booleans(), st.booleans())
def test_a_drives_batch_keeps_them_too_and_marks_the_first(
    segments: list[tuple[int, int, int]], gated: bool, held: bool
):
    compiled = drive(segments, False, gated, held)
    assert [segment[:3] for segment in compiled] == segments
    assert [segment[3:] for segment in compiled] == [(gated, held)] + [(False, False)] * (len(segments) - 1)


@given(st.lists(SEGMENT, min_size=1, max_size=33), st.booleans())
def test_a_ring_has_2_to_the_k_words_and_the_same_steps(segments: list[tuple[int, int, int]], gated: bool):
    steps = sum(steps for steps, _, _ in segments)
    need = 1 << (len(segments) - 1).bit_length()
    if steps < need:
        with pytest.raises(ValueError, match=f"cyclic batch of {steps} steps: at least {need}"):
            drive(segments, True, gated, False)
        return
    compiled = drive(segments, True, gated, False)
    assert len(compiled) == need
    assert each_step(compiled) == each_step(segments)
    assert [segment[3] for segment in compiled] == [gated] + [False] * (need - 1)
    assert each_step(batch(segments, cyclic=True)) == each_step(segments)


@pytest.mark.parametrize("rate", range(limits.RATE_MIN_PER_MIN, limits.RATE_MAX_PER_MIN + 1, 60))
def test_a_cycle_of_every_rate_takes_exactly_its_ticks(rate: int):
    ticks = motion.cycle_ticks(rate)
    table = motion.Table(40)
    motion.stroke(table, ticks, False, False)
    words = array("I", bytes(4 * 128))
    n = rp2_programs.compile_drive([Small(word) for word in table.words], table.n, True, True, False, words, 0)
    steps = each_step([((words[i] >> 3) + 1, words[i + 1] + rp2_programs.DRIVE_TICKS, 1) for i in range(0, n, 2)])
    assert (len(steps), sum(interval for interval, _ in steps)) == (3200, ticks)


def test_what_cannot_be_made_is_refused():
    table = array("I", bytes(4 * 8))
    short = cases.words_of([(5, 17, 1)])
    with pytest.raises(ValueError, match="5 steps, 17 ticks: at most 67108864, at least 18"):
        rp2_programs.compile_drive(short, 2, False, True, False, table, 0)
    rp2_programs.compile_batch(short, 2, False, table, 0)
    with pytest.raises(ValueError, match="at most 67108864"):
        rp2_programs.compile_batch(cases.words_of([((1 << 26) + 1, 100, 1)]), 2, False, table, 0)
    with pytest.raises(ValueError, match="batch of 10 words: at most 8"):
        rp2_programs.compile_batch(cases.words_of([(2, 100, 1)] * 5), 10, False, table, 0)
    with pytest.raises(ValueError, match="batch of 4 words: at most 3"):
        rp2_programs.compile_batch(cases.words_of([(2, 100, 1)] * 2), 4, False, table, 5)
