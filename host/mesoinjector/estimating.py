"""How long a plan takes and how much it gives, before anything is sent: the device's time and the hand's apart.

The device's time follows from the figures that the device plans by: flow and time constant of the profile, rates, and
the reference handpiece's axes. What a hand takes between two points is a guess, and is said as one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from mesoinjector import catalogue
from mesoinjector.plan_files import FractionalZone, MeteredZone
from mesoinjector.plans import FractionalPlan, MeteredPlan, Plan

NEEDLE_S = 0.1
"""In and out, half a turn of the cam each; reference handpiece."""
DEPTH_MM_PER_S = 20.0
"""Speed of the depth stop; reference handpiece."""
SETTLE_TAUS, STROKE_TAUS = 4, 3
"""Time constants that the needle waits in skin after a dose (A-21), and after a stroke."""
LOOK_S = 0.02
"""How often the device looks whether the plunger has come to rest, one time constant after the needle is out."""
HAND_S = 5.0
"""From point to point: to move, set, press and let go; choice, nobody has measured it."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """Of a whole plan. Times in s, volumes in nl."""

    points: int
    """How often the hand sets the handpiece, priming included."""
    prime_s: float
    """The device primes, at most: it ends when fluid is seen to flow."""
    flow_s: float
    """The plunger moves."""
    settle_s: float
    """Pressure falls, and strokes wait for their rate."""
    strokes_s: float
    """The needle drive runs in fractional mode."""
    travel_s: float
    """Needle and depth stop move."""
    hand_s: float
    """A person's part: a guess."""
    volume_nl: int
    """Into skin."""
    prime_nl: int
    """Away from the skin, at most."""
    strokes: int

    @property
    def device_s(self) -> float:
        """All that the device takes once it is primed."""
        return self.flow_s + self.settle_s + self.strokes_s + self.travel_s


def estimate(plan: Plan) -> Estimate:
    """Estimate a plan that was found allowed."""
    return _fractional(plan) if isinstance(plan, FractionalPlan) else _metered(plan)


def _fractional(plan: FractionalPlan) -> Estimate:
    runs = len(plan.zones)
    return Estimate(
        points=runs,
        prime_s=0.0,
        flow_s=0.0,
        settle_s=0.0,
        strokes_s=plan.strokes * 60 / plan.rate_per_min,
        travel_s=_depth_s(plan.zones),
        hand_s=runs * HAND_S,
        volume_nl=0,
        prime_nl=0,
        strokes=plan.strokes,
    )


def _metered(plan: MeteredPlan) -> Estimate:
    profile = catalogue.profile(plan.profile)
    flow_nl_per_s = plan.flow_ul_per_s * 1e3 or profile.flow_nl_per_s
    prime_nl, volume_nl = round(plan.prime_ml * 1e6), plan.total_nl - round(plan.prime_ml * 1e6)
    tau_s = profile.resistance_pa_s_per_ul * profile.compliance_nl_per_kpa / 1e6
    settle_s = SETTLE_TAUS * tau_s + _rest_s(tau_s)
    punctures, waits_s = plan.points, plan.points * settle_s
    if plan.stroke_ml:
        punctures, waits_s = _repeat(plan, flow_nl_per_s, tau_s)
    drawn_s = plan.retract * sum(zone.points * zone.depth_mm / 2 for zone in plan.zones) / DEPTH_MM_PER_S
    return Estimate(
        points=plan.points + 1,
        prime_s=prime_nl / profile.flow_nl_per_s + settle_s,
        flow_s=volume_nl / flow_nl_per_s,
        settle_s=waits_s,
        strokes_s=0.0,
        travel_s=punctures * NEEDLE_S + _depth_s(plan.zones) + drawn_s,
        hand_s=(plan.points + 1) * HAND_S,
        volume_nl=volume_nl,
        prime_nl=prime_nl,
        strokes=0,
    )


def _repeat(plan: MeteredPlan, flow_nl_per_s: float, tau_s: float) -> tuple[int, float]:
    """Punctures of a nappage, and how long it neither flows nor travels: what is left of each period."""
    punctures, waits_s = 0, 0.0
    for zone in plan.zones:
        volume_nl = round(zone.volume_ml * 1e6)
        strokes = -(-volume_nl // round(plan.stroke_ml * 1e6))
        least_s = STROKE_TAUS * tau_s
        period_s = 60 / plan.rate_per_min - NEEDLE_S - volume_nl / strokes / flow_nl_per_s
        punctures += strokes * zone.points
        waits_s += zone.points * ((strokes - 1) * max(period_s, least_s) + least_s + _rest_s(tau_s))
    return punctures, waits_s


def _rest_s(tau_s: float) -> float:
    return math.ceil(tau_s / LOOK_S) * LOOK_S


def _depth_s(zones: tuple[MeteredZone, ...] | tuple[FractionalZone, ...]) -> float:
    """The depth stop's way from zone to zone, from home on."""
    way_mm, at_mm = 0.0, 0.0
    for zone in zones:
        way_mm, at_mm = way_mm + abs(zone.depth_mm - at_mm), zone.depth_mm
    return way_mm / DEPTH_MM_PER_S
