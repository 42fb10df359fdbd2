"""Dead-man, odometer and encoder in emulation."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mesofirmware.boards import rp2_programs
from tests.pio import cases
from tests.pio.emulation import emulated

ROUND = rp2_programs.DEADMAN_CLOCKS


@pytest.mark.requirement("SR-28")
@pytest.mark.parametrize("rounds", [1, 2, 30])
def test_the_dead_man_lives_as_long_as_its_food_lasts(rounds: int):
    run = emulated(cases.deadman([(20, rounds)]))
    assert run.rises() == [21]
    assert run.falls() == [20 + ROUND * (rounds + 1)]


@pytest.mark.requirement("SR-28")
@pytest.mark.parametrize("fed", range(40, 100, 1))
def test_food_in_time_is_good_for_as_long_again_and_too_late_it_is_not_touched(fed: int):
    rounds = 20
    dies = 20 + ROUND * (rounds + 1)
    run = emulated(cases.deadman([(20, rounds), (fed, rounds)]))
    (fell,) = run.falls()
    if fed >= dies:
        assert fell == dies
    elif fed > dies - ROUND:
        assert fell == dies or fell >= fed + ROUND * rounds
    else:
        assert fed + ROUND * rounds < fell <= fed + ROUND * (rounds + 2)


@pytest.mark.requirement("SR-28")
def test_a_dead_man_is_not_woken_by_food():
    run = emulated(cases.deadman([(20, 10), *((clock, 100) for clock in range(80, 400, 40))], clocks=2000))
    assert len(run.rises()) == len(run.falls()) == 1


def test_the_odometer_gives_its_count_after_each_step():
    ways = [1, 1, 1, 0, 0, 0, 0, 0, 1, 1, 1]
    assert emulated(cases.odometer(ways)).counts == [0, 1, 2, 3, 2, 1, 0, -1, -2, -1, 0, 1]


@settings(max_examples=20, deadline=None)
@given(st.lists(st.sampled_from((0, 1)), max_size=20))
def test_the_odometer_ends_where_the_steps_do(ways: list[int]):
    assert emulated(cases.odometer(ways)).counts[-1] == 2 * sum(ways) - len(ways)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.sampled_from((-1, 1)), min_size=1, max_size=30))
def test_the_encoder_counts_every_edge(moves: list[int]):
    places = [0]
    for move in moves:
        places.append(places[-1] + move)
    assert emulated(cases.encoder(places)).counts == places[1:]


@pytest.mark.parametrize("first", [1, 2, 3])
def test_the_encoder_is_off_by_one_at_most_for_levels_that_it_finds(first: int):
    places = [first, first + 1, first + 2, first + 1]
    begins, *counts = emulated(cases.encoder(places)).counts
    assert abs(begins) == 1
    assert [count - begins for count in counts] == [1, 2, 1]
