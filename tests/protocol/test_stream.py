"""The host's chunkwise decoder and quick encoder against the device's bytewise ones: equal on whatever comes in."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mesoprotocol import codec, frame, messages, packing, stream, typed, wire
from tests.protocol.test_codec import raw, values_of

Fields = tuple[tuple[int, int, int, int], ...]
Row = tuple[int, int, int, int, str, list[Any], bytes]

KNOWN: dict[tuple[int, int], tuple[Any, Fields]] = {
    **{(frame.REQUEST, msg_id): (cls, fields) for cls, (msg_id, fields) in messages.REQUESTS.items()},
    **{(frame.REPLY, i): (cls, typed.REPLY_HEAD + fields) for i, (cls, fields) in messages.REPLIES.items()},
    **{(frame.EVENT, i): row for i, row in messages.EVENTS.items()},
    **{(frame.STREAM, i): row for i, row in messages.EVENTS.items()},
}
U16 = st.integers(0, 0xFFFF)
TAGS = st.binary(min_size=frame.TAG, max_size=frame.TAG)


def bytewise(data: bytes) -> tuple[list[Row], dict[str, int]]:
    """What `frame.Reader` and `codec.read` make of a stream, and what they refuse."""
    reader = frame.Reader((wire.MAJOR,))
    buf = bytearray(data)
    rows: list[Row] = []
    counts = {"bad": 0, "unknown": 0, "malformed": 0}
    at = 0
    while at < len(buf):
        at = reader.feed(buf, at, len(buf))
        if reader.length:
            found = decoded(reader.body, reader.length)
            if isinstance(found, str):
                counts[found] += 1
            else:
                rows.append(found)
    return rows, {**counts, "bad": reader.bad}


def decoded(body: bytearray, end: int) -> Row | str:
    tagged = body[1] & frame.TAGGED
    kind = body[1] ^ tagged
    tag = bytes(body[end : end + frame.TAG]) if tagged else b""
    msg_id, seq, session = (body[i] | body[i + 1] << 8 for i in (2, 4, 6))
    if (kind, msg_id) not in KNOWN:
        return "unknown"
    cls, fields = KNOWN[kind, msg_id]
    if kind == frame.REPLY and end == frame.HEADER + 3:
        cls, fields = typed.Refusal, typed.REPLY_HEAD
    size = end - frame.HEADER - codec.size(fields)
    if size < 0 or (size and (not fields or fields[-1][0] != codec.TAIL)):
        return "malformed"
    out: list[Any] = [[0, 0] for _ in fields]
    if codec.read(fields, body, frame.HEADER, out) >= 0:
        return "malformed"
    if cls is typed.Refusal and out[0] == wire.S_OK:
        return "malformed"  # OK without the message's fields is neither
    for i, (what, n, *_) in enumerate(fields):
        if what == codec.TIME:
            out[i] = (out[i][0] << 30) + out[i][1]
        elif what == codec.TEXT:
            out[i] = bytes(body[out[i] : out[i] + n]).rstrip(b"\0").decode("ascii", "replace")
        elif what >= codec.BYTES:
            out[i] = bytes(body[out[i] : out[i] + n if n else end])
    return kind, msg_id, seq, session, cls.__name__, out, tag


def chunkwise(chunks: list[bytes]) -> tuple[list[Row], dict[str, int]]:
    decoder = stream.Decoder()
    found = [received for chunk in chunks for received in decoder.feed(chunk)]
    rows = [(*row[:4], type(row.message).__name__, list(row.message), row.tag) for row in found]
    return rows, {"bad": decoder.bad, "unknown": decoder.unknown, "malformed": decoder.malformed}


def built(kind: int, msg_id: int, seq: int, session: int, payload: bytes, tag: bytes = b"") -> bytes:
    """A frame by the device's own code, a tagged one by the host's; id and payload may be anything."""
    if tag:
        return packing.encode(kind, msg_id, seq, session, payload, lambda _: tag)
    builder = frame.Builder(wire.MAJOR)
    builder.body[frame.HEADER : frame.HEADER + len(payload)] = payload
    return bytes(builder.wire[: builder.build(kind, msg_id, seq, session, len(payload))])


@st.composite
def payloads(draw: st.DrawFn) -> tuple[int, int, bytes]:
    """Kind, id and payload: of a known message in its ranges, or nearly one."""
    kind, msg_id = draw(st.sampled_from(sorted(KNOWN)))
    fields = KNOWN[kind, msg_id][1]
    buf = bytearray(frame.PAYLOAD_MAX + 32)
    payload = bytes(buf[: codec.write(fields, raw(fields, draw(values_of(fields))), buf, 0)])
    how = draw(st.integers(0, 7))
    if how == 0:
        kind, msg_id = draw(st.integers(0, 4)), draw(U16 | st.integers(0, 0x60))
    elif how == 1:
        payload = payload[: draw(st.integers(0, len(payload)))]
    elif how == 2:
        payload += draw(st.binary(max_size=4))
    elif how == 3 and payload:
        payload = draw(st.binary(min_size=len(payload), max_size=len(payload)))
    elif how == 4 and kind == frame.REPLY:
        payload = payload[:3]
    return kind, msg_id, payload[: frame.PAYLOAD_MAX]


@st.composite
def frames(draw: st.DrawFn) -> bytes:
    kind, msg_id, payload = draw(payloads())
    tag = draw(TAGS) if kind == frame.REQUEST and draw(st.booleans()) else b""
    return built(kind, msg_id, draw(U16), draw(U16), payload, tag)


@st.composite
def streams(draw: st.DrawFn) -> bytes:
    """Frames and noise, then some of it flipped, dropped, doubled or moved."""
    noise = st.binary(max_size=20) | st.integers(230, 260).map(lambda n: b"\1" * n)
    data = bytearray(b"".join(draw(st.lists(frames() | frames() | noise, max_size=6))))
    for _ in range(draw(st.integers(0, 4)) if data else 0):
        at, n = draw(st.integers(0, max(len(data) - 1, 0))), draw(st.integers(1, 30))
        how = draw(st.sampled_from(("flip", "drop", "double", "splice", "zero")))
        if how == "flip" and data:
            data[at] ^= 1 << draw(st.integers(0, 7))
        elif how == "zero" and data:
            data[at] = 0
        elif how == "drop":
            del data[at : at + n]
        elif how == "double":
            data[at:at] = data[at : at + n]
        elif how == "splice":
            piece = data[at : at + n]
            del data[at : at + n]
            to = draw(st.integers(0, len(data)))
            data[to:to] = piece
    return bytes(data)


def cut(data: bytes, sizes: list[int]) -> list[bytes]:
    pieces = []
    at = 0
    while at < len(data):
        size = sizes[len(pieces) % len(sizes)]
        pieces.append(data[at : at + size])
        at += size
    return pieces


SIZES = st.lists(st.integers(1, 60) | st.integers(1, 600), min_size=1, max_size=8)


@given(streams(), SIZES)
@example(built(4, 0, 0, 0, b""), [1])
@example(built(frame.REPLY, wire.LEDGER, 0, 0, bytes(3)), [1])
def test_it_reads_and_refuses_what_the_device_does(data: bytes, sizes: list[int]):
    assert chunkwise(cut(data, sizes)) == bytewise(data)


@given(st.binary(max_size=2000) | st.lists(st.sampled_from((0, 1, 2, 3, 255)), max_size=900).map(bytes), SIZES)
def test_it_refuses_as_many_of_arbitrary_bytes(data: bytes, sizes: list[int]):
    assert chunkwise(cut(data, sizes)) == bytewise(data)


@pytest.mark.parametrize("n", range(frame.BODY_MAX - 3, frame.BODY_MAX + 6))
@pytest.mark.parametrize("size", [1, 7, 600])
def test_the_longest_frame_and_one_byte_more(n: int, size: int):
    """A body of any length, whole but for its length: at the border both count one, and read the next."""
    checked = bytes((wire.MAJOR, 0x80, 1, 0, 0, 0, 0, 0, n - 22, 0)) + b"\1" * (n - 14)
    body = checked + packing.zlib.crc32(checked, packing.SEED).to_bytes(4, "little")
    stuffed = b"".join(bytes((min(len(part) + 1, 255),)) + part for part in body.split(b"\0"))
    data = b"\0" + stuffed + b"\0" + built(frame.REPLY, wire.STOP, 0, 0, bytes(5))
    assert chunkwise(cut(data, [size])) == bytewise(data)
    assert len(bytewise(data)[0]) == 1


def test_every_bit_flip_and_every_code():
    good = built(frame.REPLY, wire.HEARTBEAT, 7, 0x1234, bytes((0, 0, 3, 5, 0, 0, 0, 1, 2, 0, 0)))
    for at in range(len(good)):
        for byte in {good[at] ^ 1 << bit for bit in range(8)} | {good[at] + 1 & 255, 0, 255}:
            data = good[:at] + bytes((byte,)) + good[at + 1 :] + b"\0"
            assert chunkwise([data]) == bytewise(data), (at, byte)


def test_a_frame_without_end_is_not_kept():
    decoder = stream.Decoder()
    for _ in range(1000):
        decoder.feed(b"\x55" * 1000)
    assert len(decoder._rest) <= frame.BODY_MAX + 2
    assert decoder.feed(b"\0") == [] and decoder.bad == 1
    assert len(decoder.feed(built(frame.REPLY, wire.STOP, 0, 0, bytes(5)))) == 1


@given(st.data(), U16, U16)
@pytest.mark.parametrize("request_type", messages.REQUESTS, ids=lambda cls: cls.__name__)
def test_a_request_is_written_as_the_device_would(request_type: Any, data: st.DataObject, seq: int, session: int):
    msg_id, fields = messages.REQUESTS[request_type]
    drawn = data.draw(values_of(fields))
    builder = frame.Builder(wire.MAJOR)
    end = codec.write(fields, raw(fields, drawn), builder.body, frame.HEADER)
    n = builder.build(frame.REQUEST, msg_id, seq, session, end - frame.HEADER)
    values = [(v[0] << 30) + v[1] if field[0] == codec.TIME else v for field, v in zip(fields, drawn, strict=True)]
    assert typed.write_request(request_type(*values), seq, session) == bytes(builder.wire[:n])


@given(st.binary(max_size=frame.PAYLOAD_MAX) | st.integers(0, frame.PAYLOAD_MAX).map(bytes), U16, U16, U16)
@example(b"\xff" * frame.PAYLOAD_MAX, 1, 2, 3)
def test_a_frame_is_encoded_as_the_device_would(payload: bytes, msg_id: int, seq: int, session: int):
    assert packing.encode(frame.EVENT, msg_id, seq, session, payload) == built(
        frame.EVENT, msg_id, seq, session, payload
    )


NUMBERS = [(key, i) for key, (_, fields) in KNOWN.items() for i, (kind, *_) in enumerate(fields) if kind <= codec.INT]


@pytest.mark.parametrize(("key", "i"), NUMBERS)
def test_a_number_outside_its_range_is_not_written(key: tuple[int, int], i: int):
    fields = KNOWN[key][1]
    values: list[Any] = [b"" if kind >= codec.BYTES and kind != codec.TIME else low for kind, _, low, _ in fields]
    layout = packing.Layout(fields)
    layout.pack(values)
    for wrong in (fields[i][2] - 1, fields[i][3] + 1):
        with pytest.raises(ValueError, match=f"field {i}"):
            layout.pack([*values[:i], wrong, *values[i + 1 :]])


def test_what_does_not_fit_is_not_cut():
    with pytest.raises(ValueError, match="9 bytes"):
        typed.write_request(messages.Query(bytes(9), 1), 1, 1)
    with pytest.raises(ValueError, match="payload of 221 bytes"):
        packing.encode(frame.REQUEST, 1, 1, 1, bytes(frame.PAYLOAD_MAX + 1))
    with pytest.raises(ValueError, match="seq 65536"):
        typed.write_request(messages.Status(), 1 << 16, 1)
