"""The syringe's compliance, measured when a prime's plunger stops: how slowly the pressure falls, and from where.

While fluid flows at Q under the pressure P, the needle's resistance is P / Q; the area below the fall, divided by P,
is the time constant R C. Both are taken above the pressure that is left in the end.
"""

from mesoprotocol import limits, tick

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mesofirmware.volume import Volume

LOOK_US = 10_000
"""How often pressure is looked at while it falls: a fifth of the reference needle's time constant."""
_FALL_US = 300_000
"""The fall is over after six of those; what is left then is the pressure at rest."""
_KINETIC = 12
"""Elevenths: the needle's kinetic loss, a twelfth of its pressure at 1 m/s, lets the fall begin slower than it ends."""


class Measurement:
    """One prime's: `flow` while fluid flows, `stop` with the plunger, `fall` until the end, `result`."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Forget the last one."""
        self._flow_pa = 0
        self._flows = 0
        self._area = 0
        self._last_pa = 0
        self._began = 0
        self._at = 0
        self._rest_pa = 0
        self._rests = 0

    def flow(self, volume: "Volume") -> None:
        """Fluid flows evenly."""
        self._flow_pa += volume.stored_pa()
        self._flows += 1

    def stop(self, now: int) -> None:
        """The plunger has stopped."""
        self._last_pa = self._flow_pa // self._flows if self._flows else 0
        self._began = now
        self._at = now

    def fall(self, now: int, volume: "Volume") -> None:
        """Look at the pressure. The area is in Pa.ms."""
        pa = volume.stored_pa()
        if tick.diff(now, self._began) > _FALL_US:
            self._rest_pa += pa
            self._rests += 1
            return
        self._area += (pa + self._last_pa) * (tick.diff(now, self._at) // 100) // 20
        self._last_pa = pa
        self._at = now

    def fall_pa(self) -> int:
        """How far the pressure fell, 0 if nothing was measured: what drives the flow through the needle alone."""
        if not self._flows or not self._rests:
            return 0
        return self._flow_pa // self._flows - self._rest_pa // self._rests

    def result(self, flow_nl_per_s: int) -> int:
        """Compliance in nl/kPa; 0 if nothing was measured."""
        fall = self.fall_pa()
        if fall < limits.FLAT_PA // 2:
            return 0
        area = self._area - self._rest_pa // self._rests * (tick.diff(self._at, self._began) // 1000)
        # Pa.ms / Pa = ms, a tenth of them kept; Pa / (ul/s) is the resistance
        return max(0, area * 10 // fall) * 100 * (flow_nl_per_s // 1000) // fall * _KINETIC // 11
