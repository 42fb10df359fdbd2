"""The recorded frames say what they said when they were recorded."""

import hmac
import json
from typing import Any

import pytest

from mesoprotocol import codec, frame, messages, stream, typed, wire
from tests.house.rooms import ROOT

FRAMES: list[dict[str, Any]] = json.loads((ROOT / "tests/vectors/frames.json").read_text())
KINDS = {"request": frame.REQUEST, "reply": frame.REPLY, "event": frame.EVENT, "stream": frame.STREAM}


def fields_of(row: dict[str, Any]) -> tuple[tuple[int, int, int, int], ...]:
    if row["kind"] == "request":
        fields: tuple[tuple[int, int, int, int], ...] = wire.REQUESTS[row["id"]][0]
        return fields
    if row["kind"] == "reply":
        return typed.REPLY_HEAD + messages.REPLIES[row["id"]][1]
    return messages.EVENTS[row["id"]][1]


def values_of(row: dict[str, Any]) -> list[Any]:
    hexed = (codec.BYTES, codec.TAIL)
    pairs = zip(fields_of(row), row["values"], strict=True)
    return [bytes.fromhex(value) if field[0] in hexed else value for field, value in pairs]


every_frame = pytest.mark.parametrize("row", FRAMES, ids=lambda row: f"{row['name']}-{row['kind']}")


@every_frame
def test_its_bytes_are_read_as_its_values(row: dict[str, Any]):
    reader = frame.Reader((wire.MAJOR,))
    data = bytearray.fromhex(row["hex"])
    assert reader.feed(data, 0, len(data)) == len(data)
    body = reader.body
    assert reader.length
    assert body[1] == KINDS[row["kind"]]
    numbers = [int.from_bytes(body[i : i + 2], "little") for i in (2, 4, 6)]
    assert numbers == [row["id"], row["seq"], row["session"]]
    (received,) = stream.Decoder().feed(bytes(data))
    assert list(received.message) == values_of(row)
    if row["kind"] == "request":
        assert written_by_the_host(row) == bytes(data)


@every_frame
def test_its_values_make_its_bytes(row: dict[str, Any]):
    builder = frame.Builder(wire.MAJOR)
    fields = fields_of(row)
    end = codec.write(fields, typed.raw_values(fields, values_of(row)), builder.body, frame.HEADER)
    n = builder.build(KINDS[row["kind"]], row["id"], row["seq"], row["session"], end - frame.HEADER)
    assert builder.wire[:n].hex() == row["hex"]


def written_by_the_host(row: dict[str, Any]) -> bytes:
    (cls,) = (cls for cls, (msg_id, _) in messages.REQUESTS.items() if msg_id == row["id"])
    return typed.write_request(cls(*values_of(row)), row["seq"], row["session"])


def test_each_message_has_its_frames():
    names = {(row["id"], row["kind"]) for row in FRAMES}
    for msg_id in wire.REQUESTS:
        assert {(msg_id, "request"), (msg_id, "reply")} <= names
    for msg_id in messages.EVENTS:
        assert {(msg_id, "event"), (msg_id, "stream")} & names


@pytest.mark.requirement("SR-27")
def test_stop_is_one_constant_byte_string():
    (stop,) = (row["hex"] for row in FRAMES if (row["name"], row["kind"]) == ("STOP", "request"))
    assert stop == "0002010203010101010101052953487200"


@pytest.mark.requirement("SR-33")
def test_a_tagged_request_is_these_bytes():
    commit = messages.Commit(bytes(range(8)), b"plan", b"boot", 123456)

    def tag(body: bytes) -> bytes:
        return hmac.digest(bytes(range(1, 33)), body, "sha256")[: frame.TAG]

    assert typed.write_request(commit, 7, 0x1234, tag).hex() == (
        "0004018013020704341214011301020304050607706c616e626f6f7440e2010dcfabc33c58d9c33b428ebc8300"
    )
