"""The handpiece as a physical thing: needle, plunger, syringe, supply, sensors, and the permit circuit over them.

Time is in ticks of 40 ns. `event_at` says when something happens by itself; `due(t)` does it and returns whether
the firmware must be woken. `advance(t)` brings to t what flows: before it changes, and before it is asked for.
"""

from mesoprotocol import limits, wire
from mesosim.world import arithmetic, axis, carriage, cartridge, fluid, sensors, supply, trace
from mesosim.world import parameters as p

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mesosim.world.symbols import Symbols

TICKS_PER_US = 25
NEVER = axis.NEVER
_BOTH = wire.INPUT_TRIGGER_A | wire.INPUT_TRIGGER_B


class Plant:
    """One handpiece. Inputs are set by `set_input`; everything else follows from the axes and time."""

    def __init__(self, log: trace.Trace, seed: int, symbols: "Symbols", t: int) -> None:
        self.log = log
        self._symbols = symbols
        self.fluid = fluid.Fluid(symbols)
        self._sensors = sensors.Sensors(symbols, arithmetic.Random(seed, 1), t)
        self._supply = supply.Supply(symbols, t)
        self.carriage = carriage.Carriage(log, symbols, self._sensors, self.fluid, t)
        self.drive = self.carriage.drive
        self.depth = self.carriage.depth
        self.plunger = axis.Axis()
        self.plunger.on_change = self._plunger_changes
        self.fluid.on_event = self._on_plunger
        self._end_um = -symbols.get("carriage.back_um")
        self._lost_at_end_um = 0.0
        self.levels = wire.INPUT_SYRINGE | wire.INPUT_CARTRIDGE
        self.cartridge = cartridge.Cartridge(seed)
        self.permitted = False
        self.away = False
        self.powered = False
        self.supply_lost = False
        """The supply was too low for too long: the board restarts."""
        self.event_at = NEVER
        """When something happens by itself, or at least is to be looked for; NEVER if nothing will."""
        self._others_at = NEVER
        """When something happens elsewhere than in the carriage, at the earliest."""
        self._deadman_at = NEVER
        self.starved = False
        """DEADMAN is low, where somebody wires it."""
        self._power_off_at = NEVER
        """When the motor power's monostable comes to rest, while it runs."""
        self._held_off = False
        """It is at rest and a cause against motor power stands: the latch is held cleared."""

    # --- Symbols and sensors --------------------------------------------------------------------------

    def get(self, name: str) -> float:
        """A symbol's value, in its unit; ValueError if there is none of that name."""
        return self._symbols.get(name)

    def set(self, t: int, name: str, value: float) -> None:
        """Change a symbol from time t on. ValueError if there is none of that name, or the value is out of range."""
        self.advance(t)
        symbols = self._symbols
        symbols.set(name, value)
        self.log.blob(t, trace.SYMBOL, 0, ("%s %d" % (name, symbols.thousandths(name))).encode())
        self.fluid.tune(symbols)
        self._sensors.tune(symbols)
        self._supply.tune(symbols, t)
        self.carriage.tune(t, symbols)
        self._end_um = -symbols.get("carriage.back_um")
        self._look_ahead()

    def pressure_pa(self, t: int) -> int:
        """Pressure by its sensor at time t."""
        self.advance(t)
        return self._sensors.pressure_pa(t, self.fluid.pressure_kpa)

    def encoder(self, t: int) -> int:
        """Counts of the plunger's encoder at time t, since the device was new."""
        self.advance(t)
        return self._sensors.encoder(self._plunger_um(t))

    def battery_mv(self, t: int) -> int:
        """The supply's voltage by its gauge at time t."""
        self._supply.advance(t)
        return self._sensors.battery_mv(self._supply.mv())

    def _plunger_um(self, t: int) -> float:
        lost = self.fluid.plunger.lost_blocks * p.BLOCK_STEPS
        um = (self.plunger.position(t) - lost) * p.UM_PER_PLUNGER_STEP + self._lost_at_end_um
        if um < self._end_um:
            # the carriage stands at its mechanical end, and the motor loses what it makes
            self._lost_at_end_um += self._end_um - um
            um = self._end_um
        return um

    # --- Inputs and permit ----------------------------------------------------------------------------

    def inputs(self, t: int) -> int:
        """All levels, as the firmware reads them."""
        bits = self.levels | self.carriage.switches(t)
        return bits | wire.INPUT_PERMIT_PLUNGER if self.permitted else bits

    def set_input(self, t: int, bit: int, on: bool) -> None:
        """A hand, the skin or a switch changes an input."""
        self.advance(t)
        if on:
            self.levels |= bit
        else:
            self.levels &= ~bit
        self.log.add(t, trace.HAND, bit, 1 if on else 0, 0)
        if bit == wire.INPUT_CONTACT:
            self.carriage.touch(t, on)
        if bit == wire.INPUT_SYRINGE:
            if on:
                self.fluid.plunger.new_syringe(self._symbols)
            else:
                self.fluid.plunger.take_out()
        if bit == wire.INPUT_ESTOP:
            if on:
                self.park(t)
            self.check_power(t)
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

    def check_power(self, t: int) -> None:
        """The circuit: a cause against motor power begins the monostable, a second one adds nothing to it."""
        if not (self.starved or self.levels & wire.INPUT_ESTOP):
            self._power_off_at = NEVER
            self._held_off = False
        elif self._power_off_at == NEVER and not self._held_off:
            self._power_off_at = t + p.MOTOR_POWER_OFF_TICKS

    def _drop_permit(self, t: int) -> None:
        self.permitted = False
        self.log.add(t, trace.PERMIT_FELL, self.plunger.stop(t), 0, 0)
        self.fluid.advance(t)
        self.fluid.set_rate(0.0)
        self.release(t)

    # --- What the firmware does to the axes ------------------------------------------------------------

    def feed(self, t: int, which: axis.Axis, batch: axis.Batch) -> None:
        """Queue a batch. Without motor power or permit it makes no step: it is dropped."""
        if not self.powered or (which is self.plunger and not self.permitted):
            return
        which.feed(t, batch)
        self._changed(t, which)

    def stop(self, t: int, which: axis.Axis) -> int:
        """Stop an axis at once."""
        if which is not self.plunger:
            position = self.carriage.halt(t, which)
            self._look_ahead()
            return position
        position = which.stop(t)
        self._changed(t, which)
        return position

    def park(self, t: int) -> None:
        """Let the drive finish its revolution and drop what is queued."""
        self.carriage.park(t)
        self._look_ahead()

    def release(self, t: int) -> None:
        """Let the held way out start."""
        self.drive.release(t)
        self._changed(t, self.drive)

    def home_depth(self, t: int) -> None:
        """Move the depth stop to its switch; hardware stops it there and makes that the origin."""
        if self.powered:
            self.carriage.home_depth(t)
            self._look_ahead()

    def power(self, t: int, on: bool) -> None:
        """Motor power; none while the latch is held cleared."""
        self.advance(t)
        self.powered = on and not self._held_off
        self._supply.load(t, self.powered)
        if not self.powered:
            self.plunger.stop(t)
            self.fluid.set_rate(0.0)
            self.carriage.let_go(t)
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
        self.fluid.advance(t)

    def _look_ahead(self) -> None:
        """Find `event_at`, after anything has changed."""
        t = self.drive.end_at
        if self.depth.end_at < t:
            t = self.depth.end_at
        if self.plunger.end_at < t:
            t = self.plunger.end_at
        if self._deadman_at < t and (self.permitted or self.drive.busy()):
            t = self._deadman_at
        if self._power_off_at < t:
            t = self._power_off_at
        if self._supply.next_at < t:
            t = self._supply.next_at
        self._others_at = t
        self.event_at = min(t, self.carriage.event_at)

    def due(self, t: int) -> bool:
        """Do what happens at t; whether the firmware must be woken."""
        wake = False
        self.supply_lost = False
        if self.carriage.event_at <= t:
            wake = self.carriage.due(t)
            if t < self._others_at:
                # nothing in the carriage brings anything else nearer
                self.event_at = min(self._others_at, self.carriage.event_at)
                return wake
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
            self._held_off = True
            self.power(t, False)
            wake = True
        if self._supply.next_at <= t:
            wake = self._supply_due(t) or wake
        self._look_ahead()
        return wake

    def _supply_due(self, t: int) -> bool:
        hot = self._supply.hot
        self.supply_lost = self._supply.due(t)
        if self._supply.hot == hot:
            return False
        self.log.add(t, trace.HEAT, 0 if hot else 1, int(self._supply.winding_c), 0)
        self.set_input(t, wire.INPUT_DRIVE_FAULT, not hot)
        return True

    def _finish(self, t: int, which: axis.Axis, number: int) -> None:
        which.finish(t)
        self.log.add(t, trace.BATCH_END, number, which.position(t), 0)
        self._changed(t, which)

    def _changed(self, t: int, which: axis.Axis) -> None:
        if which is self.plunger:
            self.fluid.advance(t)
            self.fluid.set_rate(which.rate(t))
        else:
            self.carriage.changed(t, which)
        self._look_ahead()

    def _plunger_changes(self, t: int) -> None:
        self.fluid.advance(t)
        self._sensors.plunger_moved(self._plunger_um(t))

    def _on_plunger(self, t: int, kind: int) -> None:
        if kind == fluid.LOST:
            self.log.add(t, trace.LOST, 2, self.fluid.plunger.lost_blocks * p.BLOCK_STEPS, 0)
        else:
            self.log.add(t, trace.SLIP, int(self.fluid.pressure_kpa * 1000.0), 0, 0)


DEADMAN_TICKS = limits.DEADMAN_MS * 1000 * TICKS_PER_US
