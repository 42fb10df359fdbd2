"""The dose transaction: IDLE -> PREPARED -> ARMED -> RUNNING (-> HELD) -> IDLE, with the ledger as its memory.

An id is looked up before anything else; it moves the plunger at most once. INTENT is written at COMMIT,
START before the first step, OUTCOME once everything rests, at every end. What stops a dose: its trigger,
contact, the emergency stop, STOP, a silent host, a new session, a fault; each ends with the needle at home.
"""

from mesofirmware import clock, fractional, gate, ledger, metered, motion, rules, signals
from mesofirmware.records import StoreFailed
from mesoprotocol import codec, crc, limits, tick, wire

_BOTH = wire.INPUT_TRIGGER_A | wire.INPUT_TRIGGER_B
_FAULTS = (
    wire.REASON_OCCLUSION,
    wire.REASON_DEPTH,
    wire.REASON_STROKES,
    wire.REASON_ENCODER,
    wire.REASON_DRIVE_FAULT,
    wire.REASON_PERMIT,
    wire.REASON_STORE,
)


class Transaction:
    """The one dose or run in hand. `state` is the device's state; `on_change` is called when it changes,
    `on_outcome` when an OUTCOME is in the ledger's `intent` and `outcome`."""

    def __init__(self, board: object, book: object, latches: object) -> None:
        self._board = board
        self._ledger = book
        self._latches = latches
        self._gate = gate.Gate()
        self.metered = metered.Metered(board, book)
        self.fractional = fractional.Fractional(board, book)
        self._plan_seed = crc.seed(b"PLAN")
        self._plan = bytearray(64)
        self.state = wire.STATE_IDLE
        self.dose_id = bytearray(8)
        self.n = 0
        self.plan_crc = bytearray(4)
        self.plan_values = [0, 0, 0, self.plan_crc]
        self.is_run = False
        self._request = bytearray(32)
        self._request_n = 0
        self._args = [0] * 9
        self._profile = limits.PROFILES[0]
        self._prepared_at = 0
        self._armed_at = 0
        self._held_at = 0
        self._now_ms = 0
        self._started_ms = 0
        self._heard_at = 0
        self._finishing = False
        self.primed = False
        self._primed_nl = 0
        self.on_change = _ignore
        self.on_outcome = _ignore

    # --- Requests -------------------------------------------------------------------------------------

    def prepare(self, now: int, body: bytearray, at: int, n: int, args: list, is_run: bool) -> int:
        """PREPARE or PREPARE_RUN, its payload at body[at:at+n]; the plan is left in `plan_values`."""
        book = self._ledger
        number = args[1]
        if self.state != wire.STATE_IDLE and codec.same(body, at, self.dose_id, 0, 8):
            if n == self._request_n and is_run == self.is_run and codec.same(body, at, self._request, 0, n):
                return wire.S_OK if self.state == wire.STATE_PREPARED else wire.S_KNOWN_ID
            return wire.S_ID_CONFLICT
        if book.remembers(number):
            book.load(number)
            if codec.same(body, at, book.intent[ledger.I_ID], 0, 8):
                return wire.S_KNOWN_ID if self._same_as_recorded(args, is_run) else wire.S_ID_CONFLICT
        if number != book.next_n:
            return wire.S_STALE_VIEW
        if self.state != wire.STATE_IDLE:
            return wire.S_WRONG_STATE
        if self._latches.bits:
            return wire.S_LATCHED
        inputs = self._board.inputs()
        if is_run:
            status = rules.run(args, inputs, book)
        else:
            swept = self._board.plunger.position() * self._profile[limits.PROFILE_PL_PER_STEP] // 1000
            status = rules.dose(args, inputs, book, self.primed, self._primed_nl, swept)
        if status != wire.S_OK:
            return status
        self._take_request(body, at, n, args, is_run)
        self._make_plan(n)
        self._prepared_at = now
        self._to(wire.STATE_PREPARED)
        return wire.S_OK

    def commit(self, now: int, body: bytearray, args: list) -> int:
        """COMMIT: arm what is prepared. INTENT is durable when this returns S_OK."""
        if self.state == wire.STATE_IDLE or not codec.same(body, args[0], self.dose_id, 0, 8):
            return wire.S_EXPIRED
        if self.state != wire.STATE_PREPARED:
            return wire.S_OK
        same_plan = codec.same(body, args[wire.COMMIT_PLAN_CRC], self.plan_crc, 0, 4)
        if not same_plan or not codec.same(body, args[wire.COMMIT_BOOT_ID], self._board.boot_id, 0, 4):
            return wire.S_PLAN_MISMATCH
        if tick.diff(now, args[wire.COMMIT_NOT_AFTER]) > 0 or tick.diff(now, self._prepared_at) >= _PREPARED_US:
            return wire.S_EXPIRED
        if self._latches.bits:
            return wire.S_LATCHED
        self._fill_intent()
        try:
            self._ledger.write_intent()
        except StoreFailed:
            self._latches.up(wire.LATCH_FAULT)
            self._to(wire.STATE_IDLE)
            return wire.S_STORE_FAILED
        self._armed_at = now
        self._heard_at = now
        self._finishing = False
        self._gate.arm(now, self._board.inputs(), self.is_prime(), not self.is_run)
        self._to(wire.STATE_ARMED)
        return wire.S_OK

    def heard(self, now: int, body: bytearray, at: int) -> None:
        """A heartbeat of the live session came; it feeds only if it names the dose in hand."""
        if codec.same(body, at, self.dose_id, 0, 8):
            self._heard_at = now

    def profile(self) -> tuple:
        """What is mounted, as the last dose named it."""
        return self._profile

    def is_prime(self) -> bool:
        """Whether the dose in hand is a prime."""
        return not self.is_run and self._args[wire.PREPARE_MODE] == wire.MODE_PRIME

    def dose_state(self) -> int:
        """The state of the dose in hand, in the schema's `dose_state`."""
        return self.state + 1

    def abort(self, now: int, reason: int) -> None:
        """End what is prepared, armed or running; its OUTCOME follows, at once or when everything rests."""
        if self.state == wire.STATE_PREPARED:
            self._to(wire.STATE_IDLE)
        elif self.state == wire.STATE_ARMED:
            self._close(wire.DOSE_ABORTED, reason, False)
        elif self.state != wire.STATE_IDLE:
            if self.is_run:
                self.fractional.abort(now, reason)
            else:
                self.metered.abort(now, reason)

    # --- Time -----------------------------------------------------------------------------------------

    def step(self, now: int, now_ms: int) -> int:
        """Do what is due; return microseconds until the next look."""
        self._now_ms = now_ms
        board = self._board
        inputs = board.inputs()
        self._gate.look(inputs)
        if inputs & wire.INPUT_ESTOP and not self._latches.bits & wire.LATCH_ESTOP:
            self._latches.up(wire.LATCH_ESTOP)
            self.abort(now, wire.REASON_ESTOP)
        if self.state == wire.STATE_IDLE:
            return clock.FOREVER
        if self.state == wire.STATE_PREPARED:
            left = _PREPARED_US - tick.diff(now, self._prepared_at)
            if left > 0:
                return left
            self._to(wire.STATE_IDLE)
            return clock.FOREVER
        wait = self._listen(now)
        if self.state == wire.STATE_ARMED:
            wait = min(wait, self._step_armed(now, inputs))
        elif self.state in (wire.STATE_RUNNING, wire.STATE_HELD):
            board.feed_deadman()
            try:
                wait = min(wait, _DEADMAN_FEED_US, self._step_running(now, inputs))
            except StoreFailed:
                self._latches.up(wire.LATCH_FAULT)
                self.abort(now, wire.REASON_STORE)
                return 0
        return wait

    def _listen(self, now: int) -> int:
        """SR-30: the host must be heard."""
        left = _HEARD_US - tick.diff(now, self._heard_at)
        if left > 0:
            return left
        if self._finishing:
            return clock.FOREVER
        self._latches.up(wire.LATCH_LINK_LOST)
        if self.is_run or self.metered.remaining_ms() > limits.LINK_LOST_FINISH_MS:
            self.abort(now, wire.REASON_LINK_LOST)
        elif self.state == wire.STATE_ARMED:
            self.abort(now, wire.REASON_LINK_LOST)
            return clock.FOREVER
        self._finishing = True
        return clock.FOREVER

    def _step_armed(self, now: int, inputs: int) -> int:
        seen = self._gate.step(now, inputs)
        if seen == gate.DISAGREE:
            self.abort(now, wire.REASON_TRIGGER_DISAGREE)
            return clock.FOREVER
        if seen == gate.WAIT:
            left = limits.ARMED_MS * 1000 - tick.diff(now, self._armed_at)
            if left > 0:
                return min(left, self._gate.wait_us)
            self.abort(now, wire.REASON_ARM_TIMEOUT)
            return clock.FOREVER
        present = wire.INPUT_CARTRIDGE if self.is_run else wire.INPUT_SYRINGE
        if rules.interlock(inputs, present) != wire.S_OK:
            self.abort(now, wire.REASON_SYRINGE if not inputs & present else wire.REASON_DRIVE_FAULT)
            return clock.FOREVER
        self._started_ms = self._now_ms
        self._gate.used()
        try:
            self._ledger.write_start(self.n)
        except StoreFailed:
            self._latches.up(wire.LATCH_FAULT)
            self.abort(now, wire.REASON_STORE)
            return clock.FOREVER
        self._board.feed_deadman()
        self._to(wire.STATE_RUNNING)
        a = self._args
        if self.is_run:
            deepest = rules.zone(a[wire.PREPARE_RUN_ZONE])[3]
            self.fractional.begin(
                now,
                self.n,
                a[wire.PREPARE_RUN_STROKES],
                a[wire.PREPARE_RUN_RATE_PER_MIN],
                a[wire.PREPARE_RUN_DEPTH_UM],
                deepest,
            )
        else:
            self.metered.begin(
                now,
                self.n,
                a[wire.PREPARE_VOLUME_NL],
                a[wire.PREPARE_DEPTH_UM],
                self._profile,
                self.is_prime(),
            )
        return 0

    def _step_running(self, now: int, inputs: int) -> int:
        reason = self._stop_reason(inputs)
        if self.is_run:
            return self._step_run(now, inputs, reason)
        if reason != wire.REASON_COMPLETE:
            self.metered.abort(now, reason)
        wait = self.metered.step(now)
        if self.metered.phase == metered.FINISHED:
            done = self.metered.reason == wire.REASON_COMPLETE
            self._close(wire.DOSE_DONE if done else wire.DOSE_ABORTED, self.metered.reason, True)
        return wait

    def _step_run(self, now: int, inputs: int, reason: int) -> int:
        run = self.fractional
        if tick.diff(self._now_ms, self._started_ms) >= self._args[wire.PREPARE_RUN_DURATION_S] * 1000:
            run.abort(now, wire.REASON_TIME)
        if reason in (wire.REASON_TRIGGER, wire.REASON_CONTACT):
            run.hold(now)
        elif reason != wire.REASON_COMPLETE:
            run.abort(now, reason)
        wait = run.step(now)
        if run.phase == fractional.HELD and self.state == wire.STATE_RUNNING:
            self._held_at = now
            self._gate.arm(now, inputs, False, False)
            self._to(wire.STATE_HELD)
        if self.state == wire.STATE_HELD and run.phase == fractional.HELD:
            wait = self._step_held(now, inputs)
        if run.phase == fractional.FINISHED:
            done = run.reason == wire.REASON_COMPLETE
            self._close(wire.DOSE_DONE if done else wire.DOSE_ABORTED, run.reason, True)
        return wait

    def _step_held(self, now: int, inputs: int) -> int:
        seen = self._gate.step(now, inputs)
        if seen == gate.GO:
            self._to(wire.STATE_RUNNING)
            self.fractional.resume(now)
            return 0
        left = limits.HELD_MS * 1000 - tick.diff(now, self._held_at)
        if seen == gate.DISAGREE:
            self.fractional.abort(now, wire.REASON_TRIGGER_DISAGREE)
        elif left <= 0:
            self.fractional.abort(now, wire.REASON_HELD_TIMEOUT)
        return min(self._gate.wait_us, max(0, left))

    def _stop_reason(self, inputs: int) -> int:
        """What the inputs say against going on; COMPLETE if nothing."""
        if self.state == wire.STATE_HELD:
            inputs |= _BOTH | wire.INPUT_CONTACT
        if inputs & wire.INPUT_ESTOP:
            return wire.REASON_ESTOP
        if inputs & wire.INPUT_DRIVE_FAULT:
            return wire.REASON_DRIVE_FAULT
        if not inputs & (wire.INPUT_CARTRIDGE if self.is_run else wire.INPUT_SYRINGE):
            return wire.REASON_SYRINGE
        if inputs & _BOTH != _BOTH:
            return wire.REASON_TRIGGER
        if bool(inputs & wire.INPUT_CONTACT) == self.is_prime():
            return wire.REASON_CONTACT
        if not self.is_run and self.metered.phase and not inputs & wire.INPUT_PERMIT_PLUNGER:
            return wire.REASON_PERMIT
        return wire.REASON_COMPLETE

    # --- Ends -----------------------------------------------------------------------------------------

    def _close(self, dose_state: int, reason: int, moved: bool) -> None:
        """Write the OUTCOME and return to IDLE."""
        book = self._ledger
        book.load(self.n)  # INTENT as it was written; the OUTCOME is still blank
        o = book.outcome
        i = 0
        while i < len(o):
            o[i] = 0
            i += 1
        o[ledger.O_STATE] = dose_state
        o[ledger.O_REASON] = reason
        o[ledger.O_FLAGS] = wire.FLAG_EXACT | wire.FLAG_NEEDLE_HOME
        if moved:
            o[ledger.O_DURATION] = tick.diff(self._now_ms, self._started_ms)
            home = self._take_run(o) if self.is_run else self._take_dose(o)
            if not home:
                o[ledger.O_FLAGS] &= ~wire.FLAG_NEEDLE_HOME
                self._latches.up(wire.LATCH_NEEDLE_NOT_HOME)
        if reason in _FAULTS:
            self._latches.up(wire.LATCH_FAULT)
        try:
            book.write_outcome(self.n)
        except StoreFailed:
            self._latches.up(wire.LATCH_FAULT)
            self._to(wire.STATE_IDLE)
            return
        self.on_outcome()
        self._to(wire.STATE_IDLE)

    def _take_dose(self, o: list) -> bool:
        m = self.metered
        o[ledger.O_DELIVERED] = m.delivered_nl
        o[ledger.O_LOWER] = m.lower_nl
        o[ledger.O_UPPER] = m.upper_nl
        o[ledger.O_STEPS] = m.steps
        o[ledger.O_DEPTH] = m.worst_depth_um
        if m.drip:
            o[ledger.O_FLAGS] |= wire.FLAG_DRIP
        if m.reason == wire.REASON_OCCLUSION:
            self.primed = False  # relief has left slack behind the plunger
        if self.is_prime():
            self._primed_nl += m.upper_nl
            self.primed = m.reason == wire.REASON_COMPLETE
        return m.home

    def _take_run(self, o: list) -> bool:
        s = self.fractional.strokes
        o[ledger.O_STROKES] = s.count
        o[ledger.O_BAD] = s.bad
        o[ledger.O_INTERVAL] = min(s.worst_interval_us, 0xFFFF)
        o[ledger.O_DEPTH] = min(s.worst_depth_um, 0xFFFF)
        return self.fractional.home

    def new_treatment(self) -> None:
        """Another patient: what was primed counts anew, and must be primed anew."""
        self.primed = False
        self._primed_nl = 0

    def _fill_intent(self) -> None:
        a = self._args
        v = self._ledger.intent
        i = 0
        while i < 8:
            v[ledger.I_ID][i] = self.dose_id[i]
            i += 1
        v[ledger.I_MODE] = wire.MODE_FRACTIONAL if self.is_run else a[wire.PREPARE_MODE]
        v[ledger.I_ZONE] = a[wire.PREPARE_RUN_ZONE] if self.is_run else a[wire.PREPARE_ZONE]
        v[ledger.I_PROFILE] = 0 if self.is_run else a[wire.PREPARE_PROFILE]
        v[ledger.I_POINT] = 0 if self.is_run else a[wire.PREPARE_POINT]
        v[ledger.I_DEPTH] = a[wire.PREPARE_RUN_DEPTH_UM] if self.is_run else a[wire.PREPARE_DEPTH_UM]
        v[ledger.I_VOLUME] = 0 if self.is_run else a[wire.PREPARE_VOLUME_NL]
        v[ledger.I_STROKES] = a[wire.PREPARE_RUN_STROKES] if self.is_run else 0
        v[ledger.I_RATE] = a[wire.PREPARE_RUN_RATE_PER_MIN] if self.is_run else 0

    def _same_as_recorded(self, args: list, is_run: bool) -> bool:
        v = self._ledger.intent
        if is_run:
            return (
                v[ledger.I_MODE] == wire.MODE_FRACTIONAL
                and v[ledger.I_STROKES] == args[wire.PREPARE_RUN_STROKES]
                and v[ledger.I_RATE] == args[wire.PREPARE_RUN_RATE_PER_MIN]
                and v[ledger.I_DEPTH] == args[wire.PREPARE_RUN_DEPTH_UM]
                and v[ledger.I_ZONE] == args[wire.PREPARE_RUN_ZONE]
            )
        return (
            v[ledger.I_MODE] == args[wire.PREPARE_MODE]
            and v[ledger.I_VOLUME] == args[wire.PREPARE_VOLUME_NL]
            and v[ledger.I_DEPTH] == args[wire.PREPARE_DEPTH_UM]
            and v[ledger.I_ZONE] == args[wire.PREPARE_ZONE]
            and v[ledger.I_PROFILE] == args[wire.PREPARE_PROFILE]
            and v[ledger.I_POINT] == args[wire.PREPARE_POINT]
        )

    # --- The plan -------------------------------------------------------------------------------------

    def _take_request(self, body: bytearray, at: int, n: int, args: list, is_run: bool) -> None:
        i = 0
        while i < n:
            self._request[i] = body[at + i]
            i += 1
        self._request_n = n
        i = 0
        while i < 8:
            self.dose_id[i] = body[at + i]
            i += 1
        i = 0
        while i < len(args) and i < len(self._args):
            self._args[i] = args[i]
            i += 1
        self.is_run = is_run
        self.n = args[1]

    def _make_plan(self, n: int) -> None:
        """Fill `plan_values` and bind request and plan together by a CRC."""
        a = self._args
        values = self.plan_values
        if self.is_run:
            rate = a[wire.PREPARE_RUN_RATE_PER_MIN]
            values[0] = motion.cycle_ticks(rate)
            values[1] = motion.cycle_remainder(rate)
            depth = a[wire.PREPARE_RUN_DEPTH_UM]
            fields = wire.PREPARE_RUN_REPLY_FIELDS
        else:
            self._profile = rules.profile(a[wire.PREPARE_PROFILE])
            steps = self.metered.plan_steps(a[wire.PREPARE_VOLUME_NL], self._profile)
            per_step_us = self.metered.plan_interval(self._profile) // motion.TICKS_PER_US
            values[0] = steps
            values[1] = steps * per_step_us // 1000
            depth = a[wire.PREPARE_DEPTH_UM]
            fields = wire.PREPARE_REPLY_FIELDS
        values[2] = depth // motion.UM_PER_DEPTH_STEP * motion.UM_PER_DEPTH_STEP
        i = 0
        while i < n:
            self._plan[i] = self._request[i]
            i += 1
        end = codec.write(fields, values, self._plan, n) - 4
        crc.put(self._plan, end, self._plan_seed)
        i = 0
        while i < 4:
            self.plan_crc[i] = self._plan[end + i]
            i += 1

    def _to(self, state: int) -> None:
        self.state = state
        light = signals.LIGHT_IDLE + state
        if state == wire.STATE_ARMED:
            light = signals.LIGHT_ARMED_AWAY if self.is_prime() else signals.LIGHT_ARMED_SKIN
        elif state > wire.STATE_ARMED:
            light += 1
        elif state == wire.STATE_IDLE and self._latches.bits:
            light = signals.LIGHT_LATCHED
        self._board.light(light)
        self.on_change()


_PREPARED_US = limits.PREPARED_MS * 1000
_HEARD_US = limits.HEARTBEAT_TIMEOUT_MS * 1000
_DEADMAN_FEED_US = limits.DEADMAN_MS * 500


def _ignore() -> None:
    pass
