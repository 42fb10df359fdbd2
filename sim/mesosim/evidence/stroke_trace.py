"""Each stroke of a device as its plant's trace tells it: when the drive passed its index, how deep the needle was."""

from __future__ import annotations

from typing import NamedTuple

from mesosim.evidence.specimen import Specimen, drawn
from mesosim.world import parameters as p
from mesosim.world import trace
from mesosim.world.plant import TICKS_PER_US
from mesosim.world.skin import Skin
from mesosim.world.symbols import Symbols

_HALF = p.STEPS_PER_TURN // 2


class Bottom(NamedTuple):
    """A needle at bottom dead centre."""

    protrusion_um: float
    """By the mechanics: where the depth stop lets it go to."""
    reached_um: float
    """Depth in the skin, the hand trembling; above 0 only where it is pierced."""
    pierced: bool


class StrokeTrace(trace.Untraced):
    """Sees the plant's records as they come, and keeps those of strokes."""

    def __init__(self) -> None:
        super().__init__()
        self.specimen: Specimen | None = None
        self.skin: Skin | None = None
        self.tops_us: list[float] = []
        """When the drive passed top dead centre, by the device's clock, to 40 ns; no sensor's jitter in it."""
        self.bottoms: list[Bottom] = []

    def add(self, t: int, kind: int, a: int, b: int, c: int) -> int:
        """See `Trace`."""
        if kind == trace.INDEX:
            self.tops_us.append(t / TICKS_PER_US)
        elif kind == trace.BOTTOM and self.specimen and self.skin:
            um = self.specimen.protrusion_um()
            reached = self.skin.depth_um(um) + self.skin.tremor(t)
            self.bottoms.append(Bottom(um, max(0.0, reached), self.skin.pierces(um, t)))
        return a

    def begin(self) -> None:
        """Forget what was."""
        self.tops_us, self.bottoms = [], []


def specimen(seed: int, spread: float = 1.0, settings: dict[str, float] | None = None) -> tuple[Specimen, StrokeTrace]:
    """A drawn device whose strokes are seen."""
    log = StrokeTrace()
    found = Specimen(seed, spread, settings, log=log)
    log.specimen, log.skin = found, Skin(Symbols(drawn(seed, spread, settings or {})))
    return found, log


def step_interval_us(rate_per_min: int) -> float:
    """Time from one step of the drive to the next, at a rate."""
    return 60e6 / rate_per_min / p.STEPS_PER_TURN
