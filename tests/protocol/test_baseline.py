"""Schema and golden frames may only be added to: each other change is refused with a sentence that says why."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest

from mesoprotocol import generate, generate_baseline, generate_vectors
from mesoprotocol.generate_baseline import complaints, snapshot
from mesoprotocol.generate_schema import load
from mesoprotocol.generate_vectors import recorded

Schema = dict[str, Any]
Change = Callable[[Schema], Any]


def row(schema: Schema, table: str, name: str) -> dict[str, Any]:
    (found,) = (one for one in schema[table] if one["name"] == name)
    return cast("dict[str, Any]", found)


def message(schema: Schema, name: str) -> dict[str, Any]:
    return row(schema, "message", name)


def field(schema: Schema, name: str, wanted: str, payload: str = "fields") -> dict[str, Any]:
    table = "event" if name == "TELEMETRY" else "message"
    (found,) = (one for one in row(schema, table, name)[payload] if one["name"] == wanted)
    return cast("dict[str, Any]", found)


def drop(rows: list[dict[str, Any]], name: str) -> None:
    rows[:] = [one for one in rows if one["name"] != name]


NEW_FIELD = {"name": "angle_deg", "type": "u8", "unit": "deg"}

REFUSED: dict[str, tuple[Change, list[str]]] = {
    "a message removed": (
        lambda s: drop(s["message"], "ACK"),
        ["message ACK (22) is gone: the other side may still use it; restore it."],
    ),
    "a message renamed": (
        lambda s: message(s, "ACK").update(name="SEEN"),
        [
            "message 22 was ACK and is now SEEN: a number never gets another name or meaning; restore ACK and give "
            "SEEN a number of its own."
        ],
    ),
    "a message's id": (
        lambda s: message(s, "ACK").update(id=0x7033),
        ["message ACK was 22 and is now 28723: the other side goes on using 22; give it its number back."],
    ),
    "an event's id": (
        lambda s: row(s, "event", "TELEMETRY").update(id=0x51),
        ["event TELEMETRY was 80 and is now 81: the other side goes on using 80; give it its number back."],
    ),
    "a message's class": (
        lambda s: message(s, "ACK").update({"class": "txn"}),
        ["ACK: class was set and is now txn: who keeps to the old one would fail; restore it."],
    ),
    "fewer states": (
        lambda s: message(s, "QUERY").update(states="IDLE"),
        ["QUERY: states was any and is now IDLE: who keeps to the old one would fail; restore it."],
    ),
    "a field removed": (
        lambda s: drop(message(s, "ACK")["fields"], "operator"),
        [
            "ACK request: field operator is gone: the other side still sends or expects it; restore it, or put what is "
            "new into a message of its own."
        ],
    ),
    "a field added to a request": (
        lambda s: message(s, "ACK")["fields"].append(NEW_FIELD),
        [
            "ACK request: field angle_deg was added: a payload of another length is refused by the other side; put "
            "what is new into a message of its own."
        ],
    ),
    "a field added to a reply": (
        lambda s: message(s, "ACK")["reply"].append(NEW_FIELD),
        [
            "ACK reply: field angle_deg was added: a payload of another length is refused by the other side; put "
            "what is new into a message of its own."
        ],
    ),
    "a field added to an event": (
        lambda s: row(s, "event", "TELEMETRY")["fields"].append(NEW_FIELD),
        [
            "TELEMETRY payload: field angle_deg was added: a payload of another length is refused by the other side; "
            "put what is new into a message of its own."
        ],
    ),
    "fields in another order": (
        lambda s: message(s, "ACK")["fields"].reverse(),
        ["ACK request: the order of fields was n, operator: the other side reads them in it; restore it."],
    ),
    "a field's type": (
        lambda s: field(s, "LEDGER", "n").update(type="u32"),
        [
            "LEDGER request: type of field n was u24 and is now u32: the same bytes would mean something else; restore "
            "it, or put what is new into a message of its own."
        ],
    ),
    "a field's unit": (
        lambda s: field(s, "PREPARE", "volume_nl").update(unit="pl"),
        [
            "PREPARE request: unit of field volume_nl was nl and is now pl: the same bytes would mean something else; "
            "restore it, or put what is new into a message of its own."
        ],
    ),
    "a field's enumeration": (
        lambda s: field(s, "COMMIT", "dose_state", "reply").update(enum="state"),
        [
            "COMMIT reply: enum of field dose_state was dose_state and is now state: the same bytes would mean "
            "something else; restore it, or put what is new into a message of its own."
        ],
    ),
    "a request's higher minimum": (
        lambda s: field(s, "LEDGER", "n").update(min=1),
        [
            "LEDGER request: range of field n was 0..16777215 and is now 1..16777215: what was accepted would be "
            "refused; a range may only become wider."
        ],
    ),
    "a request's lower maximum": (
        lambda s: row(s, "limit", "FLOW_MAX_NL_PER_S").update(value=40_000),
        [
            "PREPARE_SERIES request: range of field flow_nl_per_s was 0..50000 and is now 0..40000: what was accepted "
            "would be refused; a range may only become wider."
        ],
    ),
    "a reply's range": (
        lambda s: field(s, "COMMIT", "dose_state", "reply").update(max=9),
        [
            "COMMIT reply: range of field dose_state was 0..255 and is now 0..9: one side would refuse what the other "
            "sends; restore it."
        ],
    ),
    "an enumeration renumbered": (
        lambda s: row(s, "reason", "EXPIRED").update(id=77),
        ["reason EXPIRED was 22 and is now 77: the other side goes on using 22; give it its number back."],
    ),
    "a status code reused": (
        lambda s: row(s, "status", "KNOWN_ID").update(name="NO_AIR"),
        [
            "status 2010 was KNOWN_ID and is now NO_AIR: a number never gets another name or meaning; restore KNOWN_ID "
            "and give NO_AIR a number of its own."
        ],
    ),
    "a status code used twice": (
        lambda s: s["status"].append({"name": "NO_AIR", "code": 2010}),
        ["status 2010 is KNOWN_ID's and is now used for NO_AIR: give NO_AIR a number of its own."],
    ),
    "a bit moved": (
        lambda s: row(s, "latch", "FAULT").update(bit=29),
        ["latch FAULT was 6 and is now 29: the other side goes on using 6; give it its number back."],
    ),
    "a zone removed": (
        lambda s: drop(s["zone"], "neck"),
        ["zone neck (9) is gone: the other side may still use it; restore it."],
    ),
    "a lower major": (
        lambda s: s["protocol"].update(major=0),
        ["major was 1 and is now 0: versions only rise."],
    ),
}

ADDED: dict[str, Change] = {
    "a message": lambda s: s["message"].append({**message(s, "ACK"), "name": "NEW", "id": 0x7000}),
    "an event": lambda s: s["event"].append({**row(s, "event", "PHASE"), "name": "NEW", "id": 0x7001}),
    "a reason": lambda s: s["reason"].append({"name": "NEW", "id": 99}),
    "a bit": lambda s: s["input"].append({"name": "NEW", "bit": 15}),
    "a status": lambda s: s["status"].append({"name": "NEW", "code": 9999}),
    "a whole enumeration": lambda s: s.update(role=[*s.get("role", []), {"name": "NEW", "id": 99}]),
    "a limit": lambda s: s["limit"].append({"name": "NEW", "value": 1}),
    "a loosened limit": lambda s: row(s, "limit", "RATE_MAX_PER_MIN").update(value=2_400),
    "more states": lambda s: message(s, "ACK").update(states="any"),
    "another text": lambda s: message(s, "ACK").update(about="Seen.", timeout_ms=500),
    "another major": lambda s: (s["protocol"].update(major=2), drop(s["message"], "ACK")),
}


def changed(change: Change) -> list[str]:
    schema = load()
    before = snapshot(schema, recorded())
    after = copy.deepcopy(schema)
    change(after)
    return list(complaints(before, snapshot(after, recorded())))


@pytest.mark.parametrize("what", REFUSED)
def test_what_is_no_addition_is_refused_with_a_sentence(what: str) -> None:
    change, sentences = REFUSED[what]
    assert changed(change) == sentences


@pytest.mark.parametrize("what", ADDED)
def test_an_addition_is_welcome(what: str) -> None:
    assert changed(ADDED[what]) == []


def test_a_group_is_recorded_wherever_it_is_used() -> None:
    places = [line.split(":")[0] for line in changed(lambda s: row(s, "group", "outcome")["fields"].append(NEW_FIELD))]
    assert sorted(places) == ["LEDGER reply", "OUTCOME payload", "QUERY reply"]


def test_golden_frames_neither_go_nor_change() -> None:
    schema, frames = load(), recorded()
    before = snapshot(schema, frames)
    gone = list(complaints(before, snapshot(schema, frames[1:])))
    assert gone == [
        "golden frame HELLO request is gone from frames.json: recorded frames are the proof that old hosts and devices "
        "still understand each other; restore it."
    ]
    edited = [{**frames[0], "hex": "00"}, *frames[1:]]
    assert list(complaints(before, snapshot(schema, edited))) == [
        "golden frame HELLO request was edited in frames.json: recorded frames are append-only; restore it."
    ]


def test_a_loosened_limit_leaves_the_golden_frames_alone() -> None:
    schema = load()
    row(schema, "limit", "RATE_MAX_PER_MIN").update(value=2_400)
    assert generate_vectors.vectors(schema, write=False) == []


def test_ci_says_why_and_generates_nothing(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    schema = load()
    change, sentences = REFUSED["an enumeration renumbered"]
    change(schema)
    monkeypatch.setattr(generate, "load", lambda: schema)
    for arguments in (["--check"], []):
        assert generate.main(arguments) == 1
        assert capsys.readouterr().err.splitlines() == sentences


def test_what_is_new_is_stale_until_it_is_recorded(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert generate_baseline.baseline(load(), write=False) == []
    path = tmp_path / "schema.json"
    path.write_text(generate_baseline.BASELINE.read_text())
    monkeypatch.setattr(generate_baseline, "BASELINE", path)
    schema = load()
    ADDED["a reason"](schema)
    (stale,) = generate_baseline.baseline(schema, write=False)
    assert stale.startswith("stale: tests/vectors/schema.json")
    assert generate_baseline.baseline(schema, write=True) == []
    assert capsys.readouterr().out == "written: tests/vectors/schema.json\n"
    assert generate_baseline.baseline(schema, write=False) == []
    (gone,) = generate_baseline.broken(load())
    assert gone == "reason NEW (99) is gone: the other side may still use it; restore it."
