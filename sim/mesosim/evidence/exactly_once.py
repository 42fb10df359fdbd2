"""Exactly once: schedules of faults between host and device, and how often each dose was given."""

from __future__ import annotations

from typing import NamedTuple

from mesosim.evidence import once_account, once_plots
from mesosim.evidence.study import Column, Row, Rows, Study
from mesosim.lab.schedules import cover, primed
from mesosim.lab.schedules.play import Fate, Play, Wrong

EACH = 20
"""Schedules of each message with each fault."""
QUICK_CELLS = 4
"""Of the messages with faults, the reduced form plays one of so many."""
A_CASE = 16
"""Messages with faults that one case plays, on copies of one device."""


class Case(NamedTuple):
    """Some messages with some faults, by their place in `cover.cells`, and the seed of their schedules."""

    cells: tuple[int, ...]
    seed: int


def cases(quick: bool, seed: int) -> list[Case]:
    """All messages with all faults, as often as `EACH`; or some of them, once."""
    count = len(cover.cells())
    places = range(seed % QUICK_CELLS, count, QUICK_CELLS) if quick else range(count)
    return [
        Case(tuple(places[first : first + A_CASE]), seed + n)
        for n in range(1 if quick else EACH)
        for first in range(0, len(places), A_CASE)
    ]


def run(case: Case) -> Rows:
    """Play each on a copy of a primed device."""
    cells = cover.cells()
    schedules: list[Row] = []
    doses: list[Row] = []
    for place in case.cells:
        message, kind = cells[place]
        played = Play(primed.copied(1))
        wrong = ""
        try:
            for item in cover.of_cell(message, kind, str(case.seed)):
                played.do(item)
            played.finish()
        except Wrong as error:
            wrong = str(error)
        here: Row = {"message": message, "fault": kind, "seed": case.seed}
        fates = played.fates or list(played.told())
        schedules.append(
            here
            | {
                "faults": len(played.line.hits),
                "in_dose": sum(hit.in_dose for hit in played.line.hits),
                "doses": len(fates),
                "hit": int(any(hit.in_dose for hit in played.line.hits)),
                "double": int(any(fate.is_double for fate in fates)),
                "unresolved": int(any(fate.is_unresolved for fate in fates)),
                "holds": int(not wrong),
                "wrong": wrong.partition("\n")[0],
            }
        )
        doses += [here | _dose(fate) for fate in fates]
    return {once_account.SCHEDULES: schedules, once_account.DOSES: doses}


def _dose(fate: Fate) -> Row:
    return {
        "what": fate.what,
        "asked": fate.asked,
        "said": fate.said or "nothing",
        "reason": fate.reason,
        "motions": fate.motions,
        "steps": fate.steps,
        "punctures": fate.punctures,
        "double": int(fate.is_double),
        "unresolved": int(fate.is_unresolved),
    }


STUDY = Study(
    name="once",
    title="Doses given once",
    question="Is any dose given twice, or left unknown, when frames are lost, devices restart and hosts die?",
    method=(
        "A schedule is what an operator's host does with a primed device, doses of all kinds among it, and what goes "
        "wrong on the line meanwhile: a frame of one message, either way, is lost, damaged, cut off, joined with the "
        "next, doubled, late or out of order, or the device restarts or the host dies as it passes. Each message of "
        "the protocol is brought about with each fault, so many times, the rest of the schedule drawn anew; two in "
        "five have a second fault within a dose. At the end the line is whole, all rests, and a fresh host with the "
        "same journal asks.\n\n"
        "The plant is the witness. A dose is double if the plunger was set in motion more than once between its call "
        "and the next, or at all for a dose that is said not to be delivered, since whoever believes that gives it "
        "again; a run, if it made more punctures than were asked for. A dose is unresolved if the journal cannot say "
        "at the end what became of it; one that a restart of the device has cut short is resolved by its bounds, and "
        "waits for a person. Bounds of what has never been seen are one-sided, 95 %: of none in n it is some 3/n, "
        "the rule of three."
    ),
    cases=cases,
    run=run,
    account=once_account.account,
    plots=once_plots.plots,
    columns=(
        Column(once_account.DOSES, "double", "double", ("what", "asked", "said", "motions", "steps", "punctures")),
        Column(once_account.DOSES, "unresolved", "unresolved", ("said", "reason")),
    ),
)
