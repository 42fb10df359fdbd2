"""A stranger's client: a decoder made of docs/PROTOCOL.md alone reads the session that is printed beside it.

Nothing of ours is imported here, on purpose.
"""

from __future__ import annotations

import hmac
import re
import zlib
from pathlib import Path

import pytest

DOCS = Path(__file__).resolve().parents[2] / "docs"
KINDS = ["request", "reply", "event", "stream"]
SECTION = re.compile(r"^### (\w+) `(0x\w+)`, (\w+)\n(.*?)(?=^##|\Z)", re.M | re.S)
ROW = re.compile(r"^\| (\w+) \| (u8|u16|u24|u32|i16|i32|time|bytes\d+|text\d+|tail) \|", re.M)
LINE = re.compile(r"^(\d+\.\d{6}) (->|<-) ([0-9a-f]+) (.+)$", re.M)

KEY = re.compile(r"^`([0-9a-f]{64})`\.$", re.M)

Fields = list[tuple[str, str]]


def messages() -> dict[tuple[int, str], tuple[str, Fields]]:
    """Name and fields of each message, by id and kind, from the page's tables."""
    page = (DOCS / "PROTOCOL.md").read_text()
    found: dict[tuple[int, str], tuple[str, Fields]] = {}
    outcome: Fields = []
    answered_by_outcome = []
    for name, number, what, text in SECTION.findall(page):
        msg_id = int(number, 16)
        if "Reply, after status and state:" not in text:
            found[msg_id, what] = name, ROW.findall(text)
            outcome = ROW.findall(text) if name == "OUTCOME" else outcome
            continue
        request, reply = text.split("Reply, after status and state:")
        found[msg_id, "request"] = name, ROW.findall(request)
        found[msg_id, "reply"] = name, [("status", "u16"), ("state", "u8"), *ROW.findall(reply)]
        if "the fields of the event OUTCOME." in reply:
            answered_by_outcome.append(msg_id)
    for msg_id in answered_by_outcome:
        name, head = found[msg_id, "reply"]
        found[msg_id, "reply"] = name, head + outcome
    return found


MESSAGES = messages()


def body_of(frame: bytes) -> bytes:
    """`00 | COBS( header | payload | CRC ) | 00`."""
    assert frame[0] == 0 and frame[-1] == 0
    stuffed, body, at = frame[1:-1], b"", 0
    while at < len(stuffed):
        code = stuffed[at]
        assert 0 < code < 0xFF and at + code <= len(stuffed)
        body += stuffed[at + 1 : at + code]
        at += code
        body += b"\0" if at < len(stuffed) else b""
    assert zlib.crc32(body[:-4], zlib.crc32(b"MESO" + body[:1])) == int.from_bytes(body[-4:], "little")
    return body[:-4]


def value_of(kind: str, data: bytes) -> str:
    if kind.startswith("text"):
        return data.rstrip(b"\0").decode("ascii")
    if kind.startswith("bytes") or kind == "tail":
        return data.hex()
    return str(int.from_bytes(data, "little", signed=kind.startswith("i")))


def words_of(frame: bytes) -> str:
    """What a frame says, as the page says it."""
    body = body_of(frame)
    kind, tag = KINDS[body[1] & 0x7F], b""
    if body[1] & 0x80:
        body, tag = body[:-8], body[-8:]
    msg_id, seq, session = (int.from_bytes(body[i : i + 2], "little") for i in (2, 4, 6))
    payload = body[10:]
    assert body[0] == 1 and body[8] == len(payload) and body[9] == 0
    name, fields = MESSAGES[msg_id, kind]
    if kind == "reply" and len(payload) == 3:
        fields = fields[:2]  # a refusal has nothing more than status and state
    words, at = [name, kind, f"seq={seq}", f"session={session}"], 0
    for field, form in fields:
        bits = re.fullmatch(r"[ui](\d+)", form)
        size = int(bits[1]) // 8 if bits else {"time": 8, "tail": len(payload) - at}.get(form)
        size = int(re.sub(r"\D", "", form)) if size is None else size
        words.append(f"{field}={value_of(form, payload[at : at + size])}")
        at += size
    assert at == len(payload)
    return " ".join([*words, f"tag={tag.hex()}"] if tag else words)


LINES = LINE.findall((DOCS / "PROTOCOL-session.md").read_text())


def test_the_page_shows_a_whole_session() -> None:
    shown = [(said.split()[0], said.split()[1]) for _, _, _, said in LINES]
    assert len(shown) > 300
    for name in (
        "HELLO",
        "AUTH",
        "SYNC",
        "STATUS",
        "START_TREATMENT",
        "PREPARE",
        "COMMIT",
        "HEARTBEAT",
        "QUERY",
        "STOP",
        "CLEAR",
    ):
        assert (name, "request") in shown and (name, "reply") in shown
    assert shown.count(("OUTCOME", "event")) == 2
    assert ("PHASE", "event") in shown and ("TELEMETRY", "stream") in shown


def test_every_frame_says_what_stands_beside_it() -> None:
    for _, _, data, said in LINES:
        assert words_of(bytes.fromhex(data)) == said


def field(line: str, name: str) -> str:
    return line.split(f"{name}=")[1].split(maxsplit=1)[0]


def test_proofs_and_tags_are_made_as_the_page_says() -> None:
    key = bytes.fromhex(KEY.findall((DOCS / "PROTOCOL-session.md").read_text())[0])
    said = {(said.split()[0], said.split()[1]): said for _, _, _, said in reversed(LINES)}
    hello, auth, admitted = said["HELLO", "reply"], said["AUTH", "request"], said["AUTH", "reply"]
    challenge = bytes([int(field(auth, "role"))])
    challenge += b"".join(bytes.fromhex(field(hello, name)) for name in (" nonce", "device_nonce", "uid"))
    assert hmac.digest(key, b"meso1 host" + challenge, "sha256")[:16].hex() == field(auth, "proof")
    assert hmac.digest(key, b"meso1 device" + challenge, "sha256")[:16].hex() == field(admitted, "proof")
    session_key = hmac.digest(key, b"meso1 session" + challenge, "sha256")
    tagged = [body_of(bytes.fromhex(data)) for _, _, data, said in LINES if "tag=" in said]
    assert len(tagged) > 10
    for body in tagged:
        assert hmac.digest(session_key, body[:-8], "sha256")[:8] == body[-8:]


def test_requests_go_to_the_device_and_all_else_comes_from_it() -> None:
    for _, way, _, said in LINES:
        assert (way == "->") == (said.split()[1] == "request")


@pytest.mark.parametrize("at", [5, 12, -3])
def test_a_changed_byte_is_noticed(at: int) -> None:
    changed = bytearray.fromhex(LINES[0][2])
    changed[at] ^= 0x10
    with pytest.raises(AssertionError):
        body_of(bytes(changed))
