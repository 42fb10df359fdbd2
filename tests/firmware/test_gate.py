"""The gate opens to a press of both lines, seen released before, at a contact that has stood: to no other."""

import pytest

from mesofirmware import clock, gate
from mesoprotocol import tick, wire

A, B, SKIN = wire.INPUT_TRIGGER_A, wire.INPUT_TRIGGER_B, wire.INPUT_CONTACT
BOTH = A | B
WAIT, GO, DISAGREE = gate.WAIT, gate.GO, gate.DISAGREE
START = tick.MASK - 100_000
"""Just before the tick wraps: every story passes it."""

Story = list[tuple[int, int]]
"""Milliseconds after arming, and the inputs from then on."""


def last_answer(story: Story, away: bool = False, fresh: bool = True, box: gate.Gate | None = None) -> int:
    """What the gate says at the end; before, it has said WAIT all the time."""
    box = box or gate.Gate()
    (_, first), *rest = story
    box.arm(START, first, away, fresh)
    answer = box.step(START, first)
    for ms, inputs in rest:
        assert answer == WAIT
        answer = box.step(tick.add(START, ms * 1000), inputs)
    return answer


TOWARDS_SKIN: dict[str, tuple[Story, int]] = {
    "pressed at a steady contact": ([(0, 0), (50, SKIN), (200, SKIN | BOTH)], GO),
    "one line 49 ms before the other": ([(0, SKIN), (200, SKIN | A), (249, SKIN | BOTH)], GO),
    "the other line first": ([(0, SKIN), (200, SKIN | B), (210, SKIN | BOTH)], GO),
    "one line alone, shortly": ([(0, SKIN), (200, SKIN | A), (249, SKIN | A)], WAIT),
    "one line alone": ([(0, SKIN), (200, SKIN | A), (250, SKIN | A)], DISAGREE),
    "the second line alone": ([(0, SKIN), (200, SKIN | B), (250, SKIN | B)], DISAGREE),
    "one line touched, then both": (
        [(0, SKIN), (200, SKIN | A), (240, SKIN), (300, SKIN | B), (340, SKIN | BOTH)],
        GO,
    ),
    "held from the start": ([(0, SKIN | BOTH), (200, SKIN | BOTH), (900, SKIN | BOTH)], WAIT),
    "held from the start, then pressed anew": (
        [(0, SKIN | BOTH), (200, SKIN), (201, SKIN | BOTH)],
        GO,
    ),
    "one line never let go": ([(0, SKIN | A), (200, SKIN | BOTH), (300, SKIN | A), (400, SKIN | BOTH)], WAIT),
    "pressed without contact": ([(0, 0), (200, BOTH)], WAIT),
    "pressed 149 ms after contact": ([(0, 0), (50, SKIN), (199, SKIN | BOTH)], WAIT),
    "pressed too early and held": ([(0, 0), (50, SKIN), (199, SKIN | BOTH), (400, SKIN | BOTH)], WAIT),
    "pressed too early, one line let go": (
        [(0, 0), (50, SKIN), (199, SKIN | BOTH), (400, SKIN | A), (410, SKIN | BOTH)],
        WAIT,
    ),
    "pressed too early, then again": (
        [(0, 0), (50, SKIN), (199, SKIN | BOTH), (400, SKIN), (410, SKIN | BOTH)],
        GO,
    ),
    "contact not steady": ([(0, SKIN), (100, 0), (101, SKIN), (250, SKIN | BOTH)], WAIT),
    "contact lost under the finger": ([(0, SKIN), (200, SKIN | A), (210, A), (220, SKIN | BOTH)], WAIT),
}


@pytest.mark.parametrize("name", TOWARDS_SKIN)
def test_towards_skin(name: str):
    story, answer = TOWARDS_SKIN[name]
    assert last_answer(story) == answer


AWAY: dict[str, tuple[Story, int]] = {
    "pressed in the air": ([(0, 0), (10, BOTH)], GO),
    "pressed at skin": ([(0, SKIN), (10, SKIN | BOTH)], WAIT),
    "pressed as skin is touched": ([(0, 0), (200, SKIN | BOTH)], WAIT),
    "one line alone": ([(0, 0), (10, A), (60, A)], DISAGREE),
    "held from the start": ([(0, BOTH), (200, BOTH)], WAIT),
}


@pytest.mark.parametrize("name", AWAY)
def test_away_from_skin(name: str):
    story, answer = AWAY[name]
    assert last_answer(story, away=True) == answer


PRESSED_AT_ONCE: Story = [(0, SKIN), (200, SKIN | BOTH)]


def test_a_contact_is_good_for_one_dose():
    box = gate.Gate()
    assert last_answer(PRESSED_AT_ONCE, box=box) == GO
    box.used()
    assert last_answer(PRESSED_AT_ONCE, box=box) == WAIT
    box.used()
    assert last_answer([(0, SKIN), (100, 0), (200, SKIN), (400, SKIN | BOTH)], box=box) == GO


def test_lifting_between_two_doses_is_seen_while_nothing_is_armed():
    box = gate.Gate()
    box.used()
    box.look(0)
    assert last_answer(PRESSED_AT_ONCE, box=box) == GO


def test_a_run_may_go_on_at_the_same_contact():
    box = gate.Gate()
    box.used()
    assert last_answer(PRESSED_AT_ONCE, fresh=False, box=box) == GO


def test_the_gate_asks_to_be_looked_at_when_the_pair_is_overdue():
    box = gate.Gate()
    assert last_answer([(0, SKIN), (200, SKIN | A), (230, SKIN | A)], box=box) == WAIT
    assert box.wait_us == 20_000


def test_arming_again_begins_anew():
    """A finger that was seen off the trigger before says nothing now."""
    box = gate.Gate()
    assert last_answer([(0, 0), (200, 0)], away=True, box=box) == WAIT
    assert last_answer([(0, BOTH), (200, BOTH)], away=True, box=box) == WAIT


@pytest.mark.parametrize(("inputs", "ms", "answer"), [(SKIN, 150, GO), (0, 150, WAIT), (0, 249, WAIT), (0, 250, GO)])
def test_what_was_so_at_arming_counts(inputs: int, ms: int, answer: int):
    """Contact from then on; and that it was open then, though the next look comes 100 ms later."""
    box = gate.Gate()
    box.used()
    if inputs:
        box.look(0)
    box.arm(START, inputs, False, True)
    assert box.wait_us == clock.FOREVER
    assert box.step(tick.add(START, 100_000), SKIN) == WAIT
    assert box.step(tick.add(START, ms * 1000), SKIN | BOTH) == answer
    assert box.wait_us == clock.FOREVER


def test_a_pair_is_overdue_to_the_microsecond_and_asks_no_more_once_it_is_let_go():
    box = gate.Gate()
    assert last_answer([(0, SKIN), (200, SKIN | A)], box=box) == WAIT
    overdue = tick.add(START, 250_000)
    assert box.step(tick.add(overdue, -1), SKIN | A) == WAIT
    assert box.wait_us == 1
    assert box.step(overdue, SKIN) == WAIT
    assert box.wait_us == clock.FOREVER
