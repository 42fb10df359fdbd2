"""What is written is read back, in every message; what does not fit is refused on both sides."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesofirmware import ledger
from mesoprotocol import codec, messages, typed, wire

Fields = tuple[tuple[int, int, int, int], ...]

TABLES: dict[str, Fields] = {
    **{f"{cls.__name__}": fields for cls, (_, fields) in messages.REQUESTS.items()},
    **{cls.__name__: typed.REPLY_HEAD + fields for cls, fields in messages.REPLIES.values()},
    **{cls.__name__: fields for cls, fields in messages.EVENTS.values()},
    "ledger.INTENT": ledger.INTENT,
    "ledger.OUTCOME": ledger.OUTCOME,
}
LEFT = 5
"""Bytes before the payload, which are not the codec's to touch."""


def values_of(fields: Fields) -> st.SearchStrategy[list[Any]]:
    kinds: list[st.SearchStrategy[Any]] = []
    for kind, size, low, high in fields:
        if kind <= codec.INT:
            kinds.append(st.integers(low, high) | st.sampled_from((low, high)))
        elif kind == codec.TIME:
            # 53 bits of microseconds reach the wire: 285 years
            kinds.append(st.tuples(st.integers(0, (1 << 23) - 1), st.integers(0, (1 << 30) - 1)).map(list))
        else:
            kinds.append(st.binary(min_size=size, max_size=size or 30))
    return st.tuples(*kinds).map(list)


def raw(fields: Fields, values: list[Any]) -> list[Any]:
    """As `codec.write` wants them: a tail is a piece of some buffer."""
    tails = [kind == codec.TAIL for kind, *_ in fields]
    return [[b"?" + v + b"?", 1, len(v)] if tail else v for v, tail in zip(values, tails, strict=True)]


def read_back(fields: Fields, buf: bytearray, end: int) -> list[Any]:
    out: list[Any] = [[0, 0] if kind == codec.TIME else 0 for kind, *_ in fields]
    assert codec.read(fields, buf, LEFT, out) == -1
    for i, (kind, size, _, _) in enumerate(fields):
        if kind in (codec.BYTES, codec.TEXT):
            out[i] = bytes(buf[out[i] : out[i] + size])
        elif kind == codec.TAIL:
            out[i] = bytes(buf[out[i] : end])
    return out


@pytest.mark.parametrize("name", TABLES)
@given(data=st.data(), dirt=st.integers(0, 255))
def test_what_is_written_is_read_back(name: str, data: st.DataObject, dirt: int):
    fields = TABLES[name]
    values = data.draw(values_of(fields))
    buf = bytearray([dirt]) * 300
    end = codec.write(fields, raw(fields, values), buf, LEFT)
    tail = len(values[-1]) if fields and fields[-1][0] == codec.TAIL else 0
    assert end == LEFT + codec.size(fields) + tail
    assert read_back(fields, buf, end) == values
    assert set(buf[:LEFT]) | set(buf[end:]) == {dirt}


NUMBERS = [(name, i) for name, fields in TABLES.items() for i, (kind, *_) in enumerate(fields) if kind <= codec.INT]


@pytest.mark.parametrize(("name", "i"), NUMBERS)
def test_a_number_outside_its_range_is_neither_written_nor_read(name: str, i: int):
    fields = TABLES[name]
    kind, size, low, high = fields[i]
    values: list[Any] = [[0, 0] if k == codec.TIME else b"" if k >= codec.BYTES else least for k, _, least, _ in fields]
    buf = bytearray(300)
    codec.write(fields, raw(fields, values), buf, LEFT)
    offset = LEFT + codec.size(fields[:i])
    for wrong in (low - 1, high + 1):
        with pytest.raises(ValueError, match=f"field {i}"):
            codec.write(fields, raw(fields, [*values[:i], wrong, *values[i + 1 :]]), buf, LEFT)
        if not (-(1 << 8 * size - 1) if kind == codec.INT else 0) <= wrong < 1 << 8 * size - (kind == codec.INT):
            continue  # the wire cannot even say it
        said = bytearray(buf)
        said[offset : offset + size] = wrong.to_bytes(size, "little", signed=kind == codec.INT)
        out: list[Any] = [[0, 0] if k == codec.TIME else 0 for k, *_ in fields]
        assert codec.read(fields, said, LEFT, out) == i


def test_bytes_too_long_are_not_cut():
    with pytest.raises(ValueError, match="9 bytes"):
        codec.write(wire.QUERY_FIELDS, [bytes(9), 1], bytearray(20), 0)


def test_shorter_text_is_padded_with_zeros():
    buf = bytearray(b"\xff" * 40)
    codec.write(wire.HELLO_FIELDS, [bytes(8), 1, 1, b"me"], buf, 0)
    assert buf[10:26] == b"me".ljust(16, b"\0")
