"""What must hold in every scenario, whatever goes wrong in it, and what one expects; the plant is the witness.

Each rule returns findings, sentences with figures; none means that it holds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mesosim.lab.scenario import Scenario

OVERHEAD_NL = 250
"""What may pass the tip beside a dose: skin's own pressure into a needle at rest, and back."""
AIR_STROKES = 4
"""Strokes that may miss the skin before a lost contact is believed (two, A-30) and the last one is finished."""
OVER_PERMILLE, OVER_NL = 100, 10_000
"""No dose is exceeded, and none silently missed, by more than the larger of both."""
_ALARM_IS, _ALLOWED = "the alarm is ", "; allowed are "
"""How findings of alarms begin, and what is in those of times."""


@dataclass(frozen=True)
class Alarm:
    """What the device raised first. Times count from when the fault could do harm."""

    name: str
    after_ms: int | None
    safe_ms: int | None
    """Until needle home and nothing pushed, for good; None: not within the time watched."""
    exposed: bool
    """Whether anything ran from the fault's onset on."""


def tolerance_nl(asked_nl: int) -> int:
    """How far a dose may be off before it is a hazard."""
    return max(asked_nl * OVER_PERMILLE // 1000, OVER_NL)


def at_rest(account: dict[str, Any]) -> list[str]:
    """After everything: the needle is home and nothing moves."""
    found = []
    if not account["needle_home"]:
        found.append("the needle is not home at the end")
    if account["moving"]:
        found.append("something moves at the end")
    return found


def judge(scenario: Scenario, doses: list[dict[str, Any]], alarm: Alarm) -> list[str]:
    """All doses, and what the scenario expects of them."""
    found = []
    for i, dose in enumerate(doses if scenario.expect.volumes else []):
        where = f"{dose['kind']} {i + 1}"
        found += _punctures(where, dose) if dose["kind"] == "run" else _volume(where, dose)
    expect = scenario.expect
    if expect.results is not None:
        came = [dose["reason"] for dose in doses]
        if came != expect.results:
            found.append(f"results are {', '.join(came)}; expected {', '.join(expect.results)}")
    if expect.alarm is not None and alarm.name != expect.alarm:
        found.append(f"{_ALARM_IS}{alarm.name or 'none'}; expected {expect.alarm or 'none'}")
    elif expect.alarm and scenario.fault:
        fault = scenario.fault[0].entry
        found += _in_time(alarm, expect.within_ms or fault.signal_ms or fault.hazard_ms, fault.hazard_ms)
    return found


def judged(scenario: Scenario) -> bool:
    """Whether an alarm, or none, is expected of its first fault: without that no time of it is judged."""
    return not scenario.fault or scenario.expect.alarm is not None


def standing(scenario: Scenario) -> str:
    """What is known of the first fault where it strikes; see `Outcome.standing`."""
    if not scenario.fault:
        return ""
    fault, mode = scenario.fault[0].entry, scenario.mode
    if mode is None:
        return "nothing is given in its step"
    if mode not in fault.alarm:
        return f"the catalogue has no entry for it in a {mode}"
    state, reason = fault.state(mode), fault.reason(mode)
    return f"{state}: {reason}" if reason else state


def is_of_alarm(finding: str) -> bool:
    """Whether a finding of `judge` is that another alarm came than was expected, or none."""
    return finding.startswith(_ALARM_IS)


def is_of_time(finding: str) -> bool:
    """Whether a finding of `judge` is that something came too late."""
    return _ALLOWED in finding


def _in_time(alarm: Alarm, allowed_ms: int, hazard_ms: int) -> list[str]:
    """The alarm within what is allowed, and rest within the time to hazard; both from where the fault can do harm."""
    found: list[str] = []
    if not alarm.exposed:
        return found
    if alarm.after_ms is None or alarm.after_ms > allowed_ms:
        found.append(f"the alarm {alarm.name} came {_after(alarm.after_ms)}{_ALLOWED}{allowed_ms} ms")
    if alarm.safe_ms is None or alarm.safe_ms > hazard_ms:
        found.append(f"needle home and nothing pushed {_after(alarm.safe_ms)}{_ALLOWED}{hazard_ms} ms")
    return found


def _after(ms: int | None) -> str:
    return "never" if ms is None else f"after {ms} ms"


def _volume(where: str, dose: dict[str, Any]) -> list[str]:
    found = []
    tip, asked, lower, upper = (dose[key] for key in ("plant_tip_nl", "asked_nl", "lower_nl", "upper_nl"))
    if tip > asked + tolerance_nl(asked):
        found.append(f"{where}: over-dose, {tip} nl left the tip, {asked} were asked for")
    if not lower - OVERHEAD_NL <= tip <= upper + OVERHEAD_NL:
        found.append(f"{where}: {tip} nl left the tip, outside its bounds {lower} to {upper} nl")
    said_whole = dose["kind"] == "dose" and dose["reason"] == "complete" and dose["exact"] and not dose["drip"]
    if said_whole and dose["plant_skin_nl"] < asked - tolerance_nl(asked):
        found.append(f"{where}: said to be complete, but {dose['plant_skin_nl']} of {asked} nl reached the skin")
    return found


def _punctures(where: str, dose: dict[str, Any]) -> list[str]:
    # inexact: index and odometer disagree, and what is told is the greater of them
    fewest = dose["strokes"] - AIR_STROKES if dose["exact"] else 0
    if fewest <= dose["punctures"] <= dose["upper_strokes"]:
        return []
    return [f"{where}: {dose['punctures']} punctures, outside its bounds {max(fewest, 0)} to {dose['upper_strokes']}"]
