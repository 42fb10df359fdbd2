"""Skin under the nose: it rises into it, gives way before it is pierced, clings to the needle, and a hand trembles.

Protrusions and depths in um, times in ticks of 40 ns. A set depth is not a depth reached.
"""

from mesosim.world import arithmetic

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mesosim.world.symbols import Symbols


class Skin:
    """Where the tip goes in and out, by the needle's protrusion."""

    def __init__(self, symbols: "Symbols") -> None:
        self.tune(symbols)

    def tune(self, symbols: "Symbols") -> None:
        """Take the symbols as they are now."""
        get = symbols.get
        um_a_n = 1000.0 / get("skin.stiffness_n_per_mm")
        bulge = get("skin.bulge_um")
        clings = um_a_n * get("skin.friction_n")
        self._shift = bulge - clings
        self.pierced_um = max(um_a_n * get("skin.puncture_n"), clings) - bulge
        """The way in: skin dents until the force pierces it."""
        self.left_um = -bulge - clings
        """The way out: skin follows the needle for a while."""
        self.tremor_um = get("tremor.amplitude_um")
        self._period = int(25000000.0 / get("tremor.frequency_hz"))

    def depth_um(self, protrusion_um: float) -> float:
        """Depth of the tip in skin once it is pierced, the hand being still."""
        return protrusion_um + self._shift

    def tremor(self, t: int) -> float:
        """How much deeper the hand holds the handpiece at time t."""
        return self.tremor_um * arithmetic.cos_turn(t % self._period, self._period)

    def pierces(self, protrusion_um: float, t: int) -> bool:
        """Whether a stroke to this protrusion, deepest at time t, goes through the skin."""
        spare = protrusion_um - self.pierced_um
        if spare >= self.tremor_um or spare < -self.tremor_um:
            return spare >= 0.0
        return spare + self.tremor(t) >= 0.0
