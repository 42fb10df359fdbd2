"""Occlusion: how soon it is told, how much is kept back, how much comes out when it gives way."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from mesoinjector import MesoError, NotDelivered
from mesoprotocol import messages, wire
from mesosim.evidence import occlusion_account, occlusion_plots
from mesosim.evidence.specimen import Specimen, called
from mesosim.evidence.study import Column, Row, Rows, Study
from mesosim.evidence.watching import Watched
from mesosim.lab.oracle import OVERHEAD_NL

GAUGES_UM = {27: 210, 28: 184, 30: 159, 31: 133, 32: 108, 34: 82.6}
"""Inner diameters by gauge, the common chart's regular wall."""
VISCOSITIES_MPA_S = (1, 2, 3, 5, 10, 30, 100, 1000)
COMPLIANCES_NL_PER_KPA = (90, 120, 146, 220, 300)
"""Of the syringe; seal and tube have some 60 more. Its profile says 146."""
DEVICES = 3
QUICK_GAUGES, QUICK_VISCOSITIES, QUICK_COMPLIANCES = (27, 30, 31), (1, 3, 10), (120, 220)
BEFORE, WITHIN = "before the dose", "in its middle"
DOSE_NL = 200_000
DEPTH_MM, ZONE = 2.0, "body"
LOOK_US = 1_000
REST_US = 20_000_000


class Case(NamedTuple):
    """One device, and when its needle is blocked."""

    seed: int
    gauge: int
    viscosity_mpa_s: int
    compliance_nl_per_kpa: int
    when: str


def cases(quick: bool, seed: int) -> list[Case]:
    """Each needle with each fluid and each syringe, blocked before a dose and within one."""
    gauges = QUICK_GAUGES if quick else tuple(GAUGES_UM)
    fluids = QUICK_VISCOSITIES if quick else VISCOSITIES_MPA_S
    syringes = QUICK_COMPLIANCES if quick else COMPLIANCES_NL_PER_KPA
    return [
        Case(one, gauge, fluid, syringe, when)
        for gauge in gauges
        for fluid in fluids
        for syringe in syringes
        for when in (BEFORE, WITHIN)
        for one in range(seed, seed + (1 if quick else DEVICES))
    ]


class Blockage:
    """Blocks the needle when its time has come, and sees what the plant then keeps back."""

    def __init__(self, specimen: Specimen, when: str) -> None:
        self._specimen = specimen
        self._begin = specimen.plant()
        self._nl_per_kpa = sum(
            specimen.inner.control("get", f"{part}.compliance_nl_per_kpa") for part in ("syringe", "seal", "tube")
        )
        self._when = when
        self.harm_us: int | None = None
        """Since when the plunger has pushed against a blocked needle."""
        self.alarm_us: int | None = None
        self.kept_nl = 0.0
        """The most that was stored since then: what had been pushed and had not left."""
        self.pressure_kpa = 0.0

    def look(self, t_us: int, account: dict[str, Any]) -> None:
        """See `Watched`."""
        if self.harm_us is None:
            if self._due(account):
                self._specimen.device.control("blocked", 1)
                self.harm_us = t_us
            return
        kpa = account["pressure_pa"] / 1000
        self.pressure_kpa = max(self.pressure_kpa, kpa)
        self.kept_nl = max(self.kept_nl, kpa * self._nl_per_kpa)

    def hear(self, event: Any) -> None:
        """The device says something: when it has raised the alarm."""
        if self.alarm_us is None and isinstance(event, messages.AlarmEvent) and event.alarm == wire.ALARM_OCCLUSION:
            self.alarm_us = self._specimen.injector.link.now_us()

    def _due(self, account: dict[str, Any]) -> bool:
        if self._when == BEFORE:
            return bool(account["plunger_steps"] > self._begin["plunger_steps"])
        return bool(account["tip_nl"] - self._begin["tip_nl"] >= DOSE_NL // 2)


def run(case: Case) -> Rows:
    """Play one device."""
    watched: list[Watched] = []

    def watch(device: Any) -> Watched:
        watched.append(Watched(device))
        return watched[0]

    fluid = float(case.viscosity_mpa_s)
    settings = {
        "needle.bore_um": float(GAUGES_UM[case.gauge]),
        "fluid.viscosity_mpa_s": fluid,
        "fluid.sheared_viscosity_mpa_s": fluid,
        "syringe.compliance_nl_per_kpa": float(case.compliance_nl_per_kpa),
    }
    specimen = Specimen(case.seed, 1.0, settings, watch)
    if why := specimen.unprimed():
        return {occlusion_account.TABLE: [_row(case, why, 0)]}
    blockage = Blockage(specimen, case.when)
    specimen.injector.listen(blockage.hear)
    watched[0].watch(LOOK_US, blockage.look)
    return {occlusion_account.TABLE: [_dose(specimen, case, blockage, lambda: watched[0].watch(REST_US, _nothing))]}


def _nothing(t_us: int, account: dict[str, Any]) -> None:
    """Nobody looks any more."""


def _dose(specimen: Specimen, case: Case, blockage: Blockage, look_away: Callable[[], None]) -> Row:
    before = specimen.plant()
    lower = upper = 0
    try:
        result = specimen.injector.dose(DOSE_NL / 1e6, DEPTH_MM, ZONE)
        outcome = result.reason
        if not isinstance(result, NotDelivered):
            lower, upper = result.lower_nl, result.upper_nl
    except MesoError as error:
        outcome = called(error)
    look_away()
    stopped = specimen.plant()
    specimen.device.control("blocked", 0)
    released = specimen.rest(REST_US)["tip_nl"] - stopped["tip_nl"]
    if blockage.harm_us is None:
        return _row(case, outcome, 0)
    after_ms: int | str = ""
    if blockage.alarm_us is not None:
        after_ms = (blockage.alarm_us - blockage.harm_us + 999) // 1000
    tip = stopped["tip_nl"] - before["tip_nl"]
    return _row(case, outcome, 1) | {
        "told": int(outcome == "occlusion" and after_ms != ""),
        "alarm_ms": after_ms,
        "pressure_kpa": round(blockage.pressure_kpa, 2),
        "undelivered_ul": round(blockage.kept_nl / 1000, 3),
        "released_ul": round(released / 1000, 3),
        "tip_nl": tip,
        "lower_nl": lower,
        "upper_nl": upper,
        "within_bounds": int(lower - OVERHEAD_NL <= tip <= upper + OVERHEAD_NL),
    }


def _row(case: Case, outcome: str, blocked: int) -> Row:
    """`blocked`: whether the needle was blocked while something was pushed."""
    return {
        "seed": case.seed,
        "gauge": case.gauge,
        "viscosity_mpa_s": case.viscosity_mpa_s,
        "compliance_nl_per_kpa": case.compliance_nl_per_kpa,
        "when": case.when,
        "outcome": outcome,
        "blocked": blocked,
        "told": 0,
        "alarm_ms": "",
        "pressure_kpa": 0.0,
        "undelivered_ul": 0.0,
        "released_ul": 0.0,
        "tip_nl": 0,
        "lower_nl": 0,
        "upper_nl": 0,
        "within_bounds": 1,
    }


STUDY = Study(
    name="occlusion",
    title="Occlusion",
    question="How soon is a blocked needle told, how much is kept back until then, and how much comes out after it?",
    method=(
        "Devices drawn within the plant's tolerances, each with another needle, fluid and syringe, are primed and give "
        "200 µl at 2 mm. Their needle is blocked altogether as soon as the plunger pushes, or when half of the dose "
        "has left. Time to alarm counts from there to when the host hears of it. Undelivered is the most that syringe, "
        "seal and tube then store, what was in them in flow included: pressure times their compliance, by the plant, "
        "every millisecond. When the dose has ended and the needle has left the skin, the blockage gives way: what "
        "then leaves the tip is released. The device knows one profile, 30G and 1 mPa·s; what it does not prime or "
        "give with another needle or fluid is told as refused and has no occlusion to judge. The bounds of a dose are "
        f"held against the plant with {OVERHEAD_NL} nl beside them, which skin's own pressure moves through a needle "
        "at rest."
    ),
    cases=cases,
    run=run,
    account=occlusion_account.account,
    plots=occlusion_plots.plots,
    columns=(
        Column(occlusion_account.TABLE, "within_bounds", "within", ("lower_nl", "tip_nl", "upper_nl"), OVERHEAD_NL),
    ),
)
