"""What the trumpet curves come to."""

from __future__ import annotations

from mesosim.evidence.computing import figure
from mesosim.evidence.study import Account, Figure, Grid, How, Tables, Value, Verdict

PUNCTURES, PERFUSION, RUNS = "trumpet-punctures", "trumpet-perfusion", "trumpet-runs"
SKIN, NO_PRESSURE = "skin", "skin without pressure"
STROKE_NL = 8_000
FLOWS_UL_PER_S = (1, 2, 5, 10)
WIDTHS = (1, 2, 5, 10, 30, 60)
"""Punctures in a window."""
TIMES = (1, 2, 4, 10, 20)
"""Samples of half a second in a window."""
SAMPLE_S = 0.5
GOAL_PERCENT = 5.0
ENOUGH = 10
"""Punctures whose sum must be within the goal."""
LONG_S = 5.0
"""Time over which a steady flow must be within the goal."""


def nappage(skin: str) -> str:
    """How a nappage is called."""
    return f"nappage, {STROKE_NL / 1e3:g} µl a puncture, {skin}"


def perfusion(flow_ul_per_s: int) -> str:
    """How a perfusion is called."""
    return f"perfusion, {flow_ul_per_s} µl/s"


SETTINGS = (*(nappage(skin) for skin in (SKIN, NO_PRESSURE)), *(perfusion(flow) for flow in FLOWS_UL_PER_S))


def account(tables: Tables) -> Account:
    """Lines of acceptance and tables."""
    punctures = {(skin, width): _punctures(tables, skin, width) for skin in (SKIN, NO_PRESSURE) for width in WIDTHS}
    times = {(flow, width): _perfusion(tables, flow, width) for flow in FLOWS_UL_PER_S for width in TIMES}
    whole = [_whole(tables, number, one) for number, one in enumerate(SETTINGS)]
    long = [one for (_, width), pair in times.items() if width * SAMPLE_S >= LONG_S for one in pair]
    sums = [one for (skin, width), pair in punctures.items() if skin == SKIN and width >= ENOUGH for one in pair]
    free = [one for (skin, width), pair in punctures.items() if skin != SKIN and width >= ENOUGH for one in pair]
    return Account(
        verdicts=[
            Verdict("Every nappage and perfusion is said to be complete", whole, _stopped(tables)),
            Verdict(
                f"The sum of any {ENOUGH} and more consecutive punctures is within ±{GOAL_PERCENT:g} %",
                sums,
                _far(sums) + _why(free),
            ),
            Verdict(
                f"The steady flow of a perfusion over any {LONG_S:g} s and more is within ±{GOAL_PERCENT:g} %",
                long,
                _far(long),
            ),
        ],
        grids=[
            Grid(
                "Worst errors of the sum over consecutive punctures in the skin, %",
                ["punctures", "least", "greatest", f"{NO_PRESSURE}: least", "greatest"],
                [[str(width), *punctures[SKIN, width], *punctures[NO_PRESSURE, width]] for width in WIDTHS],
            ),
            Grid(
                "Worst errors of a steady flow over windows of time, %",
                ["flow", "window", "least", "greatest"],
                [[f"{flow} µl/s", f"{width * SAMPLE_S:g} s", *pair] for (flow, width), pair in times.items()],
            ),
            Grid(
                "Said to be complete, % of the devices",
                ["dose", "complete"],
                [[name, one] for name, one in zip(SETTINGS, whole, strict=True)],
            ),
        ],
    )


def _punctures(tables: Tables, skin: str, width: int) -> list[Figure]:
    parameters: dict[str, Value] = {"width": width, "asked": "asked_nl", "group": "seed", "scale": 100}
    goal = GOAL_PERCENT if width >= ENOUGH else None
    how = How("", PUNCTURES, "given_nl", {"skin": skin}, parameters)
    id = f"trumpet.{'punctures' if skin == SKIN else 'free'}.{width}"
    return _pair(tables, id, f"{width} punctures, {skin}", how, goal)


def _perfusion(tables: Tables, flow: int, width: int) -> list[Figure]:
    parameters: dict[str, Value] = {"width": width, "asked": "asked_nl", "group": "run", "scale": 100}
    goal = GOAL_PERCENT if width * SAMPLE_S >= LONG_S else None
    how = How("", PERFUSION, "given_nl", {"flow_ul_per_s": flow, "steady": 1}, parameters)
    return _pair(tables, f"trumpet.flow.{flow}.{width}", f"{flow} µl/s over {width * SAMPLE_S:g} s", how, goal)


def _pair(tables: Tables, id: str, label: str, how: How, goal: float | None) -> list[Figure]:
    """Least and greatest error."""
    low = None if goal is None else -goal
    return [
        figure(
            tables,
            f"{id}.{end}",
            f"{'least' if end == 'min' else 'greatest'} error of {label}",
            "%",
            How(f"window_{end}", how.table, how.column, how.where, how.parameters),
            low=low,
            high=goal,
        )
        for end in ("min", "max")
    ]


def _whole(tables: Tables, number: int, setting: str) -> Figure:
    how = How("share", RUNS, "complete", {"setting": setting}, {"scale": 100})
    return figure(tables, f"trumpet.whole.{number}", f"{setting}: said to be complete", "%", how, digits=0, low=100)


def _stopped(tables: Tables) -> str:
    said = [f"{row['setting']}: {row['outcome']}" for row in tables.rows(RUNS, {"complete": 0})]
    counted = "; ".join(f"{name} ({said.count(name)} times)" for name in sorted(set(said)))
    is_free = nappage(NO_PRESSURE) + ": leak" in said
    more = (
        " Skin without pressure, which nobody has, adds nothing to what the needle resists; what resists a tenth less "
        "is a leak to the firmware."
    )
    return f"{counted}.{more if is_free else ''}" if said else ""


def _why(free: list[Figure]) -> str:
    """What nappages without the skin's pressure say of it."""
    if not all(one.passed for one in free):
        return ""
    return (
        " Without the skin's pressure (tissue.* = 0, beside it in the table) the sums are within the goal: that "
        "pressure, of the deposit above all, slows the flow of each stroke, and part of it leaves the tip when the "
        "needle is out."
    )


def _far(figures: list[Figure]) -> str:
    far = "; ".join(f"{one.label} is {one.value:+.1f} %" for one in figures if one.value is not None and not one.passed)
    return f"{far}." if far else ""
