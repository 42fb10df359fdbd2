"""What the dose accuracy study comes to: intervals in every cell, lines of acceptance, tables."""

from __future__ import annotations

from collections.abc import Sequence

from mesosim.evidence.computing import figure
from mesosim.evidence.study import Account, Figure, Grid, How, Tables, Value, Verdict, Where

THIRDS, CONDITIONED, MAP = "dose-thirds", "dose-conditions", "dose-map"
TABLES = ((THIRDS, "thirds"), (CONDITIONED, "conditions"), (MAP, "needles and fluids"))
DOSES_NL = (20_000, 100_000, 200_000)
"""Least, middle, largest dose of the handpiece."""
PAUSE_S = 600
HOT = "hot, 40 °C"
CONDITIONS: dict[str, dict[str, float]] = {
    "first dose": {},
    f"after a pause of {PAUSE_S // 60} min": {},
    "cold, 5 °C": {
        "ambient.temperature_c": 5,
        "fluid.viscosity_mpa_s": 1.519,
        "fluid.sheared_viscosity_mpa_s": 1.519,
    },
    HOT: {
        "ambient.temperature_c": 40,
        "fluid.viscosity_mpa_s": 0.653,
        "fluid.sheared_viscosity_mpa_s": 0.653,
    },
    "battery at 5 %": {"battery.charge_permille": 50},
}
"""What each sets in the plant. Viscosity of water: IAPWS 2008, as in the CRC Handbook. 3 % of charge are refused."""
SETTINGS: dict[str, Sequence[str]] = {THIRDS: ("front", "middle", "rear"), CONDITIONED: tuple(CONDITIONS)}
GOAL_PERCENT = 5.0
CONFIDENCE = 0.95
NORMAL_P = 0.05
"""At most this of a sample that is taken for not normal; the usual choice."""
CONTENT, LESS = 0.975, 0.95
"""ISO 11608-1's content for a design; the usual one beside it."""
ERROR = "error_percent"


def account(tables: Tables) -> Account:
    """Lines of acceptance and tables."""
    thirds = _cells(tables, THIRDS, "thirds")
    conditions = _cells(tables, CONDITIONED, "conditions")
    return Account(
        verdicts=[
            *(_dose_verdict(tables, asked, thirds) for asked in DOSES_NL),
            _condition_verdict(tables, conditions),
            _bounds_verdict(tables),
            _map_verdict(tables),
        ],
        grids=[
            _grid(tables, THIRDS, "Error of doses in the skin, %, by third of the syringe", "third", thirds),
            _grid(tables, CONDITIONED, "Error of doses in the skin, %, under conditions", "condition", conditions),
            _map_grid(tables),
        ],
        notes=[
            "A tolerance interval without a distribution needs 188 doses for 97.5 % and 93 for 95 % of all; of fewer, "
            "the last column says for which share the range seen speaks.",
        ],
    )


Cell = tuple[int, str]
"""A dose in nl, and a third or condition."""


def _cells(tables: Tables, table: str, name: str) -> dict[Cell, dict[str, Figure]]:
    """The figures of every cell."""
    found = {}
    for asked in DOSES_NL:
        for number, setting in enumerate(SETTINGS[table]):
            where: Where = {"asked_nl": asked, "setting": setting}
            found[asked, setting] = _cell(tables, table, f"dose.{name}.{asked // 1000}.{number}", where)
    return found


def _cell(tables: Tables, table: str, id: str, where: Where) -> dict[str, Figure]:
    whole = {**where, "complete": 1}
    cell = f"{int(str(where['asked_nl'])) // 1000} µl, {where['setting']}"

    def made(end: str, do: str, label: str, unit: str, digits: int, parameters: dict[str, Value]) -> Figure:
        return figure(
            tables, f"{id}.{end}", f"{cell}: {label}", unit, How(do, table, ERROR, whole, parameters), digits=digits
        )

    # an interval of those that were given whole is none of all
    goal = None if tables.rows(table, {**where, "complete": 0}) else GOAL_PERCENT

    def within(end: str, label: str) -> Figure:
        how = How(f"tolerance_{end}", table, ERROR, whole, _level(CONTENT))
        low = None if goal is None else -goal
        return figure(tables, f"{id}.{end}", f"{cell}: {label}", "%", how, low=low, high=goal)

    p = made("p", "p_normal", "Anderson-Darling's p", "", 2, {})
    is_normal = p.value is None or p.value > NORMAL_P

    def seen(end: str, do: str, label: str) -> Figure:
        """A limit where the interval's distribution does not hold."""
        high = None if is_normal else goal
        low = None if high is None else -high
        return figure(tables, f"{id}.{end}", f"{cell}: {label}", "%", How(do, table, ERROR, whole), low=low, high=high)

    complete = How("share", table, "complete", where, {"scale": 100})
    return {
        "asked": figure(
            tables, f"{id}.asked", f"{cell}: doses asked for", "", How("count", table, "", where), digits=0
        ),
        "complete": figure(
            tables, f"{id}.complete", f"{cell}: doses said to be complete", "%", complete, digits=0, low=100
        ),
        "n": made("n", "count", "doses said to be complete, of which the rest speaks", "", 0, {}),
        "mean": made("mean", "mean", "mean error", "%", 2, {}),
        "sd": made("sd", "sd", "standard deviation", "%", 2, {}),
        "k": made("k", "k", "factor k, 95 %/97.5 %", "", 3, _level(CONTENT)),
        "low": within("low", "low end of the tolerance interval, 95 %/97.5 %"),
        "high": within("high", "high end of the tolerance interval, 95 %/97.5 %"),
        "low95": made("low95", "tolerance_low", "low end of the interval, 95 %/95 %", "%", 2, _level(LESS)),
        "high95": made("high95", "tolerance_high", "high end of the interval, 95 %/95 %", "%", 2, _level(LESS)),
        "p": p,
        "least": seen("least", "min", "least error seen"),
        "most": seen("most", "max", "greatest error seen"),
        "content": made(
            "content", "range_content", "share between them", "%", 1, {"scale": 100, "confidence": CONFIDENCE}
        ),
    }


def _level(content: float) -> dict[str, Value]:
    return {"content": content, "confidence": CONFIDENCE}


HEAD = (
    *("asked", "complete %", "n", "mean", "s", "k", "95/97.5 from", "to", "95/95 from", "to"),
    *("p (to 0.15)", "least", "most", "holds %"),
)


def _grid(tables: Tables, table: str, caption: str, what: str, cells: dict[Cell, dict[str, Figure]]) -> Grid:
    rows: list[list[Figure | str]] = [
        [f"{asked / 1000:g} µl", setting, *figures.values()] for (asked, setting), figures in cells.items()
    ]
    return Grid(caption, ["dose", what, *HEAD], rows)


def _judged(figures: dict[str, Figure]) -> list[Figure]:
    """What a cell must hold: all whole, its interval, and what was seen where the sample is not normal."""
    return [figures[end] for end in ("complete", "low", "high", "least", "most") if figures[end].passed is not None]


def _dose_verdict(tables: Tables, asked: int, cells: dict[Cell, dict[str, Figure]]) -> Verdict:
    own = [one for (dose, _), figures in cells.items() if dose == asked for one in _judged(figures)]
    text = (
        f"Doses of {asked / 1000:g} µl lie within ±{GOAL_PERCENT:g} % by their tolerance interval (97.5 % of all, "
        "95 % confidence) from every third of the syringe"
    )
    return Verdict(text, own, _cause(tables, own, THIRDS))


def _condition_verdict(tables: Tables, cells: dict[Cell, dict[str, Figure]]) -> Verdict:
    own = [one for figures in cells.values() for one in _judged(figures)]
    text = (
        f"So do first doses, doses after a pause, in the cold, in the heat and on a low battery: within "
        f"±{GOAL_PERCENT:g} %"
    )
    return Verdict(text, own, _cause(tables, own, CONDITIONED))


def _bounds_verdict(tables: Tables) -> Verdict:
    own = [
        figure(
            tables,
            f"dose.bounds.{table.partition('-')[2]}",
            f"{what}: doses whose truth lies within the device's bounds",
            "%",
            How("share", table, "within_bounds", {"bounded": 1}, {"scale": 100}),
            digits=1,
            low=100,
        )
        for table, what in TABLES
    ]
    counts = [
        figure(
            tables,
            f"dose.bounded.{table.partition('-')[2]}",
            f"{what}: doses that were asked for, and so have bounds",
            "",
            How("count", table, "", {"bounded": 1}),
            digits=0,
            low=1,
        )
        for table, what in TABLES
    ]
    text = (
        "The truth lies within the lower and upper bound that the device gives of every dose; in one that it refuses "
        "or calls not delivered nothing reaches the skin"
    )
    outside = any(tables.rows(table, {"bounded": 1, "within_bounds": 0}) for table, _ in TABLES)
    rows = "some doses lie outside the bounds; the rows with bounded = 1 and within_bounds = 0 say which."
    cause = rows if outside else "no dose was asked for."
    return Verdict(text, [*own, *counts], cause)


def _map_verdict(tables: Tables) -> Verdict:
    own = figure(
        tables,
        "dose.map.worst",
        "greatest error of a dose that is said to be complete, with any needle and fluid",
        "%",
        How("max_abs", MAP, ERROR, {"complete": 1}),
        high=GOAL_PERCENT,
    )
    text = (
        f"With needles of 27 to 34G and fluids of 1 to 1,000 mPa·s a dose that is said to be complete is within "
        f"±{GOAL_PERCENT:g} %; any other is refused or stopped, and said so"
    )
    return Verdict(text, [own], _map_cause(tables))


def _map_cause(tables: Tables) -> str:
    bad = [row for row in tables.rows(MAP, {"complete": 1}) if abs(float(row[ERROR])) > GOAL_PERCENT]
    named = sorted({(int(row["gauge"]), int(row["viscosity_mpa_s"])) for row in bad})
    said = ", ".join(f"{gauge}G with {viscosity} mPa·s" for gauge, viscosity in named)
    return f"said to be complete, and too much or too little: {said}." if bad else "no dose was complete."


_LEAK = (
    " A fluid that is 35 % thinner resists less than the 70 % of the profile's needle that a prime takes for no leak:"
    " it ends, and nothing is given."
)


def _cause(tables: Tables, figures: Sequence[Figure], table: str) -> str:
    """What failed, by what the device said: ended early for a reason, refused, or given wrong."""
    failed = [one for one in figures if one.passed is False]
    if not failed:
        return ""
    others = [f"{row['setting']}: {row['outcome']}" for row in tables.rows(table, {"complete": 0})]
    if others:
        counted = "; ".join(f"{name} ({others.count(name)} times)" for name in sorted(set(others)))
        is_thinner = any(name.startswith(HOT) and "prime: leak" in name for name in others)
        return f"not given whole: {counted}.{_LEAK if is_thinner else ''}"
    worst = max(failed, key=lambda one: abs(one.value or 0))
    if worst.value is None:
        return f"{worst.label}: too few doses were given whole."
    return f"{worst.label} is {worst.value:+.2f} %: devices differ by too much, or all are off."


def _map_grid(tables: Tables) -> Grid:
    gauges = sorted(tables.distinct(MAP, "gauge"), key=float)
    rows: list[list[Figure | str]] = []
    for viscosity in sorted(tables.distinct(MAP, "viscosity_mpa_s"), key=float):
        for what in ("complete", "error"):
            label = f"{viscosity} mPa·s: " + ("complete, %" if what == "complete" else "worst error of those, %")
            cells = [_map_figure(tables, int(gauge), int(viscosity), what) for gauge in gauges]
            rows.append([label, *cells])
    head = ["fluid", *(f"{gauge}G" for gauge in gauges)]
    return Grid("100 µl by needle and fluid, against the one profile 30G and 1 mPa·s", head, rows)


def _map_figure(tables: Tables, gauge: int, viscosity: int, what: str) -> Figure:
    where = {"gauge": gauge, "viscosity_mpa_s": viscosity}
    id = f"dose.map.{gauge}.{viscosity}.{what}"
    if what == "complete":
        how = How("share", MAP, "complete", where, {"scale": 100})
        return figure(tables, id, "doses said to be complete", "%", how, digits=0)
    complete = {**where, "complete": 1}
    how = How("max_abs", MAP, ERROR, complete)
    goal = GOAL_PERCENT if tables.rows(MAP, complete) else None
    return figure(tables, id, "greatest error of doses said to be complete", "%", how, high=goal)
