"""Each fault tried in each mode that it is said to show in: a scenario made for it, and whether it does as said."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mesosim.lab import play
from mesosim.lab.catalogue import TRIED_AT_S, Fault, Mode
from mesosim.lab.outcome import Outcome
from mesosim.lab.scenario import Scenario, expected

PRIME: dict[str, Any] = {"do": "prime", "volume_ml": 0.06}
STEPS: dict[str, list[dict[str, Any]]] = {
    "prime": [PRIME],
    "dose": [PRIME, {"do": "dose", "volume_ml": 0.1, "depth_mm": 1.0, "zone": "cheek"}],
    "run": [{"do": "fractional", "strokes": 120, "depth_mm": 1.0, "zone": "cheekbone", "area_cm2": 40}],
}
"""What is done, by mode; the fault comes in the last of them."""


AFTER: list[dict[str, Any]] = [{"do": "wait", "s": 2.0}, {"do": "reconnect"}]
"""What the host does then."""


@dataclass(frozen=True)
class Trial:
    """One fault in one mode. `findings` are those against what the catalogue says."""

    fault: Fault
    mode: Mode
    outcome: Outcome

    @property
    def met(self) -> bool:
        """Whether all is as the catalogue says."""
        return self.outcome.passed


def scenario(fault: Fault, mode: Mode, kind: str | None = None) -> Scenario:
    """The scenario that tries a fault in a mode, with its default size."""
    at_s = TRIED_AT_S[mode] if fault.at_s is None else fault.at_s
    return Scenario.model_validate(
        {
            "name": f"{fault.name}-{mode}",
            "title": f"{fault.title}, in a {mode}",
            "step": [*STEPS[mode], *AFTER],
            "fault": [{"name": fault.name, "step": len(STEPS[mode]), "at_s": at_s, "kind": kind}],
            "expect": expected(fault, mode),
        }
    )


def attempt(fault: Fault, mode: Mode, seed: int = 1, runtime: str = "cpython") -> Trial:
    """Try a fault in a mode."""
    return Trial(fault, mode, play.play(scenario(fault, mode), seed, runtime))
