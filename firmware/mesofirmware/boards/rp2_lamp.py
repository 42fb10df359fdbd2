"""Light and sound: a steady colour for each state of `mesofirmware.signals`, and over it the pattern of an alarm.

`play` is to be called every few milliseconds; it touches the bus only when something changes.
"""

from mesofirmware import signals
from mesofirmware.boards.rp2_expander import BLUE, GREEN, RED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from machine import PWM

    from mesofirmware.boards.rp2_expander import Expander

_COLOUR, _ON_MS, _OFF_MS, _PULSES, _PULSE_MS, _HZ, _AGAIN_MS = range(7)
_LOUD = 32768
_MASK = 0x3FFFFFFF


class Lamp:
    """`patterns[0]` is no alarm; see `mesofirmware.signals` for the others' fields."""

    def __init__(self, expander: "Expander", buzzer: "PWM", patterns: tuple) -> None:
        self._expander = expander
        self._buzzer = buzzer
        self._patterns = patterns
        self._hz = 0
        self._colour = GREEN
        self._alarm = 0
        self._is_new = False
        self._since = 0
        colours = bytearray([RED] * 8)
        colours[signals.LIGHT_IDLE] = GREEN
        colours[signals.LIGHT_PREPARED] = GREEN | BLUE
        colours[signals.LIGHT_ARMED_SKIN] = BLUE
        colours[signals.LIGHT_ARMED_AWAY] = BLUE
        colours[signals.LIGHT_ARMED_CARTRIDGE] = BLUE
        colours[signals.LIGHT_RUNNING] = RED | GREEN | BLUE
        colours[signals.LIGHT_HELD] = RED | GREEN
        self._colours = colours

    def show(self, code: int) -> None:
        """Show a state, or begin an alarm's pattern, as `port.Board.light`."""
        if code < len(self._colours):
            self._colour = self._colours[code]
        else:
            self._alarm = code - len(self._colours)
            self._is_new = True

    def play(self, now_ms: int) -> None:
        """What is to be seen and heard at this tick of milliseconds."""
        if self._is_new:
            self._is_new = False
            self._since = now_ms
        if self._alarm == 0:
            self._set(self._colour, 0)
            return
        pattern = self._patterns[self._alarm]
        past = (now_ms - self._since) & _MASK
        cycle = pattern[_ON_MS] + pattern[_OFF_MS]
        is_lit = cycle == 0 or past % cycle < pattern[_ON_MS]
        if pattern[_AGAIN_MS]:
            past %= pattern[_AGAIN_MS]
        pulse = pattern[_PULSE_MS]
        is_loud = past < 2 * pulse * pattern[_PULSES] and past % (2 * pulse) < pulse
        self._set(_bits(pattern[_COLOUR]) if is_lit else 0, pattern[_HZ] if is_loud else 0)

    def _set(self, colour: int, hz: int) -> None:
        self._expander.write(RED | GREEN | BLUE, colour)
        if hz == self._hz:
            return
        self._hz = hz
        if hz:
            self._buzzer.freq(hz)
        self._buzzer.duty_u16(_LOUD if hz else 0)


def _bits(colour: int) -> int:
    """A 24-bit colour by three lights that are on or off."""
    bits = RED if colour & 0x800000 else 0
    if colour & 0x8000:
        bits |= GREEN
    return bits | BLUE if colour & 0x80 else bits
