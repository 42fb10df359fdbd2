"""Homing, with neither syringe nor cartridge: all three axes to their origins, while the trigger is held.

DEPTH -> TURN -> BACK -> PARKING -> FINISHED; `abort` jumps to PARKING from anywhere. The depth stop has a switch, the
drive an index. The carriage has a mechanical end and nothing that tells it: it goes back in batches until the encoder
stands still while steps are made, and there it is stopped.
"""

from mesofirmware import clock, ledger, metered, motion
from mesoprotocol import limits, tick, wire

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mesofirmware.boards.port import Board
    from mesofirmware.depth import DepthStop
    from mesofirmware.plan import Plan
    from mesofirmware.safety import Safety

OFF, DEPTH, TURN, BACK, PARKING = range(5)
FINISHED = metered.FINISHED

_BATCH = 640
"""Plunger steps, 0.2 mm in 80 ms: what the carriage is looked at after. 350 of them are its whole travel."""
_STILL = 100
"""Counts, of 400 that belong to a batch: less is the end. Play takes at most 160 of the first (80 um)."""
_SET_US = 600_000
"""Homing the depth stop over 4 mm (200 ms), three times."""
_TURN_US = 60_000_000 // limits.RATE_MIN_PER_MIN + limits.NEEDLE_HOME_MS * 1000
_BACK_US = limits.CARRIAGE_TRAVEL_UM * 1000 // limits.HOMING_UM_PER_S * 1000 + 1_000_000


class Homing:
    """`reason` says how it ended, once `phase` is FINISHED."""

    def __init__(self, board: "Board", safety: "Safety", stop: "DepthStop") -> None:
        self._board = board
        self._safety = safety
        self._stop = stop
        self._around = motion.Table(40)
        """As slowly as a stop still finds the needle home in time."""
        motion.stroke(self._around, motion.cycle_ticks(limits.RATE_MIN_PER_MIN), True, True)
        self._back = motion.Table(1)
        motion.straight(self._back, -_BATCH, motion.HOMING_INTERVAL)
        self.phase = OFF
        self.reason = 0
        self.home = False
        self._since = 0
        self._drive_at = 0
        self._index_seen = 0
        self._from = 0
        self._left = 0
        """Plunger steps that may still be fed."""
        self._made_at = 0
        self._counts_at = 0

    def begin(self, now: int, plan: "Plan") -> None:
        """Start to move as planned. START is in the ledger."""
        self.reason = wire.REASON_COMPLETE
        self.home = False
        self._left = plan.values[0]
        self._from = self._board.plunger.position()
        self._safety.power()
        self._stop.home()
        self._enter(DEPTH, now)

    def step(self, now: int) -> int:
        """Do what is due; return microseconds until the next look: the index and a batch's end wake it."""
        board = self._board
        if self.phase == DEPTH:
            if self._stop.busy():
                if self._in_time(now, _SET_US, wire.REASON_DRIVE_FAULT):
                    return _SET_US
            elif board.inputs() & wire.INPUT_DEPTH_HOME:
                self._turn(now)
            else:
                self.abort(now, wire.REASON_DRIVE_FAULT)
        if self.phase == TURN:
            if board.drive.busy():
                if self._in_time(now, _TURN_US, wire.REASON_NEEDLE_NOT_HOME):
                    return _TURN_US
            elif self._has_turned():
                self._made_at = self._from
                self._counts_at = board.encoder()
                self._safety.permit()
                self._enter(BACK, now)
            else:
                self.abort(now, wire.REASON_NEEDLE_NOT_HOME)
        if self.phase == BACK and self._in_time(now, _BACK_US, wire.REASON_TIME):
            self._go_back(now)
            if self.phase == BACK:
                return _BACK_US
        self.home = bool(board.inputs() & wire.INPUT_NEEDLE_HOME)
        if board.drive.busy() or not self.home:
            board.drive.park()
            left = _TURN_US - tick.diff(now, self._since)
            if left > 0:
                return left
        self._safety.rest()
        self.phase = FINISHED
        return clock.FOREVER

    def is_permitted(self) -> bool:
        """Whether the plunger's permit must stand."""
        return self.phase == BACK

    def abort(self, now: int, reason: int) -> None:
        """End early: carriage and depth stop where they are, needle home. The first reason stands."""
        if self.phase in (OFF, PARKING, FINISHED):
            return
        self.reason = reason
        self._end(now)

    def fill(self, o: list) -> None:
        """Write what has come of it into the ledger's `outcome`."""
        o[ledger.O_STEPS] = max(0, self._from - self._board.plunger.position())

    def _enter(self, phase: int, now: int) -> None:
        self.phase = phase
        self._since = now

    def _in_time(self, now: int, us: int, reason: int) -> bool:
        """Whether the phase may go on; it is aborted otherwise."""
        if tick.diff(now, self._since) < us:
            return True
        self.abort(now, reason)
        return False

    def _end(self, now: int) -> None:
        board = self._board
        board.plunger.stop()
        self._safety.forbid()
        self._stop.stop()
        board.drive.park()
        self._enter(PARKING, now)

    def _turn(self, now: int) -> None:
        board = self._board
        self._drive_at = board.drive.position()
        self._index_seen = board.index_count()
        board.drive.feed(self._around.words, self._around.n, 1, False)
        self._enter(TURN, now)

    def _has_turned(self) -> bool:
        """Whether the index was seen once, where the turn ends, and the needle is home."""
        board = self._board
        off = board.index_position() - self._drive_at - motion.STEPS_PER_REV
        once = tick.diff(board.index_count(), self._index_seen) == 1
        return once and abs(off) <= limits.INDEX_TOLERANCE_STEPS and bool(board.inputs() & wire.INPUT_NEEDLE_HOME)

    def _go_back(self, now: int) -> None:
        axis = self._board.plunger
        made = axis.position()
        if self._made_at - made >= _BATCH:
            counts = self._board.encoder()
            if self._counts_at - counts < _STILL:
                self._end(now)
                return
            self._made_at = made
            self._counts_at = counts
        if not self._left and not axis.busy():
            self.abort(now, wire.REASON_ENCODER)  # farther than there is way
        while axis.room() and self._left and self._safety.reason == wire.REASON_COMPLETE:
            self._left -= _BATCH
            axis.feed(self._back.words, self._back.n, 1, False)
