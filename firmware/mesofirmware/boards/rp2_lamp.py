"""Light and sound by the expander's outputs: one steady colour for each code of `mesofirmware.signals`."""

from mesofirmware import signals
from mesofirmware.boards.rp2_expander import BLUE, BUZZER, GREEN, RED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mesofirmware.boards.rp2_expander import Expander


class Lamp:
    """What the hand sees and hears."""

    def __init__(self, expander: "Expander") -> None:
        self._expander = expander
        colours = bytearray([RED | BUZZER] * 16)
        colours[signals.LIGHT_IDLE] = GREEN
        colours[signals.LIGHT_PREPARED] = GREEN | BLUE
        colours[signals.LIGHT_ARMED_SKIN] = BLUE
        colours[signals.LIGHT_ARMED_AWAY] = BLUE
        colours[signals.LIGHT_ARMED_CARTRIDGE] = BLUE
        colours[signals.LIGHT_RUNNING] = RED | GREEN | BLUE
        colours[signals.LIGHT_HELD] = RED | GREEN
        colours[signals.LIGHT_LATCHED] = RED | BUZZER
        self._colours = colours

    def show(self, code: int) -> None:
        """Show a code; one that is not known looks and sounds like an alarm."""
        shown = self._colours[code] if code < len(self._colours) else RED | BUZZER
        self._expander.write(RED | GREEN | BLUE | BUZZER, shown)
