"""What the fault matrix comes to: lines of acceptance, the matrix, and what cannot be detected."""

from __future__ import annotations

from mesosim.evidence.computing import figure
from mesosim.evidence.study import Account, Figure, Grid, How, Row, Tables, Verdict, Where
from mesosim.lab import catalogue

TABLE = "faults-tried"
NAMED, NUMBERS, BOARD, FRAMES, HOST = "named", "numbers", "board calls", "frames", "host"
FAMILIES = (NAMED, NUMBERS, BOARD, FRAMES, HOST)
STRUCK = {"struck": 1}
JUDGED = {"struck": 1, "judged": 1}
"""Those in which what is told must be so: all but what nothing can see."""
SEEN = {"struck": 1, "detectable": 1}
AT_STAKE = {**SEEN, "exposed": 1}
"""Those that could do harm: a time was judged."""
TIMED = {"raised": 1, "exposed": 1}
"""Those whose time to alarm means something."""
NOMINAL = {"struck": 1, "draw": 0}
SHOWN = 12
"""So many different causes are told in words; the rows of the table have all."""


def family(name: str) -> str:
    """Which part of the catalogue a fault belongs to."""
    if name in catalogue.named():
        return NAMED
    return {"board": BOARD, "frame": FRAMES, "host": HOST}.get(name.partition(".")[0], NUMBERS)


def account(tables: Tables) -> Account:
    """Lines of acceptance and tables."""
    return Account(
        verdicts=[
            _verdict(
                tables,
                "raised",
                "Every fault that a sensor can see raises an alarm",
                SEEN,
            ),
            _verdict(
                tables,
                "in_time",
                "It is raised, the needle is home and nothing is pushed in time, wherever it could do harm",
                AT_STAKE,
            ),
            _verdict(
                tables,
                "true",
                "Whatever is wrong, unless nothing can see it, no dose is exceeded, and the plant lies within what is "
                "told of volumes and strokes",
                JUDGED,
            ),
            _as_said(tables),
            _come(tables),
        ],
        grids=[_families(tables), _matrix(tables), _listed(tables, "unseen"), _listed(tables, "open")],
        notes=[
            "A bound of a share says how far the true share may be from 100 % for the number of cases tried, as if "
            "each were drawn by itself; it speaks of moments and devices as they were drawn here, not of faults that "
            "the catalogue does not know. Where nothing ran any more, a fault is not at stake, and no time is judged.",
        ],
    )


# --- Lines of acceptance ---


def _verdict(tables: Tables, column: str, text: str, where: Where) -> Verdict:
    labels = {"raised": "faults with an alarm", "in_time": "faults in time", "true": "cases with nothing untrue"}
    own = figure(
        tables,
        f"faults.{column}",
        labels[column],
        "%",
        How("share", TABLE, column, where, {"scale": 100}),
        digits=2,
        low=100,
    )
    bad = tables.rows(TABLE, {**where, column: 0})
    return Verdict(text, [own], _named(bad, is_known=column != "true"))


def _come(tables: Tables) -> Verdict:
    """What never came about was not tried."""
    where: Where = {"family": NAMED, "draw": 0}
    own = figure(
        tables,
        "faults.struck",
        "named faults that came about on the nominal device",
        "%",
        How("share", TABLE, "struck", where, {"scale": 100}),
        digits=1,
        low=100,
    )
    bad = sorted({f"{row['fault']} in a {row['mode']}" for row in tables.rows(TABLE, {**where, "struck": 0})})
    text = "Each named fault comes about on the nominal device, in each of its modes"
    return Verdict(text, [own], f"not brought about: {', '.join(bad)}.")


def _as_said(tables: Tables) -> Verdict:
    """What is open fails on the nominal device, by its definition: all else does as the catalogue says."""
    where: Where = {**NOMINAL, "state": ("met", "unseen", "harmless")}
    own = figure(
        tables,
        "faults.as_said",
        "faults that show as the catalogue says",
        "%",
        How("share", TABLE, "as_said", where, {"scale": 100}),
        digits=2,
        low=100,
    )
    bad = tables.rows(TABLE, {**where, "as_said": 0})
    return Verdict(
        "On the nominal device every fault that is not listed as open raises the alarm that the catalogue names, or "
        "none",
        [own],
        _named(bad),
    )


def _named(bad: list[Row], *, is_known: bool = True) -> str:
    """Which they were, and what is known of them; `is_known`: what the catalogue calls open explains it."""
    said: dict[str, str] = {}
    for row in bad:
        fault, mode = catalogue.get(str(row["fault"])), row["mode"]
        known = next((why for at, why in fault.open.items() if at == mode), "") if is_known else ""
        reason = known or str(row["findings"] or row["alarm"])
        said.setdefault(f"{row['fault']} in a {mode}", reason or "no alarm")
    told = "; ".join(f"{name}: {why}" for name, why in list(said.items())[:SHOWN])
    more = f"; and {len(said) - SHOWN} more" if len(said) > SHOWN else ""
    return f"{told}{more}." if said else "nothing was tried."


# --- Tables ---


NOT_ASKED = ("not asked", "", "")


def _share(tables: Tables, id: str, label: str, column: str, where: Where, digits: int = 1) -> list[Figure]:
    """A share and its bounds."""
    said = column.replace("_", " ")
    return [
        figure(
            tables,
            f"{id}.{column}.{do}",
            f"{label}: {said}, {end}",
            "%",
            How(do, TABLE, column, where, {"scale": 100}),
            digits=digits,
        )
        for do, end in (("share", "share"), ("share_low", "lower bound"), ("share_high", "upper bound"))
    ]


def _families(tables: Tables) -> Grid:
    rows: list[list[Figure | str]] = []
    for number, name in enumerate(FAMILIES):
        here: Where = {"family": name}
        if not tables.rows(TABLE, here):
            continue
        id = f"faults.family.{number}"
        seen, stake = {**SEEN, **here}, {**AT_STAKE, **here}
        rows.append(
            [
                name,
                figure(tables, f"{id}.tried", "tried", "", How("count", TABLE, "", here), digits=0),
                figure(tables, f"{id}.struck", "came about", "", How("count", TABLE, "", {**STRUCK, **here}), digits=0),
                figure(tables, f"{id}.seen", "that a sensor can see", "", How("count", TABLE, "", seen), digits=0),
                *_share(tables, id, name, "raised", seen),
                figure(tables, f"{id}.exposed", "of them at stake", "", How("count", TABLE, "", stake), digits=0),
                *_share(tables, id, name, "in_time", stake),
                figure(
                    tables,
                    f"{id}.untrue",
                    "cases with something untrue",
                    "",
                    How("count", TABLE, "", {**JUDGED, **here, "true": 0}),
                    digits=0,
                    high=0,
                ),
            ]
        )
    head = (
        *("faults", "tried", "came about", "visible", "raised %", "from", "to"),
        *("at stake", "in time %", "from", "to", "untrue"),
    )
    return Grid("Detection by family, with 95 % bounds", head, rows)


def _matrix(tables: Tables) -> Grid:
    """Named faults × modes."""
    rows: list[list[Figure | str]] = []
    for name, fault in catalogue.named().items():
        for mode in fault.alarm:
            here: Where = {"fault": name, "mode": mode, "struck": 1}
            if not tables.rows(TABLE, {"fault": name, "mode": mode}):
                continue
            id = f"faults.{name}.{mode}"
            alarms = sorted({str(row["alarm"]) for row in tables.rows(TABLE, here)} - {""})
            timed, stake = {**here, **TIMED}, {**here, "exposed": 1}
            label = f"{name} in a {mode}"
            rows.append(
                [
                    name,
                    mode,
                    fault.hazard,
                    ", ".join(alarms) or "none",
                    fault.state(mode),
                    figure(tables, f"{id}.n", "cases", "", How("count", TABLE, "", here), digits=0),
                    *(_share(tables, id, label, "raised", here, 0) if fault.alarm[mode] else NOT_ASKED),
                    figure(tables, f"{id}.stake", "of them at stake", "", How("count", TABLE, "", stake), digits=0),
                    *(_share(tables, id, label, "in_time", stake, 0) if fault.alarm[mode] else NOT_ASKED),
                    figure(tables, f"{id}.first", "first alarm", "ms", How("min", TABLE, "alarm_ms", timed), digits=0),
                    figure(tables, f"{id}.last", "last alarm", "ms", How("max", TABLE, "alarm_ms", timed), digits=0),
                    figure(tables, f"{id}.allowed", "allowed", "ms", How("max", TABLE, "allowed_ms", here), digits=0),
                ]
            )
    head = (
        *("fault", "mode", "hazard", "alarm", "state", "n", "raised %", "from", "to"),
        *("at stake", "in time %", "from", "to", "first ms", "last ms", "allowed ms"),
    )
    return Grid("The matrix: named faults by mode, time to alarm against the time allowed, 95 % bounds", head, rows)


def _listed(tables: Tables, state: str) -> Grid:
    """What no sensor can see, or what is not met today, and why."""
    rows: list[list[Figure | str]] = []
    seen = dict.fromkeys((str(row["fault"]), str(row["mode"])) for row in tables.rows(TABLE, {"state": state}))
    for name, at in seen:
        fault = catalogue.get(name)
        mode = next(mode for mode in catalogue.MODES if mode == at)
        here: Where = {"fault": name, "mode": mode, "struck": 1, "state": state}
        rows.append(
            [
                f"{name} in a {mode}",
                fault.hazard,
                fault.reason(mode),
                figure(tables, f"faults.{state}.{name}.{mode}.n", "cases", "", How("count", TABLE, "", here), digits=0),
                figure(
                    tables,
                    f"faults.{state}.{name}.{mode}.raised",
                    "cases with an alarm",
                    "",
                    How("count", TABLE, "", {**here, "raised": 1}),
                    digits=0,
                ),
                figure(
                    tables,
                    f"faults.{state}.{name}.{mode}.untrue",
                    "cases in which what is told is not so, by the plant",
                    "",
                    How("count", TABLE, "", {**here, "true": 0}),
                    digits=0,
                ),
            ]
        )
    captions = {
        "unseen": "What cannot be detected, and why",
        "open": "What is detected, but not as it must be: open, and what is missing",
    }
    return Grid(captions[state], ("fault", "hazard", "why", "cases", "with an alarm", "told wrong"), rows)
