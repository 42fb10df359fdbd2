"""The needle's mechanics: drive, cam and carriage, depth stop, index, spring, and the skin that the tip comes to.

Times in ticks of 40 ns. `event_at` says when something happens here by itself, `due(t)` does it. Whoever changes what
the axes do calls `changed`.
"""

from mesoprotocol import wire
from mesosim.world import arithmetic, axis, rotor, skin, trace
from mesosim.world import parameters as p

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mesosim.world.fluid import Fluid
    from mesosim.world.sensors import Sensors
    from mesosim.world.symbols import Symbols

NEVER = axis.NEVER
_HALF = p.STEPS_PER_TURN // 2
_RAD = 6.283185307179586 / p.STEPS_PER_TURN
_CAM_MM = p.CARRIAGE_UM / 2000.0
_FULL_SPEED = 48000.0
"""Steps a second of 15 revolutions: the speed that the overrun is given for."""
_UNKNOWN_UM = -1e9
"""A depth that is not: what follows from it is to be found again at top dead centre."""
_TREMBLE_TICKS = 125000
"""A shallow needle at rest is looked at this often: 5 ms, a twentieth of the tremor."""


class Carriage:
    """`drive` and `depth` are what the board commands; where the needle is follows from their rotors."""

    def __init__(self, log: trace.Trace, symbols: "Symbols", senses: "Sensors", liquid: "Fluid", t: int) -> None:
        self._log = log
        self._now = t
        self._sensors = senses
        self._fluid = liquid
        self._skin = skin.Skin(symbols)
        self.drive = axis.Axis()
        self.depth = axis.Axis()
        self._cam = rotor.Rotor(self.drive, _RAD)
        self._stop = rotor.Rotor(self.depth, _RAD)
        self.hollow = True
        """Whether the needle leads to the syringe."""
        self.contact = False
        self.index_count = 0
        self.index_t = 0
        self.index_position = 0
        self.index_dead = False
        self.protrusion_um = 0
        self.punctures = 0
        self.event_at = NEVER
        self._mark_at = 0
        self._mark_t = NEVER
        self._parking = False
        self._park_t = NEVER
        self._spring_t = NEVER
        self._tremble_t = NEVER
        self._in_steps = _HALF
        self._out_steps = _HALF
        self._marked_um = 0.0
        self.depth.set_origin(p.DEPTH_AT_FIRST_BOOT)
        self._take(symbols)

    def tune(self, t: int, symbols: "Symbols") -> None:
        """Take the symbols as they are now."""
        self._take(symbols)
        self._skin.tune(symbols)
        self._find_skin_steps()
        self.changed(t, self.depth)
        self.changed(t, self.drive)

    def _take(self, symbols: "Symbols") -> None:
        get = symbols.get
        load = get("drive.friction_mnm") + (get("drive.spring_n") + get("drive.load_n")) * _CAM_MM
        self._cam.tune(get("drive.torque_mnm"), get("drive.top_steps_per_s"), load, get("drive.inertia_g_mm2"))
        self._stop.tune(get("depth.torque_mnm"), get("depth.top_steps_per_s"), get("depth.friction_mnm"), 0.0)
        self._offset_um = get("depth.offset_um")
        self._overrun = get("drive.overrun_steps")
        self._spring_ticks = int(get("drive.spring_ms") * 25000.0)

    # --- Where the needle is --------------------------------------------------------------------------

    def needle_um(self, drive_steps: int) -> float:
        """Protrusion of the needle at a position of the drive."""
        return self._deepest_um() - p.CARRIAGE_UM * (1.0 + arithmetic.cos_turn(drive_steps, p.STEPS_PER_TURN)) / 2.0

    def _deepest_um(self) -> float:
        """Protrusion at bottom dead centre."""
        return self._stop.position(self._now) * p.UM_PER_DEPTH_STEP + self._offset_um

    def needle_now_um(self, t: int) -> int:
        """Protrusion by the carrier sensor at time t."""
        return self._sensors.carrier_um(t, self.needle_at_um(t))

    def needle_at_um(self, t: int) -> float:
        """Protrusion at time t."""
        self._now = t
        return self.needle_um(self._cam.position(t))

    def is_home(self, t: int) -> bool:
        """Whether the needle is at top dead centre."""
        return self._cam.position(t) % p.STEPS_PER_TURN == 0

    def switches(self, t: int) -> int:
        """The inputs of needle and depth stop at home, as they are."""
        bits = wire.INPUT_NEEDLE_HOME if self._cam.position(t) % p.STEPS_PER_TURN == 0 else 0
        return bits | wire.INPUT_DEPTH_HOME if self._stop.position(t) == 0 else bits

    # --- What is done to it ---------------------------------------------------------------------------

    def changed(self, t: int, which: axis.Axis) -> None:
        """An axis does something else from now on."""
        self._now = t
        number, moved = (0, self._cam) if which is self.drive else (1, self._stop)
        lost = moved.follow(t)
        if lost:
            self._log.add(t, trace.LOST, number, lost, 0)
        if which is self.depth and self._fluid.in_skin and self._deepest_um() != self._marked_um:
            self._draw(t)
        self._find_mark(t)

    def halt(self, t: int, which: axis.Axis) -> int:
        """Stop an axis at once; where it is by its own count. A quick rotor runs on."""
        part = which.rate(t) / _FULL_SPEED
        position = which.stop(t)
        if part > 0.0 and which is self.drive:
            blocks = int(self._overrun * part * part / 4.0 + 0.5)
            self._cam.overrun(blocks * p.BLOCK_STEPS)
        self.changed(t, which)
        return position

    def park(self, t: int) -> None:
        """Let the drive finish its revolution, by its own count, and drop what is queued."""
        if self.drive.position(t) % p.STEPS_PER_TURN == 0:
            self.drive.stop(t)
            self.changed(t, self.drive)
        else:
            self._parking = True
            self._find_mark(t)

    def home_depth(self, t: int) -> None:
        """Move the depth stop to its switch; hardware stops it there and makes that the origin."""
        steps = self._stop.position(t)
        self.depth.set_origin(steps)
        self._stop.home()
        if steps:
            words = ((steps - 1) << 1, 25000000 // p.DEPTH_HOME_STEPS_PER_S)
            self.depth.feed(t, axis.Batch(words, 2, 1, False))
        self.changed(t, self.depth)

    def let_go(self, t: int) -> None:
        """No motor power: only the spring moves, and takes the needle home past the loose cam."""
        self.depth.stop(t)
        self.drive.stop(t)
        self._parking = False
        if not self.is_home(t) and self._spring_t == NEVER:
            self._spring_t = t + self._spring_ticks
        self.changed(t, self.depth)
        self.changed(t, self.drive)

    def touch(self, t: int, on: bool) -> None:
        """The nose is on skin, each time on another place of it, or off."""
        self.contact = on
        self._fluid.tissue.fresh()
        self._find_skin(t)
        self._look_ahead()

    # --- Time -----------------------------------------------------------------------------------------

    def due(self, t: int) -> bool:
        """Do what happens at t; whether the firmware must be woken."""
        wake = False
        self._now = t
        if self._cam.stall_at <= t:
            self._stall(t, self._cam, 0)
        if self._stop.stall_at <= t:
            self._stall(t, self._stop, 1)
        if self._mark_t <= t:
            wake = self._pass_mark(t)
        if self._park_t <= t:
            self._end_park(t)
            wake = True
        if self._spring_t <= t:
            self._spring_home(t)
            wake = True
        if self._tremble_t <= t:
            self._find_skin(t)
            self._look_ahead()
        return wake

    def _look_ahead(self) -> None:
        t = self._mark_t
        if self._tremble_t < t:
            t = self._tremble_t
        if self._cam.stall_at < t:
            t = self._cam.stall_at
        if self._stop.stall_at < t:
            t = self._stop.stall_at
        if self._park_t < t:
            t = self._park_t
        if self._spring_t < t:
            t = self._spring_t
        self.event_at = t

    def _stall(self, t: int, moved: rotor.Rotor, number: int) -> None:
        moved.stall(t)
        self._log.add(t, trace.STALL, number, moved.position(t), 0)
        self._find_mark(t)

    def _end_park(self, t: int) -> None:
        self._parking = False
        self.drive.stop(t)
        self.changed(t, self.drive)

    def _spring_home(self, t: int) -> None:
        """The spring has brought the needle home: the cam stands at the end of its turn."""
        self._spring_t = NEVER
        self._mark_at = self._cam.position(t) // p.STEPS_PER_TURN * p.STEPS_PER_TURN + p.STEPS_PER_TURN
        self._log.add(t, trace.SPRING, self._mark_at, 0, 0)
        self.drive.set_origin(self._mark_at)
        self._cam.home()
        self._pass_mark(t)

    # --- Marks of a revolution: skin, bottom dead centre, skin, top dead centre -------------------------

    def _find_mark(self, t: int) -> None:
        """When the drive passes the next place that matters."""
        self._find_mark_from(t, self._cam.position(t))

    def _find_mark_from(self, t: int, at: int) -> None:
        """The same, the drive being at a position; of skin only a hollow needle's matters."""
        here = at % p.STEPS_PER_TURN
        if self.hollow and here == 0 and self._deepest_um() != self._marked_um:
            self._find_skin_steps()
        running = self.drive.running()
        back = running is not None and running.sign < 0
        if back:
            mark = self._mark_behind(here)
        elif not self.hollow:
            mark = _HALF if here < _HALF else p.STEPS_PER_TURN
        elif here < self._in_steps:
            mark = self._in_steps
        elif here < _HALF:
            mark = _HALF
        elif here < p.STEPS_PER_TURN - self._out_steps:
            mark = p.STEPS_PER_TURN - self._out_steps
        else:
            mark = p.STEPS_PER_TURN
        self._mark_at = at - here + mark
        self._mark_t = self._cam.time_of(self._mark_at)
        self._park_t = NEVER
        if self._parking and self._cam.is_off():
            done = self.drive.position(t)
            turns = (done - 1) // p.STEPS_PER_TURN if back else done // p.STEPS_PER_TURN + 1
            self._park_t = self.drive.time_of(turns * p.STEPS_PER_TURN)
        self._look_ahead()

    def _mark_behind(self, here: int) -> int:
        """The mark that a drive which turns backwards comes to next; negative in the turn before."""
        out = p.STEPS_PER_TURN - self._out_steps
        if here == 0:
            return (out if self.hollow else _HALF) - p.STEPS_PER_TURN
        if here > out and self.hollow:
            return out
        if here > _HALF:
            return _HALF
        return self._in_steps if here > self._in_steps and self.hollow else 0

    def _find_skin_steps(self) -> None:
        """How many steps from top dead centre the tip goes into skin and comes out; half a turn if it does not."""
        self._marked_um = self._deepest_um()
        self._in_steps = self._steps_to(self._skin.pierced_um)
        self._out_steps = self._steps_to(self._skin.left_um) if self._in_steps < _HALF else _HALF

    def _draw(self, t: int) -> None:
        """The stop has moved with the needle in skin, and the tip with it: once pierced, skin clings to it."""
        self._find_skin_steps()
        self._out_steps = self._steps_to(self._skin.left_um)
        self._marked_um = _UNKNOWN_UM
        self._find_skin(t)

    def _steps_to(self, um: float) -> int:
        """Steps from top dead centre at which the tip protrudes by more than `um`, half a turn if it never does."""
        low = 0
        high = _HALF
        if self._marked_um <= um:
            low = high
        while low < high:
            middle = (low + high) // 2
            if self.needle_um(middle) > um:
                high = middle
            else:
                low = middle + 1
        return low

    def _pass_mark(self, t: int) -> bool:
        at = self._mark_at
        place = at % p.STEPS_PER_TURN
        wake = False
        if place == _HALF:
            deepest = self._deepest_um()
            self.protrusion_um = self._sensors.carrier_um(t, deepest)
            self._log.add(t, trace.BOTTOM, self.protrusion_um, 0, 0)
            if self.contact and self._skin.pierces(deepest, t):
                self.punctures += 1
        elif place == 0:
            wake = self._pass_top(t)
        if self.hollow or self._fluid.in_skin:
            self._find_skin(t)
        self._find_mark_from(t, at)
        return wake

    def _pass_top(self, t: int) -> bool:
        if self._parking and not self._cam.is_off():
            self._end_park(t)
        if self.index_dead:
            return False
        self.index_count = (self.index_count + 1) & 0x3FFFFFFF
        self.index_t = t + self._sensors.index_late()
        self.index_position = self._mark_at + self._cam.lost
        self._log.add(t, trace.INDEX, self.index_count, self.index_position, 0)
        return True

    def _find_skin(self, t: int) -> None:
        """Whether the tip is in skin now, and how deep."""
        liquid = self._fluid
        self._tremble_t = NEVER
        in_skin = False
        depth = 0.0
        if self.hollow and self.contact:
            place = self._cam.position(t) % p.STEPS_PER_TURN
            in_skin = place > 0 and self._in_steps <= place < p.STEPS_PER_TURN - self._out_steps
            if in_skin:
                depth = self._skin.depth_um(self.needle_um(place))
                if place == _HALF and depth < self._skin.tremor_um:
                    # so shallow that the hand moves the tip in and out
                    depth += self._skin.tremor(t)
                    in_skin = depth > 0.0
                    self._tremble_t = t + _TREMBLE_TICKS
        if in_skin:
            liquid.move_in_skin(t, depth)
        elif liquid.in_skin:
            liquid.leave_skin(t)
        else:
            return
        self._log.add(t, trace.SKIN, 1 if in_skin else 0, int(liquid.tip_ul * 1000.0), int(depth))
