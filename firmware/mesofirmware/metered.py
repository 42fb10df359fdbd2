"""A metered dose, or a prime, from the press of the trigger to the needle at home and the pressure at rest.

DEPTH -> INSERT -> DISPENSE -> SETTLE -> RETRACT -> REST -> finished; a prime is DISPENSE -> SETTLE only.
`abort` jumps to RETRACT from anywhere. The way out is loaded before the needle goes in, and starts by
hardware when the plunger's permit falls.

Volume: what the encoder says was swept, less what the pressure says is still stored in the syringe's
compliance. Both are needed: with a blocked needle the plunger moves and nothing leaves.
"""

from mesofirmware import clock, motion
from mesoprotocol import limits, tick, wire

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mesofirmware.boards.port import Board
    from mesofirmware.depth import DepthStop
    from mesofirmware.ledger import Ledger
    from mesofirmware.plan import Plan
    from mesofirmware.safety import Safety

OFF, DEPTH, INSERT, DISPENSE, SETTLE, RETRACT, REST, FINISHED = range(8)

_CHUNKS = 2 * 100 // limits.CHUNK_PERCENT
"""Chunks of a dose: two are in flight, together CHUNK_PERCENT of it."""
_PRIME_CHUNK_STEPS = 90
_LOOK_US = 20_000
"""How often pressure is looked at while it settles."""
_WAY_IN_MS = 700
"""Homing the depth stop over 4 mm (200 ms), setting it (200 ms), and inserting, at most."""
_SOFTEST = 2
"""How much more than its profile says a syringe may store, in the lower bound that is kept while it dispenses."""
_LATE_MS = 500
"""A dose that is so late has lost the end of a batch."""
_FLOW_LOOKS = 3
"""Fluid flows when so many looks in a row say so: one may be wrong."""
_DOUBT = 4
"""What is stored is known to a quarter: the compliance is only nominal, and of an occluded syringe most of all."""
_SIGMA_PA = 1_000
"""Pressure noise that profiles are judged by (A-23)."""


class Metered:
    """One dose at a time. After `phase` is FINISHED, the amounts stand in the attributes."""

    def __init__(self, board: "Board", safety: "Safety", ledger: "Ledger", stop: "DepthStop") -> None:
        self._board = board
        self._safety = safety
        self._stop = stop
        self._ledger = ledger
        self._half = motion.Table(40)
        """The way in, and the way out: the cam turns on the same way."""
        motion.half_stroke(self._half)
        self._chunks = (motion.Table(1), motion.Table(1))
        self._chunk_at = 0
        self.phase = OFF
        self.reason = 0
        self.drip = False
        self.home = False
        self.delivered_nl = 0
        self.lower_nl = 0
        self.upper_nl = 0
        self.steps = 0
        self.worst_depth_um = 0
        self._profile = limits.PROFILES[0]
        self._prime = False
        self._n = 0
        self._depth_um = 0
        self._asked_steps = 0
        self._steps_left = 0
        self._steps_fed = 0
        self._flush_steps = 0
        self._flushed = False
        self._chunk_steps = 0
        self._interval = 0
        self._steps_at_start = 0
        self._encoder_at_start = 0
        self._encoder_at_flow = 0
        self._stored_at_flow = 0
        self._base_pa = 0
        self._exit_stored_nl = 0
        self._rest_stored_nl = 0
        self._relief = False
        self._since = 0
        self._began = 0
        self._limit_us = 0
        self._counted = 0
        self._flow_looks = 0
        self.exact = True
        """Whether the amounts were measured; after an occlusion only the bounds hold."""

    def begin(self, now: int, plan: "Plan") -> None:
        """Start to move as planned. START is in the ledger."""
        board = self._board
        profile = plan.profile
        prime = plan.is_prime
        self._n = plan.n
        self._profile = profile
        self._prime = prime
        self._depth_um = plan.args[wire.PREPARE_DEPTH_UM]
        self._asked_steps = plan.values[0]
        self.reason = wire.REASON_COMPLETE
        self.drip = False
        self.home = False
        self.worst_depth_um = 0
        self._steps_left = self._asked_steps
        self._steps_fed = 0
        self._flow_looks = 0
        self._interval = motion.plunger_interval(profile)
        self._began = now
        self._limit_us = self._asked_steps * (self._interval // motion.TICKS_PER_US) + (_WAY_IN_MS + _LATE_MS) * 1000
        self._chunk_steps = _PRIME_CHUNK_STEPS if prime else (self._steps_left + _CHUNKS - 1) // _CHUNKS
        self._flush_steps = -1
        self._flushed = False
        self._steps_at_start = board.plunger.position()
        self._encoder_at_start = board.encoder()
        self._encoder_at_flow = self._counted = self._encoder_at_start
        self._stored_at_flow = 0
        self._base_pa = board.pressure_pa()
        self._exit_stored_nl = 0
        self._safety.power()
        self._safety.permit(prime)
        if prime:
            self._enter(DISPENSE, now)
            self._feed_plunger()
            return
        self._enter(DEPTH, now)
        self._stop.move(self._depth_um)

    def step(self, now: int) -> int:
        """Do what is due; return microseconds until the next look (a batch's end wakes earlier)."""
        board = self._board
        if self.phase <= DISPENSE and tick.diff(now, self._began) > self._limit_us:
            self.abort(now, wire.REASON_TIME)
        if self.phase == DEPTH:
            if self._stop.busy():
                return clock.FOREVER
            board.drive.feed(self._half.words, self._half.n, 1, False)
            board.drive.feed(self._half.words, self._half.n, 1, True)
            self._enter(INSERT, now)
        if self.phase == INSERT:
            # the held way out keeps the drive busy; room for one more means that the way in has ended
            if board.drive.room() == 0:
                return clock.FOREVER
            # where the carrier is now: a sample of an earlier stroke would hide a drive that does not turn
            self.worst_depth_um = min(abs(board.needle_um() - self._depth_um), 0xFFFF)
            if self.worst_depth_um > limits.DEPTH_TOLERANCE_UM:
                self.abort(now, wire.REASON_DEPTH)
            else:
                self._enter(DISPENSE, now)
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
            tau_us = self._tau_us()
            past = tick.diff(now, self._since)
            self._rest_stored_nl = self.stored_nl()
            settled = self._rest_stored_nl <= self._flat_nl() and past >= tau_us
            if not settled and past < limits.SETTLE_MAX_MS * 1000:
                return _LOOK_US
            self.drip = self.drip or not settled
            self._finish()
        return clock.FOREVER

    def remaining_ms(self) -> int:
        """Time until the last step of dispensing, at most."""
        if self.phase > DISPENSE:
            return 0
        made = self._board.plunger.position() - self._steps_at_start
        left_us = (self._asked_steps - made) * (self._interval // motion.TICKS_PER_US)
        return left_us // 1000 + (0 if self.phase == DISPENSE else _WAY_IN_MS)

    def abort(self, now: int, reason: int) -> None:
        """End early: plunger stops, needle goes home, amounts are measured. The first reason stands."""
        if self.phase in (OFF, RETRACT, REST, FINISHED):
            return
        self.reason = reason
        self._board.plunger.stop()
        if reason != wire.REASON_OCCLUSION:  # relief needs the permit
            self._safety.forbid()
        self._stop.stop()
        self._leave(now)

    def stored_nl(self) -> int:
        """Volume stored in the syringe's compliance, above what was stored at the start; not below 0."""
        return self._stored_pa() * self._profile[limits.PROFILE_COMPLIANCE_NL_PER_KPA] // 1000

    # --- Phases ---------------------------------------------------------------------------------------

    def _enter(self, phase: int, now: int) -> None:
        self.phase = phase
        self._since = now

    def _stored_pa(self) -> int:
        return max(0, self._board.pressure_pa() - self._base_pa)

    def _tau_us(self) -> int:
        # Pa.s/ul * nl/kPa = us
        profile = self._profile
        return profile[limits.PROFILE_RESISTANCE_PA_S_PER_UL] * profile[limits.PROFILE_COMPLIANCE_NL_PER_KPA]

    def _flat_nl(self) -> int:
        return limits.FLAT_PA * self._profile[limits.PROFILE_COMPLIANCE_NL_PER_KPA] // 1000

    def _noise_nl(self) -> int:
        return _SIGMA_PA * self._profile[limits.PROFILE_COMPLIANCE_NL_PER_KPA] // 1000

    def _swept_nl(self, since: int) -> int:
        """By the encoder, as it was last held against the steps."""
        return (self._counted - since) * self._profile[limits.PROFILE_PL_PER_COUNT] // 1000

    def _feed_plunger(self) -> None:
        """Reserve the next chunk in the ledger, then feed it; as often as there is room."""
        axis = self._board.plunger
        while axis.room() and self._steps_left:
            steps = min(self._chunk_steps, self._steps_left)
            self._steps_left -= steps
            self._steps_fed += steps
            upper = self._steps_fed * self._profile[limits.PROFILE_PL_PER_STEP] // 1000
            upper += upper * self._profile[limits.PROFILE_TOLERANCE_PERMILLE] // 1000
            lower = max(0, self._swept_nl(self._encoder_at_start) - _SOFTEST * self.stored_nl())
            lower -= lower * self._profile[limits.PROFILE_TOLERANCE_PERMILLE] // 1000
            self._ledger.reserve(self._n, 0 if self._prime else lower, upper, 0, 0)
            table = self._chunks[self._chunk_at]
            self._chunk_at = 1 - self._chunk_at
            motion.straight(table, steps, self._interval)
            axis.feed(table.words, table.n, 1, False)

    def _dispense(self, now: int) -> None:
        board = self._board
        if not self._encoder_agrees():
            self.abort(now, wire.REASON_ENCODER)
            return
        profile = self._profile
        if self._prime:
            self._look_for_flow()
        flow = profile[limits.PROFILE_FLOW_NL_PER_S]
        in_flow_pa = profile[limits.PROFILE_RESISTANCE_PA_S_PER_UL] * (flow // 1000)
        in_flow_nl = in_flow_pa * profile[limits.PROFILE_COMPLIANCE_NL_PER_KPA] // 1000
        if self.stored_nl() > in_flow_nl + limits.OCCLUSION_NL:
            self.abort(now, wire.REASON_OCCLUSION)
            return
        if self._steps_left:
            self._feed_plunger()
        elif not board.plunger.busy():
            if self._prime and not self._flushed:
                self.reason = wire.REASON_NO_FLOW
            elif board.plunger.position() - self._steps_at_start < self._steps_fed:
                self.reason = wire.REASON_ENCODER  # fed, and not made
            self._enter(SETTLE, now)

    def _look_for_flow(self) -> None:
        """Priming: once pressure shows that fluid flows, only the flush is left."""
        stored_nl = self.stored_nl()
        if self._flush_steps >= 0:
            return
        if stored_nl <= self._flat_nl():
            self._flow_looks = 0
            return
        if self._flow_looks == 0:
            self._encoder_at_flow = self._counted
            self._stored_at_flow = stored_nl
        self._flow_looks += 1
        self._stored_at_flow = min(self._stored_at_flow, stored_nl)
        if self._flow_looks == _FLOW_LOOKS:
            self._flush_steps = motion.plunger_steps(limits.PRIME_FLUSH_NL, self._profile)
            self._flushed = self._steps_left >= self._flush_steps
            self._steps_left = min(self._steps_left, self._flush_steps)

    def _encoder_agrees(self) -> bool:
        stepped_nm = (self._board.plunger.position() - self._steps_at_start) * 625 // 2
        self._counted = self._board.encoder()
        counted_nm = (self._counted - self._encoder_at_start) * 500
        return abs(stepped_nm - counted_nm) <= limits.ENCODER_TOLERANCE_UM * 1000

    def _settle(self, now: int) -> int:
        """Wait for the pressure to fall before the needle leaves; 0 when it may."""
        past = tick.diff(now, self._since)
        if past < 4 * self._tau_us():
            return min(_LOOK_US, 4 * self._tau_us() - past)
        if self._stored_pa() > limits.FLAT_PA and past < limits.SETTLE_MAX_MS * 1000:
            return _LOOK_US
        if self.stored_nl() > limits.OCCLUSION_NL:
            self.reason = wire.REASON_OCCLUSION
        elif self._stored_pa() > limits.FLAT_PA:
            self.drip = True
        self._leave(now)
        return 0

    def _leave(self, now: int) -> None:
        """Let the needle out."""
        board = self._board
        self._exit_stored_nl = self.stored_nl()
        board.drive.release()
        self._relief = self.reason == wire.REASON_OCCLUSION
        self._enter(RETRACT, now)

    def _relieve(self) -> None:
        """After an occlusion, the needle being out: take back what is stored, so that it is not given later."""
        board = self._board
        self._relief = False
        # no more than was pushed, whatever the sensor says
        pushed_nl = max(0, self._swept_nl(self._encoder_at_start))
        steps = motion.plunger_steps(min(self._exit_stored_nl, self.stored_nl(), pushed_nl), self._profile)
        if steps and board.inputs() & wire.INPUT_PERMIT_PLUNGER:
            table = self._chunks[self._chunk_at]
            self._chunk_at = 1 - self._chunk_at
            motion.straight(table, -steps, self._interval)
            board.plunger.feed(table.words, table.n, 1, False)

    def _wait_home(self, now: int) -> int:
        board = self._board
        self.home = bool(board.inputs() & wire.INPUT_NEEDLE_HOME)
        if board.drive.busy() or not self.home:
            left = limits.NEEDLE_HOME_MS * 1000 - tick.diff(now, self._since)
            if left > 0:
                return left
            if self.reason == wire.REASON_COMPLETE:
                self.reason = wire.REASON_NEEDLE_NOT_HOME
        if self._relief:
            self._relieve()
        if board.plunger.busy():
            if tick.diff(now, self._since) < limits.SETTLE_MAX_MS * 1000:
                return _LOOK_US
            board.plunger.stop()
        self._enter(REST, now)
        return 0

    def _finish(self) -> None:
        """Compute the amounts. The one place where a delivered volume is computed."""
        board = self._board
        self._safety.rest()
        permille = self._profile[limits.PROFILE_TOLERANCE_PERMILLE]
        agrees = self._encoder_agrees()
        swept = self._swept_nl(self._encoder_at_start)
        since_flow = self._swept_nl(self._encoder_at_flow) if self._prime else swept
        stored = self._rest_stored_nl
        self.steps = max(0, board.plunger.position() - self._steps_at_start)
        if self._prime and self._flush_steps < 0:
            self.delivered_nl = self.lower_nl = 0
            self.upper_nl = max(0, swept)
        else:
            # a prime's count begins at flow: what was stored by then flows out as well
            self.delivered_nl = max(0, since_flow + self._stored_at_flow - stored)
            margin = self.delivered_nl * permille // 1000 + self._noise_nl()
            # what had not left when the needle did may have fallen beside the skin; the rest is an estimate
            self.lower_nl = self.delivered_nl - margin - max(0, self._exit_stored_nl - stored) - stored // _DOUBT
            self.lower_nl = max(0, self.lower_nl)
            self.upper_nl = self.delivered_nl + margin + max(stored, self._exit_stored_nl) // _DOUBT
            if self.drip:
                # a pressure that does not fall tells nothing: all of it may have left
                self.upper_nl = max(self.upper_nl, self.delivered_nl + stored + margin)
            if self._prime:
                self.upper_nl = max(self.upper_nl, swept)
        if self.reason == wire.REASON_OCCLUSION:
            # relief moves the plunger back through its play before it takes anything back
            self.upper_nl += limits.ENCODER_TOLERANCE_UM * 2 * self._profile[limits.PROFILE_PL_PER_COUNT] // 1000
        if not agrees:
            made = self.steps * self._profile[limits.PROFILE_PL_PER_STEP] // 1000
            self.upper_nl = max(self.upper_nl, made + made * permille // 1000)
            if self.reason == wire.REASON_COMPLETE:
                self.reason = wire.REASON_ENCODER
        self.exact = agrees and self.reason != wire.REASON_OCCLUSION
        if not self.exact:
            self.lower_nl = 0
        if self.steps == 0 and swept <= 0:
            self.delivered_nl = self.lower_nl = self.upper_nl = 0
        self.phase = FINISHED
