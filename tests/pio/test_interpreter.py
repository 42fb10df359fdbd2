"""The twin's interpreter against rp2040-pio-emulator, and its leaps against going instruction by instruction."""

import hashlib
import json
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mesofirmware.boards import rp2_programs
from mesosim import micropython
from mesosim.rp2 import pio
from tests.house import rooms
from tests.pio import cases
from tests.pio.cases import PERMIT_DRIVE, PERMIT_PLUNGER
from tests.pio.emulation import Case, Run, emulated
from tests.pio.player import SIDE, Player

VECTORS = dict(cases.vectors())


def interpreted(case: Case, plain: bool = False, at: int = 0, clkdiv: int = 1) -> Run:
    pins, counts, x, pc = Player(case.program, case.jmp_pin, plain, at, clkdiv).play(
        case.clocks, list(case.words), list(case.levels)
    )
    return Run(pins, counts, x, pc - at)


@pytest.mark.parametrize("name", VECTORS)
def test_it_does_what_the_emulator_does(name: str):
    case = VECTORS[name]
    expected = emulated(case)
    assert interpreted(case, plain=True) == expected
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
    assert interpreted(case, clkdiv=clkdiv) == interpreted(case, plain=True, clkdiv=clkdiv)


# out x, 32; then, while it counts down: y from x, a look at pin 1, a delay; autopull
DWELLING = [[0x6020, 0xA041, 0x02C3, 0x0341, 0x0002], -1, -1, -1, 4 << 12, 1 << 17, None, None, None]


def test_millions_of_rounds_cost_what_ten_do():
    player = Player(rp2_programs.DEADMAN, 0)
    player.put(1 << 28)
    player.run(1 << 28)
    assert player.steps < 20
    player.put(10)
    player.run((1 << 28) + 100)
    assert player.machine.pc == 3
    assert player.machine.due == pio.NEVER


@pytest.mark.requirement("SR-28")
def test_what_is_held_starts_when_the_drive_is_told_to_wait_for_its_own_step():
    player = Player(rp2_programs.DRIVE, 1)
    player.wire(PERMIT_DRIVE | PERMIT_PLUNGER)
    for _, word in cases.drive([([(3, 40, 1)], True, False), ([(2, 40, 1)], False, True)]).words:
        player.put(word)
    player.run(1000)
    assert (len(player.rises), player.machine.pc) == (3, 3)
    player.machine.pinctrl |= SIDE << 15
    player.machine.look_again(1000)
    player.run(2000)
    assert len(player.rises) == 5


NOP = 0xA042


@pytest.mark.parametrize("name", ["stepper", "drive", "dead-man, fed", "encoder"])
def test_looking_at_a_machine_changes_nothing(name: str):
    case = VECTORS[name]
    for clkdiv in (1, 5):
        for clock in range(1, clkdiv * 200, 17):
            seen = []
            for plain in (True, False):
                player = Player(case.program, case.jmp_pin, plain, clkdiv=clkdiv)
                player.wire(3)
                for _, word in case.words:
                    player.put(word)
                player.run(clock)
                machine = player.machine
                machine.look_again(clock)
                machine.execute(NOP, clock)
                player.run(clock)
                seen.append((machine.x, machine.y, machine.isr, machine.osr, machine.pc))
                player.run(clkdiv * 300)
                seen[-1] += (player.changes,)
            assert seen[0] == seen[1]


ON_MICROPYTHON = """
import hashlib, json, sys
sys.path[:] = %r + ['.frozen']
from player import Player
for program, jmp_pin, clocks, words, levels in json.loads(%r):
    for plain in (True, False):
        ended = Player(program, jmp_pin, plain).play(clocks, words, levels)
        print(hashlib.sha256(repr(ended).encode()).digest().hex())
"""


def test_micropython_interprets_alike():
    paths = [str(rooms.ROOT / "sim"), str(Path(__file__).parent)]
    some = [list(VECTORS.values())[i] for i in range(0, len(VECTORS), 4)]
    text = json.dumps(
        [([list(c.program[0]), *c.program[1:]], c.jmp_pin, c.clocks, list(c.words), c.levels) for c in some]
    )
    try:
        line = micropython.line(ON_MICROPYTHON % (paths, text))
    except micropython.NoMicroPython as missing:
        pytest.skip(str(missing))
    done = subprocess.run(line, capture_output=True, text=True, timeout=100, check=False)
    ends = [repr(tuple(interpreted(case))) for case in some for _ in range(2)]
    assert done.stdout.split() == [hashlib.sha256(end.encode()).hexdigest() for end in ends], done.stderr


@pytest.mark.parametrize("word", [0xC000, 0x20C0, 0x60E8, 0xA081, 0xA005 | 0x20])
def test_what_is_not_modelled_is_refused(word: int):
    case = Case([[word], -1, -1, -1, 0, 0, None, None, None], 10)
    with pytest.raises(ValueError, match="not modelled"):
        interpreted(case)


def test_a_fractional_clock_divider_is_refused():
    machine = Player(rp2_programs.DEADMAN, 0).machine
    machine.enable(False, 0)
    machine.clkdiv = 0x180
    with pytest.raises(ValueError, match="384/256"):
        machine.enable(True, 0)
