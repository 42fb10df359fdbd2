"""A fractional run: the drive turns, each stroke is checked and recorded, nothing is dispensed.

DEPTH -> STROKING -> (PARKING -> HELD -> STROKING)* -> PARKING -> FINISHED. Batches are fed ahead, at most
CHUNK_STROKES of them reserved in the ledger, so that cadence is the hardware's and the count is bounded at
any moment. The remainder of a cycle's ticks is carried from batch to batch: the mean is exact.
"""

from mesofirmware import clock, ledger, metered, motion
from mesofirmware.strokes import Strokes
from mesoprotocol import limits, tick, wire

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mesofirmware.boards.port import Board
    from mesofirmware.depth import DepthStop
    from mesofirmware.plan import Plan
    from mesofirmware.safety import Safety

OFF, DEPTH, STROKING, PARKING = range(4)
HELD, FINISHED = metered.HELD, metered.FINISHED
"""The same in all modes."""

_BATCH = limits.CHUNK_STROKES // 2
"""Two batches are in flight at most."""
_SET_US = 600_000
"""Homing the depth stop over 4 mm (200 ms) and setting it (200 ms), and half of that more."""


class Fractional:
    """One run at a time. After `phase` is FINISHED, the counts stand in `strokes`."""

    def __init__(self, board: "Board", safety: "Safety", book: ledger.Ledger, stop: "DepthStop") -> None:
        self._board = board
        self._safety = safety
        self._stop = stop
        self._ledger = book
        self._tables = (motion.Table(40), motion.Table(40))
        self._table_at = 0
        self.strokes = Strokes()
        self.phase = OFF
        self.reason = 0
        self.home = False
        self._n = 0
        self._asked = 0
        self._fed = 0
        self._rate = 0
        self._cycle = 0
        self._remainder = 0
        self._error = 0
        self._set_us = 0
        self._limit_us = 0
        """No stroke takes longer, ramps included."""
        self._depth_um = 0
        self._deepest_um = 0
        self._index_seen = 0
        self._index_at = 0
        self._first_of_leg = 0
        self._in_leg = False
        self.turns = 0
        """Revolutions of the drive by its odometer: what the strokes that the index saw are held against."""
        self._drive_at = 0
        self._progress_at = 0
        self._resume = False
        self._since = 0

    def begin(self, now: int, plan: "Plan") -> None:
        """Start to move as planned. START is in the ledger."""
        args = plan.args
        self._n = plan.n
        self._asked = args[wire.PREPARE_RUN_STROKES]
        self._fed = 0
        self._rate = args[wire.PREPARE_RUN_RATE_PER_MIN]
        self._cycle = plan.values[0]
        self._remainder = plan.values[1]
        self._error = 0
        self._set_us = self._cycle // motion.TICKS_PER_US
        self._limit_us = 2 * self._set_us + limits.NEEDLE_HOME_MS * 1000
        self._depth_um = args[wire.PREPARE_RUN_DEPTH_UM]
        self._deepest_um = plan.deepest_um
        self.reason = wire.REASON_COMPLETE
        self.home = False
        self.strokes.clear()
        self._safety.power()
        self.turns = 0
        self._stop.move(self._depth_um)
        self._enter(DEPTH, now)

    def step(self, now: int) -> int:
        """Do what is due; return microseconds until the next look: the index and a batch's end wake it."""
        board = self._board
        if self.phase == DEPTH:
            if not self._stop.busy():
                if self._stop.arrived():
                    self._begin_leg(now)
                else:
                    self.abort(now, wire.REASON_DRIVE_FAULT)
            elif tick.diff(now, self._since) < _SET_US:
                return _SET_US
            else:
                self.abort(now, wire.REASON_DRIVE_FAULT)
        if self.phase == STROKING or self.phase == PARKING:
            self._look(now)
        if self.phase == STROKING:
            self._feed()
            if self._fed == self._asked and not board.drive.busy():
                self._enter(PARKING, now)
            else:
                overdue = self._limit_us - ((now - self._progress_at) & tick.MASK)
                if overdue > 0:
                    return overdue
                self.abort(now, wire.REASON_NEEDLE_NOT_HOME)
        if self.phase == PARKING:
            self.home = bool(board.inputs() & wire.INPUT_NEEDLE_HOME)
            if board.drive.busy() or not self.home:
                board.drive.park()  # once more: one that was lost would let all go on that was fed
                left = self._limit_us - tick.diff(now, self._since)
                if left > 0:
                    return left
                if self.reason == wire.REASON_COMPLETE:
                    self.reason = wire.REASON_NEEDLE_NOT_HOME
                self._resume = False
            # a stroke begun before the park counts
            self._look(now)
            if self._in_leg:
                self._in_leg = False
                made = board.drive.position() - self._drive_at
                self.turns += (made + motion.STEPS_PER_REV - 1) // motion.STEPS_PER_REV
            if self._resume and self.strokes.count < self._asked:
                self._resume = False
                self._fed = self.strokes.count
                self._enter(HELD, now)
                return clock.FOREVER
            self._safety.rest()
            if self.reason == wire.REASON_COMPLETE and min(self.strokes.count, self.turns) < self._asked:
                self.reason = wire.REASON_STROKES
            self.phase = FINISHED
        return clock.FOREVER

    def period_us(self) -> int:
        """Time of one stroke at the set rate."""
        return self._set_us

    def hold(self, now: int) -> None:
        """The trigger was released: finish the stroke, needle home, wait."""
        if self.phase in (DEPTH, STROKING):
            self._resume = True
            self._board.drive.park()
            self._stop.stop()
            self._enter(PARKING, now)

    def resume(self, now: int) -> None:
        """What is held goes on with what is left: the trigger was pressed again."""
        self._stop.move(self._depth_um)
        self._enter(DEPTH, now)

    def abort(self, now: int, reason: int) -> None:
        """End the run: finish the stroke, needle home. The first reason stands."""
        if self.phase in (OFF, FINISHED):
            return
        if self.reason == wire.REASON_COMPLETE:
            self.reason = reason
        self._resume = False
        if self.phase == HELD:
            self._safety.rest()
            self.phase = FINISHED
        elif self.phase != PARKING:
            self._board.drive.park()
            self._stop.stop()
            self._enter(PARKING, now)

    def fill(self, o: list) -> None:
        """Write what has come of it into the ledger's `outcome`."""
        s = self.strokes
        o[ledger.O_STROKES] = max(s.count, self.turns)
        if s.count != self.turns:
            o[ledger.O_FLAGS] &= ~wire.FLAG_EXACT
        o[ledger.O_BAD] = s.bad
        o[ledger.O_INTERVAL] = min(s.worst_interval_us, 0xFFFF)
        o[ledger.O_DEPTH] = min(s.worst_depth_um, 0xFFFF)

    def _enter(self, phase: int, now: int) -> None:
        self.phase = phase
        self._since = now

    def _begin_leg(self, now: int) -> None:
        """Strokes without a stop between them: their first has no interval, ramps are not steady."""
        board = self._board
        self._index_seen = board.index_count()
        self._drive_at = board.drive.position()
        self._first_of_leg = self.strokes.count
        self._in_leg = True
        self._progress_at = now
        self._enter(STROKING, now)
        self._feed()

    def _feed(self) -> None:
        """Reserve, then feed, as often as there is room."""
        axis = self._board.drive
        while axis.room() and self._fed < self._asked:
            from_rest = self._fed == self._first_of_leg
            left = self._asked - self._fed
            to_rest = left == 1
            cycles = 1 if from_rest or to_rest else min(_BATCH, left - 1)
            self._ledger.reserve(self._n, 0, 0, self.strokes.count, self._fed + cycles)
            if self._safety.reason != wire.REASON_COMPLETE:
                return  # STOP has come meanwhile
            table = self._tables[self._table_at]
            self._table_at = 1 - self._table_at
            motion.stroke(table, self._cycle + self._carry(cycles), from_rest, to_rest)
            axis.feed(table.words, table.n, cycles, False)
            self._fed += cycles

    def _carry(self, cycles: int) -> int:
        """0 or 1 tick more for each of the next cycles, so that the error stays below one batch's ticks."""
        more = 1 if 2 * (self._error + cycles * self._remainder) >= cycles * self._rate else 0
        self._error += cycles * (self._remainder - more * self._rate)
        return more

    def _look(self, now: int) -> None:
        count = self._board.index_count()
        if count != self._index_seen:
            self._take_strokes(now, count)

    def _take_strokes(self, now: int, count: int) -> None:
        """Record what the index has counted since the last look."""
        board = self._board
        new = tick.diff(count, self._index_seen)
        index_at = board.index_tick()
        strokes = self.strokes
        elapsed = tick.diff(index_at, self._index_at)
        first = strokes.count == self._first_of_leg
        self._index_seen = count
        self._index_at = index_at
        self._progress_at = now
        depth = board.protrusion_um()
        off = depth - self._depth_um
        if off < 0:
            off = -off
        expected = self._drive_at + (strokes.count + new - self._first_of_leg) * motion.STEPS_PER_REV
        misplaced = abs(board.index_position() - expected) > limits.INDEX_TOLERANCE_STEPS
        while new > 0:
            # two at once only after a late look: the interval is shared, the depth is the last one's
            steady = not first and strokes.count < self._asked - 1
            interval = 0 if first else elapsed // new
            if steady:
                deviation = interval - self._set_us
                if deviation < 0:
                    deviation = -deviation
                if deviation > strokes.worst_interval_us:
                    strokes.worst_interval_us = deviation
            if off > strokes.worst_depth_um:
                strokes.worst_depth_um = off
            strokes.add(interval, depth, steady, misplaced or off > limits.DEPTH_TOLERANCE_UM)
            elapsed -= interval
            new -= 1
        if depth > self._deepest_um + limits.DEPTH_OVER_UM:
            self.abort(now, wire.REASON_DEPTH)
        elif strokes.too_many_bad():
            self.abort(now, wire.REASON_STROKES)
