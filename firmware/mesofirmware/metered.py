"""A metered dose, a prime or a run of doses, from the press of the trigger to needle at home and pressure at rest.

DEPTH -> INSERT -> DISPENSE -> SETTLE -> RETRACT -> REST -> finished; a prime is DISPENSE -> SETTLE only. A run's needle
goes in again: after PAUSE for its next stroke, after HELD when the released trigger is pressed again. `abort` jumps to
RETRACT from anywhere. The way out is loaded before the needle goes in, and starts by hardware when the plunger's permit
falls. Amounts are `volume`'s.
"""

from mesofirmware import clock, compliance, ledger, motion
from mesofirmware.relief import Relief
from mesofirmware.volume import Volume
from mesoprotocol import limits, tick, wire

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mesofirmware.boards.port import Board
    from mesofirmware.depth import DepthStop
    from mesofirmware.plan import Plan
    from mesofirmware.safety import Safety

OFF, DEPTH, INSERT, DISPENSE, SETTLE, PAUSE, RETRACT, HELD, REST, FINISHED = range(10)

_CHUNKS = 2 * 100 // limits.CHUNK_PERCENT
"""Chunks of a dose: two are in flight, together CHUNK_PERCENT of it."""
_PRIME_CHUNK_STEPS = 90
_LOOK_US = 20_000
"""How often pressure is looked at while it settles."""
_WAY_IN_MS = 700
"""Homing the depth stop over 4 mm (200 ms), setting it (200 ms), and inserting, at most."""
_LATE_MS = 500
"""A dose that is so late has lost the end of a batch."""
_FLOW_LOOKS = 3
"""Fluid flows when so many looks in a row say so: one may be wrong."""


class Metered:
    """One dose or run at a time. After `phase` is FINISHED, its amounts stand in `volume`."""

    def __init__(self, board: "Board", safety: "Safety", book: ledger.Ledger, stop: "DepthStop") -> None:
        self._board = board
        self._safety = safety
        self._stop = stop
        self._ledger = book
        self.volume = Volume(board)
        self._compliance = compliance.Measurement()
        self._relief = Relief(board, self.volume)
        self._half = motion.Table(40)
        """The way in, and the way out: the cam turns on the same way."""
        motion.half_stroke(self._half)
        self._chunks = (motion.Table(1), motion.Table(1))
        self._chunk_at = 0
        self.phase = OFF
        self.reason = 0
        self.drip = False
        self.home = False
        self.strokes = 0
        """Times that the needle was told to go in, in a run of strokes."""
        self.worst_depth_um = 0
        self._profile = limits.PROFILES[0]
        self._prime = False
        self._n = 0
        self._depth_um = 0
        self._end_um = 0
        self._asked_steps = 0
        self._stroke_steps = 0
        self._leg_left = 0
        """Steps that are still to be fed before the needle goes out."""
        self._steps_fed = 0
        self._flush_steps = 0
        self._flushed = False
        self._chunk_steps = 0
        self._interval = 0
        self._flow = 0
        self._period_us = 0
        self._resume = False
        self._since = 0
        self._began = 0
        self._limit_us = 0
        self._flow_looks = 0

    def begin(self, now: int, plan: "Plan") -> None:
        """Start to move as planned. START is in the ledger."""
        profile = plan.profile
        prime = plan.is_prime
        self._n = plan.n
        self._profile = profile
        self._prime = prime
        self._depth_um = plan.args[wire.PREPARE_DEPTH_UM]
        self._end_um = plan.end_um
        self._asked_steps = plan.values[0]
        self._stroke_steps = plan.stroke_steps
        self._flow = plan.flow_nl_per_s
        self._period_us = plan.period_us
        self.reason = wire.REASON_COMPLETE
        self.drip = False
        self.home = False
        self.strokes = 0
        self.worst_depth_um = 0
        self._steps_fed = 0
        self._flow_looks = 0
        self._resume = False
        self._interval = motion.plunger_interval(profile, self._flow)
        if prime:
            self._chunk_steps = _PRIME_CHUNK_STEPS
        elif self._stroke_steps < self._asked_steps:
            self._chunk_steps = (self._stroke_steps + 1) // 2
        else:
            self._chunk_steps = (self._asked_steps + _CHUNKS - 1) // _CHUNKS
        self._flush_steps = -1
        self._flushed = False
        self._compliance.clear()
        self._relief.clear()
        self.volume.begin(profile, prime)
        self._safety.power()
        self._begin_leg(now)

    def step(self, now: int) -> int:
        """Do what is due; return microseconds until the next look (a batch's end wakes earlier)."""
        board = self._board
        if self.phase <= DISPENSE and tick.diff(now, self._began) > self._limit_us:
            self.abort(now, wire.REASON_TIME)
        if self.phase == PAUSE:
            left = self._period_us - tick.diff(now, self._began)
            if left > 0:
                return left
            self._begin_leg(now)
        if self.phase == DEPTH:
            if self._stop.busy():
                return clock.FOREVER
            if self._stop.arrived():
                board.drive.feed(self._half.words, self._half.n, 1, False)
                board.drive.feed(self._half.words, self._half.n, 1, True)
                self._enter(INSERT, now)
            else:
                self.abort(now, wire.REASON_DRIVE_FAULT)
        if self.phase == INSERT:
            # the held way out keeps the drive busy; room for one more means that the way in has ended
            if board.drive.room() == 0:
                return clock.FOREVER
            if self._is_off(self._depth_um):
                self.abort(now, wire.REASON_DEPTH)
            else:
                self._enter(DISPENSE, now)
                if self._end_um < self._depth_um:
                    self._stop.draw(self._end_um, self._leg_left * self._interval)
                    return 0  # STOP is looked for before the first chunk is fed
        if self.phase == DISPENSE:
            self._dispense(now)
            if self.phase == DISPENSE:
                return clock.FOREVER
        if self.phase == SETTLE:
            wait = self._settle(now)
            if wait:
                return wait
        if self.phase == RETRACT:
            wait = self._wait_home(now)
            if wait:
                return wait
        if self.phase == REST:
            past = tick.diff(now, self._since)
            settled = self.volume.rest() and past >= self.volume.tau_us()
            if not settled and past < limits.SETTLE_MAX_MS * 1000:
                return _LOOK_US
            self.drip = self.drip or not settled
            self._finish()
        return clock.FOREVER

    def is_permitted(self) -> bool:
        """Whether the plunger's permit must stand."""
        return OFF < self.phase <= PAUSE

    def remaining_ms(self) -> int:
        """Time until the last step of dispensing, at most."""
        if self.phase > DISPENSE:
            return 0
        left_us = (self._asked_steps - self.volume.made()) * (self._interval // motion.TICKS_PER_US)
        return left_us // 1000 + (0 if self.phase == DISPENSE else _WAY_IN_MS)

    def abort(self, now: int, reason: int) -> None:
        """End early: plunger stops, needle goes home, amounts are measured. The first reason stands."""
        if self.phase in (OFF, REST, FINISHED):
            return
        if self.reason == wire.REASON_COMPLETE and (self.phase != RETRACT or self._goes_on()):
            self.reason = reason
        self._resume = False
        if self.phase == RETRACT:
            return
        self._board.plunger.stop()
        if reason != wire.REASON_OCCLUSION:  # relief needs the permit
            self._safety.forbid()
        self._stop.stop()
        self._leave(now)

    def hold(self, now: int) -> None:
        """A run's trigger was released: plunger stops, needle goes home, and waits for `resume`."""
        if self.reason != wire.REASON_COMPLETE or self.phase in (OFF, HELD, REST, FINISHED):
            return
        self._resume = True
        if self.phase != RETRACT:
            self._board.plunger.stop()
            self._safety.forbid()
            self._stop.stop()
            self._leave(now)

    def resume(self, now: int) -> None:
        """What is held goes on with what is left: the trigger was pressed again."""
        self._resume = False
        self._begin_leg(now)

    def fill(self, o: list) -> None:
        """Write what has come of it into the ledger's `outcome`."""
        volume = self.volume
        o[ledger.O_DELIVERED] = volume.delivered_nl
        o[ledger.O_LOWER] = volume.lower_nl
        o[ledger.O_UPPER] = volume.upper_nl
        o[ledger.O_STEPS] = volume.steps
        o[ledger.O_STROKES] = self.strokes
        o[ledger.O_DEPTH] = self.worst_depth_um
        if not volume.exact:
            o[ledger.O_FLAGS] &= ~wire.FLAG_EXACT
        if self.drip:
            o[ledger.O_FLAGS] |= wire.FLAG_DRIP

    # --- Phases ---------------------------------------------------------------------------------------

    def _enter(self, phase: int, now: int) -> None:
        self.phase = phase
        self._since = now

    def _goes_on(self) -> bool:
        """Whether a run's needle goes in again."""
        return self._asked_steps > self.volume.made()

    def _is_off(self, um: int) -> bool:
        """Whether the needle does not protrude by `um`: where the carrier is now, not at an earlier stroke."""
        off = min(abs(self._board.needle_um() - um), 0xFFFF)
        self.worst_depth_um = max(off, self.worst_depth_um)
        return off > limits.DEPTH_TOLERANCE_UM

    def _begin_leg(self, now: int) -> None:
        """Needle in, for one dose, or for the next of a run; steps that a stop has cut off are fed anew."""
        made = self.volume.made()
        self._steps_fed = made
        self._leg_left = min(self._stroke_steps, self._asked_steps - made)
        self._began = now
        self._limit_us = self._leg_left * (self._interval // motion.TICKS_PER_US) + (_WAY_IN_MS + _LATE_MS) * 1000
        self._safety.permit()
        if self._prime:
            self._enter(DISPENSE, now)
            self._feed_plunger()
            return
        if self._stroke_steps < self._asked_steps:
            self.strokes += 1
        self._enter(DEPTH, now)
        self._stop.move(self._depth_um)

    def _feed_plunger(self) -> None:
        """Reserve the next chunk in the ledger, then feed it; as often as there is room."""
        axis = self._board.plunger
        while axis.room() and self._leg_left:
            steps = min(self._chunk_steps, self._leg_left)
            self._leg_left -= steps
            self._steps_fed += steps
            upper = self.volume.highest_nl(self._steps_fed)
            self._ledger.reserve(self._n, self.volume.lowest_nl(), upper, 0, self.strokes)
            if self._safety.reason != wire.REASON_COMPLETE:
                return  # STOP has come meanwhile
            table = self._chunks[self._chunk_at]
            self._chunk_at = 1 - self._chunk_at
            motion.straight(table, steps, self._interval)
            axis.feed(table.words, table.n, 1, False)

    def _dispense(self, now: int) -> None:
        board = self._board
        volume = self.volume
        if not volume.agrees():
            self.abort(now, wire.REASON_ENCODER)
            return
        if self._prime:
            self._look_for_flow()
        in_flow_pa = self._profile[limits.PROFILE_RESISTANCE_PA_S_PER_UL] * self._flow // 1000
        in_flow_nl = in_flow_pa * volume.compliance // 1000
        pa = volume.stored_pa()
        stored_nl = pa * volume.compliance // 1000
        most_pa = self._profile[limits.PROFILE_PRESSURE_MAX_KPA] * 1000
        if stored_nl > in_flow_nl + limits.OCCLUSION_NL or pa > most_pa:
            self.abort(now, wire.REASON_OCCLUSION)
            return
        if not self._prime and volume.leaks(pa, self._flow, tick.diff(now, self._since)):
            self.abort(now, wire.REASON_LEAK)
            return
        if self._leg_left:
            self._feed_plunger()
        elif not board.plunger.busy():
            if self._prime and not self._flushed:
                self.reason = wire.REASON_NO_FLOW
            elif volume.made() < self._steps_fed:
                self.reason = wire.REASON_ENCODER  # fed, and not made
            elif self._end_um < self._depth_um and self._is_off(self._end_um):
                self.reason = wire.REASON_DEPTH
                self._stop.stop()
            self._compliance.stop(now)
            self._enter(SETTLE, now)

    def _look_for_flow(self) -> None:
        """Priming: once pressure shows that fluid flows, only the flush is left."""
        volume = self.volume
        if self._flush_steps >= 0:
            if self._leg_left * 2 <= self._flush_steps:
                self._compliance.flow(volume)
            return
        stored_nl = volume.stored_nl()
        if stored_nl <= volume.flat_nl():
            self._flow_looks = 0
            return
        volume.sees_flow(stored_nl, self._flow_looks == 0)
        self._flow_looks += 1
        if self._flow_looks == _FLOW_LOOKS:
            self._flush_steps = motion.plunger_steps(limits.PRIME_FLUSH_NL, self._profile)
            self._flushed = self._leg_left >= self._flush_steps
            self._leg_left = min(self._leg_left, self._flush_steps)

    def _settle(self, now: int) -> int:
        """Wait for the pressure to fall before the needle leaves; 0 when it may."""
        volume = self.volume
        past = tick.diff(now, self._since)
        # a stroke among others may leave a twentieth for the next one, a dose a fiftieth
        least = (3 if self._stroke_steps < self._asked_steps else 4) * volume.tau_us()
        if self._prime:
            self._compliance.fall(now, volume)
        if past < least:
            return min(compliance.LOOK_US if self._prime else _LOOK_US, least - past)
        pa = volume.stored_pa()
        if pa > limits.FLAT_PA and past < limits.SETTLE_MAX_MS * 1000:
            return _LOOK_US
        if volume.stored_nl() > limits.OCCLUSION_NL:
            self.reason = wire.REASON_OCCLUSION
        elif pa > limits.FLAT_PA:
            self.drip = True
        if self._prime and self.reason == wire.REASON_COMPLETE:
            self._take_compliance()
        self._leave(now)
        return 0

    def _take_compliance(self) -> None:
        """What the prime has measured: the syringe's from now on, unless another one is mounted, or air in it."""
        measured = self._compliance.result(self._flow)
        nominal = self._profile[limits.PROFILE_COMPLIANCE_NL_PER_KPA]
        percent = measured * 100 // nominal
        if percent < limits.COMPLIANCE_MIN_PERCENT or percent > limits.COMPLIANCE_MAX_PERCENT:
            self.reason = wire.REASON_COMPLIANCE
            return
        needle = self._compliance.fall_pa() * 1000 // self._flow
        if needle * 100 < self._profile[limits.PROFILE_NEEDLE_PA_S_PER_UL] * limits.NEEDLE_MIN_PERCENT:
            self.reason = wire.REASON_LEAK
        self.volume.compliance = measured
        self.volume.needle = needle

    def _leave(self, now: int) -> None:
        """Let the needle out."""
        self.volume.leave()
        self._board.drive.release()
        if self.reason == wire.REASON_OCCLUSION:
            self._relief.begin(self._profile)
        self._enter(RETRACT, now)

    def _wait_home(self, now: int) -> int:
        board = self._board
        self.home = bool(board.inputs() & wire.INPUT_NEEDLE_HOME)
        past = tick.diff(now, self._since)
        if board.drive.busy() or not self.home:
            left = limits.NEEDLE_HOME_MS * 1000 - past
            if left > 0:
                return left
            if self.reason == wire.REASON_COMPLETE:
                self.reason = wire.REASON_NEEDLE_NOT_HOME
        if self._relief.step(self._profile, self._interval):
            if past < limits.SETTLE_MAX_MS * 1000:
                return _LOOK_US
            board.plunger.stop()
        if self.reason == wire.REASON_COMPLETE and not self._prime and self._goes_on():
            self._enter(HELD if self._resume else PAUSE, now)
            return 0 if self._resume else 1
        self._enter(REST, now)
        return 0

    def _finish(self) -> None:
        self._safety.rest()
        flowed = not self._prime or self._flush_steps >= 0
        agrees = self.volume.end(self.reason, self.drip, flowed)
        if not agrees and self.reason == wire.REASON_COMPLETE:
            self.reason = wire.REASON_ENCODER
        self.phase = FINISHED
