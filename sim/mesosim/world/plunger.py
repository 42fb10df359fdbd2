"""From the plunger's motor to its stopper: play, an elastic rod, friction that lets go at once, a motor that can lose.

`ahead_mm` is how far the motor is ahead of the stopper; between `low_mm` and `high_mm` the rod touches nothing. The
stopper stands until force less pressure exceeds what breaks it loose. Then it glides with the motor if that is quick,
or slips and stands again (Stribeck: slow is where friction falls with speed). Forces in N, forward positive.
"""

from mesosim.world import arithmetic
from mesosim.world import parameters as p

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mesosim.world.symbols import Symbols

_PI = 3.141592653589793
BLOCK_MM = p.BLOCK_STEPS * p.UM_PER_PLUNGER_STEP / 1000.0
"""A rotor that loses falls back by four full steps."""
_LEAST_SLIP_N = 0.01
_FAR_MM = 1e6


class Plunger:
    """The mechanical chain; whoever owns it moves it through time."""

    def __init__(self, symbols: "Symbols") -> None:
        self.ahead_mm = 0.0
        self.gliding = 0
        """1: the stopper moves forward with the motor; -1: back; 0: it stands."""
        self.grip_mm = 0.0
        """Way that a motor which has lost makes before it can lose again."""
        self.lost_blocks = 0
        """Blocks lost on the way forward, less those lost on the way back."""
        self.high_mm = 0.0
        self.low_mm = 0.0
        self.tune(symbols)
        self.new_syringe(symbols)

    def tune(self, symbols: "Symbols") -> None:
        """Take the symbols as they are now."""
        get = symbols.get
        bore_mm = get("syringe.bore_um") / 1000.0
        self.area_mm2 = _PI / 4.0 * bore_mm * bore_mm
        self.area_n_kpa = self.area_mm2 / 1000.0
        self.stiffness = get("plunger.stiffness_n_per_mm")
        self.give_ul_kpa = self.area_mm2 * self.area_n_kpa / self.stiffness
        """What the elastic rod adds to the compliance while the stopper glides."""
        self.break_n = get("plunger.break_n")
        self._glide_n = min(get("plunger.glide_n"), self.break_n)
        self.slip_speed = get("plunger.slip_speed_mm_s")
        self._drag = get("plunger.drag_n_s_per_mm")
        self._play_mm = (get("screw.play_um") + get("syringe.play_um")) / 1000.0
        turn = 2.0 * _PI * get("screw.efficiency")  # N for each mN m at a lead of 1 mm
        self._torque_n = turn * get("plunger.torque_mnm")
        self._friction_n = turn * get("screw.friction_mnm")
        self._top_mm_s = get("plunger.top_steps_per_s") * p.UM_PER_PLUNGER_STEP / 1000.0

    def new_syringe(self, symbols: "Symbols") -> None:
        """Slack ahead of the stopper, and no play behind it until it has been touched."""
        self.high_mm = self.ahead_mm + symbols.get("syringe.slack_um") / 1000.0
        self.low_mm = self.ahead_mm

    def take_out(self) -> None:
        """No syringe: nothing holds the rod any more when it goes back."""
        self.low_mm = -_FAR_MM

    def force_n(self, ahead_mm: float) -> float:
        """What the rod does to the stopper."""
        if ahead_mm > self.high_mm:
            return self.stiffness * (ahead_mm - self.high_mm)
        if ahead_mm < self.low_mm:
            return self.stiffness * (ahead_mm - self.low_mm)
        return 0.0

    def glide_n(self, speed_mm_s: float) -> float:
        """Friction of the stopper in motion."""
        part = speed_mm_s / self.slip_speed
        fall = arithmetic.exp(-part * part)
        return self._glide_n + (self.break_n - self._glide_n) * fall + self._drag * speed_mm_s

    def limit_n(self, speed_mm_s: float) -> float:
        """The force that the motor does not exceed at a speed: linear pull-out, less the screw's friction."""
        return max(0.0, self._torque_n * (1.0 - speed_mm_s / self._top_mm_s)) - self._friction_n

    def touch(self) -> None:
        """The rod has come to the stopper's front end of its play: only play is left behind it."""
        self.ahead_mm = self.high_mm
        self.low_mm = self.high_mm - self._play_mm

    def slip(self, way: int, speed_mm_s: float) -> float:
        """The stopper breaks loose forward (1) or back (-1): by how much its friction falls, N."""
        quick = speed_mm_s * way
        if quick >= self.slip_speed:
            drop = self.break_n - self.glide_n(quick)
            self.gliding = way
        else:
            drop = max(2.0 * (self.break_n - self._glide_n), _LEAST_SLIP_N)
        return way * drop

    def lose(self, way: int) -> None:
        """The rotor falls back by one block."""
        self.ahead_mm -= way * BLOCK_MM
        self.lost_blocks += way
        self.gliding = 0
        self.grip_mm = BLOCK_MM
