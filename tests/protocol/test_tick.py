"""The wrapping tick is arithmetic modulo 2^30, and never leaves a board's small integers."""

from hypothesis import example, given
from hypothesis import strategies as st

from mesoprotocol import tick
from tests.small import Small

TICKS = st.integers(0, tick.MASK)
SPANS = st.integers(-tick.HALF, tick.HALF - 1)


@given(TICKS, SPANS)
@example(tick.MASK, 1)
@example(0, -1)
@example(tick.HALF, tick.HALF - 1)
def test_adding_wraps(t: int, us: int):
    assert tick.add(Small(t), Small(us)) == (t + us) % (1 << 30)


@given(TICKS, SPANS)
@example(tick.MASK, 1)
@example(0, -tick.HALF)
def test_a_difference_is_what_was_added(t: int, us: int):
    assert tick.diff(Small(tick.add(t, us)), Small(t)) == us


@given(TICKS, TICKS)
def test_differences_are_opposite_but_at_half_the_circle(a: int, b: int):
    there, back = tick.diff(a, b), tick.diff(b, a)
    assert there == -back or there == back == -tick.HALF


@given(TICKS, SPANS, SPANS)
def test_steps_add_up(t: int, first: int, second: int):
    assert tick.add(tick.add(t, first), second) == (t + first + second) % (1 << 30)
