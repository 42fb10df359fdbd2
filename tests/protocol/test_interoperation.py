"""What the `cobs` package and zlib would take is taken, and nothing else; `test_frame` has the other way."""

from __future__ import annotations

import binascii
import zlib

from cobs import cobs
from hypothesis import example, given
from hypothesis import strategies as st

from mesoprotocol import crc, frame, wire
from tests.protocol.test_frame import PAYLOADS, body_of, built, on_wire, received

STUFFED = st.binary(max_size=40).map(lambda data: data.replace(b"\0", b"\1")) | PAYLOADS.map(
    lambda payload: on_wire(body_of(payload))[1:-1]
)


def strangers_body(stuffed: bytes) -> bytes | None:
    """Header and payload of what lies between two delimiters, if it is a frame in its one encoding."""
    try:
        body = cobs.decode(stuffed)
    except cobs.DecodeError:
        return None
    if len(body) < frame.HEADER + 4 or cobs.encode(body) != stuffed:
        return None
    known = body[0] == wire.MAJOR and body[1] <= frame.STREAM and body[8] == len(body) - frame.HEADER - 4
    checked = zlib.crc32(body[:-4], zlib.crc32(b"MESO" + body[:1])).to_bytes(4, "little")
    return body[:-4] if known and not body[9] and checked == body[-4:] else None


@given(STUFFED, st.integers(0, 300), st.integers(1, 255))
@example(on_wire(body_of(b"abc"))[1:-1], 300, 1)
def test_we_take_what_strangers_take(stuffed: bytes, at: int, change: int) -> None:
    if at < len(stuffed):  # else it comes unhurt
        stuffed = stuffed[:at] + bytes((stuffed[at] ^ change or 1,)) + stuffed[at + 1 :]
    expected = strangers_body(stuffed)
    assert received(b"\0" + stuffed + b"\0")[0] == ([] if expected is None else [expected])


@given(st.binary(max_size=300), st.binary(max_size=20), st.integers(0, 300))
def test_a_crc_goes_on_where_zlibs_stopped(data: bytes, tag: bytes, cut: int) -> None:
    begun = zlib.crc32(data[:cut], zlib.crc32(tag)).to_bytes(4, "little")
    rest = bytearray(data[cut:] + bytes(4))
    crc.put(rest, len(rest) - 4, begun)
    assert rest[-4:] == zlib.crc32(tag + data).to_bytes(4, "little")
    assert crc.matches(rest, len(rest) - 4, begun)
    assert binascii.crc32(data, int.from_bytes(crc.seed(tag), "little")) == int.from_bytes(rest[-4:], "little")


@given(st.binary(max_size=300), st.binary(min_size=4, max_size=4))
def test_only_zlibs_crc_matches(data: bytes, guess: bytes) -> None:
    seed = crc.seed(b"MESO")
    right = zlib.crc32(data, zlib.crc32(b"MESO")).to_bytes(4, "little")
    assert crc.matches(bytearray(data + guess), len(data), seed) == (guess == right)
