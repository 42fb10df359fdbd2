"""Skin around the tip: a pressure of its own, a deposit that fills it and is carried away, a resistance to flow."""

from mesosim.world import arithmetic

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mesosim.world.symbols import Symbols


class Tissue:
    """`pressure_kpa` and `resistance` (kPa s/ul) at the tip's depth."""

    def __init__(self, symbols: "Symbols") -> None:
        self.deposit_ul = 0.0
        self.pressure_kpa = 0.0
        self.resistance = 0.0
        self._depth_um = 0.0
        self._left_at = 0
        self.tune(symbols)

    def tune(self, symbols: "Symbols") -> None:
        """Take the symbols as they are now."""
        get = symbols.get
        self._rest_kpa = get("tissue.pressure_kpa")
        self._resistance = get("tissue.resistance_kpa_s_per_ul")
        self._stiffness = get("tissue.stiffness_kpa")
        self._half_ul = get("tissue.deposit_ul")
        self._decay_s = get("tissue.decay_s")
        self._soft_um = get("tissue.soft_depth_um")
        self._feel()

    def move(self, depth_um: float) -> None:
        """The tip has come to a depth."""
        self._depth_um = depth_um if depth_um > 0.0 else 0.0
        self._feel()

    def enter(self, t: int) -> None:
        """The tip has come into skin at tick t: the deposit has decayed since it left."""
        self.deposit_ul *= arithmetic.exp((self._left_at - t) / 25000000.0 / self._decay_s)

    def leave(self, t: int) -> None:
        """The tip has left the skin at tick t."""
        self._left_at = t

    def fresh(self) -> None:
        """Another place of the skin, where nothing is yet."""
        self.deposit_ul = 0.0
        self._feel()

    def take(self, volume_ul: float, dt: float) -> None:
        """What flowed in during dt seconds."""
        part = dt / self._decay_s
        self.deposit_ul = (self.deposit_ul + volume_ul * (1.0 - part / 2.0)) * arithmetic.exp(-part)
        if self.deposit_ul < 0.0:
            self.deposit_ul = 0.0
        self._feel()

    def _feel(self) -> None:
        soft = self._soft_um / (self._soft_um + self._depth_um)
        full = self.deposit_ul / (self._half_ul + self.deposit_ul)
        self.pressure_kpa = soft * (self._rest_kpa + self._stiffness * full)
        self.resistance = soft * self._resistance
