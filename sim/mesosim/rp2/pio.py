"""PIO: state machines, one instruction after another, each in its own time, in leaps where nothing can happen.

`due` is the system clock of a machine's next instruction, NEVER while it waits or runs in a circle for ever. A circle
that changes nothing, or in which counters only go down, is leapt over as a whole: a count of a million costs as much as
one of ten. What comes from outside at clock t is seen by instructions from t on; the input synchroniser's two clocks
are not modelled.
"""

from mesosim.rp2 import instructions

NEVER = instructions.NEVER


class Machine(instructions.Core):
    """One state machine."""

    def __init__(self, block: "Block", number: int) -> None:
        super().__init__(block, number)
        self.enabled = False
        self.touched = 0
        """How often it has been interfered with: what was foreseen of it may be wrong."""
        self._mark: tuple = ()
        """Where it last closed a circle, and with what registers, by how much changed, when."""
        self._was: tuple = ()
        self._change: tuple = ()
        self._mark_t = 0
        self._leap_t = -1
        """When the first round of a leap begins; -1: none."""
        self._leap_clocks = 0
        self._leap_rounds = 0
        self._leap_change: tuple = ()

    # --- From outside -----------------------------------------------------------------------------------

    def restart(self) -> None:
        """What CTRL's restart does: ISR, shift counters, delay and stall are cleared; FIFOs, X, Y and OSR are not."""
        self.touched += 1
        self.isr = 0
        self._isr_count = 0
        self._osr_count = 32
        self._forget()

    def clear(self) -> None:
        """Empty the FIFOs."""
        self.tx.clear()
        self.rx.clear()

    def enable(self, on: bool, t: int) -> None:
        """Run from clock t on, or stop where it is."""
        self.touched += 1
        if not on:
            self._catch_up(t)
            self.due = NEVER
        elif self.clkdiv & 0xFF:
            raise ValueError("clock divider %d/256: only whole ones are modelled" % self.clkdiv)
        elif not self.enabled:
            self._cycle = self.clkdiv >> 8 or 65536
            self._decoded = {}
            self._last = t - self._cycle
            self.due = t
        self.enabled = on

    def jump(self, pc: int, t: int) -> None:
        """Go on at an address."""
        self._catch_up(t)
        self.pc = pc
        self._forget()
        self._go_on(t)

    def execute(self, word: int, t: int) -> None:
        """Execute an instruction from outside, in between; one that would stall is refused."""
        self.touched += 1
        self._catch_up(t)
        pc, due, waits, stalled = self.pc, self.due, self._waits, self._stalled
        if not self.enabled:
            self._decoded = {}
        self._forget()
        self._run(self._decode(word), t, True)
        if self._stalled:
            raise ValueError("exec of 0x%04x stalls: not modelled" % word)
        self.due = due
        self._waits = waits
        self._stalled = stalled
        if self.pc != pc or stalled:
            self._go_on(t)

    def put(self, word: int, t: int) -> None:
        """A word for the TX FIFO; one too many is lost."""
        self._catch_up(t)
        self._mark = ()
        if not self.tx:
            self.touched += 1
        if len(self.tx) < self.tx_depth():
            self.tx.append(word)
        if self._stalled:
            self._go_on(t)
        elif self._thirsty() and self.due > self._cycle_at(t):
            self._refill()

    def get(self, t: int) -> int:
        """A word from the RX FIFO, which has one."""
        self._catch_up(t)
        self._mark = ()
        word: int = self.rx.pop(0)
        if self._stalled:
            self._go_on(t)
        return word

    def pads_change(self, changed: int, t: int) -> None:
        """Levels have changed at clock t."""
        if self._waits & changed:
            self._go_on(t)
        elif self._leap_t >= 0 and self._looked & changed:
            self._view = self._pads.levels ^ changed  # type: ignore[attr-defined]
            self._catch_up(t)
            self._view = -1
            self.touched += 1
        self._mark = ()

    def look_again(self, t: int) -> None:
        """It has been configured otherwise."""
        self._catch_up(t)
        self._mark = ()
        self._decoded = {}
        if self._stalled:
            self._go_on(t)

    def drives(self, pad: int) -> bool:
        """Whether side-set drives a pad."""
        return bool(self.pinctrl >> 29) and self.pinctrl >> 10 & 31 == pad

    def copy(self) -> "Machine":
        """One that goes on as this one would if nothing around it changed, without touching anything."""
        block = Block(self.block.number, _Shadow(self.block.pads))
        block.memory = self.block.memory
        other = block.machines[self.number]
        for name in _STATE:
            setattr(other, name, getattr(self, name))
        other.tx = list(self.tx)
        other.rx = list(self.rx)
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

    def _go_on(self, t: int) -> None:
        """Out of a stall, at the first of its cycles that is not before t."""
        self.touched += 1
        if self.enabled and self._leap_t < 0 and self.due > t:
            self._waits = 0
            self.due = self._cycle_at(t)

    def _cycle_at(self, t: int) -> int:
        """The first of its cycles that is not before t, and not the one that it has just had."""
        return self._last + max(1, -(-(t - self._last) // self._cycle)) * self._cycle

    def _forget(self) -> None:
        self._stalled = False
        self._waits = 0
        self._mark = ()
        self._leap_t = -1

    # --- Leaps ----------------------------------------------------------------------------------------

    def _close(self, pc: int) -> None:
        """It has gone back from `pc`: if rounds are alike from now on, leap over as many as will be."""
        if self._leap_t >= 0:
            return
        mark = (pc, self._acts, self._isr_count, self._osr_count)
        now = (self.x, self.y, self.isr, self.osr)
        change: tuple = ()
        if mark == self._mark:
            was = self._was
            change = (now[0] - was[0], now[1] - was[1], now[2] - was[2], now[3] - was[3])
            if change == instructions.STEADY:
                self._leap(self.due - self._mark_t, NEVER, change)
                return
            if change == self._change and self._copies and min(change) == -1 and max(change) <= 0:
                rounds = min(self.x if change[0] else NEVER, self.y if change[1] else NEVER)
                if rounds < NEVER:
                    self._leap(self.due - self._mark_t, rounds, change)
                    return
        self._mark = mark
        self._was = now
        self._change = change
        self._mark_t = self.due
        self._looked = 0
        self._copies = True

    def _leap(self, clocks: int, rounds: int, change: tuple) -> None:
        """From `due` on, leap over rounds that take so many clocks each."""
        self._mark = ()
        if rounds <= 0:
            return
        self._leap_t = self.due
        self._leap_clocks = clocks
        self._leap_rounds = rounds
        self._leap_change = change
        self.due = NEVER if rounds == NEVER else self.due + rounds * clocks

    def _land(self, t: int) -> None:
        """End a leap at the last beginning of a round that is not after t."""
        rounds = min(max(0, (t - self._leap_t) // self._leap_clocks), self._leap_rounds)
        x, y, isr, osr = self._leap_change
        self.x += x * rounds
        self.y += y * rounds
        self.isr += isr * rounds
        self.osr += osr * rounds
        self.due = self._leap_t + rounds * self._leap_clocks
        self._last = self.due - self._cycle
        self._leap_t = -1

    def _catch_up(self, t: int) -> None:
        """Be where it would be at t, before the instruction of that clock, without having leapt."""
        while self._leap_t >= 0:
            self._land(t)
            while self.due < t:
                self.step()

    def step(self) -> None:
        """Execute the instruction that is due."""
        if self._leap_t >= 0:
            self._land(self.due)
        self._last = self.due
        self._run(self._decode(self.block.memory[self.pc]), self.due, False)


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
    "clkdiv execctrl shiftctrl pinctrl enabled x y isr osr pc due _isr_count _osr_count _cycle _last _decoded _stalled "
    "_waits _acts _looked _copies _mark _was _change _mark_t _leap_t _leap_clocks _leap_rounds _leap_change"
).split()


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
