"""A motor that may not follow its steps: pull-out, stall, overrun. Where nothing is lost it costs one subtraction.

A batch whose torque exceeds what the motor has at that speed stalls the rotor at the first such segment; it takes hold
again, a multiple of four full steps away, when the axis comes to another batch or to rest.
"""

from mesosim.world import axis
from mesosim.world import parameters as p

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mesosim.world.axis import Axis, Batch

NEVER = axis.NEVER


class Rotor:
    """The true position of an axis; `lost` steps were commanded and not made."""

    def __init__(self, which: "Axis", rad_per_step: float) -> None:
        self._axis = which
        self._rad = rad_per_step
        self.lost = 0
        self.stalled = False
        self.stall_at = NEVER
        self._held = 0
        self._torque = 0.0
        self._top = 1.0
        self._load = 0.0
        self._inertia = 0.0

    def tune(self, torque_mnm: float, top_steps_per_s: float, load_mnm: float, inertia_g_mm2: float) -> None:
        """Linear pull-out torque, and what it is needed for."""
        self._torque = torque_mnm
        self._top = top_steps_per_s
        self._load = load_mnm
        self._inertia = inertia_g_mm2 * 1e-6  # mN m s2

    def position(self, t: int) -> int:
        """Steps that the rotor has made since the origin."""
        if self.stalled:
            return self._held
        return self._axis.position(t) - self.lost

    def time_of(self, position: int) -> int:
        """When the rotor comes to a position in the running batch; NEVER if it does not."""
        return NEVER if self.stalled else self._axis.time_of(position + self.lost)

    def is_off(self) -> bool:
        """Whether the rotor is elsewhere than its count says."""
        return self.stalled or self.lost != 0

    def stall(self, t: int) -> None:
        """The rotor falls out of step."""
        self._held = self.position(t)
        self.stalled = True
        self.stall_at = NEVER

    def follow(self, t: int) -> int:
        """The axis has changed what it does: take hold, plan the next stall; steps newly lost."""
        before = self.lost
        if self.stalled:
            self.stalled = False
            gap = self._axis.position(t) - self._held
            self.lost = (gap + p.BLOCK_STEPS // 2) // p.BLOCK_STEPS * p.BLOCK_STEPS
        self.stall_at = self._plan(t)
        return self.lost - before

    def overrun(self, steps: int) -> None:
        """The rotor ran on after a hard stop."""
        self.lost -= steps

    def home(self) -> None:
        """The present place is the origin of both."""
        self.lost = 0
        self.stalled = False
        self.stall_at = NEVER

    def _plan(self, t: int) -> int:
        """When the running batch asks too much; NEVER if it does not."""
        running = self._axis.running()
        if running is None:
            return NEVER
        offset = self._too_much(running)
        if offset < 0:
            return NEVER
        return max(t, self._axis.end_at - running.cycles * running.ticks + offset)

    def _too_much(self, batch: "Batch") -> int:
        """Ticks into the batch's cycle at which the torque does not suffice; -1 if it does."""
        offset = 0
        rate0 = 0.0
        for steps, interval in batch.segments:
            rate = 25000000.0 / interval
            needed = self._load
            if rate0 > 0.0 and rate != rate0:
                change = (rate - rate0) * self._rad
                needed += self._inertia * change / (steps / rate)
            if needed > self._torque * (1.0 - rate / self._top):
                return offset
            rate0 = rate
            offset += steps * interval
        return -1
