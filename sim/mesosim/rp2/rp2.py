"""Stands in for MicroPython's `rp2`: state machines and DMA. Programs come as words, not as functions to assemble."""

import errno

from mesosim.rp2 import chip as _chip
from mesosim.rp2 import direct_access

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_DATA, _OFFSET, _EXECCTRL, _SHIFTCTRL, _OUT, _SET, _SIDE = 0, 1, 4, 5, 6, 7, 8
_SIDE_EN = 1 << 30
_BASE = 0x50200000
_WORDS = 32

DMA = direct_access.DMA


def bootsel_button() -> int:
    """Nobody holds it."""
    return 0


class StateMachine:
    """See `rp2.StateMachine`."""

    def __init__(self, number: int, program: "list | None" = None, freq: int = -1, **wiring: "Any") -> None:
        self._number = number
        self._block = _chip.chip.blocks[number >> 2]
        self._machine = self._block.machines[number & 3]
        self._start = 0
        if program is not None:
            self.init(program, freq, **wiring)

    def init(
        self,
        program: list,
        freq: int = -1,
        in_base: object = None,
        out_base: object = None,
        set_base: object = None,
        jmp_pin: object = None,
        sideset_base: object = None,
        in_shiftdir: "int | None" = None,
        out_shiftdir: "int | None" = None,
        push_thresh: "int | None" = None,
        pull_thresh: "int | None" = None,
    ) -> None:
        """Load the program, if it is not there, and be ready at its beginning, disabled."""
        machine = self._machine
        machine.enable(False, _chip.chip.t)
        offset = self._load(program)
        execctrl = program[_EXECCTRL] + (offset << 12 | offset << 7)
        if jmp_pin is not None:
            execctrl |= jmp_pin.number << 24  # type: ignore[attr-defined]
        shiftctrl = program[_SHIFTCTRL]
        for value, low, mask in (
            (in_shiftdir, 18, 1),
            (out_shiftdir, 19, 1),
            (push_thresh, 20, 31),
            (pull_thresh, 25, 31),
        ):
            if value is not None:
                shiftctrl = shiftctrl & ~(mask << low) | (value & mask) << low
        pinctrl = 0
        if in_base is not None:
            pinctrl |= in_base.number << 15  # type: ignore[attr-defined]
        for base, inits, low, count_low, extra in (
            (out_base, program[_OUT], 0, 20, 0),
            (set_base, program[_SET], 5, 26, 0),
            (sideset_base, program[_SIDE], 10, 29, 1 if program[_EXECCTRL] & _SIDE_EN else 0),
        ):
            if base is not None:
                levels = _tuple(inits)
                pinctrl |= base.number << low | len(levels) + extra << count_low  # type: ignore[attr-defined]
                self._drive(base.number, levels)  # type: ignore[attr-defined]
        machine.clkdiv = 256 if freq <= 0 else _chip.chip.model.hz * 256 // freq
        machine.execctrl = execctrl
        machine.shiftctrl = shiftctrl
        machine.pinctrl = pinctrl
        machine.clear()
        machine.restart()
        machine.jump(offset, _chip.chip.t)
        self._start = offset
        _chip.chip.settle()

    def active(self, on: "int | None" = None) -> bool:
        """Start or stop it; whether it runs."""
        if on is not None:
            _chip.chip.enable(self._machine, bool(on))
        return self._machine.enabled

    def restart(self) -> None:
        """Back to its first instruction. FIFOs and scratch registers stay as they are."""
        machine = self._machine
        machine.restart()
        machine.jump(self._start, _chip.chip.t)
        _chip.chip.settle()

    def exec(self, instruction: int) -> None:
        """Execute an instruction, given as its word, now."""
        if not isinstance(instruction, int):
            raise TypeError("exec: a word, not %r" % (instruction,))
        _chip.chip.execute(self._machine, instruction)

    def put(self, value: int, shift: int = 0) -> None:
        """Give it a word. Raises RuntimeError where the real one would wait for ever."""
        if len(self._machine.tx) >= self._machine.tx_depth():
            raise RuntimeError("put: the FIFO of state machine %d is full" % self._number)
        self._machine.put((value << shift) & 0xFFFFFFFF, _chip.chip.t)
        # the processor is not back before the machine has acted on it
        _chip.chip.act(4 * (self._machine.clkdiv >> 8))

    def get(self, buf: object = None, shift: int = 0) -> "int | object":
        """Take a word, into an array if one is given. Raises RuntimeError where the real one would wait for ever."""
        if not self._machine.rx:
            raise RuntimeError("get: the FIFO of state machine %d is empty" % self._number)
        value = self._machine.get(_chip.chip.t) >> shift
        _chip.chip.settle()
        if buf is None:
            return value
        buf[0] = value  # type: ignore[index]
        return buf

    def tx_fifo(self) -> int:
        """Words that it has not taken."""
        return len(self._machine.tx)

    def rx_fifo(self) -> int:
        """Words that it has given."""
        return len(self._machine.rx)

    def fifo_address(self, to_write: bool) -> int:
        """Where its FIFO is on the bus: what the real one's buffer protocol gives to DMA."""
        return _BASE + 0x100000 * (self._number >> 2) + (0x10 if to_write else 0x20) + 4 * (self._number & 3)

    def _load(self, program: list) -> int:
        block = self._block
        words = program[_DATA]
        known: int = program[_OFFSET + block.number]
        if known >= 0 and block.used >> known & 1:
            return known
        mask = (1 << len(words)) - 1
        for offset in range(_WORDS - len(words), -1, -1):
            if not block.used & mask << offset:
                break
        else:
            raise OSError(errno.ENOMEM, "no room for a program of %d words" % len(words))
        block.used |= mask << offset
        for i in range(len(words)):
            # jumps are relative to the program's place
            block.memory[offset + i] = words[i] + offset if words[i] >> 13 == 0 else words[i]
        program[_OFFSET + block.number] = offset
        return offset

    def _drive(self, base: int, inits: tuple) -> None:
        pads, number = _chip.chip.pads, self._block.number
        for i in range(len(inits)):
            bit = 1 << base + i
            levels, enabled = pads.pio_out[number] & ~bit, pads.pio_enabled[number] & ~bit
            pads.pio_out[number] = levels | bit if inits[i] & 1 else levels
            pads.pio_enabled[number] = enabled | bit if inits[i] & 2 else enabled
            pads.give(bit, number)


def _tuple(inits: "int | tuple | None") -> tuple:
    if inits is None:
        return ()
    return (inits,) if isinstance(inits, int) else inits
