"""The device's test of itself: at power-up, four times an hour at rest, after CLEAR, and when SELF_TEST asks for it.

It reads and moves nothing: what needs pulses is checked when a dose is armed, before there is motor power (`safety`).
The ledger is read whole at power-up by `ledger` itself.
"""

from mesoprotocol import limits, wire

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mesofirmware.alarms import Alarms
    from mesofirmware.boards.port import Board
    from mesofirmware.clock import Clock
    from mesofirmware.guarded import Guarded

_MOST = 0xFFFF


class SelfTest:
    """`failed` has the schema's `check` bits of the last test, `count` is how many were made."""

    def __init__(self, board: "Board", clock: "Clock", variables: "Guarded", alarms: "Alarms") -> None:
        self._board = board
        self._clock = clock
        self._variables = variables
        self._alarms = alarms
        self.failed = 0
        self.count = 0
        self.ran_ms = 0

    def run(self) -> None:
        """Test. What fails raises the alarm, whose latch refuses therapy."""
        board = self._board
        inputs = board.inputs()
        failed = 0
        if not limits.PRESSURE_MIN_PA <= board.pressure_pa() <= limits.PRESSURE_MAX_PA:
            failed |= wire.CHECK_PRESSURE
        if board.needle_um() > 0 and inputs & wire.INPUT_NEEDLE_HOME:
            failed |= wire.CHECK_CARRIER
        if inputs & wire.INPUT_PERMIT_PLUNGER:
            failed |= wire.CHECK_PERMIT
        if not self._variables.whole():
            failed |= wire.CHECK_MEMORY
        if not board.program_intact():
            failed |= wire.CHECK_PROGRAM
        if not limits.BATTERY_MIN_MV <= board.battery_mv() <= limits.BATTERY_MAX_MV:
            failed |= wire.CHECK_BATTERY
        self.failed = failed
        self.count = min(self.count + 1, _MOST)
        self.ran_ms = self._clock.ms
        if failed:
            self._alarms.up(wire.ALARM_SELF_TEST, failed)
