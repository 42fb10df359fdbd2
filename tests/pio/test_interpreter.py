"""The twin's interpreter against rp2040-pio-emulator, and its leaps against going instruction by instruction."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mesofirmware.boards import rp2_programs
from mesosim.rp2 import pads, pio
from tests.pio import cases
from tests.pio.cases import PERMIT_DRIVE, PERMIT_PLUNGER
from tests.pio.emulation import SIDE, Case, emulated
from tests.pio.interpretation import Plain, configured, interpreted

VECTORS = dict(cases.vectors())


@pytest.mark.parametrize("name", VECTORS)
def test_it_does_what_the_emulator_does(name: str):
    case = VECTORS[name]
    expected = emulated(case)
    assert interpreted(case, Plain) == expected
    assert interpreted(case) == expected


@pytest.mark.parametrize("name", VECTORS)
def test_a_slower_clock_and_another_place_in_memory_change_nothing_but_the_time(name: str):
    case = VECTORS[name]
    fast = interpreted(case)
    slow = case._replace(
        clocks=5 * case.clocks,
        words=[(5 * clock, word) for clock, word in case.words],
        levels=[(5 * clock, level) for clock, level in case.levels],
    )
    run = interpreted(slow, at=32 - len(case.program[0]), clkdiv=5)
    assert run == fast._replace(pins=[pins for pins in fast.pins for _ in range(5)])


TIMES = st.lists(st.integers(0, 4000), max_size=12).map(sorted)


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_leaps_land_where_single_instructions_lead(data: st.DataObject):
    program = data.draw(st.sampled_from([rp2_programs.DEADMAN, rp2_programs.ODOMETER, rp2_programs.ENCODER, DWELLING]))
    levels = [(0, 0)] + [(clock, data.draw(st.integers(0, 3))) for clock in data.draw(TIMES)]
    words = [(clock, data.draw(st.integers(0, 300))) for clock in data.draw(TIMES)]
    case = Case(program, data.draw(st.integers(1, 5000)), words, levels, jmp_pin=1)
    clkdiv = data.draw(st.sampled_from([1, 3]))
    assert interpreted(case, clkdiv=clkdiv) == interpreted(case, Plain, clkdiv=clkdiv)


# out x, 32; then, while it counts down: y from x, a look at pin 1, a delay; autopull
DWELLING = [[0x6020, 0xA041, 0x02C3, 0x0341, 0x0002], -1, -1, -1, 4 << 12, 1 << 17, None, None, None]


def stepped(machine: pio.Machine, until: int) -> int:
    """Instructions that were interpreted one by one."""
    n = 0
    while machine.due < until:
        machine.step()
        n += 1
    return n


def test_millions_of_rounds_cost_what_ten_do():
    machine = configured(cases.deadman([]), pads.Pads(), pio.Machine)
    machine.enable(True, 0)
    machine.put(1 << 28, 0)
    assert stepped(machine, 1 << 28) < 20
    machine.put(10, 1 << 28)
    stepped(machine, (1 << 28) + 100)
    assert machine.pc == 3 and machine.due == pio.NEVER


@pytest.mark.requirement("SR-28")
def test_what_is_held_starts_when_the_drive_is_told_to_wait_for_its_own_step():
    board = pads.Pads()
    board.wire(0xFF, PERMIT_DRIVE | PERMIT_PLUNGER)
    machine = configured(cases.drive([]), board, pio.Machine)
    machine.enable(True, 0)
    for _, word in cases.drive([([(3, 40, 1)], True, False), ([(2, 40, 1)], False, True)]).words:
        machine.put(word, 0)
    rises = []
    board.watch(1 << SIDE, lambda _: rises.append(machine.due))
    stepped(machine, 1000)
    assert len(rises) == 6 and machine.pc == 3
    machine.pinctrl |= SIDE << 15
    machine.look_again(1000)
    stepped(machine, 2000)
    assert len(rises) == 10


@pytest.mark.parametrize("word", [0xC000, 0x20C0, 0x60E8, 0xA081, 0xA005 | 0x20])
def test_what_is_not_modelled_is_refused(word: int):
    case = Case([[word], -1, -1, -1, 0, 0, None, None, None], 10)
    with pytest.raises(ValueError, match="not modelled"):
        interpreted(case)


def test_a_fractional_clock_divider_is_refused():
    machine = configured(cases.deadman([]), pads.Pads(), pio.Machine)
    machine.clkdiv = 0x180
    with pytest.raises(ValueError, match="384/256"):
        machine.enable(True, 0)
