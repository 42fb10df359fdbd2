"""Alarms: what has gone wrong, told to the host and shown at the handpiece at once, and standing until cleared.

Each has a priority and a latch in the schema's table. Who raises one has stopped what moves before.
"""

from mesofirmware import signals
from mesoprotocol import wire

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mesofirmware.boards.port import Board
    from mesofirmware.latches import Latches

_MOST = 0xFFFF
_LARGEST = (1 << 29) - 1
"""What an alarm's event can bear, of a value that a failing sensor makes up."""


class Alarms:
    """`standing` has bit n for the alarm of id n. `on_alarm` is called for each that is raised; `values` are the
    fields of its event.
    """

    def __init__(self, board: "Board", latches: "Latches", time: list) -> None:
        self._board = board
        self._latches = latches
        self._shown = 0
        self.standing = 0
        self.overruns = 0
        self.values: list = [time, 0, 0, 0, 0]
        self.on_alarm = _ignore

    def up(self, alarm: int, value: int) -> None:
        """Raise an alarm and its latch, and tell it, unless it stands."""
        if self.standing & 1 << alarm:
            return
        self.standing |= 1 << alarm
        priority, latch = wire.ALARM_TABLE[alarm]
        if latch:
            self._latches.up(latch)
        v = self.values
        v[wire.EVENT_ALARM_ALARM] = alarm
        v[wire.EVENT_ALARM_PRIORITY] = priority
        v[wire.EVENT_ALARM_LATCHES] = self._latches.bits
        v[wire.EVENT_ALARM_VALUE] = max(-_LARGEST, min(_LARGEST, value))
        self._show()
        self.on_alarm()

    def of(self, reason: int, value: int) -> None:
        """Raise the alarm that a dose's reason is, if it is one."""
        alarm = wire.ALARM_OF_REASON[reason]
        if alarm:
            self.up(alarm, value)

    def so(self, alarm: int, is_so: bool, value: int) -> None:
        """Raise an alarm without a latch, or let it go with its cause."""
        if is_so:
            self.up(alarm, value)
        else:
            self.down(alarm)

    def down(self, alarm: int) -> None:
        """The cause of an alarm without a latch has gone."""
        if self.standing & 1 << alarm:
            self.standing &= ~(1 << alarm)
            self._show()

    def cleared(self) -> None:
        """Latches were cleared: alarms that stood by them go."""
        bit = 1
        for _, latch in wire.ALARM_TABLE:
            if latch and not latch & self._latches.bits:
                self.standing &= ~bit
            bit <<= 1
        self._show()

    def late(self, us: int) -> None:
        """The loop came so much late while something was armed."""
        self.overruns = min(self.overruns + 1, _MOST)
        self.up(wire.ALARM_LOOP_OVERRUN, us)

    def _show(self) -> None:
        """Light and sound of the most urgent that stands."""
        worst = 0
        bit = 1
        for priority, _ in wire.ALARM_TABLE:
            if self.standing & bit and priority > worst:
                worst = priority
            bit <<= 1
        if worst != self._shown:
            self._shown = worst
            self._board.light(signals.ALARM_NONE + worst)


def _ignore() -> None:
    pass
