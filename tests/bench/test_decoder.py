"""The host's decoder against pymavlink's, on streams of heartbeats. Nothing here is judged; it is printed."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import pytest
from pymavlink.dialects.v20 import common as mavlink

from mesoprotocol import frame, packing, stream, wire

N = 2000
ROUNDS = 21
READ_SIZE = 512

Parse = Callable[[bytes], Any]


def ours(kind: int, msg_id: int, values: list[tuple[int, ...]]) -> list[bytes]:
    _, layout = stream.MESSAGES[kind, msg_id]
    return [packing.encode(kind, msg_id, 0, 0x1234, layout.pack(row)) for row in values]


def theirs() -> list[bytes]:
    sender = mavlink.MAVLink(None, srcSystem=1, srcComponent=1)
    found = []
    for i in range(N):
        found.append(bytes(mavlink.MAVLink_heartbeat_message(2, 3, 81, i, 4, 3).pack(sender)))
        sender.seq = (sender.seq + 1) % 256
    return found


HEARTBEATS = ours(frame.REPLY, wire.HEARTBEAT, [(0, 3, i, i * 100_003 & 0x3FFFFFFF) for i in range(N)])
TELEMETRY = ours(frame.STREAM, wire.EVENT_TELEMETRY, [(i * 20_000, 20_000 + i, 30 * i, -500, 0x67) for i in range(N)])
MAVLINK = theirs()


def decoder() -> Parse:
    return stream.Decoder().feed


def parse_buffer() -> Parse:
    return mavlink.MAVLink(None).parse_buffer


def parse_char() -> Parse:
    """One message a call: for whole frames only. It is pymavlink's quickest, `parse_buffer` calls it twice."""
    parse = mavlink.MAVLink(None).parse_char
    return lambda data: (parse(data),)


def reads(frames: list[bytes]) -> list[bytes]:
    data = b"".join(frames)
    return [data[at : at + READ_SIZE] for at in range(0, len(data), READ_SIZE)]


def rate(make: Callable[[], Parse], chunks: list[bytes]) -> float:
    """Messages a second."""
    parse = make()
    found = 0
    start = time.perf_counter()
    for chunk in chunks:
        messages = parse(chunk)
        if messages:
            found += len(messages)
    wall = time.perf_counter() - start
    assert found == N
    return N / wall


@pytest.mark.parametrize("how", ["a frame at a time", f"reads of {READ_SIZE} bytes"])
def test_decoder_against_pymavlink(how: str) -> None:
    """Both give a list of decoded messages for each piece; medians of rounds by turns."""
    cut = reads if "reads" in how else list
    jobs = {
        "HEARTBEAT": (decoder, cut(HEARTBEATS)),
        "TELEMETRY": (decoder, cut(TELEMETRY)),
        "pymavlink parse_buffer": (parse_buffer, cut(MAVLINK)),
    }
    if cut is list:
        jobs["pymavlink parse_char"] = (parse_char, MAVLINK)
    rates: dict[str, list[float]] = {name: [] for name in jobs}
    for _ in range(ROUNDS):
        for name, (make, chunks) in jobs.items():
            rates[name].append(rate(make, chunks))
    median = {name: statistics.median(each) for name, each in rates.items()}
    for name, each in median.items():
        ratio = "" if "pymavlink" not in name else f", ours {median['HEARTBEAT'] / each:.1f} times that"
        print(f"\n{how}: {name} {each:,.0f} messages/s{ratio}", end="")
