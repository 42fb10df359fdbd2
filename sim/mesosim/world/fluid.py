"""Plunger, syringe, needle and tissue in time: what the stopper displaces, the compliance stores and the tip lets out.

    C(P) dP/dt = A v_stopper - Q(P - P_tissue) - g P          Q: `needle`; P_tissue: `tissue`; v_stopper: `plunger`

Between events the equation is linearised and its exponential taken, in steps of at most an eighth of its time constant:
exact where it is linear, of second order where it is not. At rest nothing is computed. The two counters `tip_ul` and
`skin_ul` are the plant's account of a dose: what was displaced less what is stored; nothing of it is counted in steps.
"""

from mesosim.world import arithmetic, needle, plunger, tissue
from mesosim.world import parameters as p

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mesosim.world.symbols import Symbols

AIR_KPA = 101.325
VACUUM_KPA = -90.0
"""Below this air comes in past the seal."""
SLIP, LOST = 1, 2
STILL_KPA = 1e-6
PARTS = 8.0
STEP_KPA = 2.0
SKIN_S = 0.25
EVENT_S = 1e-6
"""How exactly an event is found."""


class Fluid:
    """State at time `t` (ticks of 40 ns). Call `advance` before anything changes.

    `on_event(t, kind)` is told of slips of the stopper and of lost blocks of the motor.
    """

    def __init__(self, symbols: "Symbols") -> None:
        self._t = 0
        self.pressure_kpa = 0.0
        self.tip_ul = 0.0
        self.skin_ul = 0.0
        self.in_skin = False
        self.on_event = _ignore
        self._speed = 0.0
        self._event = 0
        self.needle = needle.Needle(symbols)
        self.tissue = tissue.Tissue(symbols)
        self.plunger = plunger.Plunger(symbols)
        self.tune(symbols)

    def tune(self, symbols: "Symbols") -> None:
        """Take the symbols as they are now."""
        get = symbols.get
        for part in (self.needle, self.tissue, self.plunger):
            part.tune(symbols)
        nl = get("syringe.compliance_nl_per_kpa") + get("seal.compliance_nl_per_kpa")
        nl += get("tube.compliance_nl_per_kpa")
        # something always gives
        self._c = max(nl, 1.0) / 1000.0
        self._bubble_ul = get("bubble.volume_nl") / 1000.0
        self._leak = get("seal.leak_nl_per_s_per_kpa") / 1000.0

    def set_rate(self, steps_per_s: float) -> None:
        """The plunger motor's speed from now on. A change lets a gliding stopper stand."""
        speed = steps_per_s * p.UM_PER_PLUNGER_STEP / 1000.0
        if speed != self._speed:
            self._speed = speed
            self.plunger.gliding = 0

    def move_in_skin(self, t: int, depth_um: float) -> None:
        """The tip is in skin from now on, or at another depth of it."""
        self.advance(t)
        if not self.in_skin:
            self.in_skin = True
            self.tissue.enter(t)
        self.tissue.move(depth_um)

    def leave_skin(self, t: int) -> None:
        """The tip is outside from now on."""
        self.advance(t)
        self.in_skin = False
        self.tissue.leave(t)

    def advance(self, t: int) -> None:
        """Bring the state to time t."""
        dt = (t - self._t) / 25000000.0
        if dt <= 0.0:
            return
        if self._speed == 0.0 and self.pressure_kpa == 0.0 and not self.in_skin:
            self._t = t
            return
        left = dt
        while left > 0.0:
            left -= self._step(left)
            if self._event:
                self.on_event(t - int(left * 25000000.0), LOST if self._event in (LOST, -LOST) else SLIP)
        self._t = t

    # --- One step -------------------------------------------------------------------------------------

    def _step(self, left: float) -> float:
        """Go on for at most `left` seconds, to the next event at most; how long it was."""
        rod = self.plunger
        speed = self._speed
        before = self.pressure_kpa
        swept = rod.area_mm2 * speed if rod.gliding else 0.0
        c = self._c + self._bubble_ul * AIR_KPA / ((AIR_KPA + before) * (AIR_KPA + before))
        if rod.gliding:
            c += rod.give_ul_kpa
        flow = 0.0
        h = left
        slope = 0.0
        rise = 0.0
        if before != 0.0 or swept != 0.0 or self.in_skin:
            if self.in_skin:
                self.needle.solve(before - self.tissue.pressure_kpa, self.tissue.resistance)
            else:
                self.needle.solve(before, 0.0)
            flow = self.needle.flow_ul_s
            slope = (self.needle.slope_ul_s_kpa + self._leak) / c
            rise = (swept - flow - self._leak * before) / c
            # nearly settled: the equation is linear in all that is left of it
            if rise > 0.001 * slope or rise < -0.001 * slope:
                h = min(h, 1.0 / (PARTS * slope), STEP_KPA / (rise if rise > 0.0 else -rise))
            if self.in_skin:
                h = min(h, SKIN_S)
        touches = False
        if speed != 0.0 and not rod.gliding:
            if rod.grip_mm > 0.0:
                h = min(h, max(rod.grip_mm / (speed if speed > 0.0 else -speed), 1e-7))
            kink = rod.high_mm if speed > 0.0 else rod.low_mm
            way = (kink - rod.ahead_mm) / speed
            if 0.0 < way <= h:
                h = way
                touches = True
        after = before + _rise(rise, slope, h)
        while True:
            self._event = 0
            shorter = h * self._event_part(before, after, h)
            if not self._event:
                break
            # between two points the pressure is no straight line: nearer, until it is one
            found = h - shorter < EVENT_S or shorter < EVENT_S
            h = shorter
            touches = False
            after = before + _rise(rise, slope, h)
            if found:
                break
        self._move(before, after, h, c, swept * h, flow)
        if touches:
            if speed > 0.0:
                rod.touch()
            else:
                rod.ahead_mm = rod.low_mm
        if self._event:
            self._happen(self._event)
        return h

    def _event_part(self, before: float, after: float, h: float) -> float:
        """The part of the step after which the stopper breaks loose or the motor loses, 1 if neither does."""
        rod = self.plunger
        speed = self._speed
        area = rod.area_n_kpa
        first = 1.0
        if rod.gliding:
            friction = rod.gliding * rod.glide_n(speed * rod.gliding)
            force0 = friction + before * area
            force1 = friction + after * area
        else:
            force0 = rod.force_n(rod.ahead_mm)
            force1 = rod.force_n(rod.ahead_mm + speed * h)
            net0 = force0 - before * area
            net1 = force1 - after * area
            limit = rod.break_n
            if net1 >= limit and (net1 > net0 or net0 > limit):
                first = _part(net0, net1, limit)
                self._event = SLIP
            elif net1 <= -limit and (net1 < net0 or net0 < -limit):
                first = _part(-net0, -net1, limit)
                self._event = -SLIP
        if speed != 0.0 and rod.grip_mm <= 0.0:
            way = 1 if speed > 0.0 else -1
            limit = rod.limit_n(speed * way)
            if force1 * way > limit:
                part = _part(force0 * way, force1 * way, limit)
                if part < first:
                    first = part
                    self._event = LOST * way
        return first

    def _move(self, before: float, after: float, h: float, c: float, swept_ul: float, flow: float) -> None:
        """Take one step's result into the state."""
        rod = self.plunger
        left_ul = swept_ul - self._stored(before, after)
        if rod.gliding:
            rod.ahead_mm += (after - before) * rod.area_n_kpa / rod.stiffness
            left_ul -= rod.give_ul_kpa * (after - before)
        else:
            rod.ahead_mm += self._speed * h
        if rod.grip_mm > 0.0:
            rod.grip_mm -= (self._speed if self._speed > 0.0 else -self._speed) * h
        if self._leak:
            left_ul -= self._leak * (before + after) * 0.5 * h
        if after < VACUUM_KPA:
            after = VACUUM_KPA
            left_ul = flow * h
        elif self._speed == 0.0 and not self.in_skin and -STILL_KPA < after < STILL_KPA:
            left_ul += c * after
            after = 0.0
        self.pressure_kpa = after
        self._count(left_ul, h)

    def _happen(self, event: int) -> None:
        rod = self.plunger
        way = 1 if event > 0 else -1
        if event == way * LOST:
            rod.lose(way)
            return
        before = self.pressure_kpa
        c = self._c + self._bubble_ul * AIR_KPA / ((AIR_KPA + before) * (AIR_KPA + before))
        # the rod's force falls and the pressure behind the stopper rises with the same jump
        jump_mm = rod.slip(way, self._speed) / (rod.stiffness + rod.area_mm2 * rod.area_n_kpa / c)
        rod.ahead_mm -= jump_mm
        self.pressure_kpa = before + rod.area_mm2 * jump_mm / c
        self._count(rod.area_mm2 * jump_mm - self._stored(before, self.pressure_kpa), 0.0)

    def _stored(self, before: float, after: float) -> float:
        """What the compliance takes from one pressure to another, ul."""
        stored = self._c * (after - before)
        if self._bubble_ul:
            stored += self._bubble_ul * (after / (AIR_KPA + after) - before / (AIR_KPA + before))
        return stored

    def _count(self, volume_ul: float, h: float) -> None:
        self.tip_ul += volume_ul
        if self.in_skin:
            self.skin_ul += volume_ul
            self.tissue.take(volume_ul, h)


def _rise(rise: float, slope: float, h: float) -> float:
    """The integral of rise * exp(-slope t) over h."""
    if slope == 0.0:
        return rise * h
    x = slope * h
    if x < 1e-6:
        return rise * h * (1.0 - x / 2.0)
    return rise * (1.0 - arithmetic.exp(-x)) / slope


def _part(a: float, b: float, limit: float) -> float:
    """Where between a (0) and b (1) the limit lies."""
    if a >= limit or b <= a:
        return 0.0
    return min((limit - a) / (b - a), 1.0)


def _ignore(t: int, kind: int) -> None:
    pass
