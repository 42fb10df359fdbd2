"""What the study of occlusions comes to."""

from __future__ import annotations

from mesosim.evidence.computing import figure
from mesosim.evidence.study import Account, Figure, Grid, How, Tables, Verdict, Where
from mesosim.lab import catalogue

TABLE = "occlusion-doses"
UNDELIVERED_UL, RELEASED_UL = 10.0, 2.0
BLOCKED = {"blocked": 1}
TOLD = {"told": 1}


def account(tables: Tables) -> Account:
    """Lines of acceptance and tables."""
    hazard_ms = catalogue.get("occlusion").hazard_ms
    return Account(
        verdicts=[
            _told_verdict(tables, hazard_ms),
            _verdict(
                tables,
                "undelivered",
                f"Until an occlusion is told, at most {UNDELIVERED_UL:g} µl are kept back",
                UNDELIVERED_UL,
            ),
            _verdict(
                tables,
                "released",
                f"When the blockage gives way after the alarm, at most {RELEASED_UL:g} µl come out, outside of skin",
                RELEASED_UL,
            ),
            _bounds_verdict(tables),
        ],
        grids=[
            _grid(tables, "needle and fluid", ("gauge", "viscosity_mpa_s"), "{}G, {} mPa·s"),
            _grid(tables, "syringe's compliance", ("compliance_nl_per_kpa",), "{} nl/kPa"),
            _grid(tables, "moment", ("when",), "blocked {}"),
            _outcomes(tables),
        ],
        notes=[
            "Where no case is blocked, the device has refused that needle, fluid or syringe or ended its prime: of "
            "those nothing here says how an occlusion would be told.",
            "A needle that is blocked only in part is one of thicker fluid to the device: what it tells of those is in "
            "the map of doses by needle and fluid, and in the fault matrix. A blockage at the prime, in the air, is in "
            "the fault matrix, too.",
        ],
    )


def _measures(tables: Tables, id: str, where: Where) -> list[Figure]:
    told = {**where, **TOLD}
    blocked = {**where, **BLOCKED}
    is_blocked = bool(tables.rows(TABLE, blocked))
    return [
        figure(tables, f"{id}.cases", "cases", "", How("count", TABLE, "", where), digits=0),
        figure(tables, f"{id}.n", "blocked doses", "", How("count", TABLE, "", blocked), digits=0),
        figure(
            tables,
            f"{id}.told",
            "told as occlusion",
            "%",
            How("share", TABLE, "told", blocked, {"scale": 100}),
            digits=0,
        ),
        figure(tables, f"{id}.mean", "mean time to alarm", "ms", How("mean", TABLE, "alarm_ms", told), digits=0),
        figure(tables, f"{id}.last", "longest time to alarm", "ms", How("max", TABLE, "alarm_ms", told), digits=0),
        figure(tables, f"{id}.kpa", "highest pressure", "kPa", How("max", TABLE, "pressure_kpa", blocked), digits=0),
        figure(
            tables,
            f"{id}.undelivered",
            "most that was undelivered",
            "µl",
            How("max", TABLE, "undelivered_ul", blocked),
            high=UNDELIVERED_UL if is_blocked else None,
        ),
        figure(
            tables,
            f"{id}.released",
            "most that was released",
            "µl",
            How("max", TABLE, "released_ul", blocked),
            high=RELEASED_UL if is_blocked else None,
        ),
    ]


def _grid(tables: Tables, what: str, columns: tuple[str, ...], named: str) -> Grid:
    rows: list[list[Figure | str]] = []
    cells = dict.fromkeys(tuple(row[column] for column in columns) for row in tables.rows(TABLE))
    for number, cell in enumerate(cells):
        where = dict(zip(columns, cell, strict=True))
        # a name that stays the same whatever else was played
        name = ".".join(str(value) if isinstance(value, int) else str(number) for value in cell)
        rows.append([named.format(*cell), *_measures(tables, f"occlusion.{columns[0]}.{name}", where)])
    head = [
        what,
        "cases",
        "blocked",
        "told, %",
        "alarm, mean ms",
        "longest",
        "highest kPa",
        "undelivered µl",
        "released µl",
    ]
    return Grid(f"Blocked doses by {what}", head, rows)


def _outcomes(tables: Tables) -> Grid:
    """What came of those whose needle was never blocked while they pushed."""
    rows: list[list[Figure | str]] = []
    for number, outcome in enumerate(sorted(tables.distinct(TABLE, "outcome", {"blocked": 0}), key=str)):
        how = How("count", TABLE, "", {"blocked": 0, "outcome": outcome})
        rows.append(
            [str(outcome), figure(tables, f"occlusion.not.{number}", "cases without a blockage", "", how, digits=0)]
        )
    return Grid("Cases that ended before there was a blockage, by what the device said", ["outcome", "cases"], rows)


def _told_verdict(tables: Tables, hazard_ms: int) -> Verdict:
    own = [
        figure(tables, "occlusion.cases", "cases", "", How("count", TABLE), digits=0, low=1),
        figure(tables, "occlusion.n", "of them blocked", "", How("count", TABLE, "", BLOCKED), digits=0, low=1),
        figure(
            tables,
            "occlusion.told",
            "blocked doses that are told as an occlusion",
            "%",
            How("share", TABLE, "told", BLOCKED, {"scale": 100}),
            digits=1,
            low=100,
        ),
        figure(
            tables,
            "occlusion.alarm",
            "longest time to alarm",
            "ms",
            How("max", TABLE, "alarm_ms", TOLD),
            digits=0,
            high=hazard_ms,
        ),
    ]
    others = [str(row["outcome"]) for row in tables.rows(TABLE, {**BLOCKED, "told": 0})]
    said = "; ".join(f"{name} ({others.count(name)} times)" for name in sorted(set(others)))
    cause = "the alarm came too late." if tables.rows(TABLE, BLOCKED) else "nothing was blocked."
    if others:
        cause = f"doses through a blocked needle have ended otherwise: {said}."
    return Verdict(
        f"Every needle that is blocked while a dose is pushed is told as an occlusion, within the {hazard_ms:,} ms to "
        "hazard",
        own,
        cause,
    )


def _verdict(tables: Tables, what: str, text: str, most: float) -> Verdict:
    label = {"undelivered": "most that was kept back", "released": "most that came out"}[what]
    own = figure(
        tables, f"occlusion.{what}", label, "µl", How("max", TABLE, f"{what}_ul", BLOCKED), low=-1.0, high=most
    )
    worst = max(tables.rows(TABLE, BLOCKED), key=lambda row: float(row[f"{what}_ul"]), default=None)
    where = worst and f"{worst['gauge']}G, {worst['viscosity_mpa_s']} mPa·s, {worst['compliance_nl_per_kpa']} nl/kPa"
    return Verdict(
        text, [own], f"{own.value} µl with {where}, blocked {worst['when']}." if worst else "nothing was blocked."
    )


def _bounds_verdict(tables: Tables) -> Verdict:
    own = figure(
        tables,
        "occlusion.bounds",
        "doses whose truth lies within the device's bounds",
        "%",
        How("share", TABLE, "within_bounds", BLOCKED, {"scale": 100}),
        digits=1,
        low=100,
    )
    bad = tables.rows(TABLE, {**BLOCKED, "within_bounds": 0})
    cause = (
        f"{bad[0]['tip_nl']} nl have left, the bounds are {bad[0]['lower_nl']} to {bad[0]['upper_nl']} nl."
        if bad
        else ""
    )
    return Verdict(
        "What has left the tip lies within the bounds that the device gives of an occluded dose", [own], cause
    )
