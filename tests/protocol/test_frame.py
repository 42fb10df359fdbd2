"""Frames against two strangers, the `cobs` package and zlib, and against one bit of noise."""

import zlib

import pytest
from cobs import cobs
from hypothesis import given
from hypothesis import strategies as st

from mesoprotocol import frame

KINDS = st.sampled_from((frame.REQUEST, frame.REPLY, frame.EVENT, frame.STREAM))
U16 = st.integers(0, 0xFFFF)
# zeros are what stuffing is about
PAYLOADS = st.binary(max_size=frame.PAYLOAD_MAX) | st.lists(
    st.sampled_from((0, 0, 1, 255)), max_size=frame.PAYLOAD_MAX
).map(bytes)


def body_of(payload: bytes, major: int = 1, kind: int = 0, zero: int = 0, length: int | None = None) -> bytes:
    n = len(payload) if length is None else length
    head = bytes((major, kind, 0x11, 0, 7, 0, 0x34, 0x12, n, zero))
    checked = head + payload
    seed = zlib.crc32(b"MESO" + bytes((major,)))
    return checked + zlib.crc32(checked, seed).to_bytes(4, "little")


def on_wire(body: bytes) -> bytes:
    return b"\0" + cobs.encode(body) + b"\0"


def received(stream: bytes, majors: tuple[int, ...] = (1,)) -> tuple[list[bytes], int]:
    """All frames of a stream as header and payload, and how many were refused."""
    reader = frame.Reader(majors)
    data = bytearray(stream)
    found = []
    at = 0
    while at < len(data):
        at = reader.feed(data, at, len(data))
        if reader.length:
            found.append(bytes(reader.body[: reader.length]))
    return found, reader.bad


def built(payload: bytes, kind: int = 0, msg_id: int = 0x11, seq: int = 7, session: int = 0x1234) -> bytes:
    builder = frame.Builder(1)
    builder.body[frame.HEADER : frame.HEADER + len(payload)] = payload
    return bytes(builder.wire[: builder.build(kind, msg_id, seq, session, len(payload))])


@given(PAYLOADS)
def test_a_frame_is_what_cobs_and_zlib_make_of_it(payload: bytes):
    assert built(payload) == on_wire(body_of(payload))


@given(PAYLOADS, KINDS, U16, U16, U16)
def test_a_frame_is_read_back(payload: bytes, kind: int, msg_id: int, seq: int, session: int):
    head = bytes((1, kind)) + b"".join(v.to_bytes(2, "little") for v in (msg_id, seq, session))
    found, bad = received(built(payload, kind, msg_id, seq, session))
    assert found == [head + bytes((len(payload), 0)) + payload]
    assert bad == 0


@given(st.lists(PAYLOADS, max_size=4), st.lists(st.integers(1, 90), min_size=1))
def test_pieces_and_neighbours_do_not_matter(payloads: list[bytes], sizes: list[int]):
    stream = b"".join(map(built, payloads))
    reader = frame.Reader((1,))
    found = []
    i = 0
    while stream:
        size = sizes[i % len(sizes)]
        piece, stream = bytearray(stream[:size]), stream[size:]
        i += 1
        at = 0
        while at < len(piece):
            at = reader.feed(piece, at, len(piece))
            if reader.length:
                found.append(bytes(reader.body[frame.HEADER : reader.length]))
    assert found == payloads


@pytest.mark.parametrize("payload", [bytes(23), bytes(range(1, 40)), b"\x01\x00\xff" * 20], ids=len)
def test_no_single_bit_flip_passes(payload: bytes):
    good = built(payload)
    for bit in range(8 * len(good)):
        noisy = bytearray(good)
        noisy[bit // 8] ^= 1 << bit % 8
        found, bad = received(bytes(noisy) + b"\0")
        assert (found, bad > 0) == ([], True), f"bit {bit}"


@given(st.binary(max_size=600), PAYLOADS)
def test_after_any_noise_a_frame_is_read(noise: bytes, payload: bytes):
    found, _ = received(noise + built(payload))
    assert found[-1][frame.HEADER :] == payload


REFUSED = {
    "another major": body_of(b"abc", major=2),
    "an unknown kind": body_of(b"abc", kind=4),
    "a flag that must be zero": body_of(b"abc", zero=1),
    "a length too long": body_of(b"abc", length=4),
    "a length too short": body_of(b"abc", length=2),
    "a header cut off": body_of(b"")[:-1],
    "a CRC of nobody's": zlib.crc32(b"x").to_bytes(4, "little").join((body_of(b"abc")[:-4], b"")),
    "the CRC without the protocol's seed": body_of(b"abc")[:-4]
    + zlib.crc32(body_of(b"abc")[:-4]).to_bytes(4, "little"),
}


@pytest.mark.parametrize("why", REFUSED)
def test_what_is_no_frame_is_refused(why: str):
    assert received(on_wire(REFUSED[why])) == ([], 1)


def test_a_frame_of_a_known_other_major_is_read():
    found, bad = received(on_wire(body_of(b"abc", major=2)), majors=(1, 2))
    assert (len(found), bad) == (1, 0)


@pytest.mark.parametrize("stuffed", [b"\x01", b"\x02\x01", b"\x05ab", b"\xff" + bytes(range(1, 100))])
def test_stuffing_that_does_not_fit_is_refused(stuffed: bytes):
    good = on_wire(body_of(b"abc"))
    assert received(good[:-1] + stuffed + b"\0") == ([], 1)


def test_only_one_encoding_of_a_body_is_taken():
    """A long body may be cut into groups of 254; ours are shorter, and any group of that size is refused."""
    body = body_of(bytes(range(1, 221)))
    found, _ = received(on_wire(body))
    assert found == [body[:-4]]
    assert received(b"\0\xff" + cobs.encode(body) + b"\0") == ([], 1)


def test_a_frame_that_lost_its_last_byte_is_not_mended_from_the_one_before():
    good = built(b"abc")
    found, bad = received(good + good[:-2] + b"\0")
    assert (len(found), bad) == (1, 1)


def test_memory_is_bounded_and_the_next_frame_is_read():
    found, bad = received(b"\x55" * 5000 + b"\0" + built(b"next"))
    assert ([row[frame.HEADER :] for row in found], bad) == ([b"next"], 1)


@pytest.mark.parametrize("n", [-1, frame.PAYLOAD_MAX + 1])
def test_a_payload_that_does_not_fit_is_not_built(n: int):
    with pytest.raises(ValueError, match="payload"):
        frame.Builder(1).build(0, 1, 1, 1, n)


@pytest.mark.parametrize("payload", [b"", bytes(frame.PAYLOAD_MAX), b"\xff" * frame.PAYLOAD_MAX], ids=len)
def test_buffers_hold_the_largest_frame(payload: bytes):
    assert len(built(payload)) <= frame.WIRE_MAX
    assert received(built(payload))[0][0][frame.HEADER :] == payload
