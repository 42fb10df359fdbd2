"""The same cases in the twin's interpreter: in leaps, or instruction by instruction."""

from __future__ import annotations

from collections.abc import Sequence

from mesosim.rp2 import pads, pio
from tests.pio.emulation import OUT, SIDE, Case, Run

_DRIVEN = 1 << SIDE | 1 << OUT


class Plain(pio.Machine):
    """A machine that never leaps."""

    def _leap(self, clocks: int, rounds: int, change: Sequence[int]) -> None:
        pass


def configured(case: Case, board: pads.Pads, kind: type[pio.Machine], at: int = 0, clkdiv: int = 1) -> pio.Machine:
    """A machine with the case's program from address `at`, not yet running."""
    words, _, _, _, execctrl, shiftctrl, out, _, side = case.program
    block = pio.Block(0, board)
    machine = kind(block, 0)
    block.machines[0] = machine
    for i, word in enumerate(words):
        block.memory[at + i] = word + at if word >> 13 == 0 else word
    machine.clkdiv = clkdiv << 8
    machine.execctrl = execctrl + (at << 12 | at << 7) | case.jmp_pin << 24
    machine.shiftctrl = shiftctrl
    machine.pinctrl = (0 if side is None else 1 << 29 | SIDE << 10) | (0 if out is None else 1 << 20 | OUT)
    machine.pc = at
    board.pio_enabled[0] = (0 if side is None else 1 << SIDE) | (0 if out is None else 1 << OUT)
    board.give(board.pio_enabled[0], 0)
    return machine


def interpreted(case: Case, kind: type[pio.Machine] = pio.Machine, at: int = 0, clkdiv: int = 1) -> Run:
    """The case by the twin's interpreter."""
    board = pads.Pads()
    machine = configured(case, board, kind, at, clkdiv)
    pins: list[int] = []
    now = 0
    counts: list[int] = []

    def changed(_: int) -> None:
        record(now)

    last = 0

    def record(until: int) -> None:
        nonlocal last
        pins.extend([last] * (until - len(pins)))
        last = board.levels & _DRIVEN

    board.watch(_DRIVEN, changed)
    happen = sorted(
        [(clock, 0, word) for clock, word in case.words] + [(clock, 1, levels) for clock, levels in case.levels],
        key=lambda event: event[:2],
    )
    board.wire(0xFF, 0)
    machine.enable(True, 0)
    waiting: list[int] = []
    for clock, what, value in [*(event for event in happen if event[0] < case.clocks), (case.clocks, 2, 0)]:
        while machine.due < clock:
            now = machine.due
            machine.step()
            while machine.rx:
                word = machine.get(now)
                counts.append(word - (word >> 31 << 32))
            while waiting and len(machine.tx) < machine.tx_depth():
                machine.put(waiting.pop(0), now + 1)
        now = clock
        if what == 0:
            waiting.append(value)
            while waiting and len(machine.tx) < machine.tx_depth():
                machine.put(waiting.pop(0), clock)
        elif what == 1:
            before = board.levels
            board.wire(0xFF, value)
            machine.pads_change(before ^ board.levels, clock)
    machine.enable(False, case.clocks)
    record(case.clocks)
    return Run(pins, counts, machine.x, machine.pc - at)
