"""Wireshark reads a recorded session as our own decoder does: every message, every field's value."""

from __future__ import annotations

import json
import shutil
import struct
import subprocess
from pathlib import Path
from typing import Any

import pytest

from mesoinjector import Injector, capture, listing
from mesoinjector.decoding import KINDS, Message, NoFrame
from mesoprotocol import crc, messages, wire
from tests.system.record_session import SESSION

pytestmark = pytest.mark.skipif(
    shutil.which("tshark") is None, reason="tshark is missing, the dissector is NOT tested: apt-get install tshark"
)


def read_by_wireshark(pcap: Path) -> list[dict[str, str]]:
    """Each packet's fields of ours, by name without the prefix."""
    line = ["tshark", "-r", str(pcap), "-X", f"lua_script:{capture.DISSECTOR}", "-T", "json"]
    done = subprocess.run(line, capture_output=True, text=True, check=False, timeout=60)
    assert "Lua" not in done.stderr, done.stderr
    return [flat(packet["_source"]["layers"]["mesoinjector"]) for packet in json.loads(done.stdout)]


def flat(layer: dict[str, Any]) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in layer.items():
        found |= flat(value) if isinstance(value, dict) else {name.removeprefix("mesoinjector."): value}
    return found


def expected(row: listing.Row) -> dict[str, str]:
    """What Wireshark has to say of a message, by our own decoder."""
    message = row.entry
    assert isinstance(message, Message)
    (msg_id,) = (number for number, name in messages.NAMES.items() if name == message.name and fits(number, message))
    said = {
        "direction": "0" if row.to_device else "1",
        "header.major": str(wire.MAJOR),
        "header.kind": str(KINDS.index(message.kind)),
        "header.tagged": "1" if message.tag else "0",
        "header.message": f"{msg_id:#06x}",
        "header.seq": str(message.seq),
        "header.session": str(message.session),
    }
    if message.tag:
        said["tag"] = as_wireshark("tag", message.tag)
    # Wireshark shows no field that has no bytes
    return said | {name: as_wireshark(name, value) for name, value in message.fields.items() if value != ""}


def fits(number: int, message: Message) -> bool:
    return (number in messages.EVENTS) == (message.kind in ("event", "stream"))


def as_wireshark(name: str, value: int | str) -> str:
    """Bytes with colons."""
    if name in (
        "nonce",
        "device_nonce",
        "dose_id",
        "boot_id",
        "uid",
        "schema_hash",
        "limits_crc",
        "plan_crc",
        "proof",
        "payload",
        "records",
        "tag",
        "chip",
        "chain",
    ):
        return ":".join(str(value)[i : i + 2] for i in range(0, len(str(value)), 2))
    return str(value)


def compare(recording: Path, folder: Path) -> list[dict[str, str]]:
    """Wireshark's reading of every frame of a recording, held against ours."""
    lines = listing.read(recording)
    assert capture.write(lines, folder / "session.pcap") > 0
    rows = [row for row in lines.rows if isinstance(row.entry, Message)]
    packets = read_by_wireshark(folder / "session.pcap")
    for row, packet in zip(rows, packets, strict=True):
        want = expected(row)
        seen = {name: packet.get(name) for name in want}
        assert seen == want
        others = {"header.length", "crc", "cause", "mesoinjector"}
        assert {name for name in packet if "_ws" not in name and "refused" not in name} - others == set(want)
    return packets


def test_a_dose_session(tmp_path: Path) -> None:
    packets = compare(SESSION, tmp_path)
    assert len(packets) > 300
    assert {packet["header.kind"] for packet in packets} == {"0", "1", "2", "3"}


def test_a_run_and_a_refusal(tmp_path: Path) -> None:
    """Stroke records, and replies that bear status and state alone."""
    with Injector.open("sim://?seed=2", record=tmp_path / "run.jsonl") as injector:
        injector.begin_treatment()
        injector.fractional(20, 1.0, "cheek", 100, needles=12)
        injector.strokes(0)
        injector.stop()
        with pytest.raises(Exception, match="CAUSE_PRESENT"):
            injector.clear()
    packets = compare(tmp_path / "run.jsonl", tmp_path)
    assert any("records" in packet for packet in packets)
    assert packets[-1]["cause"] == messages.STATUS_CAUSES[wire.S_CAUSE_PRESENT][1]


def test_every_golden_frame(tmp_path: Path) -> None:
    """One of each kind of each message, refused or not, is known and fits."""
    frames = json.loads((SESSION.parent / "frames.json").read_text())
    packets = read_by_wireshark(pcap(tmp_path, [bytes.fromhex(row["hex"]) for row in frames]))
    for row, packet in zip(frames, packets, strict=True):
        assert packet["header.message"] == f"{row['id']:#06x}"
        assert not [name for name in packet if "misfit" in name or "unknown" in name]


def test_a_tagged_request_shows_its_tag(tmp_path: Path) -> None:
    """Kind flag 0x80: eight bytes between the payload and the CRC, which the length does not count."""
    body = bytes((wire.MAJOR, 0x80, wire.LEDGER & 255, 0, 9, 0, 1, 0, 3, 0)) + b"\7\0\0" + b"ABCDEFGH"
    (packet,) = read_by_wireshark(pcap(tmp_path, [framed(body)]))
    assert packet["header.tagged"] == "1"
    assert packet["n"] == "7"
    assert packet["tag"] == b"ABCDEFGH".hex(":")


@pytest.mark.parametrize("damage", ["bit", "cut", "stuffing", "none at all"])
def test_what_is_no_frame_is_said_so(damage: str, tmp_path: Path) -> None:
    good = framed(bytes((wire.MAJOR, 0, wire.STATUS, 0, 9, 0, 1, 0, 0, 0)))
    bad = {
        "bit": good[:3] + bytes((good[3] ^ 1,)) + good[4:],
        "cut": good[:8] + b"\0",
        "stuffing": good[:1] + b"\xff" + good[2:],
        "none at all": b"Traceback",
    }[damage]
    right, wrong = read_by_wireshark(pcap(tmp_path, [good, bad]))
    assert right["header.seq"] == "9"
    assert wrong["no_frame"] == bad.hex(":")
    assert "header.seq" not in wrong


def test_our_capture_holds_bytes_that_are_no_frame(tmp_path: Path) -> None:
    text = SESSION.read_text() + '{"t_us": 9000000, "direction": "rx", "hex": "004142430000", "messages": []}\n'
    (tmp_path / "more.jsonl").write_text(text)
    lines = listing.read(tmp_path / "more.jsonl")
    assert isinstance(lines.rows[-1].entry, NoFrame)
    capture.write(lines, tmp_path / "more.pcap")
    assert read_by_wireshark(tmp_path / "more.pcap")[-1]["no_frame"] == "41:42:43"


def framed(body: bytes) -> bytes:
    """A body with its CRC, stuffed; by another way than `frame`."""
    buffer = bytearray(body + bytes(4))
    crc.put(buffer, len(body), crc.seed(b"MESO" + body[:1]))
    return b"\0" + b"".join(bytes((len(part) + 1,)) + part for part in bytes(buffer).split(b"\0")) + b"\0"


def pcap(folder: Path, frames: list[bytes]) -> Path:
    """A capture of frames that were sent to the device."""
    head = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, capture.LINK_TYPE)
    packets = (struct.pack("<IIII", 0, 0, len(data) + 1, len(data) + 1) + b"\0" + data for data in frames)
    path = folder / "frames.pcap"
    path.write_bytes(head + b"".join(packets))
    return path
