"""What the programs are tried with: the same for rp2040-pio-emulator and for the twin's interpreter."""

from __future__ import annotations

import random
from array import array
from collections.abc import Iterator, Sequence
from itertools import accumulate

from mesofirmware.boards import rp2_programs
from tests.pio.emulation import Case

PERMIT_DRIVE, PERMIT_PLUNGER = 2, 1
"""The drive's inputs as levels: jmp pin is pin 1, in base pin 0."""
SEGMENTS = ((3, 40, 1), (1, 25, 0), (2, 33, 1))
"""Steps, interval, direction."""


def words_of(segments: Sequence[tuple[int, int, int]]) -> array[int]:
    """Segments as the Board port has them."""
    return array("i", [word for steps, interval, way in segments for word in (way | (steps - 1) << 1, interval)])


def ends(segments: Sequence[tuple[int, int, int]], first: int) -> list[int]:
    """Clocks at which steps come, the first interval beginning at clock `first`."""
    return list(accumulate((interval for steps, interval, _ in segments for _ in range(steps)), initial=first))[1:]


def stepper(
    segments: Sequence[tuple[int, int, int]] = SEGMENTS,
    levels: Sequence[tuple[int, int]] = ((0, 1),),
    clocks: int = 260,
) -> Case:
    """Segments, all in the FIFO from the start."""
    table = array("I", bytes(512))
    n = rp2_programs.compile_batch(words_of(segments), 2 * len(segments), False, table, 0)
    return Case(rp2_programs.STEPPER, clocks, [(0, word) for word in table[:n]], levels)


def drive(
    batches: Sequence[tuple[Sequence[tuple[int, int, int]], bool, bool]],
    levels: Sequence[tuple[int, int]] = ((0, PERMIT_DRIVE | PERMIT_PLUNGER),),
    clocks: int = 260,
) -> Case:
    """Batches of segments, each of which may be gated and held."""
    table = array("I", bytes(512))
    n = 0
    for segments, gated, held in batches:
        n += rp2_programs.compile_drive(words_of(segments), 2 * len(segments), False, gated, held, table, n)
    return Case(rp2_programs.DRIVE, clocks, [(0, word) for word in table[:n]], levels, jmp_pin=1)


def deadman(food: Sequence[tuple[int, int]], clocks: int = 400) -> Case:
    """Rounds to live, put at these clocks."""
    return Case(rp2_programs.DEADMAN, clocks, food)


def odometer(ways: Sequence[int]) -> Case:
    """A step forward for each 1, backward for each 0, as quick as a step generator makes them at the system's clock."""
    levels = [(0, 0)]
    clock = 30
    for way in ways:
        levels += [(clock - 20, way << 1), (clock, way << 1 | 1), (clock + 40, way << 1)]
        clock += 70
    return Case(rp2_programs.ODOMETER, clock + 20, (), levels, jmp_pin=1)


QUADRATURE = (0b00, 0b01, 0b11, 0b10)
"""B and A by place: A leads."""


def encoder(places: Sequence[int]) -> Case:
    """An encoder at these places, each next to the one before, 25 clocks long."""
    levels = [(25 * i, QUADRATURE[place & 3]) for i, place in enumerate(places)]
    return Case(rp2_programs.ENCODER, 25 * len(places) + 25, (), levels, jmp_pin=1)


def walk(seed: int, n: int) -> list[int]:
    """Places of an encoder that begins at 0 and wanders."""
    draw = random.Random(seed)
    return list(accumulate((draw.choice((-1, 1)) for _ in range(n)), initial=0))


def vectors() -> Iterator[tuple[str, Case]]:
    """Names and cases, for whoever interprets PIO."""
    yield "stepper", stepper()
    yield "stepper, quickest", stepper([(9, rp2_programs.STEPPER_TICKS, 1)])
    for clock in range(3, 150, 13):
        yield f"stepper, no permit at {clock}", stepper(levels=((0, 1), (clock, 0), (clock + 60, 1)))
    turn, out = ((3, 40, 1), (2, 30, 1)), ((2, 35, 1),)
    yield "drive", drive([(turn, True, False), (turn, True, False)], clocks=400)
    yield "drive, backward", drive([(((4, 50, 0),), True, False)])
    for clock in range(5, 230, 19):
        levels = ((0, PERMIT_DRIVE), (clock, 0))
        yield f"drive, no permit at {clock}", drive([(turn, True, False), (turn, True, False)], levels, 400)
        levels = ((0, PERMIT_DRIVE | PERMIT_PLUNGER), (clock, PERMIT_DRIVE))
        yield f"drive, plunger's falls at {clock}", drive([(turn, True, False), (out, False, True)], levels, 400)
    yield "dead-man", deadman([(20, 50)])
    yield "dead-man, fed", deadman([(5, 30), (50, 30), (91, 10), (93, 25)])
    yield "dead-man, fed too late", deadman([(5, 10), (60, 50), (61, 50)])
    yield "odometer", odometer([1, 1, 1, 0, 0, 0, 0, 0, 1, 1, 1])
    yield "encoder", encoder(walk(1, 40))
    yield "encoder, to and fro", encoder([0, 1] * 6 + [0, -1] * 6)
