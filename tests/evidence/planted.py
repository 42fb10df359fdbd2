"""Small cases of each study, and which of its lines of acceptance fail: `python -m tests.evidence.planted STUDY`.

Whatever firmware comes first on the path is judged.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import mesofirmware
from mesosim.evidence import (
    document,
    dose_accuracy,
    exactly_once,
    fault_matrix,
    occlusion,
    running,
    strokes,
    studies,
    trumpet,
)
from mesosim.evidence.study import Case, Tables, Verdict
from mesosim.lab.campaign import identity
from mesosim.lab.schedules import cover

WAYS = [("Telemetry", "reset"), ("PhaseEvent", "reset"), ("Commit", "delay"), ("Commit reply", "crash")]
FAULTS = [
    ("link_lost", "run"),
    ("host_silent", "dose"),
    ("estop", "run"),
    ("trigger_a_welded", "dose"),
    ("depth_stop_off", "run"),
    ("index_dead", "run"),
    ("drive_stall", "run"),
    ("cartridge_out", "run"),
]

CASES: dict[str, Sequence[Case]] = {
    "dose": [dose_accuracy.Case("thirds", seed, spread=0.0) for seed in (1, 2, 3)],
    "trumpet": [trumpet.Case("perfusion", 1, flow) for flow in (1, 10)],
    "strokes": [
        strokes.Case("depth", 1),
        strokes.Case("rates", 1),
        *(strokes.Case("stopped", 1, f"STOP after {ms} ms") for ms in (765, 790)),
    ],
    "occlusion": [
        occlusion.Case(1, 30, 1, compliance, when)
        for compliance in (120, 220)
        for when in (occlusion.BEFORE, occlusion.WITHIN)
    ],
    "faults": [fault_matrix.Case(fault, "dose" if mode == "dose" else "run") for fault, mode in FAULTS],
    "once": [exactly_once.Case(tuple(cover.cells().index(way) for way in WAYS), seed) for seed in (1, 2, 3, 4)],
}
"""By study; together some seconds."""


class Failed(NamedTuple):
    """A line of acceptance that is not passed."""

    cause: str
    seen: bool
    """Whether all its figures were seen: the small cases do not look at everything, whatever firmware it is."""


def failed(study: str) -> dict[str, Failed]:
    """The lines of acceptance that are not passed on the small cases, by their texts."""
    tables = Tables()
    for index, case in enumerate(CASES[study]):
        task = running.Task(study, index, case, identity.package())
        played = running.play(task)
        for name, rows in played.rows.items():
            tables.setdefault(name, []).extend(rows)
        tables.setdefault(running.COST, []).append(running.cost(task, played))
    verdicts = document.account(studies.load(study), tables).verdicts
    return {one.text: Failed(one.cause, _seen(one)) for one in verdicts if not one.passed}


def _seen(one: Verdict) -> bool:
    return bool(one.figures) and all(figure.value is not None for figure in one.figures)


if __name__ == "__main__":
    print(json.dumps({"firmware": str(Path(mesofirmware.__file__).parent), "failed": failed(sys.argv[1])}))
