"""Trumpet curves: the error of sums over consecutive punctures, and of a perfusion's flow over windows of time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from mesoinjector import Delivered, Injector, MesoError, Result
from mesosim.evidence import trumpet_account, trumpet_plots
from mesosim.evidence.specimen import Specimen, called
from mesosim.evidence.study import Row, Rows, Study
from mesosim.evidence.watching import Look, Watched

DEVICES, QUICK_DEVICES = 20, 2
STROKES, RATE_PER_MIN = 60, 60
"""A nappage of 60 punctures is the most that 0.5 ml at 8 µl give."""
PERFUSION_NL = 200_000
LOOK_US = 10_000
"""Between two looks at the plant: less than the 1/6 s of a stroke in which nothing flows at this rate."""
SAMPLE_US = 500_000
SKINS: dict[str, dict[str, float]] = {
    trumpet_account.SKIN: {},
    trumpet_account.NO_PRESSURE: {
        "tissue.pressure_kpa": 0,
        "tissue.stiffness_kpa": 0,
        "tissue.resistance_kpa_s_per_ul": 0,
    },
}
"""What each sets in the plant."""
DEPTH_MM = 2.0
ZONE = "body"


class Case(NamedTuple):
    """One device, in nappage or with one flow."""

    part: str
    seed: int
    flow_ul_per_s: int = 0
    skin: str = trumpet_account.SKIN


def cases(quick: bool, seed: int) -> list[Case]:
    """All devices."""
    seeds = range(seed, seed + (QUICK_DEVICES if quick else DEVICES))
    flows = [Case("perfusion", one, flow) for flow in trumpet_account.FLOWS_UL_PER_S for one in seeds]
    skins = trumpet_account.SKIN, trumpet_account.NO_PRESSURE
    return [*(Case("punctures", one, skin=skin) for skin in skins for one in seeds), *flows]


def run(case: Case) -> Rows:
    """Play one device."""
    return {"punctures": _punctures, "perfusion": _perfusion}[case.part](case)


def _punctures(case: Case) -> Rows:
    """The skin's share of each puncture: from one entry of the needle to the next."""
    given: dict[int, int] = {}
    last = 0

    def look(_: int, account: dict[str, int]) -> None:
        nonlocal last
        puncture = account["punctures"]
        given[puncture] = given.get(puncture, 0) + account["skin_nl"] - last
        last = account["skin_nl"]

    outcome = _give(
        case,
        LOOK_US,
        look,
        lambda injector: injector.repeat(
            volume_ml=STROKES * trumpet_account.STROKE_NL / 1e6,
            stroke_ml=trumpet_account.STROKE_NL / 1e6,
            rate_per_min=RATE_PER_MIN,
            depth_mm=DEPTH_MM,
            zone=ZONE,
        ),
    )
    rows: list[Row] = [
        {
            "seed": case.seed,
            "skin": case.skin,
            "puncture": puncture,
            "asked_nl": trumpet_account.STROKE_NL,
            "given_nl": nl,
        }
        for puncture, nl in sorted(given.items())
        if puncture
    ]
    return {
        trumpet_account.PUNCTURES: rows,
        trumpet_account.RUNS: [_run(case, trumpet_account.nappage(case.skin), outcome, len(rows) == STROKES)],
    }


def _perfusion(case: Case) -> Rows:
    """What reaches the skin in each half second, from the plunger's first step to its last."""
    flow = case.flow_ul_per_s
    seen: list[tuple[int, int, int]] = []

    def look(t_us: int, account: dict[str, int]) -> None:
        seen.append((t_us, account["plunger_steps"], account["skin_nl"]))

    outcome = _give(
        case,
        SAMPLE_US,
        look,
        lambda injector: injector.perfusion(
            volume_ml=PERFUSION_NL / 1e6, flow_ul_per_s=flow, depth_mm=DEPTH_MM, zone=ZONE
        ),
    )
    common: Row = {"run": f"{flow} {case.seed}", "flow_ul_per_s": flow, "seed": case.seed}
    rows = [common | row for row in samples(seen, flow * SAMPLE_US // 1000)]
    said = _run(case, trumpet_account.perfusion(flow), outcome, outcome == "complete")
    return {trumpet_account.PERFUSION: rows, trumpet_account.RUNS: [said]}


def samples(seen: Sequence[tuple[int, int, int]], asked_nl: int) -> list[Row]:
    """What the skin received from look to look, from the plunger's first step forward to its last.

    seen: time in µs, steps of the plunger, nl in the skin. What stands still in between is in it; the first and the
    last have part of a sample only.
    """
    forward = [i for i in range(1, len(seen)) if seen[i][1] > seen[i - 1][1]]
    if not forward:
        return []
    pushing = range(forward[0], forward[-1] + 1)
    return [
        {
            "t_s": number * SAMPLE_US / 1e6,
            "asked_nl": asked_nl,
            "given_nl": seen[i][2] - seen[i - 1][2],
            "steady": int(len(pushing) // 2 <= number < len(pushing) - 1),
        }
        for number, i in enumerate(pushing)
    ]


def _give(case: Case, every_us: int, look: Look, give: Callable[[Injector], Result]) -> str:
    """How a dose ended that is watched from its begin."""
    specimen = Specimen(case.seed, settings=SKINS[case.skin], watch=Watched)
    if why := specimen.unprimed():
        return why
    watched = specimen.device
    assert isinstance(watched, Watched)
    watched.watch(every_us, look)
    try:
        result = give(specimen.injector)
    except MesoError as error:
        return called(error)
    return "complete" if isinstance(result, Delivered) and result.complete else result.reason


def _run(case: Case, setting: str, outcome: str, whole: bool) -> Row:
    return {
        "setting": setting,
        "seed": case.seed,
        "outcome": outcome,
        "complete": int(outcome == "complete" and whole),
    }


STUDY = Study(
    name="trumpet",
    title="Trumpet curves",
    question="How even is the flow: from puncture to puncture, and over time?",
    method=(
        "After IEC 60601-2-24's method, put to a handpiece: the greatest and the least error of the sum over every "
        "window of consecutive punctures of a nappage (60 of 8 µl, 60 a minute), as the plant's skin received them; "
        "and of a perfusion's volume over every window of time, in samples of half a second, over the second half of "
        "200 µl, when the flow is steady. The standard's samples of half a minute and windows of minutes are for "
        "pumps that run for hours; a perfusion here takes 20 to 200 s. All punctures of a nappage are in one place of "
        "the plant's skin, which a hand's are not; what the skin's pressure does to them is seen beside nappages into "
        "skin without any.\n\n"
        "The start-up curve has what flows in each half second from the plunger's first step on."
    ),
    cases=cases,
    run=run,
    account=trumpet_account.account,
    plots=trumpet_plots.plots,
)
