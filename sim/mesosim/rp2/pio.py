"""PIO: state machines that are interpreted one instruction after another, each in its own time.

`due` is the system clock of a machine's next instruction, NEVER while it waits for a FIFO or a pad, or has halted in a
jump to itself. Loops in which nothing but one counter changes, or nothing at all, are jumped over: a count of a million
costs as much as one of ten, and one that only looks at pads sleeps until one changes. RP2040 datasheet 3.
"""

NEVER = 1 << 62
_FULL = 0xFFFFFFFF
_JMP, _WAIT, _IN, _OUT, _PUSH_PULL, _MOV, _IRQ, _SET = range(8)
_PINS, _X, _Y, _NULL, _PINDIRS, _PC_OR_STATUS, _ISR, _OSR = range(8)


class Machine:
    """One state machine. Registers are as the datasheet names them; `clkdiv` is in 256ths."""

    def __init__(self, block: "Block", number: int) -> None:
        self.block = block
        self.number = number
        self._pads = block.pads
        self.clkdiv = 256
        self.execctrl = 31 << 12
        self.shiftctrl = 3 << 18
        self.pinctrl = 5 << 26
        self.enabled = False
        self.tx: list = []
        self.rx: list = []
        self.x = self.y = self.isr = self.osr = self.pc = 0
        self.due = NEVER
        self._isr_count = 0
        self._osr_count = 32
        self._stall = False
        self._waits = 0
        """Pads that it waits for."""
        self._cycle = 1
        self._phase = 0
        self._acts = 0
        """How often it has done anything that is seen outside."""
        self._seen_pads = False
        self._key: tuple = ()
        self._round: tuple = ()
        self._key_t = 0
        self._loop_t = -1
        """Since when it runs round the same loop that has been jumped over, and how long one round takes."""
        self._loop_clocks = 0
        self._loop_counters = 0
        self._compares = False
        self._decoded: dict = {}
        self.touched = 0
        """How often it has been interfered with: what was foreseen of it may be wrong."""

    # --- From outside -----------------------------------------------------------------------------------

    def restart(self) -> None:
        """What CTRL's restart does: shift counters, delay and stall are cleared; FIFOs, X, Y and OSR are not."""
        self.touched += 1
        self.isr = 0
        self._isr_count = 0
        self._osr_count = 32
        self._stall = False
        self._waits = 0
        self._key = ()
        self._loop_t = -1

    def clear(self) -> None:
        """Empty the FIFOs."""
        self.tx.clear()
        self.rx.clear()

    def enable(self, on: bool, t: int) -> None:
        """Run from clock t on, or stop where it is."""
        self.touched += 1
        if on:
            if self.clkdiv & 0xFF:
                raise ValueError("clock divider %d/256: only whole ones are modelled" % self.clkdiv)
            self._cycle = self.clkdiv >> 8 or 65536
            self._decoded = {}
            if not self.enabled:
                self._phase = t
                self.due = t
        elif self.enabled:
            self._leave_loop(t)
            self.due = NEVER
        self.enabled = on

    def jump(self, pc: int, t: int) -> None:
        """Go on at an address."""
        self._leave_loop(t)
        self.pc = pc
        self._stall = False
        self._wake(t)

    def execute(self, word: int, t: int) -> None:
        """Execute an instruction from outside, in between; one that would stall is refused."""
        self.touched += 1
        self._leave_loop(t)
        pc, stalled = self.pc, self._stall
        if not self.enabled:
            self._decoded = {}
        self._run(self._decode(word), t, True)
        if self._stall:
            raise ValueError("exec of 0x%04x stalls: not modelled" % word)
        if self.pc == pc:
            self._stall = stalled
        else:
            self._wake(t)

    def drives(self, pad: int) -> bool:
        """Whether side-set drives a pad."""
        return bool(self.pinctrl >> 29) and self.pinctrl >> 10 & 31 == pad

    def copy(self) -> "Machine":
        """One that goes on as this one would if nothing around it changed, without touching anything."""
        block = Block(self.block.number, _Shadow(self.block.pads))
        block.memory = self.block.memory
        other = block.machines[self.number]
        other.tx = list(self.tx)
        other.rx = list(self.rx)
        for name in _STATE:
            setattr(other, name, getattr(self, name))
        return other

    def run_to_rise(self, pad: int) -> int:
        """Go on until a pad rises: when that is; NEVER if it does not within the next 100 instructions."""
        pads = self.block.pads
        for _ in range(100):
            t = self.due
            if t == NEVER:
                return NEVER
            was_low = not pads.levels >> pad & 1  # type: ignore[attr-defined]
            self.step()
            if was_low and pads.levels >> pad & 1:  # type: ignore[attr-defined]
                return t
        return NEVER

    def tx_depth(self) -> int:
        """How many words the TX FIFO holds."""
        return 8 if self.shiftctrl >> 30 & 1 else 0 if self.shiftctrl >> 31 else 4

    def rx_depth(self) -> int:
        """How many words the RX FIFO holds."""
        return 8 if self.shiftctrl >> 31 else 0 if self.shiftctrl >> 30 & 1 else 4

    def put(self, word: int, t: int) -> None:
        """A word for the TX FIFO; one too many is lost."""
        if not self.tx:
            self.touched += 1
        if len(self.tx) < self.tx_depth():
            self.tx.append(word)
        if self._stall or self._loop_t >= 0:
            self._wake(t)

    def get(self, t: int) -> int:
        """A word from the RX FIFO, which has one."""
        word: int = self.rx.pop(0)
        if self._stall:
            self._wake(t)
        return word

    def pads_change(self, changed: int, t: int) -> None:
        """Levels have changed."""
        if self._waits & changed or (self._loop_t >= 0 and self._seen_pads):
            self._wake(t)

    def look_again(self, t: int) -> None:
        """It has been configured otherwise."""
        self._decoded = {}
        self._wake(t)

    def _wake(self, t: int) -> None:
        """Take up again at the next of its cycles after t."""
        self.touched += 1
        if not self.enabled:
            return
        self._waits = 0
        if self._loop_t >= 0:
            self._leave_loop(t)
            return
        if self.due > t + self._cycle:
            self.due = t + self._cycle - (t - self._phase) % self._cycle

    def _leave_loop(self, t: int) -> None:
        """Be in the loop where it would be at t without having jumped."""
        if self._loop_t < 0:
            return
        rounds = max(0, (t - self._loop_t) // self._loop_clocks)
        self._count_down(rounds)
        self.due = self._loop_t + rounds * self._loop_clocks
        self._loop_t = -1
        self._key = ()
        if not self.enabled:
            self.due = NEVER

    def _count_down(self, rounds: int) -> None:
        """Rounds of the loop that were jumped over."""
        counters = self._loop_counters
        if counters & 1:
            self.x -= rounds
        if counters & 2:
            self.y -= rounds
        if counters & 4:
            self.isr -= rounds
        if counters & 8:
            self.osr -= rounds

    # --- One instruction --------------------------------------------------------------------------------

    def step(self) -> None:
        """Execute the instruction that is due."""
        t = self.due
        if self._loop_t >= 0:
            self._count_down((t - self._loop_t) // self._loop_clocks)
            self._loop_t = -1
        self._phase = t
        self.due = NEVER
        self._run(self._decode(self.block.memory[self.pc]), t, False)

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
            known = (word >> 13, (delay + 1) * self._cycle, side, count, word & 0xFF)
            self._decoded[word] = known
        return known

    def _run(self, decoded: tuple, t: int, forced: bool) -> None:
        op, clocks, side, side_count, rest = decoded
        if side >= 0:
            self._drive(side, self.pinctrl >> 10 & 31, side_count, bool(self.execctrl >> 29 & 1))
        self._stall = False
        pc = self.pc
        if op == _JMP:
            self._jump(rest, t, clocks, forced)
            if self._stall or self._loop_t >= 0:
                return
            if not forced:
                self.due = t + clocks
            return
        if op == _OUT:
            self._out(rest)
        elif op == _MOV:
            self._mov(rest)
        elif op == _SET:
            self._set(rest >> 5, rest & 31)
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
        if self._stall or forced:
            return
        if self._osr_count >= self._pull_threshold() and self.shiftctrl >> 17 & 1 and op != _OUT:
            self._refill()
        self.due = t + clocks
        if self.pc == pc:
            if pc == self.execctrl >> 12 & 31:
                self.pc = self.execctrl >> 7 & 31
                if self.pc <= pc:
                    self._look_round(pc, t, self.due - t)
            else:
                self.pc = (pc + 1) & 31

    def _jump(self, rest: int, t: int, clocks: int, forced: bool) -> None:
        condition = rest >> 5
        target = rest & 31
        if condition == 0:
            taken = True
        elif condition == 1:
            taken = self.x == 0
        elif condition == 2:
            taken = self.x != 0
            if target == self.pc and taken and not forced:
                self._skip(t, clocks, _X)
                return
            self.x = (self.x - 1) & _FULL
        elif condition == 3:
            taken = self.y == 0
        elif condition == 4:
            taken = self.y != 0
            if target == self.pc and taken and not forced:
                self._skip(t, clocks, _Y)
                return
            self.y = (self.y - 1) & _FULL
        elif condition == 5:
            taken = self.x != self.y
            self._compares = True
        elif condition == 6:
            self._seen_pads = True
            taken = bool(self._pads.levels >> (self.execctrl >> 24 & 31) & 1)
        else:
            taken = self._osr_count < self._pull_threshold()
        pc = self.pc
        if taken:
            self.pc = target
            if target == pc and condition == 0:
                self._stall = True  # halted
            elif target <= pc and not forced:
                self._look_round(pc, t, clocks)
        elif not forced:
            if pc != self.execctrl >> 12 & 31:
                self.pc = (pc + 1) & 31
                return
            self.pc = self.execctrl >> 7 & 31
            if self.pc <= pc:
                self._look_round(pc, t, clocks)

    def _skip(self, t: int, clocks: int, counter: int) -> None:
        """A jump to itself counts down: be at its last round."""
        self._loop_t = t
        self._loop_clocks = clocks
        self._loop_counters = 1 if counter == _X else 2
        self._seen_pads = False
        self.due = t + (self.x if counter == _X else self.y) * clocks

    def _look_round(self, pc: int, t: int, clocks: int) -> None:
        """Having gone back: if nothing has changed since the last time here, or but counters by one, jump ahead."""
        now = (self.x, self.y, self.isr, self.osr)
        key = (pc, self._isr_count, self._osr_count, self._acts, len(self.tx), len(self.rx))
        was, was_key, was_t = self._round, self._key, self._key_t
        seen_pads, compares = self._seen_pads, self._compares
        self._round = now
        self._key = key
        self._key_t = t
        self._seen_pads = self._compares = False
        if key != was_key:
            return
        counters = 0
        least = _FULL
        for i in range(4):
            if now[i] != was[i]:
                if now[i] != was[i] - 1:
                    return
                counters |= 1 << i
                least = min(least, now[i])
        if counters and (seen_pads or compares or least < 2):
            return
        self._seen_pads = seen_pads
        self._key = ()
        self._loop_t = t + clocks
        self._loop_clocks = t - was_t
        self._loop_counters = counters
        self.due = self._loop_t + (least - 1) * self._loop_clocks if counters else NEVER

    # --- Parts of instructions --------------------------------------------------------------------------

    def _pull_threshold(self) -> int:
        return self.shiftctrl >> 25 & 31 or 32

    def _push_threshold(self) -> int:
        return self.shiftctrl >> 20 & 31 or 32

    def _refill(self) -> bool:
        if not self.tx:
            return False
        self.osr = self.tx.pop(0)
        self._osr_count = 0
        self._acts += 1
        self.block.attention = True
        return True

    def _out(self, rest: int) -> None:
        n = rest & 31 or 32
        auto = self.shiftctrl >> 17 & 1
        threshold = self._pull_threshold()
        if auto and self._osr_count >= threshold and not self._refill():
            self._stall = True
            return
        if self.shiftctrl >> 19 & 1:
            value = self.osr & (1 << n) - 1
            self.osr >>= n
        else:
            value = self.osr >> 32 - n
            self.osr = self.osr << n & _FULL
        self._osr_count = min(32, self._osr_count + n)
        if auto and self._osr_count >= threshold:
            self._refill()
        self._write(rest >> 5, value, n)

    def _write(self, where: int, value: int, n: int) -> None:
        """What OUT writes to."""
        if where == _PINS or where == _PINDIRS:
            self._drive(value, self.pinctrl & 31, self.pinctrl >> 20 & 63, where == _PINDIRS)
        elif where == _X:
            self.x = value
        elif where == _Y:
            self.y = value
        elif where == _PC_OR_STATUS:
            self._go(value & 31)
        elif where == _ISR:
            self.isr = value
            self._isr_count = n
        elif where != _NULL:
            raise ValueError("PIO: OUT EXEC is not modelled")

    def _go(self, target: int) -> None:
        if target == self.pc:
            raise ValueError("PIO: a computed jump to itself is not modelled")
        self.pc = target

    def _in(self, rest: int) -> None:
        n = rest & 31 or 32
        if self._isr_count >= self._push_threshold() and self.shiftctrl >> 16 & 1 and not self._push_now():
            self._stall = True
            return
        value = self._read(rest >> 5) & (1 << n) - 1
        if self.shiftctrl >> 18 & 1:
            self.isr = (self.isr >> n | value << 32 - n) & _FULL
        else:
            self.isr = (self.isr << n | value) & _FULL
        self._isr_count = min(32, self._isr_count + n)
        if self.shiftctrl >> 16 & 1 and self._isr_count >= self._push_threshold():
            self._push_now()

    def _read(self, where: int) -> int:
        if where == _PINS:
            self._seen_pads = True
            base = self.pinctrl >> 15 & 31
            levels = self._pads.levels
            return (levels >> base | levels << 32 - base) & _FULL
        if where == _X:
            return self.x
        if where == _Y:
            return self.y
        if where == _NULL:
            return 0
        if where == _ISR:
            return self.isr
        if where == _OSR:
            return self.osr
        raise ValueError("PIO: source %d is not modelled" % where)

    def _mov(self, rest: int) -> None:
        value = self._read(rest & 7)
        operation = rest >> 3 & 3
        if operation == 1:
            value ^= _FULL
        elif operation == 2:
            mirrored = 0
            for _ in range(32):
                mirrored = mirrored << 1 | value & 1
                value >>= 1
            value = mirrored
        where = rest >> 5
        if where == _PINS:
            self._drive(value, self.pinctrl & 31, self.pinctrl >> 20 & 63, False)
        elif where == _X:
            self.x = value
        elif where == _Y:
            self.y = value
        elif where == _ISR:
            self.isr = value
            self._isr_count = 0
        elif where == _OSR:
            self.osr = value
            self._osr_count = 0
        elif where == _PC_OR_STATUS:
            self._go(value & 31)
        else:
            raise ValueError("PIO: MOV to %d is not modelled" % where)

    def _set(self, where: int, value: int) -> None:
        if where == _PINS or where == _PINDIRS:
            self._drive(value, self.pinctrl >> 5 & 31, self.pinctrl >> 26 & 7, where == _PINDIRS)
        elif where == _X:
            self.x = value
        elif where == _Y:
            self.y = value
        else:
            raise ValueError("PIO: SET to %d is not modelled" % where)

    def _wait(self, rest: int) -> None:
        source = rest >> 5 & 3
        if source > 1:
            raise ValueError("PIO: WAIT IRQ is not modelled")
        pad = rest & 31 if source == 0 else (rest & 31) + (self.pinctrl >> 15 & 31) & 31
        if self._pads.levels >> pad & 1 != rest >> 7:
            self._stall = True
            self._waits = 1 << pad

    def _push(self, rest: int) -> None:
        if rest & 0x40 and self._isr_count < self._push_threshold():
            return
        if not self._push_now():
            if rest & 0x20:
                self._stall = True
            else:
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
        if self._refill():
            return
        if rest & 0x20:
            self._stall = True
        else:
            self.osr = self.x
            self._osr_count = 0

    def _drive(self, value: int, base: int, count: int, directions: bool) -> None:
        block = self.block
        mask = (1 << count) - 1
        if base + count <= 32:
            mask <<= base
            value = value << base & mask
        else:
            mask = (mask << base | mask >> 32 - base) & _FULL
            value = (value << base | value >> 32 - base) & mask
        table = self._pads.pio_enabled if directions else self._pads.pio_out
        before = table[block.number]
        after = before & ~mask | value
        if after != before:
            table[block.number] = after
            self._acts += 1
            self._pads.settle()


class Block:
    """One PIO: instruction memory and four machines. `attention` is set when a FIFO has changed from within."""

    def __init__(self, number: int, pads: object) -> None:
        self.number = number
        self.pads = pads
        self.memory = [0] * 32
        self.used = 0
        self.attention = False
        self.machines = [Machine(self, i) for i in range(4)]


_STATE = (
    *("clkdiv", "execctrl", "shiftctrl", "pinctrl", "enabled", "x", "y", "isr", "osr", "pc", "due", "_isr_count"),
    *("_osr_count", "_stall", "_waits", "_cycle", "_phase", "_acts", "_seen_pads", "_key", "_round", "_key_t", "_loop_t"),
    *("_loop_clocks", "_loop_counters", "_compares", "_decoded"),
)


class _Shadow:
    """Pads as one block would see them if it alone changed any."""

    def __init__(self, pads: object) -> None:
        self.levels = pads.levels  # type: ignore[attr-defined]
        self.pio_out = list(pads.pio_out)  # type: ignore[attr-defined]
        self.pio_enabled = list(pads.pio_enabled)  # type: ignore[attr-defined]

    def settle(self) -> None:
        """A driver has changed: the copy's own block drives whatever it is enabled for."""
        for out, enabled in zip(self.pio_out, self.pio_enabled):
            self.levels = self.levels & ~enabled | out & enabled
