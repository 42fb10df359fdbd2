"""The firmware as one cooperative loop: `App.step(now)` does what is due and returns when to be called next.

The board calls it when that time has come, or earlier, when bytes have arrived, an input has changed, a
batch of an axis has ended, or the index was seen. Nothing moves because an App was made.
"""

from mesofirmware import (
    access,
    alarms,
    answers,
    clock,
    events,
    keys,
    latches,
    ledger,
    link,
    log,
    safety,
    selftest,
    session,
    settings,
    slots,
    strokes,
    transaction,
)
from mesofirmware.records import StoreFailed
from mesoprotocol import codec, frame, limits, tick, wire

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mesofirmware.boards.port import Board

_TELEMETRY_DOSE_US = 20_000
_TELEMETRY_RUN_US = 500_000
_STROKES_A_FRAME = 8
_LATE_US = limits.LOOP_LATE_MS * 1000


class App:
    """The whole device above its Board."""

    def __init__(self, board: "Board", is_safe: bool = False) -> None:
        """`is_safe`: this is the safe application, which answers and gives nothing."""
        self._board = board
        now = board.now()
        self._clock = clock.Clock(now)
        self._latches = latches.Latches()
        self._alarms = alarms.Alarms(board, self._latches, self._clock.pair)
        self._safety = safety.Safety(board, self._alarms)
        self._selftest = selftest.SelfTest(board, self._clock, self._safety.bounds, self._alarms)
        self._link = link.Link(board, self._safety.halt)
        store = link.Watched(board.store, self._link)
        self._ledger = ledger.Ledger(store, board.boot_id)
        self._settings = settings.Settings(board.files)
        self._settings.calibrate(board.readings)
        self._slots = slots.Slots(board.files)
        self._log = log.Log(store, self._clock)
        self._transaction = transaction.Transaction(
            board, store, self._safety, self._ledger, self._latches, self._alarms
        )
        self._events = events.Events(self._link)
        doors = keys.Keys(store)
        self._access = access.Access(
            board, self._clock, self._link, self._ledger, self._latches, self._transaction, doors
        )
        self._answers = answers.Answers(
            board,
            self._clock,
            self._link,
            self._ledger,
            self._latches,
            self._transaction,
            self._events,
            self._settings,
            self._log,
            self._alarms,
            self._selftest,
            self._slots,
            is_safe,
        )
        self._log.put_outcome = self._answers.put_outcome
        self._session = session.Session(
            board,
            self._link,
            self._ledger,
            self._latches,
            self._transaction,
            self._access,
            self._answers,
            self._settings,
            self._log,
            self._selftest,
            self._slots,
        )
        self._transaction.on_change = self._tell_phase
        self._transaction.on_outcome = self._tell_outcome
        self._phase: list = [self._clock.pair, 0, 0, self._transaction.plan.dose_id]
        self._sample: list = [self._clock.pair, 0, 0, 0, 0]
        self._sampled_at = now
        self._records: list = [0, 0, None]
        self._record_bytes = bytearray(_STROKES_A_FRAME * strokes.RECORD)
        self._records[2] = [self._record_bytes, 0, 0]
        self._stream = bytearray(codec.size(wire.EVENT_TELEMETRY_FIELDS))
        self._strokes_sent = 0
        self._seen = 0
        """Latches as the log has them."""
        if is_safe:
            self._latches.up(wire.LATCH_SAFE_APPLICATION)
        self._look_at_stores()
        self._selftest.run()
        self._alarms.on_alarm = self._tell_alarm
        self._kept = self._latches.bits
        self._hurries = False
        """Whether something was armed when the last wake began: one that takes COMMIT may take longer."""
        self._due_at = now
        """When the next wake begins, at the latest; one that asks for another at once may have taken its time."""

    def _look_at_stores(self) -> None:
        """What stands after this boot, and why nothing may be given; said in the log."""
        book = self._ledger
        up = self._latches.up
        is_new = not book.session and book.next_n == 1 and not book.corrupt
        generation = self._log.recover(is_new, not book.corrupt)
        if not self._log.damaged:
            self._settings.expect(generation)
        self._latches.bits |= book.latches
        if book.interrupted_n:
            self._alarms.up(wire.ALARM_INTERRUPTED, 0)
        if book.corrupt:
            self._alarms.up(wire.ALARM_LEDGER_CORRUPT, 0)
        if self._settings.damaged:
            up(wire.LATCH_SETTINGS_DAMAGED)
        if self._log.damaged:
            up(wire.LATCH_LOG_DAMAGED)
        self._seen = self._latches.bits
        self._log.add(wire.LOG_BOOT, self._board.reset_reason, self._seen)
        last = book.next_n - 1
        if last > self._log.ended_n and book.load(last) == ledger.CLOSED:
            self._log.add(wire.LOG_ENDED, book.outcome[ledger.O_REASON], last)

    def step(self, now: int) -> int:
        """Do what is due; return microseconds until the next call, at most `clock.FOREVER`."""
        self._clock.update(now)
        self._ledger.points.now_ms = self._clock.ms
        link = self._link
        was_armed = self._transaction.state >= wire.STATE_ARMED
        while link.poll():
            if link.is_stop():
                self._session.stop(now)
            else:
                self._session.handle(now)
        late = (now - self._due_at) & tick.MASK
        if _LATE_US < late < tick.HALF and self._hurries:
            self._alarms.late(late)
        self._hurries = was_armed
        look = self._safety.step(now)
        wait = self._transaction.step(now, self._clock.ms)
        if self._access.waits or self._access.backing_off:
            self._access.step()
        if self._latches.bits != self._kept:
            self._keep_latches()
        if self._latches.bits != self._seen or self._log.damaged:
            self._log_latches()
        tested_ms = (self._clock.ms - self._selftest.ran_ms) & tick.MASK
        if tested_ms >= limits.SELF_TEST_MS and self._transaction.state == wire.STATE_IDLE:
            self._selftest.run()
        report = self._report(now)
        link.look()
        if self._transaction.state == wire.STATE_IDLE and self._log.chain():
            self._hurries = False
            return 0
        if report < wait:
            wait = report
        if look < wait:
            wait = look
        if link.is_behind():
            wait = 0
        # below 2^30, though the sum may not be
        self._due_at = (now - tick.HALF + max(wait, _LATE_US) & tick.MASK) ^ tick.HALF
        return wait

    def _log_latches(self) -> None:
        """What was raised or cleared since the last look."""
        if self._log.damaged and not self._latches.bits & wire.LATCH_LOG_DAMAGED:
            self._latches.up(wire.LATCH_LOG_DAMAGED)
        bits = self._latches.bits
        raised = bits & ~self._seen
        cleared = self._seen & ~bits
        self._seen = bits
        if raised & wire.LATCH_STOPPED:
            self._log.add(wire.LOG_STOP, self._latches.stop_count, bits)
        if raised & ~wire.LATCH_STOPPED:
            self._log.add(wire.LOG_LATCHED, raised & ~wire.LATCH_STOPPED, bits)
        if cleared:
            self._log.add(wire.LOG_CLEARED, cleared, bits)

    def _keep_latches(self) -> None:
        """Latches have changed: keep those that must last, and let go of alarms that were cleared."""
        self._alarms.cleared()
        if self._kept & ~self._latches.bits & wire.LATCH_SELF_TEST:
            self._selftest.run()
        try:
            self._ledger.keep_latches(self._latches.lasting())
            self._kept = self._latches.bits
        except StoreFailed:
            self._alarms.up(wire.ALARM_LEDGER_CORRUPT, 0)

    def _report(self, now: int) -> int:
        """Telemetry and stroke records, while something runs and somebody may be listening."""
        transaction = self._transaction
        waiting = transaction.fractional.strokes.count - self._strokes_sent
        if waiting < 0:
            waiting += self._strokes_sent
            self._strokes_sent = 0
        running = transaction.state == wire.STATE_RUNNING
        if waiting >= _STROKES_A_FRAME or (waiting and not running):
            self._tell_strokes(min(waiting, _STROKES_A_FRAME))
        if not running:
            self._sampled_at = now
            return clock.FOREVER
        period = _TELEMETRY_RUN_US if transaction.plan.is_run else _TELEMETRY_DOSE_US
        past = (now - self._sampled_at) & tick.MASK
        if past < period:
            # in a run the strokes and heartbeats wake us often enough
            return clock.FOREVER if transaction.plan.is_run else period - past
        self._sampled_at = now
        board = self._board
        s = self._sample
        profile = transaction.plan.profile
        s[wire.EVENT_TELEMETRY_PRESSURE_PA] = board.pressure_pa()
        s[wire.EVENT_TELEMETRY_PLUNGER_NL] = board.encoder() // 8 * profile[limits.PROFILE_PL_PER_COUNT] // 125
        s[wire.EVENT_TELEMETRY_NEEDLE_UM] = board.needle_um()
        s[wire.EVENT_TELEMETRY_INPUTS] = board.inputs()
        n = codec.write(wire.EVENT_TELEMETRY_FIELDS, s, self._stream, 0)
        listener = self._access.listener()
        self._link.notify(frame.STREAM, wire.EVENT_TELEMETRY, self._events.newest, listener, self._stream, n)
        return period

    def _tell_phase(self) -> None:
        plan = self._transaction.plan
        if self._transaction.state == wire.STATE_ARMED:
            self._log.add(wire.LOG_ARMED, plan.mode, plan.n)
        p = self._phase
        p[wire.EVENT_PHASE_STATE] = self._transaction.state
        p[wire.EVENT_PHASE_LATCHES] = self._latches.bits
        self._events.tell(wire.EVENT_PHASE, self._access.listener(), wire.EVENT_PHASE_FIELDS, p)

    def _tell_alarm(self) -> None:
        self._link.look()
        self._events.tell(wire.EVENT_ALARM, self._access.listener(), wire.EVENT_ALARM_FIELDS, self._alarms.values)

    def _tell_outcome(self) -> None:
        self._answers.fill_outcome()
        self._log.add(wire.LOG_ENDED, self._ledger.outcome[ledger.O_REASON], self._ledger.outcome[ledger.O_N])
        self._events.tell(wire.EVENT_OUTCOME, self._access.listener(), wire.OUTCOME_FIELDS, self._answers.values)

    def _tell_strokes(self, n: int) -> None:
        ring = self._transaction.fractional.strokes
        first = max(self._strokes_sent, ring.oldest())
        ring.copy(first, n, self._record_bytes)
        r = self._records
        r[0] = first
        r[1] = n
        r[2][2] = n * strokes.RECORD
        self._strokes_sent = first + n
        self._events.tell(wire.EVENT_STROKE_RECORDS, self._access.listener(), wire.EVENT_STROKE_RECORDS_FIELDS, r)
