"""The dose transaction: IDLE, PREPARED, ARMED, RUNNING (or HELD), IDLE, with the ledger as its memory.

An id is looked up before anything else; it moves the plunger at most once. INTENT is written at COMMIT,
START before the first step, OUTCOME once everything rests, at every end. What stops a dose: its trigger,
contact, the emergency stop, STOP, a silent host, a new session, a fault; each ends with the needle at home.
"""

from mesofirmware import battery, clock, fractional, gate, homing, ledger, metered, plan, rules, signals
from mesofirmware.cartridge import Cartridge
from mesofirmware.depth import DepthStop
from mesofirmware.records import StoreFailed
from mesoprotocol import bulk, limits, tick, wire

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable

    from mesofirmware.alarms import Alarms
    from mesofirmware.boards.port import Board
    from mesofirmware.latches import Latches
    from mesofirmware.ledger import Ledger
    from mesofirmware.link import Watched
    from mesofirmware.safety import Safety

_BOTH = wire.INPUT_TRIGGER_A | wire.INPUT_TRIGGER_B


class Transaction:
    """The one dose or run in hand, as `plan` has it. `state` is the device's state.

    Who makes it sets `on_change`, called when it changes, and `on_outcome`, when an end stands in the ledger's `intent`
    and `outcome`.
    """

    def __init__(
        self, board: "Board", store: "Watched", safety: "Safety", book: "Ledger", latches: "Latches", alarms: "Alarms"
    ) -> None:
        self._board = board
        self._store = store
        self._safety = safety
        self._ledger = book
        self._latches = latches
        self._alarms = alarms
        self.cartridge = Cartridge(board, store, book)
        self._gate = gate.Gate()
        stop = DepthStop(board)
        self.metered = metered.Metered(board, safety, book, stop)
        self.fractional = fractional.Fractional(board, safety, book, stop)
        self.homing = homing.Homing(board, safety, stop)
        self._engine: "fractional.Fractional | homing.Homing | metered.Metered" = self.metered
        self.plan = plan.Plan()
        self.state = wire.STATE_IDLE
        self._prepared_at = 0
        self._armed_at = 0
        self._held_at = 0
        self._now_ms = 0
        self._started_ms = 0
        self._heard_at = 0
        self._finishing = False
        self._told = wire.REASON_COMPLETE
        self._contact_lost_at = -1
        # where the plunger was when the syringe was full; after a restart: as if all of the treatment came from it
        self._syringe_at = board.plunger.position() - book.counted_nl // 1000 * _STEPS_PER_UL
        self.primed = False
        self._primed_nl = 0
        self.on_change: "Callable[[], None]"
        self.on_outcome: "Callable[[], None]"

    # --- Requests -------------------------------------------------------------------------------------

    def prepare(self, now: int, body: bytearray, at: int, n: int, args: list, kind: int) -> int:
        """A PREPARE of any `kind`, its payload at body[at:at+n]; the answer is left in `plan.values`."""
        mine = self.plan
        book = self._ledger
        number = args[wire.PREPARE_N]
        if self.state != wire.STATE_IDLE and mine.names(body, at):
            if mine.repeats(body, at, n, kind):
                return wire.S_OK if self.state == wire.STATE_PREPARED else wire.S_KNOWN_ID
            return wire.S_ID_CONFLICT
        if book.remembers(number):
            book.load(number)
            if bulk.same(body, at, book.intent[ledger.I_ID], 0, 8):
                return wire.S_KNOWN_ID if plan.is_recorded(book.intent, args, kind) else wire.S_ID_CONFLICT
        if number != book.next_n:
            return wire.S_STALE_VIEW
        if self.state != wire.STATE_IDLE:
            return wire.S_WRONG_STATE
        if self._latches.bits:
            return self._latches.status()
        inputs = self._board.inputs()
        status = rules.request(args, kind, inputs, book, self.cartridge, self.primed, self._primed_nl, self._swept())
        if status != wire.S_OK:
            return status
        if not battery.allows(self._board.battery_mv(), self._alarms):
            return wire.S_BATTERY
        self._store.look()  # to judge and to plan takes too long in one
        mine.take(body, at, n, args, kind)
        self._engine = self.fractional if mine.is_run else self.homing if mine.is_homing else self.metered
        self._prepared_at = now
        self._to(wire.STATE_PREPARED)
        return wire.S_OK

    def commit(self, now: int, body: bytearray, args: list) -> int:
        """COMMIT: arm what is prepared. INTENT is durable when this returns S_OK."""
        mine = self.plan
        if self.state == wire.STATE_IDLE or not mine.names(body, args[wire.COMMIT_DOSE_ID]):
            return wire.S_EXPIRED
        if self.state != wire.STATE_PREPARED:
            return wire.S_OK
        same_plan = mine.is_whole() and bulk.same(body, args[wire.COMMIT_PLAN_CRC], mine.crc, 0, 4)
        if not same_plan or not bulk.same(body, args[wire.COMMIT_BOOT_ID], self._board.boot_id, 0, 4):
            return wire.S_PLAN_MISMATCH
        late = tick.diff(now, args[wire.COMMIT_NOT_AFTER]) > 0
        if late or tick.diff(now, self._prepared_at) >= _PREPARED_US:
            return wire.S_EXPIRED
        if self._latches.bits:
            return self._latches.status()
        self._store.look()
        mine.fill_intent(self._ledger.intent)
        try:
            status = self.cartridge.use() if mine.mode == wire.MODE_FRACTIONAL else wire.S_OK
            if status != wire.S_OK:
                return status
            self._ledger.write_intent()
        except StoreFailed:
            self._alarms.up(wire.ALARM_STORE, 0)
            self._to(wire.STATE_IDLE)
            return wire.S_STORE_FAILED
        self._armed_at = now
        self._heard_at = now
        self._finishing = False
        self._gate.arm(now, self._board.inputs(), mine.is_away, not mine.is_run)
        self._safety.arm(mine.args, mine.kind)
        self._to(wire.STATE_ARMED)
        return wire.S_OK

    def heard(self, now: int, body: bytearray, at: int) -> None:
        """A heartbeat of the live session came; it feeds only if it names the dose in hand."""
        if self.plan.names(body, at):
            self._heard_at = now

    def dose_state(self) -> int:
        """The state of the dose in hand, in the schema's `dose_state`."""
        return self.state + 1

    def abort(self, now: int, reason: int) -> None:
        """End what is prepared, armed or running; its OUTCOME follows, at once or when everything rests."""
        if self.state == wire.STATE_PREPARED:
            self._to(wire.STATE_IDLE)
        elif self.state == wire.STATE_ARMED:
            self._close(reason, False)
        elif self.state != wire.STATE_IDLE:
            self._engine.abort(now, reason)

    # --- Time -----------------------------------------------------------------------------------------

    def step(self, now: int, now_ms: int) -> int:
        """Do what is due; return microseconds until the next look."""
        self._now_ms = now_ms
        board = self._board
        inputs = board.inputs()
        if not inputs & wire.INPUT_CONTACT:
            self._gate.look(inputs)
        if not inputs & wire.INPUT_SYRINGE:
            self.primed = False  # what is mounted next has slack
        if inputs & wire.INPUT_ESTOP and not self._latches.bits & wire.LATCH_ESTOP:
            self._latches.up(wire.LATCH_ESTOP)
            self.abort(now, wire.REASON_ESTOP)
        if self.state == wire.STATE_IDLE:
            self._safety.rest()
            return _REFRESH_US
        if self.state == wire.STATE_PREPARED:
            left = _PREPARED_US - tick.diff(now, self._prepared_at)
            if left <= 0:
                self._to(wire.STATE_IDLE)
            return max(0, left)
        wait = self._listen(now)
        try:
            if self.state == wire.STATE_ARMED:
                wait = min(wait, self._step_armed(now, inputs))
            elif self.state != wire.STATE_IDLE:
                wait = min(wait, self._step_running(now, inputs))
        except StoreFailed:
            self.abort(now, wire.REASON_STORE)
            self._alarms.up(wire.ALARM_STORE, 0)
            return 0
        return wait if self.state != wire.STATE_IDLE else 0

    def _listen(self, now: int) -> int:
        """SR-30: the host must be heard."""
        left = _HEARD_US - ((now - self._heard_at) & tick.MASK)
        if left > 0:
            return left
        if self._finishing:
            return clock.FOREVER
        late = self.plan.is_held or self.plan.is_homing
        late = late or self.metered.remaining_ms() > limits.LINK_LOST_FINISH_MS
        if late and self.state != wire.STATE_ARMED:
            self.abort(now, wire.REASON_LINK_LOST)
        self._alarms.up(wire.ALARM_LINK_LOST, 0)
        if self.state == wire.STATE_ARMED:
            self.abort(now, wire.REASON_LINK_LOST)
        self._finishing = True
        return clock.FOREVER

    def _step_armed(self, now: int, inputs: int) -> int:
        seen = self._gate.step(now, inputs)
        mode = self.plan.mode
        mounted = rules.is_mounted(inputs, mode)
        reason = self._safety.reason
        if not mounted:
            reason = wire.REASON_SYRINGE  # another one that is mounted now was not judged
        elif reason == wire.REASON_COMPLETE:
            left = limits.ARMED_MS * 1000 - tick.diff(now, self._armed_at)
            if seen == gate.DISAGREE:
                reason = wire.REASON_TRIGGER_DISAGREE
            elif seen == gate.WAIT and left > 0:
                return min(left, self._gate.wait_us)
            elif seen == gate.WAIT:
                reason = wire.REASON_ARM_TIMEOUT
            elif not self._safety.ready():
                return clock.FOREVER
            elif not self.plan.is_whole():
                reason = wire.REASON_SELF_TEST
            elif rules.interlock(inputs, mode) != wire.S_OK:
                reason = wire.REASON_DRIVE_FAULT
            else:
                self._started_ms = self._now_ms
                self._gate.used()
                # nothing is fed yet: until the next reservation, START means that nothing has left the needle
                self._ledger.reserve(self.plan.n, 0, 0, 0, 0)
                self._ledger.write_start(self.plan.n)
                self._told = wire.REASON_COMPLETE
                self._to(wire.STATE_RUNNING)
                self._contact_lost_at = -1
                if self._safety.reason == wire.REASON_COMPLETE:
                    self._engine.begin(now, self.plan)
                    return 0
                self._close(self._safety.reason, False)  # STOP has come meanwhile
                return clock.FOREVER
        self.abort(now, reason)
        return clock.FOREVER

    def _step_running(self, now: int, inputs: int) -> int:
        reason = self._stop_reason(inputs)
        self._store.look()
        reason = self._safety.reason or reason
        engine = self._engine
        if self.plan.is_run:
            wait = self._step_run(now, inputs, reason)
        elif engine is self.metered:
            wait = self._step_dose(now, inputs, reason)
        else:
            if reason != wire.REASON_COMPLETE:
                self.homing.abort(now, reason)
            wait = self.homing.step(now)
        if engine.reason != self._told:  # its OUTCOME is still to come
            self._told = engine.reason
            self._alarms.of(self._told, 0)
        if engine.phase == metered.FINISHED:
            self._close(engine.reason, True)
        return wait

    def _step_dose(self, now: int, inputs: int, reason: int) -> int:
        if self.plan.is_held and (reason == wire.REASON_TRIGGER or reason == wire.REASON_CONTACT):
            self.metered.hold(now)
        elif reason != wire.REASON_COMPLETE:
            self.metered.abort(now, reason)
        wait = self.metered.step(now)
        if self.metered.phase == metered.HELD:
            wait = self._hold(self.metered, now, inputs)
        if self.metered.phase >= metered.REST and not self.metered.home:
            self._alarms.up(wire.ALARM_NEEDLE_NOT_HOME, 0)
        if self.metered.phase == metered.FINISHED:
            if self.metered.reason == wire.REASON_COMPLETE and self._safety.missing():
                self.metered.reason = wire.REASON_UNDER_DELIVERY
                self._alarms.up(wire.ALARM_UNDER_DELIVERY, self._safety.missing())
        return wait

    def _step_run(self, now: int, inputs: int, reason: int) -> int:
        run = self.fractional
        if (self._now_ms - self._started_ms) & tick.MASK >= self.plan.duration_s * 1000:
            run.abort(now, wire.REASON_TIME)
        if reason != wire.REASON_CONTACT or self.plan.is_away:
            self._contact_lost_at = -1
        else:
            # alone it is a bounce of the handpiece, unless it lasts two strokes; the index wakes us with each
            if self._contact_lost_at < 0:
                self._contact_lost_at = now
            gone = tick.diff(now, self._contact_lost_at) >= 2 * run.period_us()
            reason = wire.REASON_TRIGGER if gone else wire.REASON_COMPLETE
        if reason == wire.REASON_TRIGGER:
            run.hold(now)
        elif reason != wire.REASON_COMPLETE:
            run.abort(now, reason)
        wait = run.step(now)
        if run.phase == metered.HELD:
            wait = self._hold(run, now, inputs)
        return wait

    def _hold(self, run: "fractional.Fractional | metered.Metered", now: int, inputs: int) -> int:
        """What is held waits for the trigger to be pressed again."""
        if self.state == wire.STATE_RUNNING:
            self._held_at = now
            self._gate.arm(now, inputs, self.plan.is_away, False)
            self._to(wire.STATE_HELD)
        seen = self._gate.step(now, inputs)
        if seen == gate.GO:
            self._to(wire.STATE_RUNNING)
            if self._safety.reason == wire.REASON_COMPLETE:
                run.resume(now)
            return 0
        left = limits.HELD_MS * 1000 - tick.diff(now, self._held_at)
        if seen == gate.DISAGREE:
            run.abort(now, wire.REASON_TRIGGER_DISAGREE)
        elif left <= 0:
            run.abort(now, wire.REASON_HELD_TIMEOUT)
        return min(self._gate.wait_us, max(0, left))

    def _stop_reason(self, inputs: int) -> int:
        """What the inputs say against going on; COMPLETE if nothing."""
        if self.state == wire.STATE_HELD:
            inputs |= _BOTH | wire.INPUT_CONTACT
            if self.plan.is_away:
                inputs ^= wire.INPUT_CONTACT
        reason = rules.against(inputs, self.plan.mode)
        if reason == wire.REASON_COMPLETE and not inputs & wire.INPUT_PERMIT_PLUNGER:
            if not self.plan.is_run and (self.metered.is_permitted() or self.homing.is_permitted()):
                return wire.REASON_PERMIT
        return reason

    # --- Ends -----------------------------------------------------------------------------------------

    def _close(self, reason: int, moved: bool) -> None:
        """Write the OUTCOME and return to IDLE."""
        self._store.look()
        book = self._ledger
        book.load(self.plan.n)  # INTENT as it was written; the OUTCOME is still blank
        o = book.outcome
        for i in range(len(o)):
            o[i] = 0
        o[ledger.O_STATE] = wire.DOSE_DONE if reason == wire.REASON_COMPLETE else wire.DOSE_ABORTED
        o[ledger.O_REASON] = reason
        o[ledger.O_FLAGS] = wire.FLAG_EXACT | wire.FLAG_NEEDLE_HOME
        if moved:
            o[ledger.O_DURATION] = tick.diff(self._now_ms, self._started_ms)
            self._engine.fill(o)
            if self._engine is self.metered:
                self._see_syringe(o)
            if not self._engine.home:
                o[ledger.O_FLAGS] &= ~wire.FLAG_NEEDLE_HOME
                self._alarms.up(wire.ALARM_NEEDLE_NOT_HOME, 0)
        self._alarms.of(reason, 0)
        try:
            book.write_outcome(self.plan.n)
            self.on_outcome()
        except StoreFailed:
            # the entry stays without an end: no therapy before the next boot has made it INTERRUPTED
            self._alarms.up(wire.ALARM_LEDGER_CORRUPT, 0)
        self._to(wire.STATE_IDLE)

    def _swept(self) -> int:
        """Steps made with the syringe that is mounted: the carriage's way from where it stood when that was full."""
        return max(0, self._board.plunger.position() - self._syringe_at)

    def _see_syringe(self, o: list) -> None:
        """What a dose or prime that has ended means for the next one."""
        m = self.metered
        near = rules.nears_empty(self.plan.asked_nl(), self.plan.profile, self._swept())
        self._alarms.so(wire.ALARM_NEAR_EMPTY, near, 0)
        if near:
            o[ledger.O_FLAGS] |= wire.FLAG_NEAR_EMPTY
        if m.reason in (wire.REASON_OCCLUSION, wire.REASON_LEAK):
            self.primed = False  # slack behind the plunger, or what was measured holds no longer
        if self.plan.is_prime:
            self._primed_nl += m.volume.upper_nl
            self.primed = m.reason == wire.REASON_COMPLETE

    def new_syringe(self) -> None:
        """Somebody says that another, full one is mounted (SR-22)."""
        self.primed = False
        self._syringe_at = self._board.plunger.position()
        self._alarms.down(wire.ALARM_NEAR_EMPTY)

    def new_treatment(self) -> None:
        """Another patient: what was primed counts anew, and must be primed anew."""
        self.primed = False
        self._primed_nl = 0

    def _to(self, state: int) -> None:
        self.state = state
        self._board.light(signals.of_state(state, self.plan.is_run, self.plan.is_away, self._latches.bits != 0))
        self.on_change()


_STEPS_PER_UL = 1_000_000 // limits.PROFILES[0][limits.PROFILE_PL_PER_STEP]
_PREPARED_US = limits.PREPARED_MS * 1000
_HEARD_US = limits.HEARTBEAT_TIMEOUT_MS * 1000
_REFRESH_US = 1_000_000  # an output that was lost stays so for no longer while nothing is in hand
