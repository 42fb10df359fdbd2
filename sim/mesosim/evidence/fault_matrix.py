"""The fault matrix: every fault of the catalogue in every mode that it has an entry for, and what noticed it in time."""

from __future__ import annotations

import random
from typing import NamedTuple

from mesosim.evidence import fault_account, fault_plots
from mesosim.evidence.study import Row, Rows, Study
from mesosim.lab import catalogue, play, trial
from mesosim.lab.catalogue import Fault, Mode
from mesosim.lab.scenario import DeviceTable, Scenario

DRAWS = 20
"""Drawn devices on which each named fault comes at a drawn moment, in each mode."""
NUMBER_DRAWS = 5
"""The same for each number of the plant."""
EARLIER_S, LATER_S = 0.3, 0.5
"""How much before or after the catalogue's moment a fault comes."""
QUICK_EACH = 11
"""Of the families, the reduced form tries one of so many."""


class Case(NamedTuple):
    """One fault in one mode."""

    fault: str
    mode: Mode
    kind: str = ""
    draw: int = 0
    """0: the nominal device at the catalogue's moment; else the seed of a drawn device and moment."""


def cases(quick: bool, seed: int) -> list[Case]:
    """All faults in all their modes; then drawn ones."""
    named = catalogue.named()
    numbers = [fault for fault in catalogue.everything().values() if fault_account.family(fault.name) == "numbers"]
    others = [Case(fault.name, mode) for fault in catalogue.everything().values() if fault.name not in named for mode in fault.alarm]
    crashes = [Case(fault.name, "dose", "after") for fault in catalogue.everything().values() if fault.target == "host.crash"]
    once = [Case(fault.name, mode) for fault in named.values() for mode in fault.alarm]
    if quick:
        return once + others[seed % QUICK_EACH :: QUICK_EACH]
    return [
        *once,
        *others,
        *crashes,
        *(Case(one.name, mode, "", seed + n) for one in named.values() for mode in one.alarm for n in range(DRAWS)),
        *(Case(one.name, mode, "", seed + n) for one in numbers for mode in one.alarm for n in range(NUMBER_DRAWS)),
    ]


def scenario(case: Case) -> Scenario:
    """What is played."""
    made = trial.scenario(catalogue.get(case.fault), case.mode, case.kind or None)
    if not case.draw:
        return made
    table = made.fault[0]
    at_s = table.at_s
    if at_s:
        at_s = round(at_s + random.Random(f"{case}").uniform(-min(EARLIER_S, at_s), LATER_S), 4)
    return made.model_copy(
        update={"device": DeviceTable(drawn=True), "fault": [table.model_copy(update={"at_s": at_s})]}
    )


def run(case: Case) -> Rows:
    """Play one."""
    fault = catalogue.get(case.fault)
    outcome = play.play(scenario(case), case.draw or 1)
    wanted = fault.alarm[case.mode]
    row: Row = {
        "family": fault_account.family(case.fault),
        "fault": case.fault,
        "title": fault.title,
        "mode": case.mode,
        "kind": case.kind or fault.kinds[0],
        "draw": case.draw,
        "hazard": fault.hazard,
        "hazard_ms": fault.hazard_ms,
        "wanted": wanted,
        "state": fault.state(case.mode),
        "struck": int(outcome.struck),
        "alarm": outcome.alarm,
        "alarm_ms": "" if outcome.alarm_ms is None else outcome.alarm_ms,
        "detectable": int(bool(wanted)),
        "detected": int(bool(wanted) and bool(outcome.alarm)),
        "in_time": int(bool(wanted) and _in_time(fault, outcome.findings, outcome.alarm)),
        "true": int(not outcome.findings),
        "findings": "; ".join(outcome.findings),
    }
    return {fault_account.TABLE: [row]}


def _in_time(fault: Fault, findings: list[str], alarm: str) -> bool:
    """Whether an alarm came within its time and all was at rest within the time to hazard, by the oracle."""
    return bool(alarm) and not any("allowed are" in finding for finding in findings)


STUDY = Study(
    name="faults",
    title="Fault matrix",
    question="Which faults are noticed, by which alarm, and how long before they could do harm?",
    method="",
    cases=cases,
    run=run,
    account=fault_account.account,
    plots=fault_plots.plots,
)
