"""A thin needle: Hagen-Poiseuille, kinetic head, and a viscosity that falls with shear (Carreau).

head = (8 mu L / (pi r^4) + more) Q + K rho v^2 / 2        mu by the shear rate at the wall, 4 Q / (pi r^3)
"""

from math import sqrt

from mesosim.world import arithmetic

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mesosim.world.symbols import Symbols

_PI = 3.141592653589793
_ROUNDS = 40


class Needle:
    """`flow_ul_s` and `slope_ul_s_kpa`, its derivative by the head, as of the last `solve`."""

    def __init__(self, symbols: "Symbols") -> None:
        self.flow_ul_s = 0.0
        self.slope_ul_s_kpa = 0.0
        self.tune(symbols)

    def tune(self, symbols: "Symbols") -> None:
        """Take the symbols as they are now."""
        get = symbols.get
        r_um = get("needle.bore_um") / 2.0
        r_mm = r_um / 1000.0
        square = r_um * r_um
        # kPa s/ul for each mPa s
        self._per_viscosity = 8000.0 * get("needle.length_um") / (_PI * square * square) * get("needle.occlusion")
        area = _PI * r_mm * r_mm
        self._kinetic = get("needle.kinetic") * get("fluid.density_kg_m3") * 0.5e-9 / (area * area)
        self._least = get("fluid.sheared_viscosity_mpa_s")
        self._extra = get("fluid.viscosity_mpa_s") - self._least
        self._power = (get("fluid.shear_index") - 1.0) / 2.0
        self._shear = 4.0 / (area * r_mm) * get("fluid.relaxation_ms") / 1000.0
        self._thins = self._extra > 0.0 and self._power < 0.0 and self._shear > 0.0
        if not self._thins:
            self._least += self._extra

    def solve(self, head_kpa: float, more: float) -> None:
        """The flow that a head drives through the needle and `more` resistance, kPa s/ul."""
        back = head_kpa < 0.0
        head = -head_kpa if back else head_kpa
        k = self._kinetic
        if self._thins:
            flow = self._thinning(head, more)
        else:
            r = self._per_viscosity * self._least + more
            flow = 2.0 * head / (r + sqrt(r * r + 4.0 * k * head))
            self.slope_ul_s_kpa = 1.0 / (r + 2.0 * k * flow)
        self.flow_ul_s = -flow if back else flow

    def _thinning(self, head: float, more: float) -> float:
        """By Newton's method from the flow at rest's viscosity, which is too little."""
        k = self._kinetic
        c = self._per_viscosity
        r = c * (self._least + self._extra) + more
        flow = 2.0 * head / (r + sqrt(r * r + 4.0 * k * head))
        for _ in range(_ROUNDS):
            s = self._shear * flow
            s = s * s
            part = self._extra * arithmetic.exp(self._power * arithmetic.log(1.0 + s))
            r = c * (self._least + part) + more
            self.slope_ul_s_kpa = 1.0 / (r + 2.0 * k * flow + c * part * 2.0 * self._power * s / (1.0 + s))
            change = (head - (r + k * flow) * flow) * self.slope_ul_s_kpa
            flow += change
            if -1e-12 * flow <= change <= 1e-12 * flow:
                break
        return flow
