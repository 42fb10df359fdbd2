"""What each PIO instruction does to one state machine's registers, FIFOs and pads. RP2040 datasheet 3.4.

IRQ, EXEC and fractional clock dividers are not modelled: they are refused.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mesosim.rp2 import pio

NEVER = 1 << 62
_FULL = 0xFFFFFFFF
_JMP, _WAIT, _IN, _OUT, _PUSH_PULL, _MOV, _IRQ, _SET = range(8)
_PINS, _X, _Y, _NULL, _PINDIRS, _PC, _ISR, _OSR = range(8)
_SIDE_PINDIR = 1 << 29
STEADY = (0, 0, 0, 0)
"""Nothing of X, Y, ISR and OSR has changed."""
_X_DOWN, _Y_DOWN = (-1, 0, 0, 0), (0, -1, 0, 0)


class Core:
    """Registers are as the datasheet names them; `clkdiv` is in 256ths. When to go on is decided by `pio.Machine`."""

    def __init__(self, block: "pio.Block", number: int) -> None:
        self.block = block
        self.number = number
        self._pads = block.pads
        self.clkdiv = 256
        self.execctrl = 31 << 12
        self.shiftctrl = 3 << 18
        self.pinctrl = 5 << 26
        self.tx: list = []
        self.rx: list = []
        self.x = self.y = self.isr = self.osr = self.pc = 0
        self.due = NEVER
        """The system clock of the next instruction."""
        self._isr_count = 0
        self._osr_count = 32
        self._cycle = 1
        self._last = 0
        """When it last was at an instruction; its cycles are counted from there."""
        self._decoded: dict = {}
        self._stalled = False
        self._waits = 0
        """Pads that it waits for."""
        self._view = -1
        """Levels that it sees instead of the pads', while it catches up; else -1."""
        self._acts = 0
        """How often it has done what is seen outside."""
        self._looked = 0
        """Pads that it has looked at, since it last closed a circle."""
        self._copies = True
        """Since then it has only copied, counted down and looked at pads: what it does next does not hang on values."""

    def tx_depth(self) -> int:
        """How many words the TX FIFO holds."""
        return 8 if self.shiftctrl >> 30 & 1 else 0 if self.shiftctrl >> 31 else 4

    def rx_depth(self) -> int:
        """How many words the RX FIFO holds."""
        return 8 if self.shiftctrl >> 31 else 0 if self.shiftctrl >> 30 & 1 else 4

    def _close(self, pc: int) -> None:
        """It has gone back from `pc`."""
        raise NotImplementedError

    def _leap(self, clocks: int, rounds: int, change: tuple) -> None:
        """From `due` on it goes round, so often (NEVER: for ever); a round takes so long and changes so much."""
        raise NotImplementedError

    def _decode(self, word: int) -> tuple:
        known = self._decoded.get(word)
        if known is None:
            bits = self.pinctrl >> 29
            field = word >> 8 & 31
            delay = field & (1 << 5 - bits) - 1
            side = field >> 5 - bits
            count = bits
            if self.execctrl >> 30 & 1:
                count -= 1
                side = side & (1 << count) - 1 if side >> count else -1
            elif not bits:
                side = -1
            base = self.pinctrl >> 10 & 31
            mask = _around((1 << count) - 1, base) if side >= 0 else 0
            known = (word >> 13, (delay + 1) * self._cycle, mask, _around(side, base) & mask, word & 0xFF)
            self._decoded[word] = known
        return known

    def _run(self, decoded: tuple, t: int, forced: bool) -> None:
        op, clocks, side_mask, side, rest = decoded
        if side_mask:
            self._drive(side_mask, side, self.execctrl & _SIDE_PINDIR)
        self._stalled = False
        pc = self.pc
        wrap = self.execctrl >> 12 & 31
        if not forced:
            self.pc = self.execctrl >> 7 & 31 if pc == wrap else (pc + 1) & 31
        self.due = t + clocks
        if op == _JMP:
            self._jump(rest, pc, clocks, forced)
        elif op == _OUT:
            self._out(rest, pc, forced)
        elif op == _MOV:
            self._mov(rest)
        elif op == _SET:
            self._copies = False
            self._write(rest >> 5, rest & 31, self.pinctrl >> 5 & 31, self.pinctrl >> 26 & 7)
        elif op == _WAIT:
            self._wait(rest)
        elif op == _IN:
            self._in(rest)
        elif op == _PUSH_PULL:
            if rest & 0x80:
                self._pull(rest)
            else:
                self._push(rest)
        else:
            raise ValueError("PIO instruction IRQ is not modelled")
        if self._stalled:
            self.pc = pc
            self.due = NEVER
        elif not forced:
            if self._osr_count and op != _OUT and self._thirsty():
                self._refill()
            if self.pc <= pc and self.due < NEVER and (op == _JMP or pc == wrap):
                self._close(pc)

    def _jump(self, rest: int, pc: int, clocks: int, forced: bool) -> None:
        condition = rest >> 5
        target = rest & 31
        left = 0
        if condition == 0:
            taken = True
            left = NEVER
        elif condition == 2:
            taken = self.x != 0
            self.x = left = (self.x - 1) & _FULL
        elif condition == 4:
            taken = self.y != 0
            self.y = left = (self.y - 1) & _FULL
        elif condition == 6:
            taken = bool(self._levels(1 << (self.execctrl >> 24 & 31)))
        else:
            self._copies = False
            if condition == 1:
                taken = self.x == 0
            elif condition == 3:
                taken = self.y == 0
            elif condition == 5:
                taken = self.x != self.y
            else:
                taken = self._osr_count < self._pull_threshold()
        if taken:
            self.pc = target
            if target == pc and left and not forced:
                self._looked = 0
                self._leap(clocks, left, STEADY if left == NEVER else _X_DOWN if condition == 2 else _Y_DOWN)

    # --- Parts of instructions --------------------------------------------------------------------------

    def _levels(self, mask: int) -> int:
        """Of these pads; -1 for all."""
        self._looked |= mask
        levels: int = self._pads.levels if self._view < 0 else self._view  # type: ignore[attr-defined]
        return levels & mask

    def _pull_threshold(self) -> int:
        return self.shiftctrl >> 25 & 31 or 32

    def _push_threshold(self) -> int:
        return self.shiftctrl >> 20 & 31 or 32

    def _thirsty(self) -> bool:
        """Whether autopull wants a word."""
        return bool(self.shiftctrl >> 17 & 1) and self._osr_count >= self._pull_threshold()

    def _refill(self) -> bool:
        if not self.tx:
            return False
        self.osr = self.tx.pop(0)
        self._osr_count = 0
        self._acts += 1
        self.block.attention = True
        return True

    def _out(self, rest: int, pc: int, forced: bool) -> None:
        self._copies = False
        if self._thirsty():
            self._stalled = not self._refill()
            if not forced or self._stalled:
                # OUT does not take what is pulled in the same cycle
                self.pc = pc
                self.due = self._last + self._cycle
                return
        n = rest & 31 or 32
        if self.shiftctrl >> 19 & 1:
            value = self.osr & (1 << n) - 1
            self.osr >>= n
        else:
            value = self.osr >> 32 - n
            self.osr = self.osr << n & _FULL
        self._osr_count = min(32, self._osr_count + n)
        if self._thirsty():
            self._refill()
        if rest >> 5 == _PC:
            self.pc = value & 31
        elif rest >> 5 == _ISR:
            self.isr = value
            self._isr_count = n
        else:
            self._write(rest >> 5, value, self.pinctrl & 31, self.pinctrl >> 20 & 63)

    def _in(self, rest: int) -> None:
        self._copies = False
        n = rest & 31 or 32
        auto = self.shiftctrl >> 16 & 1
        if auto and self._isr_count >= self._push_threshold() and not self._push_now():
            self._stalled = True
            return
        value = self._read(rest >> 5, n)
        if self.shiftctrl >> 18 & 1:
            self.isr = (self.isr >> n | value << 32 - n) & _FULL
        else:
            self.isr = (self.isr << n | value) & _FULL
        self._isr_count = min(32, self._isr_count + n)
        if auto and self._isr_count >= self._push_threshold():
            self._push_now()

    def _mov(self, rest: int) -> None:
        where = rest >> 5
        value = self._read(rest & 7, self.pinctrl >> 20 & 63 if where == _PINS else 32)
        operation = rest >> 3 & 3
        if operation:
            self._copies = False
            value = value ^ _FULL if operation == 1 else _mirrored(value)
        if where == _ISR:
            self.isr = value
            self._isr_count = 0
        elif where == _OSR:
            self.osr = value
            self._osr_count = 0
        elif where == _PC:
            self.pc = value & 31
        else:
            if where == _PINDIRS:
                raise ValueError("PIO: MOV EXEC is not modelled")
            self._write(where, value, self.pinctrl & 31, self.pinctrl >> 20 & 63)

    def _read(self, where: int, n: int) -> int:
        """The first n bits of what IN and MOV read from."""
        if where == _PINS:
            base = self.pinctrl >> 15 & 31
            mask = (1 << n) - 1 << base
            levels = self._levels((mask | mask >> 32) & _FULL)
            value = levels >> base | levels << 32 - base
        elif where == _X:
            value = self.x
        elif where == _Y:
            value = self.y
        elif where == _NULL:
            value = 0
        elif where == _ISR:
            value = self.isr
        elif where == _OSR:
            value = self.osr
        else:
            raise ValueError("PIO: source %d is not modelled" % where)
        return value & (1 << n) - 1

    def _write(self, where: int, value: int, base: int, count: int) -> None:
        """What OUT, MOV and SET write to, with the pins that each has."""
        if where == _PINS or where == _PINDIRS:
            mask = (1 << count) - 1
            self._drive(_around(mask, base), _around(value & mask, base), where == _PINDIRS)
        elif where == _X:
            self.x = value
        elif where == _Y:
            self.y = value
        elif where != _NULL:
            raise ValueError("PIO: destination %d is not modelled" % where)

    def _wait(self, rest: int) -> None:
        source = rest >> 5 & 3
        if source > 1:
            raise ValueError("PIO: WAIT IRQ is not modelled")
        pad = 1 << (rest & 31 if source == 0 else (rest & 31) + (self.pinctrl >> 15 & 31) & 31)
        if (self._levels(pad) != 0) != (rest >> 7 == 1):
            self._stalled = True
            self._waits = pad

    def _push(self, rest: int) -> None:
        self._copies = False
        if rest & 0x40 and self._isr_count < self._push_threshold():
            return
        if not self._push_now():
            self._stalled = rest & 0x20 != 0
            if not self._stalled:
                self.isr = 0
                self._isr_count = 0

    def _push_now(self) -> bool:
        if len(self.rx) >= self.rx_depth():
            return False
        self.rx.append(self.isr)
        self.isr = 0
        self._isr_count = 0
        self._acts += 1
        self.block.attention = True
        return True

    def _pull(self, rest: int) -> None:
        if rest & 0x40 and self._osr_count < self._pull_threshold():
            return
        if not self._refill():
            self._stalled = rest & 0x20 != 0
            if not self._stalled:
                self.osr = self.x
                self._osr_count = 0

    def _drive(self, mask: int, value: int, directions: int) -> None:
        pads = self._pads
        table = pads.pio_enabled if directions else pads.pio_out  # type: ignore[attr-defined]
        number = self.block.number
        before = table[number]
        if before & mask != value:
            table[number] = before & ~mask | value
            self._acts += 1
            pads.settle()  # type: ignore[attr-defined]


def _around(bits: int, base: int) -> int:
    """Bits counted from pin `base`, past pin 31 from pin 0 on."""
    bits <<= base
    return (bits | bits >> 32) & _FULL


def _mirrored(value: int) -> int:
    mirrored = 0
    for _ in range(32):
        mirrored = mirrored << 1 | value & 1
        value >>= 1
    return mirrored
