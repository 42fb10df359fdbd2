"""Syringe, needle and tissue: a piston into a compliance that empties through a resistance.

    C dP/dt = Q_piston - (P - P_tissue) / R        (closed form while Q, R and P_tissue stand still)

What leaves the tip is what the piston displaced less what the compliance stores: C * (P1 - P0). The two
counters `tip_ul` and `skin_ul` are the plant's account of a dose; nothing of it is computed from steps.
"""

from mesosim.world import arithmetic
from mesosim.world import parameters as p


class Fluid:
    """State at time `t` (ticks of 40 ns). Call `advance` before anything changes."""

    def __init__(self) -> None:
        self._t = 0
        self.pressure_kpa = 0.0
        self.tip_ul = 0.0
        self.skin_ul = 0.0
        self.in_skin = False
        self.blocked = False
        self._gap_um = p.FREE_PLAY_UM
        self._rate = 0.0

    def set_rate(self, steps_per_s: float) -> None:
        """The plunger's speed from now on."""
        self._rate = steps_per_s

    def advance(self, t: int) -> None:
        """Bring the state to time t."""
        dt = (t - self._t) / 25000000.0
        self._t = t
        if dt <= 0.0:
            return
        free = self._free_time(dt)
        if free > 0.0:
            self._flow(free, 0.0)
        if dt > free:
            self._flow(dt - free, self._rate * p.UL_PER_STEP)

    def _free_time(self, dt: float) -> float:
        """Seconds of dt in which the plunger moves through its free play and pushes nothing."""
        speed = self._rate * p.UM_PER_PLUNGER_STEP
        if speed > 0.0:
            free = min(dt, self._gap_um / speed)
            self._gap_um = self._gap_um - speed * free
            return free
        if speed < 0.0:
            room = p.BACKLASH_UM - self._gap_um
            free = min(dt, room / -speed) if room > 0.0 else 0.0
            self._gap_um = self._gap_um - speed * free
            return free
        return 0.0

    def _flow(self, dt: float, piston_ul_per_s: float) -> None:
        resistance = p.NEEDLE_KPA_S_PER_UL
        if self.blocked:
            resistance = resistance * p.BLOCKED
        outside = 0.0
        if self.in_skin:
            resistance += p.TISSUE_KPA_S_PER_UL
            outside = p.TISSUE_KPA
        tau = resistance * p.COMPLIANCE_UL_PER_KPA
        final = outside + piston_ul_per_s * resistance
        before = self.pressure_kpa
        decay = arithmetic.exp(-dt / tau)
        after = final + (before - final) * decay
        self.pressure_kpa = after
        left = piston_ul_per_s * dt - p.COMPLIANCE_UL_PER_KPA * (after - before)
        self.tip_ul += left
        if self.in_skin:
            self.skin_ul += left
