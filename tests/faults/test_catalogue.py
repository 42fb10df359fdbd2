"""Each fault of the catalogue happens once, and what then notices it in time is what the catalogue says."""

from __future__ import annotations

import tomllib
from collections.abc import Callable

import pytest

from mesoprotocol import messages
from mesosim.lab import catalogue, inject, play, trial
from mesosim.lab.scenario import ALARMS, Scenario
from mesosim.runtime import InProcess
from mesosim.world import calls, nominal
from tests.house import faults
from tests.house.rooms import ROOT
from tests.summary import TOLD

MATRIX = "faults: alarm and time to it, against time to hazard"
NAMED = [(fault, mode) for fault in catalogue.named().values() for mode in fault.alarm]
PARTS = 8
NUMBERS = {row[0] for row in nominal.SYMBOLS}
FAMILIES = [fault for fault in catalogue.everything().values() if fault.name not in catalogue.named()]
PASSING = ("Prepare", "Prepare reply", "Commit", "Commit reply", "Heartbeat", "OutcomeEvent", "PhaseEvent", "Telemetry")
"""Messages that pass in every dose; `tests.schedules` brings about all of them, with every kind of fault."""


def judged(fault: catalogue.Fault, tried: list[trial.Trial]) -> None:
    """What is open in a mode fails in it: once it does not, the entry is to be changed. All else holds."""
    for each in tried:
        assert each.outcome.judged
        if fault.state(each.mode) == "open":
            assert each.outcome.findings, f"{fault.name} in a {each.mode} is met now: change sim/mesosim/faults.toml"
        else:
            assert not each.outcome.findings, f"{fault.name} in a {each.mode}: {each.outcome.findings}"
        if fault.state(each.mode) == "unseen":
            assert not each.outcome.alarm, f"{fault.name} in a {each.mode} is declared unseen"


@pytest.mark.requirement("SR-05", "SR-06", "SR-17", "SR-28", "SR-29")
@pytest.mark.parametrize("name", catalogue.named())
def test_a_named_fault_is_noticed_as_it_is_said(name: str, record_property: Callable[[str, object], None]) -> None:
    fault = catalogue.get(name)
    assert tuple(fault.alarm) == catalogue.MODES
    tried = [trial.attempt(fault, mode) for mode in fault.alarm]
    for each in tried:
        alarm, after, state = each.outcome.alarm or "none", each.outcome.alarm_ms, fault.state(each.mode)
        record_property(TOLD, [MATRIX, f"{name} {each.mode}: {alarm} {after} of {fault.hazard_ms} ms, {state}"])
    judged(fault, tried)


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ({"alarm": {"dose": ""}, "open": {"dose": "later"}}, "what is open has an alarm"),
        ({"alarm": {"dose": "estop"}, "unseen": {"dose": "dark"}}, "what is unseen or harmless has none"),
        ({"alarm": {"dose": ""}, "unseen": {"dose": "dark"}, "harmless": {"dose": "idle"}}, "one of open, unseen"),
        ({"alarm": {"dose": "estop"}, "open": {"run": "later"}}, "has an alarm, and one of"),
    ],
)
def test_an_entry_that_contradicts_itself_is_refused(entry: dict[str, object], words: str) -> None:
    whole = {**catalogue.get("estop").model_dump(), **entry}
    with pytest.raises(ValueError, match=words):
        catalogue.Fault.model_validate(whole)


@pytest.mark.parametrize("part", range(PARTS))
def test_a_board_call_that_goes_wrong(part: int) -> None:
    family = [fault for fault in FAMILIES if fault.target.startswith("board.")]
    assert len(family) == sum(calls.fits(call, kind) for call, _ in calls.CALLS for kind in calls.KINDS)
    for fault in family[part::PARTS]:
        judged(fault, [trial.attempt(fault, mode) for mode in fault.alarm])


@pytest.mark.parametrize("part", range(PARTS))
def test_a_number_of_the_plant_at_its_limit(part: int, record_property: Callable[[str, object], None]) -> None:
    assert set(catalogue.everything()) >= NUMBERS
    for fault in [fault for fault in FAMILIES if fault.name in NUMBERS][part::PARTS]:
        tried = [trial.attempt(fault, mode) for mode in fault.alarm]
        for each in tried:
            alarm, after = each.outcome.alarm or "none", each.outcome.alarm_ms
            record_property(TOLD, [MATRIX, f"{fault.name} {each.mode}: {alarm} {after} of {fault.hazard_ms} ms"])
        judged(fault, tried)


@pytest.mark.parametrize("message", PASSING)
def test_a_frame_that_goes_wrong(message: str) -> None:
    for fault in FAMILIES:
        if fault.target == f"frame.{message}":
            tried = trial.attempt(fault, "dose")
            assert tried.met, tried.outcome


@pytest.mark.parametrize("step", catalogue.JOURNAL_STEPS)
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_host_that_dies_at_its_journal(step: str, when: str) -> None:
    fault = catalogue.get(f"host.crash.{step}")
    outcome = play.play(trial.scenario(fault, "dose", when), 1)
    assert outcome.passed, outcome
    assert outcome.doses[-1]["result"] == ("Delivered" if step == "outcome" else "NotDelivered")


@pytest.mark.parametrize(
    ("name", "kind"), [(fault.name, kind) for fault in catalogue.named().values() for kind in fault.kinds[1:]]
)
def test_every_other_kind_is_survived(name: str, kind: str) -> None:
    fault = catalogue.get(name)
    mode = next(mode for mode in fault.alarm if fault.state(mode) != "harmless")
    data = trial.scenario(fault, mode, kind).model_dump()
    data["expect"] = {"volumes": mode not in fault.unseen}
    outcome = play.play(Scenario.model_validate(data), 1)
    assert outcome.passed, outcome


def test_every_target_is_in_the_world() -> None:
    device = InProcess(1)
    for fault in catalogue.named().values():
        if not fault.on_the_line:
            device.control("get", fault.target)


def test_hazards_and_alarms_are_those_of_the_project() -> None:
    known = tomllib.loads((ROOT / "tests" / "requirements.toml").read_text())["hazard"]
    assert set(catalogue.hazards()) == {hazard["id"] for hazard in known}
    for fault in catalogue.everything().values():
        assert fault.hazard in catalogue.hazards()
        assert set(fault.alarm.values()) <= {*ALARMS, ""}, fault.name
    assert messages.REASON_NAMES


def test_a_fault_begins_and_ends_with_a_live_control() -> None:
    device = InProcess(1)
    inject.inject(device, "estop", duration_s=1.0)
    device.run(500_000, b"")
    assert (device.control("faults"), device.control("get", "input.estop")) == (["input.estop"], 1)
    device.run(1_500_000, b"")
    assert (device.control("faults"), device.control("get", "input.estop")) == ([], 0)
    inject.inject(device, "depth_stop_off", kind="ramp", value=100, duration_s=0.1)
    device.run(1_550_000, b"")
    assert 40 <= device.control("get", "depth.offset_um") <= 60
    device.run(1_700_000, b"")
    assert device.control("get", "depth.offset_um") == 100
    inject.clear(device, "depth_stop_off")
    assert device.control("get", "depth.offset_um") == 0


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (5, "must be an object"),
        ({"symbol": "no.such", "kind": "step", "value": 1}, "no.such"),
        ({"symbol": "input.estop", "kind": "gone", "value": 1}, "must be one of step, ramp"),
        ({"symbol": "input.estop", "kind": "step"}, "needs a value"),
        ({"symbol": "input.estop", "kind": "step", "value": 0.5}, "whole number"),
        ({"symbol": "input.estop", "kind": "step", "value": [1, 0]}, "above 0"),
        ({"symbol": "input.estop", "kind": "step", "value": 1, "for_us": -1}, "for_us"),
        ({"symbol": "input.estop", "kind": "step", "value": 1, "mode": "half"}, "must be one of set"),
        ({"symbol": "depth.offset_um", "kind": "stuck"}, "cannot be stuck"),
    ],
)
def test_a_wrong_request_changes_nothing(asked: object, words: str) -> None:
    device = InProcess(1)
    with pytest.raises(ValueError, match=words):
        device.control("fault", asked)
    assert device.control("faults") == []
    device.run(1_000_000, b"")


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("depth_offset_um", 5000, "must be a whole number, -4000 to 4000"),
        ("present", 2, "must be a whole number, 0 to 1"),
        ("clear_fault", 0, "must be a symbol"),
        ("clear_fault", "nothing", "nothing"),
        ("get", 5, "5"),
        ("set", ["needle.bore_um", "x"], "must be a symbol and thousandths"),
        ("meddle", 5, "must be an object"),
        ("meddle", {"call": "now", "kind": "late", "count": "x"}, "are whole numbers, not 'x'"),
        ([], 1, r"unknown control \[\]"),
    ],
)
def test_a_wrong_control_changes_nothing(name: str, value: object, words: str) -> None:
    device = InProcess(1)
    records = device.world.log.records
    with pytest.raises(ValueError, match=words):
        device.control(name, value)
    assert device.world.log.records == records or name == "clear_fault"


@pytest.mark.parametrize(
    ("name", "kind", "value", "words"),
    [
        ("oclusion", None, None, "there is no fault 'oclusion'"),
        ("occlusion", "gone", None, "must be one of step, intermittent"),
        ("occlusion", None, 0.5, "must be 2 to 1000000 times"),
        ("link_lost", None, None, "needs a scenario"),
        ("board.encoder.spike", None, -5e300, "must be a whole number, -1073741824 to 1073741824"),
        ("board.encoder.spike", None, 1.5, "must be a whole number"),
        ("board.encoder.dropped", None, 1, "value = 1: it takes none"),
        ("board.store.write.reset", None, 5000, "must be a whole number, 0 to 4096 bytes"),
    ],
)
def test_a_wrong_name_kind_or_size_is_refused(name: str, kind: str | None, value: float | None, words: str) -> None:
    device = InProcess(1)
    with pytest.raises(catalogue.UnknownFault, match=words):
        inject.inject(device, name, kind, value)


@pytest.mark.parametrize(
    ("name", "kind", "value", "words"),
    [
        ("frame.Commit.delay", None, 1e30, "must be a whole number, 0 to 60000 ms"),
        ("frame.Commit.drop", None, 1, "takes none"),
        ("link_lost", None, 99, "takes none"),
        ("host.crash.committed", "after", 7, "takes none"),
    ],
)
def test_a_wrong_size_on_the_line_is_refused(name: str, kind: str | None, value: float, words: str) -> None:
    with pytest.raises(catalogue.UnknownFault, match=words):
        catalogue.get(name).checked(kind, value)


def test_the_page_is_made_of_the_catalogue() -> None:
    assert faults.PAGE.read_text(encoding="utf-8") == faults.page(), "python -m tests.house.faults"
