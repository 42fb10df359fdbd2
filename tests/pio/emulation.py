"""One PIO program in rp2040-pio-emulator, clock by clock.

The emulator knows one state machine, and goes by the annotations of what it calls. Its WAIT PIN, IN PINS and MOV from
PINS count from pin 0, so inputs begin there; an instruction that it does not know ends it in silence, so the end is
looked at. FIFOs have no depth in it.
"""

from collections import deque
from collections.abc import Callable, Sequence
from typing import NamedTuple

from pioemu import State, emulate

from tests.pio.player import OUT, SIDE

_DRIVEN = 1 << SIDE | 1 << OUT


class Case(NamedTuple):
    """A program, as `StateMachine` takes it, and what happens to it."""

    program: list
    clocks: int
    words: Sequence[tuple[int, int]] = ()
    """Put at these clocks."""
    levels: Sequence[tuple[int, int]] = ((0, 0),)
    """All input pins, from these clocks on."""
    jmp_pin: int = 0


class Run(NamedTuple):
    """What came of it."""

    pins: list[int]
    """Driven pins during each clock."""
    counts: list[int]
    """Words that it pushed."""
    x: int
    pc: int

    def rises(self, pin: int = SIDE) -> list[int]:
        """Clocks at which a pin goes high."""
        return self._edges(pin, 1)

    def falls(self, pin: int = SIDE) -> list[int]:
        """Clocks at which a pin goes low."""
        return self._edges(pin, 0)

    def _edges(self, pin: int, to: int) -> list[int]:
        bits = [pins >> pin & 1 for pins in self.pins]
        return [i for i in range(1, len(bits)) if bits[i] == to != bits[i - 1]]


def level_at(levels: Sequence[tuple[int, int]]) -> Callable[[int], int]:
    """The input pins by clock, clocks asked for in ascending order."""
    rest = deque(levels)
    now = 0

    def at(clock: int) -> int:
        nonlocal now
        while rest and rest[0][0] <= clock:
            now = rest.popleft()[1]
        return now

    return at


def emulated(case: Case) -> Run:
    """The case by the emulator. RuntimeError where it stopped at an instruction that it does not know."""
    words, _, _, _, execctrl, shiftctrl, _, _, side = case.program
    at = level_at(case.levels)
    waiting = deque(case.words)
    counts: list[int] = []

    def outside(state: State) -> int:
        while waiting and waiting[0][0] <= state.clock:
            state.transmit_fifo.append(waiting.popleft()[1])
        while state.receive_fifo:
            counts.append(state.receive_fifo.popleft())
        return at(state.clock)

    pins: list[int] = []
    state = State(pin_directions=_DRIVEN)
    steps = emulate(
        list(words),
        stop_when=lambda _, state: state.clock >= case.clocks,
        initial_state=state,
        input_source=outside,
        auto_pull=bool(shiftctrl >> 17 & 1),
        shift_osr_right=bool(shiftctrl >> 19 & 1),
        shift_isr_right=bool(shiftctrl >> 18 & 1),
        out_base=OUT,
        out_count=1,
        side_set_base=SIDE,
        side_set_count=0 if side is None else 1,
        jmp_pin=case.jmp_pin,
        wrap_target=execctrl >> 7 & 31,
        wrap_top=execctrl >> 12 & 31,
    )
    for before, state in steps:
        pins += [state.pin_values & _DRIVEN] * (state.clock - before.clock)
    if state.clock < case.clocks:
        raise RuntimeError(f"no emulation of 0x{words[state.program_counter]:04x}, at {state.program_counter}")
    counts += state.receive_fifo
    return Run(pins[: case.clocks], [_signed(word) for word in counts], state.x_register, state.program_counter)


def _signed(word: int) -> int:
    return word - (word >> 31 << 32)
