"""The host's codec against pymavlink's decoder, on streams of heartbeats, and against cobs with zlib."""

from __future__ import annotations

import struct
import time
import zlib
from collections.abc import Callable
from typing import Any

import pytest
from cobs import cobs
from pymavlink.dialects.v20 import common as mavlink

from mesoprotocol import frame, packing, stream, wire
from tests.bench.figures import Figures

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
def test_decoder_against_pymavlink(how: str, figures: Figures) -> None:
    """Both give a list of decoded messages for each piece, by turns."""
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
    for name, theirs_ in rates.items():
        if "pymavlink" in name:
            for kind in ("HEARTBEAT", "TELEMETRY"):
                rounds = zip(rates[kind], theirs_, strict=True)
                figures.timed(
                    f"decode {kind}, {how}, beside {name.split()[1]}", f"{name}, HEARTBEAT", "/s", "more", rounds
                )


HEAD = struct.Struct("<BBHHHH")
HEARTBEAT = struct.Struct("<HBII")
VALUES = [(0, 3, i, i * 100_003 & 0x3FFFFFFF) for i in range(N)]


def cobs_write(values: tuple[int, ...]) -> bytes:
    """A HEARTBEAT's frame, by struct, zlib and the `cobs` package."""
    head = HEAD.pack(wire.MAJOR, frame.REPLY, wire.HEARTBEAT, 0, 0x1234, HEARTBEAT.size)
    body = head + HEARTBEAT.pack(*values)
    return b"\0" + cobs.encode(body + zlib.crc32(body, packing.SEED).to_bytes(4, "little")) + b"\0"


def cobs_read(data: bytes) -> tuple[Any, ...]:
    """What `cobs_write` was given, from a whole frame."""
    body = cobs.decode(data[1:-1])
    assert zlib.crc32(body[:-4], packing.SEED) == int.from_bytes(body[-4:], "little")
    assert HEAD.unpack_from(body)[2] == wire.HEARTBEAT
    values: tuple[Any, ...] = HEARTBEAT.unpack_from(body, HEAD.size)
    return values


def our_write(values: tuple[int, ...]) -> bytes:
    """See `cobs_write`."""
    _, layout = stream.MESSAGES[frame.REPLY, wire.HEARTBEAT]
    return packing.encode(frame.REPLY, wire.HEARTBEAT, 0, 0x1234, layout.pack(values))


@pytest.mark.parametrize("what", ["encode", "decode"])
def test_codec_against_cobs(what: str, figures: Figures) -> None:
    """The same bytes from the same values and back, a frame at a time; the C code of `cobs`, for one message."""
    assert [our_write(each) for each in VALUES] == [cobs_write(each) for each in VALUES] == HEARTBEATS
    feed = decoder()
    assert [tuple(message.message) for each in HEARTBEATS for message in feed(each)] == [
        cobs_read(each) for each in HEARTBEATS
    ]
    rounds = []
    for _ in range(ROUNDS):
        if what == "encode":
            rounds.append((a_second(our_write, VALUES), a_second(cobs_write, VALUES)))
        else:
            rounds.append((a_second(decoder(), HEARTBEATS), a_second(cobs_read, HEARTBEATS)))
    figures.timed(f"{what} HEARTBEAT", "cobs, zlib and struct, this message only", "/s", "more", rounds)


def a_second(call: Callable[[Any], object], arguments: list[Any]) -> float:
    """Calls a second."""
    start = time.perf_counter()
    for each in arguments:
        call(each)
    return len(arguments) / (time.perf_counter() - start)
