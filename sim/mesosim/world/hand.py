"""The operator's hand: sees the light, sets the handpiece to the skin, presses both trigger lines, lets go.

Times are in microseconds after the light that they answer. Settings are attributes, set by `World.control`.
"""

from mesofirmware import signals
from mesoprotocol import wire

_BOTH = (wire.INPUT_TRIGGER_A, wire.INPUT_TRIGGER_B)


class Hand:
    """A list of things to do, each `(t_us, input bit, on)`."""

    def __init__(self) -> None:
        self.present = True
        self.one_line = False
        """Press only trigger line A: a broken second line."""
        self.release_after_us = 0
        """Let go of the trigger this long after pressing it, once; 0: hold on until the light changes."""
        self.lift_after_us = 0
        """Lose skin contact this long after pressing, once."""
        self.press_again_us = 0
        """Press again this long after a run is held; 0: never."""
        self.hollow = True
        """Whether the needle that leads to the syringe is mounted; a cartridge's needles are solid."""
        self._away = False
        """What was armed is pressed away from the skin."""
        self._todo: list[tuple[int, int, bool]] = []

    def see(self, t_us: int, light: int) -> None:
        """The light has changed."""
        if not self.present:
            return
        if light in (signals.LIGHT_ARMED_SKIN, signals.LIGHT_ARMED_AWAY, signals.LIGHT_ARMED_CARTRIDGE):
            # let go and lift off first: the hand may still be where the last dose has left it
            self._todo = []
            self._release(t_us + 150_000)
            self._plan(t_us + 200_000, wire.INPUT_CONTACT, False)
            self.hollow = light != signals.LIGHT_ARMED_CARTRIDGE
            self._away = light == signals.LIGHT_ARMED_AWAY
            if not self._away:
                self._plan(t_us + 500_000, wire.INPUT_CONTACT, True)
            self._press(t_us + 750_000)
        elif light == signals.LIGHT_HELD:
            self._release(t_us + 50_000)
            if self.press_again_us:
                self._plan(t_us + 60_000, wire.INPUT_CONTACT, not self._away)
                self._press(t_us + self.press_again_us)
        elif light in (signals.LIGHT_IDLE, signals.LIGHT_LATCHED):
            self._todo = []
            self._release(t_us + 150_000)
            self._plan(t_us + 250_000, wire.INPUT_CONTACT, False)

    def next_us(self) -> int:
        """When the hand does something next; -1 if it has nothing to do."""
        return self._todo[0][0] if self._todo else -1

    def take(self) -> "tuple[int, int, bool]":
        """What the hand does next."""
        return self._todo.pop(0)

    def _press(self, t_us: int) -> None:
        self._plan(t_us, wire.INPUT_TRIGGER_A, True)
        if not self.one_line:
            self._plan(t_us + 4_000, wire.INPUT_TRIGGER_B, True)
        if self.release_after_us:
            self._release(t_us + self.release_after_us)
            self.release_after_us = 0
        if self.lift_after_us:
            self._plan(t_us + self.lift_after_us, wire.INPUT_CONTACT, False)
            self.lift_after_us = 0

    def _release(self, t_us: int) -> None:
        for bit in _BOTH:
            self._plan(t_us, bit, False)

    def _plan(self, t_us: int, bit: int, on: bool) -> None:
        i = len(self._todo)
        while i > 0 and self._todo[i - 1][0] > t_us:
            i -= 1
        self._todo.insert(i, (t_us, bit, on))
