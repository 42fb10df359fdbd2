"""What the study of strokes comes to: depth, rate, half an hour's stability; lines of acceptance and tables."""

from __future__ import annotations

from mesosim.evidence.computing import figure
from mesosim.evidence.study import Account, Figure, Grid, How, Row, Tables, Value, Verdict, Where

DEPTH, SKINS, STOPPED = "strokes-depth", "strokes-skins", "strokes-stopped"
INTERVALS, RUNS, LONG = "strokes-intervals", "strokes-runs", "strokes-long"
RUN_DEPTHS_UM = (500, 1000, 1500, 2000)
DOSE_DEPTHS_UM = (1000, 2000, 4000)
DEPTHS = (*(("run", depth) for depth in RUN_DEPTHS_UM), *(("dose", depth) for depth in DOSE_DEPTHS_UM))
DEPTH_MM = 0.10
CADENCE_PPM = 20.0
OFF_STEPS = 1.0
CONTENT, CONFIDENCE = 0.975, 0.95
ALLAN_STROKES = (1, 2, 5, 10, 30, 100, 300, 1000, 3000, 10_000)
"""Averaging times, in strokes."""
LEVEL: dict[str, Value] = {"content": CONTENT, "confidence": CONFIDENCE}
MM = 1e-3


def account(tables: Tables) -> Account:
    """Lines of acceptance and tables."""
    return Account(
        verdicts=[_depth_verdict(tables), _stop_verdict(tables), *_cadence_verdicts(tables), _whole_verdict(tables)],
        grids=[_depth_grid(tables), _skin_grid(tables), _rate_grid(tables), _long_grid(tables)],
        notes=[
            "Set depth and depth in skin are not the same, and the device does not say that they are: the carrier "
            "measures protrusion. The table of skins shows by how much they differ on the plant's skins, whose "
            "numbers are estimates.",
            "The firmware carries the remainder of a stroke's ticks of 40 ns from batch to batch: intervals differ by "
            "one tick, and their mean does not drift. What is left by true time is the crystal's, stroke by stroke "
            "the same.",
            "The hand's tremor moves the tip and not the drive, and a crystal's error is alike in all intervals: "
            "neither is in the Allan deviation, which shows the rounding to 40 ns.",
            "The plant knows no resonance of the rotor and no torque that differs over a turn of the cam: intervals "
            "of a real drive will spread by more than one tick.",
        ],
    )


# --- Depth ---


def _depth_figures(tables: Tables, mode: str, depth_um: int) -> dict[str, Figure]:
    strokes: Where = {"mode": mode, "depth_um": depth_um, "made": 1}
    first: Where = {**strokes, "stroke": 1}
    id = f"strokes.depth.{mode}.{depth_um}"

    def mm(end: str, do: str, label: str, where: Where, *, limit: bool = False) -> Figure:
        how = How(do, DEPTH, "error_um", where, {**(LEVEL if do.startswith("tolerance") else {}), "scale": MM})
        edges = {"low": -DEPTH_MM, "high": DEPTH_MM} if limit else {}
        return figure(tables, f"{id}.{end}", label, "mm", how, digits=3, **edges)

    devices = How("count", DEPTH, "", first)
    return {
        "devices": figure(tables, f"{id}.devices", "devices", "", devices, digits=0),
        "strokes": figure(tables, f"{id}.strokes", "strokes", "", How("count", DEPTH, "", strokes), digits=0),
        "mean": mm("mean", "mean", "mean error of depth", first),
        "sd": mm("sd", "sd", "standard deviation over devices", first),
        "low": mm("low", "tolerance_low", "low end of the tolerance interval, 95 %/97.5 %", first, limit=True),
        "high": mm("high", "tolerance_high", "high end of the tolerance interval, 95 %/97.5 %", first, limit=True),
        "worst": mm("worst", "max_abs", "greatest error of any stroke", strokes, limit=True),
    }


def _depth_grid(tables: Tables) -> Grid:
    rows: list[list[Figure | str]] = [
        [f"{depth / 1000:g} mm in a {mode}", *_depth_figures(tables, mode, depth).values()] for mode, depth in DEPTHS
    ]
    head = ["set depth", "devices", "strokes", "mean", "s", "95/97.5 from", "to", "worst"]
    return Grid("Error of the needle's protrusion at the bottom of strokes, mm", head, rows)


def _depth_verdict(tables: Tables) -> Verdict:
    own = [
        found[end]
        for mode, depth in DEPTHS
        for found in [_depth_figures(tables, mode, depth)]
        for end in ("low", "high", "worst")
    ]
    made = figure(
        tables,
        "strokes.depth.made",
        "1: every run and dose made a stroke",
        "",
        How("min", DEPTH, "made"),
        digits=0,
        low=1,
    )
    return Verdict(
        f"The needle protrudes by the set depth within ±{DEPTH_MM:.2f} mm at every depth, in runs and doses: all "
        "strokes seen, and the tolerance interval over devices (97.5 % of all, 95 % confidence)",
        [*own, made, _complete(tables, "depth", DEPTH)],
        _cause(tables.rows(DEPTH), own),
    )


def _complete(tables: Tables, id: str, table: str) -> Figure:
    """A run or dose that is not whole drops out of nothing unseen."""
    how = How("share", table, "complete", {}, {"scale": 100})
    return figure(tables, f"strokes.{id}.complete", "strokes of complete runs and doses", "%", how, digits=1, low=100)


def _stop_verdict(tables: Tables) -> Verdict:
    worst = figure(
        tables,
        "strokes.stopped.worst",
        "greatest error of depth in a run after one that STOP has ended",
        "mm",
        How("max_abs", STOPPED, "error_um", {"made": 1}, {"scale": MM}),
        digits=3,
        low=0.0,
        high=DEPTH_MM,
    )
    moving = figure(
        tables,
        "strokes.stopped.moving",
        "strokes behind a STOP before any stroke: the depth stop was on its way",
        "",
        How("count", STOPPED, "", {"strokes_before_1": 0}),
        digits=0,
        low=1,
    )
    return Verdict(
        f"So it does in a run after two that STOP has ended, the first of them while the depth stop was on its way or "
        f"had just come: within ±{DEPTH_MM:.2f} mm",
        [worst, _complete(tables, "stopped", STOPPED), moving],
        _cause(tables.rows(STOPPED), [worst]),
    )


def _cause(rows: list[Row], figures: list[Figure]) -> str:
    """What was not made, or by how much the worst is off."""
    others = sorted({str(row["outcome"]) for row in rows if row["outcome"] != "complete"})
    if others:
        return f"runs or doses have ended otherwise: {', '.join(others)}."
    failed = [one for one in figures if one.value is not None and not one.passed]
    worst = max(failed, key=lambda one: abs(one.value or 0), default=None)
    return "" if worst is None else f"{worst.label} is {worst.value} {worst.unit} ({worst.id})."


def _skin_grid(tables: Tables) -> Grid:
    rows: list[list[Figure | str]] = []
    for number, skin in enumerate(tables.distinct(SKINS, "setting")):
        for depth in sorted(tables.distinct(SKINS, "depth_um"), key=float):
            where = {"setting": skin, "depth_um": depth, "made": 1}
            id = f"strokes.skins.{number}.{depth}"
            rows.append(
                [
                    f"{skin}: {int(depth) / 1000:g} mm",
                    figure(tables, f"{id}.n", "strokes", "", How("count", SKINS, "", where), digits=0),
                    figure(
                        tables,
                        f"{id}.pierced",
                        "strokes that pierce",
                        "%",
                        How("share", SKINS, "pierced", where, {"scale": 100}),
                        digits=0,
                    ),
                    *(
                        figure(
                            tables,
                            f"{id}.{do}",
                            label,
                            "mm",
                            How(do, SKINS, "skin_error_um", {**where, "pierced": 1}, {"scale": MM}),
                            digits=3,
                        )
                        for do, label in (
                            ("mean", "depth in skin less depth set, mean"),
                            ("sd", "its standard deviation"),
                            ("min", "least"),
                            ("max", "greatest"),
                        )
                    ),
                ]
            )
    head = ["skin and set depth", "strokes", "pierce, %", "mean", "s", "least", "greatest"]
    return Grid("Depth of the tip in pierced skin less the depth set, mm, with the hand's tremor", head, rows)


# --- Rate ---


def _cadence_verdicts(tables: Tables) -> list[Verdict]:
    own = figure(
        tables,
        "strokes.cadence.own",
        "greatest error of a run's mean interval, by the device's clock",
        "ppm",
        How("max_abs", RUNS, "mean_ppm", {"complete": 1}),
        digits=3,
        high=CADENCE_PPM,
    )
    off = [
        figure(
            tables,
            f"strokes.cadence.off.{table.partition('-')[2]}",
            "greatest difference of an interval from the set one, in step intervals",
            "steps",
            How("max_abs", table, "off_steps"),
            digits=4,
            high=OFF_STEPS,
        )
        for table in (INTERVALS, LONG)
    ]
    late = [one for one in off if one.passed is False]
    return [
        Verdict(
            f"The mean interval between strokes is within {CADENCE_PPM:g} ppm of the set one, by the device's clock",
            [own],
            f"a run's mean is off by {own.value} ppm.",
        ),
        Verdict(
            "No interval is off by more than one step interval of the drive",
            off,
            f"one is off by {late[0].value if late else 0} step intervals.",
        ),
    ]


def _whole_verdict(tables: Tables) -> Verdict:
    complete = figure(
        tables,
        "strokes.runs.complete",
        "runs that are complete",
        "%",
        How("share", RUNS, "complete", {}, {"scale": 100}),
        digits=1,
        low=100,
    )
    missing = figure(
        tables,
        "strokes.runs.missing",
        "most strokes too few or too many in a run, by the plant",
        "",
        How("max_abs", RUNS, "missing"),
        digits=0,
        high=0,
    )
    others = sorted({str(row["outcome"]) for row in tables.rows(RUNS, {"complete": 0})})
    return Verdict(
        "Every run makes all strokes that were asked for, and no other",
        [complete, missing, _complete(tables, "skins", SKINS)],
        f"runs have ended otherwise: {', '.join(others)}." if others else "the plant counted other strokes.",
    )


def _rate_grid(tables: Tables) -> Grid:
    rows: list[list[Figure | str]] = []
    for rate in sorted(tables.distinct(INTERVALS, "rate_per_min"), key=float):
        where = {"rate_per_min": rate}
        id = f"strokes.rate.{rate}"
        rows.append([f"{rate} a minute", *_interval_figures(tables, INTERVALS, id, where), _beyond(tables, id, where)])
    head = [
        "rate",
        "intervals",
        "mean, ppm",
        "s, µs",
        "p99.9, µs",
        "worst, µs",
        "worst, steps",
        "beyond 20 ppm with a drawn crystal, %",
    ]
    return Grid("Intervals between strokes: difference from the set one, by the device's clock", head, rows)


def _beyond(tables: Tables, id: str, where: Where) -> Figure:
    how = How("share", RUNS, "beyond", where, {"scale": 100})
    return figure(tables, f"{id}.beyond", "runs beyond 20 ppm by true time, with a drawn crystal", "%", how, digits=0)


def _interval_figures(tables: Tables, table: str, id: str, where: Where) -> list[Figure]:
    def of(end: str, do: str, label: str, column: str, unit: str, digits: int, parameters: dict[str, Value]) -> Figure:
        return figure(tables, f"{id}.{end}", label, unit, How(do, table, column, where, parameters), digits=digits)

    return [
        of("n", "count", "intervals", "", "", 0, {}),
        of("mean", "mean", "mean difference", "off_ppm", "ppm", 4, {}),
        of("sd", "sd", "standard deviation", "off_us", "µs", 4, {}),
        of("p999", "quantile", "p99.9 of the difference", "off_us", "µs", 3, {"q": 0.999}),
        of("worst", "max_abs", "greatest difference", "off_us", "µs", 3, {}),
        of("steps", "max_abs", "greatest difference in step intervals", "off_steps", "steps", 4, {}),
    ]


def _long_grid(tables: Tables) -> Grid:
    seeds = tables.distinct(LONG, "seed")
    rows: list[list[Figure | str]] = []
    for label, number in (("intervals", 0), ("mean, ppm", 1), ("p99.9, µs", 3), ("worst, steps", 5)):
        rows.append(
            [label, *(_interval_figures(tables, LONG, f"strokes.long.{s}", {"seed": s})[number] for s in seeds)]
        )
    for m in ALLAN_STROKES:
        rows.append([f"Allan deviation over {m:,} strokes, ppm", *(allan(tables, int(seed), m) for seed in seeds)])
    head = ["half an hour at 900 a minute", *(f"device {seed}" for seed in seeds)]
    return Grid("Half an hour: intervals by the device's clock, and how their mean wanders", head, rows)


def allan(tables: Tables, seed: int, m: int) -> Figure:
    """Overlapping Allan deviation of the stroke rate over `m` strokes."""
    how = How("allan", LONG, "t_us", {"seed": seed}, {"m": m, "period": 60e6 / 900, "scale": 1e6})
    label = f"overlapping Allan deviation over {m} strokes"
    return figure(tables, f"strokes.long.{seed}.allan.{m}", label, "ppm", how, digits=6)
