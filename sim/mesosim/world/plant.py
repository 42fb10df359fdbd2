"""The handpiece as a physical thing: cam and needle, depth stop, plunger, syringe, skin, permit circuit.

Time is in ticks of 40 ns. `advance(t)` brings everything to t; `next_event()` says when something happens by
itself; `due(t)` does it and returns whether the firmware must be woken.
"""

from mesoprotocol import limits, wire
from mesosim.world import arithmetic, axis, fluid, trace
from mesosim.world import parameters as p

TICKS_PER_US = 25
_BOTH = wire.INPUT_TRIGGER_A | wire.INPUT_TRIGGER_B


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
        self.deadman_at = -1
        self.power_off_at = -1
        self.index_count = 0
        self.index_t = 0
        self.index_position = 0
        self.index_dead = False
        self.protrusion_um = 0
        self.punctures = 0
        self._mark_at = 0
        self._mark_t = -1
        self._skin_steps = 0
        self._skin_steps_at = -1.0
        self._parking = False
        self.depth.set_origin(p.DEPTH_AT_FIRST_BOOT)

    # --- Geometry -------------------------------------------------------------------------------------

    def needle_um(self, drive_steps: int) -> float:
        """Protrusion of the needle at a position of the drive."""
        stop = self.depth.position(self._now) * p.UM_PER_DEPTH_STEP + self.depth_offset_um
        return stop - p.CARRIAGE_UM * (1.0 + arithmetic.cos_turn(drive_steps, p.STEPS_PER_TURN)) / 2.0

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
                self.power_off_at = t + p.MOTOR_POWER_OFF_TICKS
            else:
                self.power_off_at = -1
        self.check_permit(t)

    def permit(self, t: int, on: bool, away: bool) -> None:
        """The firmware permits or forbids plunger steps."""
        if on:
            self.away = away
            self.permitted = True
            self.check_permit(t)
        elif self.permitted:
            self._drop_permit(t)

    def check_permit(self, t: int) -> None:
        """The circuit: any of its inputs lets PERMIT_PLUNGER fall, and it stays fallen."""
        if not self.permitted:
            return
        contact = bool(self.levels & wire.INPUT_CONTACT)
        if (
            self.levels & _BOTH != _BOTH
            or self.levels & wire.INPUT_ESTOP
            or contact == self.away
            or 0 <= self.deadman_at <= t
        ):
            self._drop_permit(t)

    def _drop_permit(self, t: int) -> None:
        self.permitted = False
        self.log.add(t, trace.PERMIT_FELL, self.plunger.stop(t), 0, 0)
        self.fluid.advance(t)
        self.fluid.set_rate(0.0)
        self.drive.release(t)
        self._find_mark(t)

    # --- What the firmware does to the axes ------------------------------------------------------------

    def feed(self, t: int, which: axis.Axis, batch: axis.Batch) -> None:
        """Queue a batch. Without motor power or permit it makes no step: it is dropped."""
        self.advance(t)
        if not self.powered or (which is self.plunger and not self.permitted):
            return
        which.feed(t, batch)
        self._changed(t, which)

    def stop(self, t: int, which: axis.Axis) -> int:
        """Stop an axis at once."""
        self.advance(t)
        position = which.stop(t)
        self._changed(t, which)
        return position

    def park(self, t: int) -> None:
        """Let the drive finish its revolution: it stops at top dead centre and drops what is queued."""
        if self.drive.position(t) % p.STEPS_PER_TURN == 0:
            self.drive.stop(t)
            self._find_mark(t)
        else:
            self._parking = True

    def release(self, t: int) -> None:
        """Let the held way out start."""
        self.drive.release(t)
        self._find_mark(t)

    def home_depth(self, t: int) -> None:
        """Move the depth stop to its switch; hardware stops it there and makes that the origin."""
        steps = self.depth.position(t)
        if steps and self.powered:
            words = ((steps - 1) << 1, 25000000 // p.DEPTH_HOME_STEPS_PER_S)
            self.depth.feed(t, axis.Batch(words, 2, 1, False))

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
            self._find_mark(t)

    def reset(self, t: int) -> None:
        """The board restarts: every pin falls to its safe level. No permit, no motor power."""
        self.advance(t)
        if self.permitted:
            self._drop_permit(t)
        self.power(t, False)
        self.deadman_at = -1

    # --- Time -----------------------------------------------------------------------------------------

    def advance(self, t: int) -> None:
        """Bring the fluid to t; positions are closed form and need nothing."""
        self._now = t
        self.fluid.advance(t)

    def next_event(self) -> int:
        """When something happens by itself; -1 if nothing will."""
        t = self._mark_t
        for other in (
            self.drive.end(),
            self.depth.end(),
            self.plunger.end(),
            self.deadman_at if self.permitted or self.drive.busy() else -1,
            self.power_off_at,
        ):
            if other >= 0 and (t < 0 or other < t):
                t = other
        return t

    def due(self, t: int) -> bool:
        """Do what happens at t; whether the firmware must be woken."""
        wake = False
        self.advance(t)
        if self._mark_t == t:
            wake = self._pass_mark(t)
        for number, which in ((0, self.drive), (1, self.depth), (2, self.plunger)):
            if which.end() == t:
                which.finish(t)
                self.log.add(t, trace.BATCH_END, number, which.position(t), 0)
                self._changed(t, which)
                wake = True
        if 0 <= self.deadman_at <= t and (self.permitted or self.drive.busy()):
            self.deadman_at = -1
            if self.permitted:
                self._drop_permit(t)
            self.park(t)
            wake = True
        if self.power_off_at == t:
            self.power_off_at = -1
            self.power(t, False)
            wake = True
        return wake

    def _changed(self, t: int, which: axis.Axis) -> None:
        if which is self.plunger:
            self.fluid.advance(t)
            self.fluid.set_rate(which.rate(t))
        elif which is self.drive:
            self._find_mark(t)

    # --- Marks of a revolution: skin, bottom dead centre, skin, top dead centre -------------------------

    def _find_mark(self, t: int) -> None:
        """When the drive passes the next place that matters."""
        at = self.drive.position(t)
        turn = at - at % p.STEPS_PER_TURN
        here = at - turn
        half = p.STEPS_PER_TURN // 2
        if here == 0:
            self._find_skin_steps()
        inward = self._skin_steps
        for mark in (inward, half, p.STEPS_PER_TURN - inward, p.STEPS_PER_TURN):
            if mark > here:
                self._mark_at = turn + mark
                self._mark_t = self.drive.time_of(self._mark_at)
                return

    def _find_skin_steps(self) -> None:
        """How many steps from top dead centre bring the tip to the nose plane; half a turn if none does."""
        low = 0
        high = p.STEPS_PER_TURN // 2
        deepest = self.needle_um(high)
        if deepest == self._skin_steps_at:
            return
        self._skin_steps_at = deepest
        if deepest <= 0.0:
            self._skin_steps = high
            return
        while low < high:
            middle = (low + high) // 2
            if self.needle_um(middle) > 0.0:
                high = middle
            else:
                low = middle + 1
        self._skin_steps = low

    def _pass_mark(self, t: int) -> bool:
        place = self._mark_at % p.STEPS_PER_TURN
        half = p.STEPS_PER_TURN // 2
        wake = False
        if place == half:
            depth = int(self.needle_um(half)) + self.noise.triangular(p.CARRIER_NOISE_UM)
            self.protrusion_um = depth
            self.log.add(t, trace.BOTTOM, depth, 0, 0)
            if self.levels & wire.INPUT_CONTACT and self.needle_um(half) > 0.0:
                self.punctures += 1
        elif place == 0:
            wake = self._pass_top(t)
        self._find_mark(t)
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
        place = self.drive.position(t) % p.STEPS_PER_TURN
        inside = self._skin_steps <= place < p.STEPS_PER_TURN - self._skin_steps
        in_skin = self.hollow and inside and bool(self.levels & wire.INPUT_CONTACT) and place > 0
        if in_skin != self.fluid.in_skin:
            self.fluid.advance(t)
            self.fluid.in_skin = in_skin
            self.log.add(t, trace.SKIN, 1 if in_skin else 0, int(self.fluid.tip_ul * 1000.0), 0)


DEADMAN_TICKS = limits.DEADMAN_MS * 1000 * TICKS_PER_US
