"""Dose accuracy after ISO 11608-1's method, under conditions, and over needles and viscosities."""

from __future__ import annotations

import random
from typing import NamedTuple

from mesoinjector import Delivered, MesoError, NotDelivered
from mesosim.evidence import dose_account, dose_plots
from mesosim.evidence.dose_account import CONDITIONS, DOSES_NL, PAUSE_S, SETTINGS
from mesosim.evidence.specimen import Specimen, called
from mesosim.evidence.study import Column, Row, Rows, Study

DEVICES, QUICK_DEVICES = 60, 8
"""ISO 11608-1 asks 60 for a two-sided interval of 97.5 % content."""
DEPTH_MM = 2.0
ZONE = "body"

PAUSES_NL = 20_000
"""Dose before the pause."""
BORES_UM = {27: 210, 28: 184, 29: 184, 30: 159, 31: 133, 32: 108, 33: 108, 34: 82.6}
"""Inner diameters by gauge, the common chart's regular wall; ISO 9626:2016 allows wider ones."""
VISCOSITIES_MPA_S = (1, 3, 10, 30, 100, 300, 1000)
NOTHING = (0, 0)
"""Bounds of a dose that is refused or said not to be delivered: whatever reaches the skin is outside of them."""
MAP_DEVICES = 5
MAP_NL = 100_000
QUICK_GAUGES, QUICK_VISCOSITIES = (27, 30, 34), (1, 30, 1000)


class Case(NamedTuple):
    """One device."""

    part: str
    seed: int
    setting: str = ""
    gauge: int = 30
    viscosity_mpa_s: int = 1
    spread: float = 1.0


def cases(quick: bool, seed: int) -> list[Case]:
    """All devices of all parts."""
    seeds = range(seed, seed + (QUICK_DEVICES if quick else DEVICES))
    few = range(seed, seed + (1 if quick else MAP_DEVICES))
    gauges = QUICK_GAUGES if quick else tuple(BORES_UM)
    viscosities = QUICK_VISCOSITIES if quick else VISCOSITIES_MPA_S
    return [
        *(Case("thirds", one) for one in seeds),
        *(Case("conditions", one, condition) for condition in CONDITIONS for one in seeds),
        *(Case("map", one, "", gauge, mu) for gauge in gauges for mu in viscosities for one in few),
    ]


def run(case: Case) -> Rows:
    """Play one device."""
    return {"thirds": _thirds, "conditions": _condition, "map": _needle}[case.part](case)


def _thirds(case: Case) -> Rows:
    """Three doses, in an order drawn anew, from each third of one syringe."""
    specimen = Specimen(case.seed, case.spread)
    rows: list[Row] = []
    if why := specimen.unprimed():
        rows += [
            _row(case, asked, third, 0, why, None) for third in SETTINGS[dose_account.THIRDS] for asked in DOSES_NL
        ]
        return {dose_account.THIRDS: rows}
    for third in SETTINGS[dose_account.THIRDS]:
        order = random.Random(f"{case.seed} {third}").sample(DOSES_NL, len(DOSES_NL))
        rows += [_dose(specimen, case, asked, third) for asked in order]
    return {dose_account.THIRDS: rows}


def _condition(case: Case) -> Rows:
    """Each dose as a device's first, or after a pause; a device a dose."""
    rows = []
    for asked in DOSES_NL:
        specimen = Specimen(case.seed, case.spread, CONDITIONS[case.setting])
        try:
            why = specimen.unprimed()
            if not why and "pause" in case.setting:
                specimen.injector.dose(volume_ml=PAUSES_NL / 1e6, depth_mm=DEPTH_MM, zone=ZONE)
                specimen.injector.wait(PAUSE_S)
        except MesoError as error:
            why = called(error)
        if why:
            rows.append(_row(case, asked, case.setting, 0, why, None))
        else:
            rows.append(_dose(specimen, case, asked, case.setting))
    return {dose_account.CONDITIONED: rows}


def _needle(case: Case) -> Rows:
    """A dose through another needle, or of another fluid, than the profile knows."""
    mu = float(case.viscosity_mpa_s)
    settings = {
        "needle.bore_um": BORES_UM[case.gauge],
        "fluid.viscosity_mpa_s": mu,
        "fluid.sheared_viscosity_mpa_s": mu,
    }
    specimen = Specimen(case.seed, case.spread, settings)
    why = specimen.unprimed()
    return {dose_account.MAP: [_row(case, MAP_NL, "", 0, why, None) if why else _dose(specimen, case, MAP_NL, "")]}


def _dose(specimen: Specimen, case: Case, asked_nl: int, setting: str) -> Row:
    before = specimen.plant()["skin_nl"]
    try:
        result = specimen.injector.dose(volume_ml=asked_nl / 1e6, depth_mm=DEPTH_MM, zone=ZONE)
    except MesoError as error:
        return _row(case, asked_nl, setting, specimen.plant()["skin_nl"] - before, called(error), NOTHING)
    skin = specimen.plant()["skin_nl"] - before
    if isinstance(result, NotDelivered):
        return _row(case, asked_nl, setting, skin, result.reason, NOTHING)
    is_whole = isinstance(result, Delivered) and result.complete
    bounds = (result.lower_nl, result.upper_nl)
    return _row(case, asked_nl, setting, skin, "complete" if is_whole else result.reason, bounds)


def _row(case: Case, asked_nl: int, setting: str, skin_nl: int, outcome: str, bounds: tuple[int, int] | None) -> Row:
    """One dose: what was asked, what the plant says reached the skin, what the device said.

    `bounds`: as the device gives them; None where the prime has ended it, and no dose was asked for.
    """
    lower, upper = bounds or ("", "")
    return {
        "seed": case.seed,
        "setting": setting,
        "gauge": case.gauge,
        "viscosity_mpa_s": case.viscosity_mpa_s,
        "asked_nl": asked_nl,
        "skin_nl": skin_nl,
        "error_percent": 100.0 * (skin_nl - asked_nl) / asked_nl,
        "outcome": outcome,
        "complete": int(outcome == "complete"),
        "bounded": int(bounds is not None),
        "lower_nl": lower,
        "upper_nl": upper,
        "within_bounds": int(bounds is not None and bounds[0] <= skin_nl <= bounds[1]),
    }


STUDY = Study(
    name="dose",
    title="Dose accuracy",
    question="How much of a dose reaches the skin, over devices, syringe thirds, conditions, needles and fluids?",
    method=(
        "After ISO 11608-1's method: each device is a specimen drawn within the plant's tolerances, primed, and gives"
        " the least, the middle and the largest dose from the front, the middle and the rear third of its syringe, in"
        " an order drawn for each third. The dose is what the plant says reached the skin. The errors of a cell's "
        "devices, of the doses that are said to be complete, give a two-sided tolerance interval mean ± k·s, k "
        "computed exactly (ISO 16269-6), for 97.5 % and for 95 % of all such doses, with 95 % confidence. Beside it "
        "stand a test of normality (Anderson–Darling, p within 0.01 and 0.15; at 0.05 or less the sample is taken "
        "for not normal, and the least and the greatest error seen must lie within the limits, too) and what holds "
        "whatever the distribution: the share of all doses that lies between the least and the greatest one seen, "
        "with 95 % confidence.\n\n"
        "The conditions are given to devices of their own, a device a dose. Cold and hot are the room's temperature, "
        "which heats driver and motor, and water's viscosity at it; nothing else in the plant depends on it. A battery "
        "at 5 % is one that the firmware may refuse or stop for: in this plant its voltage moves no step, so that what"
        " is given is what a full one gives.\n\n"
        "The map gives one dose through needles and with fluids that the device's only profile (30G x 4 mm, aqueous) "
        "does not describe. What cannot be given as asked must be refused or stopped and said to be so: a dose that "
        "is said to be complete must be one."
    ),
    cases=cases,
    run=run,
    account=dose_account.account,
    plots=dose_plots.plots,
    columns=[
        Column(table, *how)
        for table, _ in dose_account.TABLES
        for how in (
            ("error_percent", "error", ("skin_nl", "asked_nl")),
            ("within_bounds", "within", ("lower_nl", "skin_nl", "upper_nl")),
        )
    ],
)
