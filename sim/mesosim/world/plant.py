"""The handpiece as a physical thing: cam and needle, depth stop, plunger, syringe, skin, permit circuit.

Time is in ticks of 40 ns. `event_at` says when something happens by itself; `due(t)` does it and returns whether
the firmware must be woken. `advance(t)` brings to t what flows: before it changes, and before it is asked for.
"""

from mesoprotocol import limits, wire
from mesosim.world import arithmetic, axis, fluid, trace
from mesosim.world import parameters as p

TICKS_PER_US = 25
NEVER = axis.NEVER
_BOTH = wire.INPUT_TRIGGER_A | wire.INPUT_TRIGGER_B
_HALF = p.STEPS_PER_TURN // 2


class Plant:
    """One handpiece. Inputs are set by `set_input`; everything else follows from the axes and time."""

    def __init__(self, log: trace.Trace, seed: int) -> None:
        self.log = log
        self._now = 0
        self.noise = arithmetic.Random(seed, 1)
        self.drive = axis.Axis()
        self.depth = axis.Axis()
        self.plunger = axis.Axis()
        self.fluid = fluid.Fluid()
        self.plunger.on_change = self.fluid.advance
        self.levels = wire.INPUT_SYRINGE | wire.INPUT_CARTRIDGE
        self.permitted = False
        self.away = False
        self.powered = False
        self.hollow = True
        """Whether the needle leads to the syringe."""
        self.encoder_slip = 0
        """Counts that the encoder lacks: a fault."""
        self.depth_offset_um = 0
        """What the depth stop is off by: a fault."""
        self.event_at = NEVER
        """When something happens by itself, or at least is to be looked for; NEVER if nothing will."""
        self._deadman_at = NEVER
        self._power_off_at = NEVER
        self.index_count = 0
        self.index_t = 0
        self.index_position = 0
        self.index_dead = False
        self.protrusion_um = 0
        self.punctures = 0
        self._mark_at = 0
        self._mark_t = NEVER
        self._skin_steps = _HALF
        self._skin_steps_at = 0.0
        self._parking = False
        self.depth.set_origin(p.DEPTH_AT_FIRST_BOOT)

    # --- Geometry -------------------------------------------------------------------------------------

    def needle_um(self, drive_steps: int) -> float:
        """Protrusion of the needle at a position of the drive."""
        return self._deepest_um() - p.CARRIAGE_UM * (1.0 + arithmetic.cos_turn(drive_steps, p.STEPS_PER_TURN)) / 2.0

    def _deepest_um(self) -> float:
        """Protrusion at bottom dead centre."""
        return self.depth.position(self._now) * p.UM_PER_DEPTH_STEP + self.depth_offset_um

    def needle_now_um(self, t: int) -> int:
        """Protrusion by the carrier sensor at time t."""
        self._now = t
        return int(self.needle_um(self.drive.position(t))) + self.noise.triangular(p.CARRIER_NOISE_UM)

    # --- Inputs and permit ----------------------------------------------------------------------------

    def inputs(self, t: int) -> int:
        """All levels, as the firmware reads them."""
        bits = self.levels
        if self.drive.position(t) % p.STEPS_PER_TURN == 0:
            bits |= wire.INPUT_NEEDLE_HOME
        if self.permitted:
            bits |= wire.INPUT_PERMIT_PLUNGER
        if self.depth.position(t) == 0:
            bits |= wire.INPUT_DEPTH_HOME
        return bits

    def set_input(self, t: int, bit: int, on: bool) -> None:
        """A hand, the skin or a switch changes an input."""
        self.advance(t)
        if on:
            self.levels |= bit
        else:
            self.levels &= ~bit
        self.log.add(t, trace.HAND, bit, 1 if on else 0, 0)
        if bit == wire.INPUT_CONTACT:
            self._find_skin(t)
        if bit == wire.INPUT_ESTOP:
            if on:
                self.park(t)
                self._power_off_at = t + p.MOTOR_POWER_OFF_TICKS
            else:
                self._power_off_at = NEVER
        self.check_permit(t)
        self._look_ahead()

    def permit(self, t: int, on: bool, away: bool) -> None:
        """The firmware permits or forbids plunger steps."""
        if on:
            self.away = away
            self.permitted = True
            self.check_permit(t)
        elif self.permitted:
            self._drop_permit(t)
        self._look_ahead()

    def feed_deadman(self, t: int) -> None:
        """The dead-man is good for another while. What was to be looked for earlier is looked for and not found."""
        self._deadman_at = t + DEADMAN_TICKS

    def check_permit(self, t: int) -> None:
        """The circuit: any of its inputs lets PERMIT_PLUNGER fall, and it stays fallen."""
        if not self.permitted:
            return
        contact = bool(self.levels & wire.INPUT_CONTACT)
        if (
            self.levels & _BOTH != _BOTH
            or self.levels & wire.INPUT_ESTOP
            or contact == self.away
            or self._deadman_at <= t
        ):
            self._drop_permit(t)

    def _drop_permit(self, t: int) -> None:
        self.permitted = False
        self.log.add(t, trace.PERMIT_FELL, self.plunger.stop(t), 0, 0)
        self.fluid.advance(t)
        self.fluid.set_rate(0.0)
        self.drive.release(t)
        self._find_mark(self.drive.position(t))

    # --- What the firmware does to the axes ------------------------------------------------------------

    def feed(self, t: int, which: axis.Axis, batch: axis.Batch) -> None:
        """Queue a batch. Without motor power or permit it makes no step: it is dropped."""
        self._now = t
        if not self.powered or (which is self.plunger and not self.permitted):
            return
        which.feed(t, batch)
        self._changed(t, which)

    def stop(self, t: int, which: axis.Axis) -> int:
        """Stop an axis at once."""
        self._now = t
        position = which.stop(t)
        self._changed(t, which)
        return position

    def park(self, t: int) -> None:
        """Let the drive finish its revolution: it stops at top dead centre and drops what is queued."""
        if self.drive.position(t) % p.STEPS_PER_TURN == 0:
            self.drive.stop(t)
            self._find_mark(self.drive.position(t))
            self._look_ahead()
        else:
            self._parking = True

    def release(self, t: int) -> None:
        """Let the held way out start."""
        self.drive.release(t)
        self._find_mark(self.drive.position(t))
        self._look_ahead()

    def home_depth(self, t: int) -> None:
        """Move the depth stop to its switch; hardware stops it there and makes that the origin."""
        steps = self.depth.position(t)
        if steps and self.powered:
            words = ((steps - 1) << 1, 25000000 // p.DEPTH_HOME_STEPS_PER_S)
            self.depth.feed(t, axis.Batch(words, 2, 1, False))
            self._look_ahead()

    def power(self, t: int, on: bool) -> None:
        """Motor power. Without it only the spring moves: it takes the needle home past the loose cam."""
        self.advance(t)
        self.powered = on
        if not on:
            self.plunger.stop(t)
            self.depth.stop(t)
            self.fluid.set_rate(0.0)
            beyond = self.drive.stop(t) % p.STEPS_PER_TURN
            self._parking = False
            if beyond:
                self._mark_at = self.drive.position(t) - beyond + p.STEPS_PER_TURN
                self.drive.set_origin(self._mark_at)
                self._pass_mark(t)
            self._find_mark(self.drive.position(t))
        self._look_ahead()

    def reset(self, t: int) -> None:
        """The board restarts: every pin falls to its safe level. No permit, no motor power."""
        self.advance(t)
        if self.permitted:
            self._drop_permit(t)
        self.power(t, False)
        self._deadman_at = NEVER

    # --- Time -----------------------------------------------------------------------------------------

    def advance(self, t: int) -> None:
        """Bring the fluid to t; positions are closed form and need nothing."""
        self._now = t
        self.fluid.advance(t)

    def _look_ahead(self) -> None:
        """Find `event_at`, after anything has changed."""
        t = self._mark_t
        if self.drive.end_at < t:
            t = self.drive.end_at
        if self.depth.end_at < t:
            t = self.depth.end_at
        if self.plunger.end_at < t:
            t = self.plunger.end_at
        if self._deadman_at < t and (self.permitted or self.drive.busy()):
            t = self._deadman_at
        if self._power_off_at < t:
            t = self._power_off_at
        self.event_at = t

    def due(self, t: int) -> bool:
        """Do what happens at t; whether the firmware must be woken."""
        wake = False
        self._now = t
        if self._mark_t <= t:
            wake = self._pass_mark(t)
        if self.drive.end_at <= t:
            self._finish(t, self.drive, 0)
            wake = True
        if self.depth.end_at <= t:
            self._finish(t, self.depth, 1)
            wake = True
        if self.plunger.end_at <= t:
            self._finish(t, self.plunger, 2)
            wake = True
        if self._deadman_at <= t and (self.permitted or self.drive.busy()):
            self._deadman_at = NEVER
            if self.permitted:
                self._drop_permit(t)
            self.park(t)
            wake = True
        if self._power_off_at <= t:
            self._power_off_at = NEVER
            self.power(t, False)
            wake = True
        self._look_ahead()
        return wake

    def _finish(self, t: int, which: axis.Axis, number: int) -> None:
        which.finish(t)
        self.log.add(t, trace.BATCH_END, number, which.position(t), 0)
        self._changed(t, which)

    def _changed(self, t: int, which: axis.Axis) -> None:
        if which is self.plunger:
            self.fluid.advance(t)
            self.fluid.set_rate(which.rate(t))
        elif which is self.drive:
            self._find_mark(self.drive.position(t))
        self._look_ahead()

    # --- Marks of a revolution: skin, bottom dead centre, skin, top dead centre -------------------------

    def _find_mark(self, at: int) -> None:
        """When the drive, which is at `at`, passes the next place that matters; only a hollow needle's skin does."""
        here = at % p.STEPS_PER_TURN
        if here == 0 and self.hollow:
            self._find_skin_steps()
        if here < self._skin_steps and self.hollow:
            mark = self._skin_steps
        elif here < _HALF:
            mark = _HALF
        elif here < p.STEPS_PER_TURN - self._skin_steps and self.hollow:
            mark = p.STEPS_PER_TURN - self._skin_steps
        else:
            mark = p.STEPS_PER_TURN
        self._mark_at = at - here + mark
        self._mark_t = self.drive.time_of(self._mark_at)

    def _find_skin_steps(self) -> None:
        """How many steps from top dead centre bring the tip to the nose plane; half a turn if none does."""
        deepest = self._deepest_um()
        if deepest == self._skin_steps_at:
            return
        self._skin_steps_at = deepest
        low = 0
        high = _HALF
        if deepest <= 0.0:
            low = high
        while low < high:
            middle = (low + high) // 2
            if self.needle_um(middle) > 0.0:
                high = middle
            else:
                low = middle + 1
        self._skin_steps = low

    def _pass_mark(self, t: int) -> bool:
        place = self._mark_at % p.STEPS_PER_TURN
        wake = False
        if place == _HALF:
            deepest = self._deepest_um()
            self.protrusion_um = int(deepest) + self.noise.triangular(p.CARRIER_NOISE_UM)
            self.log.add(t, trace.BOTTOM, self.protrusion_um, 0, 0)
            if self.levels & wire.INPUT_CONTACT and deepest > 0.0:
                self.punctures += 1
        elif place == 0:
            wake = self._pass_top(t)
        self._find_mark(self._mark_at)
        self._find_skin(t)
        return wake

    def _pass_top(self, t: int) -> bool:
        if self._parking:
            self._parking = False
            self.drive.stop(t)
        if self.index_dead:
            return False
        self.index_count = (self.index_count + 1) & 0x3FFFFFFF
        self.index_t = t
        self.index_position = self._mark_at
        self.log.add(t, trace.INDEX, self.index_count, self._mark_at, 0)
        return True

    def _find_skin(self, t: int) -> None:
        """Whether the tip is in skin now."""
        in_skin = False
        if self.hollow and self.levels & wire.INPUT_CONTACT:
            place = self.drive.position(t) % p.STEPS_PER_TURN
            in_skin = place > 0 and self._skin_steps <= place < p.STEPS_PER_TURN - self._skin_steps
        if in_skin != self.fluid.in_skin:
            self.fluid.advance(t)
            self.fluid.in_skin = in_skin
            self.log.add(t, trace.SKIN, 1 if in_skin else 0, int(self.fluid.tip_ul * 1000.0), 0)


DEADMAN_TICKS = limits.DEADMAN_MS * 1000 * TICKS_PER_US
