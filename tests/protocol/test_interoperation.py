"""What the `cobs` package and zlib would take is taken, and nothing else; `test_frame` has the other way."""

from __future__ import annotations

import binascii
import zlib

from cobs import cobs
from hypothesis import given, settings
from hypothesis import strategies as st

from mesoprotocol import crc, frame, wire
from tests.protocol.test_frame import PAYLOADS, body_of, received

BODIES = st.builds(
    body_of,
    PAYLOADS,
    major=st.sampled_from((1, 1, 1, 2)),
    kind=st.integers(0, 4),
    zero=st.sampled_from((0, 0, 0, 1)),
    length=st.none() | st.none() | st.integers(0, 5),
)


@st.composite
def stuffed_bodies(draw: st.DrawFn) -> bytes:
    """A body as the `cobs` package stuffs it, or with its last group said to be longer than it is."""
    body = draw(BODIES)
    stuffed = cobs.encode(body)
    last = len(stuffed) - len(body.split(b"\0")[-1]) - 1
    longer = draw(st.sampled_from((0, 0, 0, 1, 100)))
    return stuffed[:last] + bytes((min(255, stuffed[last] + longer),)) + stuffed[last + 1 :]


STUFFED = st.binary(max_size=40).map(lambda data: data.replace(b"\0", b"\1")) | stuffed_bodies()


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


@settings(max_examples=400)
@given(STUFFED, st.none() | st.none() | st.tuples(st.integers(0, 300), st.integers(1, 255)))
def test_we_take_what_strangers_take(stuffed: bytes, hurt: tuple[int, int] | None) -> None:
    if hurt:
        at = hurt[0] % max(1, len(stuffed))
        stuffed = stuffed[:at] + bytes((hurt[1],)) + stuffed[at + 1 :]
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
