"""The fault matrix: every fault of the catalogue in each mode that it has an entry for, and what noticed it in time."""

from __future__ import annotations

import random
from typing import NamedTuple

from mesosim.evidence import fault_account, fault_plots
from mesosim.evidence.study import Column, Row, Rows, Study
from mesosim.lab import catalogue, oracle, play, trial
from mesosim.lab.catalogue import Mode
from mesosim.lab.scenario import DeviceTable, Scenario

DRAWS = 20
"""Drawn devices on which each named fault comes at a drawn moment, in each mode."""
NUMBER_DRAWS = 5
"""The same for each number of the plant."""
EARLIER_S, LATER_S = 0.3, 0.5
"""How much before or after the catalogue's moment a fault comes."""
QUICK_EACH = 29
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
    families = [fault for name, fault in catalogue.everything().items() if name not in named]
    numbers = [fault for fault in families if fault_account.family(fault.name) == fault_account.NUMBERS]
    others = [Case(fault.name, mode) for fault in families for mode in fault.alarm]
    crashes = [Case(fault.name, "dose", "after") for fault in families if fault.target == "host.crash"]
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
    made, seed = scenario(case), case.draw or 1
    judged = made.expect.volumes
    # what nobody can see is played with an eye on the truth, too: what it does to a dose is shown
    made = made.model_copy(update={"expect": made.expect.model_copy(update={"volumes": True})})
    outcome = play.play(made, seed)
    as_said = not [one for one in outcome.findings if judged or oracle.is_of_time(one) or oracle.is_of_alarm(one)]
    wanted = fault.alarm[case.mode]
    if outcome.alarm not in ("", wanted):
        # another moment may have another alarm: it is held against the same times
        expect = made.expect.model_copy(update={"alarm": outcome.alarm})
        outcome = play.play(made.model_copy(update={"expect": expect}), seed)
    late = [finding for finding in outcome.findings if oracle.is_of_time(finding)]
    untrue = [
        finding for finding in outcome.findings if not oracle.is_of_time(finding) and not oracle.is_of_alarm(finding)
    ]
    row: Row = {
        "family": fault_account.family(case.fault),
        "fault": case.fault,
        "mode": case.mode,
        "kind": case.kind or fault.kinds[0],
        "draw": case.draw,
        "hazard": fault.hazard,
        "allowed_ms": fault.signal_ms or fault.hazard_ms,
        "hazard_ms": fault.hazard_ms,
        "wanted": wanted,
        "state": fault.state(case.mode),
        "struck": int(outcome.struck),
        "exposed": int(outcome.exposed),
        "alarm": outcome.alarm,
        "alarm_ms": "" if outcome.alarm_ms is None else outcome.alarm_ms,
        "safe_ms": "" if outcome.safe_ms is None else outcome.safe_ms,
        "detectable": int(bool(wanted)),
        "raised": int(bool(outcome.alarm)),
        "in_time": int(bool(outcome.alarm) and not late),
        "as_said": int(as_said),
        "judged": int(judged),
        "true": int(not untrue),
        "findings": "; ".join(late + untrue),
    }
    return {fault_account.TABLE: [row]}


STUDY = Study(
    name="faults",
    title="Fault matrix",
    question="Which faults are noticed, by which alarm, and how long before they could do harm?",
    method=(
        "The catalogue of faults (docs/faults.md) says of every fault what must notice it, in which mode and time: "
        "named faults of sensors, switches, drives, fluid, supply and line; each number of the plant at the limit of "
        "its range; each call of the board that goes wrong in each way; each message that is lost, damaged, late or "
        "doubled; a host that dies. Each is tried on the nominal device at the catalogue's moment. Named faults and "
        f"numbers are tried again on drawn devices at drawn moments, {EARLIER_S:g} s earlier to {LATER_S:g} s "
        "later.\n\n"
        "Times count from where the fault can do harm: from its onset, or from when a dose or run has begun. The alarm "
        "must come within the time to hazard, and by then the needle must be home and nothing pushed, by the plant. "
        "Where nothing ran after the fault's onset, it could do no harm, "
        "and no time is judged. Where the operator's own hand has ended a dose, what is late is only its report, and "
        "has a longer time. On "
        "drawn devices another alarm than the catalogue's may come first; what counts there is that one comes in time. "
        "Shares have Clopper and Pearson's bounds, 95 %. What cannot be detected is listed with the reason, and with "
        "how often the plant then lay outside of what was told. Messages "
        "that do not pass in a dose cannot go wrong there: the study of doses given once brings about all of them."
    ),
    cases=cases,
    run=run,
    account=fault_account.account,
    plots=fault_plots.plots,
    columns=(
        Column(
            fault_account.TABLE,
            "in_time",
            "in_time",
            ("raised", "exposed", "alarm_ms", "allowed_ms", "safe_ms", "hazard_ms"),
        ),
    ),
)
