"""A case in the twin's interpreter, in leaps or instruction by instruction. Runs on MicroPython, too."""

from mesosim.rp2 import pads, pio

SIDE, OUT = 8, 9
"""The pins that programs drive: side-set, and OUT. Inputs are the pins before them."""
_INPUTS = 0xFF
_DRIVEN = 1 << SIDE | 1 << OUT
_WORD, _LEVELS, _END = range(3)


class Plain(pio.Machine):
    """A machine that never leaps."""

    def _leap(self, clocks: int, rounds: int, change: tuple) -> None:
        pass


class Player:
    """One state machine with a program from address `at`, and what is around it. It runs from clock 0."""

    def __init__(self, program: list, jmp_pin: int, plain: bool = False, at: int = 0, clkdiv: int = 1) -> None:
        words, _, _, _, execctrl, shiftctrl, out, _, side = program
        self.pads = pads.Pads()
        block = pio.Block(0, self.pads)
        machine = (Plain if plain else pio.Machine)(block, 0)
        block.machines[0] = machine
        for i in range(len(words)):
            block.memory[at + i] = words[i] + at if words[i] >> 13 == 0 else words[i]
        machine.clkdiv = clkdiv << 8
        machine.execctrl = execctrl + (at << 12 | at << 7) | jmp_pin << 24
        machine.shiftctrl = shiftctrl
        machine.pinctrl = (0 if side is None else 1 << 29 | SIDE << 10) | (0 if out is None else 1 << 20 | OUT)
        machine.pc = at
        self.pads.pio_enabled[0] = (0 if side is None else 1 << SIDE) | (0 if out is None else 1 << OUT)
        self.pads.give(self.pads.pio_enabled[0], 0)
        self.pads.wire(_INPUTS, 0)
        self.pads.watch(_DRIVEN, self._driven)
        self.machine = machine
        self.now = 0
        self.steps = 0
        self.rises: list = []
        self.counts: list = []
        self.changes: list = []
        """Clocks from which driven pins have other levels, and which."""
        self._levels = 0
        self._waiting: list = []
        machine.enable(True, 0)

    def run(self, until: int) -> None:
        """Up to a clock, exclusive."""
        machine = self.machine
        while machine.due < until:
            self.now = machine.due
            machine.step()
            self.steps += 1
            while machine.rx:
                word = machine.get(self.now)
                self.counts.append(word - (word >> 31 << 32))
            self._fill(self.now + 1)
        self.now = until

    def put(self, word: int) -> None:
        """A word for it, now or when there is room."""
        self._waiting.append(word)
        self._fill(self.now)

    def wire(self, levels: int) -> None:
        """Other levels of its inputs, now."""
        before = self.pads.levels
        self.pads.wire(_INPUTS, levels)
        self.machine.pads_change(before ^ self.pads.levels, self.now)

    def play(self, clocks: int, words: list, levels: list) -> tuple:
        """Words and levels at their clocks: driven pins during each clock, words that it gave, X, and where it ends."""
        happen = [(clock, _WORD, i, words[i][1]) for i, (clock, _) in enumerate(words)]
        happen += [(clock, _LEVELS, i, levels[i][1]) for i, (clock, _) in enumerate(levels)]
        for clock, what, _, value in sorted(happen):
            if clock >= clocks:
                break
            self.run(clock)
            if what == _WORD:
                self.put(value)
            else:
                self.wire(value)
        self.run(clocks)
        self.machine.enable(False, clocks)
        pins: list = []
        levels = 0
        for clock, after in self.changes:
            pins += [levels] * (clock - len(pins))
            levels = after
        pins += [levels] * (clocks - len(pins))
        return (pins, self.counts, self.machine.x, self.machine.pc)

    def _fill(self, t: int) -> None:
        machine = self.machine
        while self._waiting and len(machine.tx) < machine.tx_depth():
            machine.put(self._waiting.pop(0), t)

    def _driven(self, _: int) -> None:
        levels = self.pads.levels & _DRIVEN
        self.changes.append((self.now, levels))
        if levels & ~self._levels & 1 << SIDE:
            self.rises.append(self.now)
        self._levels = levels
