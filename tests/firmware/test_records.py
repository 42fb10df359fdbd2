"""Each image that writes and one cut can leave reads as what was written; each other image is refused."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

import pytest

from mesofirmware import records
from mesofirmware.records import BLANK, DAMAGED, TORN, VALID, WIPED
from mesoprotocol import codec
from tests.firmware.fram import Fram

TAG = b"SOME1"
FIELDS = ((codec.UINT, 4, 0, 0x3FFFFFFF), (codec.UINT, 3, 0, 0xFFFFFF), (codec.BYTES, 2, 0, 0), (codec.UINT, 1, 0, 255))
BODY = 10
WHOLE = BODY + 4
AT, COPY = 3, 20
MEMORY = 64
ALTERED = (lambda byte: byte ^ 1, lambda byte: byte ^ 0x80, lambda byte: byte ^ 0xFF, lambda byte: 0)


def laid(generation: int, number: int = 0x0A0B0C, text: bytes = b"me", last: int = 7) -> bytes:
    """A record as it lies in the memory."""
    body = struct.pack("<I", generation) + struct.pack("<I", number)[:3] + text + bytes((last,))
    return body + struct.pack("<I", zlib.crc32(body, zlib.crc32(TAG)))


def values(generation: int = 0) -> list:
    return [generation, 0x0A0B0C, bytearray(b"me"), 7]


def read(content: bytes, at: int = AT) -> tuple[int, list]:
    out = [0, 0, bytearray(2), 0]
    return records.Records(Fram(bytearray(content)), TAG).read(at, FIELDS, out), out


def around(record: bytes, blank: int = 0) -> bytearray:
    """Only that record in a memory."""
    content = bytearray([blank]) * MEMORY
    content[AT : AT + len(record)] = record
    return content


# --- One record -------------------------------------------------------------------------------------------


def test_a_record_as_it_lies_in_the_memory() -> None:
    store = Fram(bytearray(MEMORY))
    records.Records(store, TAG).write(AT, FIELDS, values(0x12345678))
    assert store.content == around(laid(0x12345678))
    assert read(store.content) == (VALID, values(0x12345678))
    assert read(store.content, AT + 1)[0] != VALID


@pytest.mark.parametrize("blank", [0, 0xFF])
def test_only_what_is_all_the_same_is_blank(blank: int) -> None:
    assert read(around(b"", blank))[0] == BLANK
    for at in range(WHOLE):
        for byte in {0, 1, 0x55, 0xFE, 0xFF} - {blank}:
            content = around(b"", blank)
            content[AT + at] = byte
            assert read(content)[0] not in (BLANK, VALID)
    for outside in (AT - 1, AT + WHOLE):
        content = around(b"", blank)
        content[outside] = 1
        assert read(content)[0] == BLANK
    assert read(around(b"\x55" * WHOLE))[0] == DAMAGED


def test_a_write_that_was_cut() -> None:
    record = laid(5)
    for landed in range(1, WHOLE):
        # a prefix that ends in zeros may be the whole of it
        expected = VALID if record[landed:] == bytes(WHOLE - landed) else TORN
        assert read(around(record[:landed]))[0] == expected


def test_a_record_whose_blanking_was_cut() -> None:
    record = laid(5)
    for landed in range(1, WHOLE):
        assert read(around(bytes(landed) + record[landed:]))[0] == (WIPED if landed > 0 else VALID)
    assert read(around(b"\x00\x01" + bytes(WHOLE - 2)))[0] == TORN


def test_a_bit_that_turned() -> None:
    record = laid(5)
    assert record[-1] and record[0]
    for bit in range(8 * WHOLE):
        turned = bytearray(record)
        turned[bit // 8] ^= 1 << bit % 8
        expected = TORN if not turned[-1] else WIPED if not turned[0] else DAMAGED
        assert read(around(turned))[0] == expected


def test_what_another_use_has_written_is_none() -> None:
    store = Fram(around(laid(5)))
    assert records.Records(store, b"SOME2").read(AT, FIELDS, [0, 0, bytearray(2), 0]) == DAMAGED


@pytest.mark.parametrize("length", [1, WHOLE, 128])
def test_blank_makes_so_many_bytes_zero(length: int) -> None:
    store = Fram(bytearray(b"\x55" * 256))
    book = records.Records(store, TAG)
    book.write(AT, FIELDS, values(0x12345678))
    store.content[:] = b"\x55" * 256
    book.blank(AT, length)
    assert store.content == b"\x55" * AT + bytes(length) + b"\x55" * (256 - AT - length)


@pytest.mark.parametrize("at", range(WHOLE + 1))
def test_each_byte_is_read_back(at: int) -> None:
    """Of a memory that does not take one byte."""

    class Worn(Fram):
        def write(self, at_: int, buf: bytearray, n: int) -> None:
            kept = self.content[AT + at]
            super().write(at_, buf, n)
            self.content[AT + at] = kept

    ways = {
        "write": lambda book: book.write(AT, FIELDS, values(0x11111111)),
        "blank": lambda book: book.blank(AT, WHOLE),
        "write_newer": lambda book: book.write_newer(AT - COPY, COPY, FIELDS, values(0x11111110)),
    }
    for name, way in ways.items():
        store = Worn(bytearray(b"\xa5" * MEMORY))
        book = records.Records(store, TAG)
        if name != "write_newer" and at == WHOLE:
            way(book)
        else:
            with pytest.raises(records.StoreFailed, match="at 3"):
                way(book)


# --- Two copies -------------------------------------------------------------------------------------------

LAST = 260
"""Generations that are looked at: past where the low byte comes round."""


def copy(generation: int) -> bytes:
    """One of two copies: behind it the generation's low byte once more."""
    return laid(generation) + bytes((generation & 255,))


def after(generation: int, blank: int) -> bytearray:
    """The memory after so many writes."""
    content = bytearray([blank]) * MEMORY
    for one in range(max(1, generation - 1), generation + 1):
        at = AT + one % 2 * COPY
        content[at : at + WHOLE + 1] = copy(one)
    return content


def left(generation: int, blank: int) -> Iterator[tuple[bytes, int]]:
    """Each memory after so many writes and a cut within the next, and the generation that stands then."""
    content = after(generation, blank)
    new = copy(generation + 1)
    at = AT + (generation + 1) % 2 * COPY
    for landed in range(WHOLE + 1):
        content[at : at + landed] = new[:landed]
        yield bytes(content), generation + (content[at : at + WHOLE] == new[:WHOLE])


def newer(content: bytes) -> tuple[int, list]:
    out = [9, 9, bytearray(2), 9]
    return records.Records(Fram(bytearray(content)), TAG).read_newer(AT, COPY, FIELDS, out), out


@pytest.mark.parametrize("blank", [0, 0xFF])
def test_two_copies_written_in_turn(blank: int) -> None:
    store = Fram(bytearray([blank]) * MEMORY)
    book = records.Records(store, TAG)
    now = values()
    for generation in range(1, LAST):
        book.write_newer(AT, COPY, FIELDS, now)
        assert now[0] == generation
        assert store.content == after(generation, blank)
        assert newer(store.content) == (VALID, values(generation))


GENERATIONS = (0, 1, 2, 3, 4, 100, *range(252, LAST))


@pytest.mark.parametrize("blank", [0, 0xFF])
@pytest.mark.parametrize("generation", GENERATIONS)
def test_a_cut_at_each_byte(generation: int, blank: int) -> None:
    for content, stands in left(generation, blank):
        state, found = newer(content)
        assert (state, found[0]) == (VALID if stands else BLANK, stands)
        assert found == (values(stands) if stands else [0, 0, bytearray(2), 0])


@pytest.mark.requirement("SR-34")
@pytest.mark.parametrize("blank", [0, 0xFF])
@pytest.mark.parametrize("generation", GENERATIONS)
def test_each_byte_of_two_copies(generation: int, blank: int) -> None:
    """Altered after a write: damage. After a cut too, or it is the cut copy, which does not stand."""
    resting = (bytes(after(generation, blank)), bytes(after(generation + 1, blank)))
    images = [content for cut in (generation, generation + 1) for content, _ in left(cut, blank)]
    for content in images[: WHOLE + 2]:
        for at in (*range(AT, AT + WHOLE + 1), *range(AT + COPY, AT + COPY + WHOLE + 1)):
            for change in ALTERED:
                altered = bytearray(content)
                altered[at] = change(altered[at])
                if bytes(altered) in images:
                    continue
                state, found = newer(altered)
                if state != DAMAGED:
                    # the byte behind a copy may be as an earlier cut has left it
                    assert content not in resting or at in (AT + WHOLE, AT + COPY + WHOLE)
                    assert found[0] in (generation, generation + 1) and state == (VALID if found[0] else BLANK)


@pytest.mark.requirement("SR-34")
@pytest.mark.parametrize("generation", GENERATIONS[1:])
def test_the_byte_behind_the_copy_that_stands(generation: int) -> None:
    """Its low byte once more; where a cut came before that, the one two before it, or what a new memory has."""
    fits = {generation & 255, generation - 2 & 255, *((0, 255) if generation < 3 else ())}
    for content, stands in left(generation, 0):
        for byte in {0, 255, *(generation + near & 255 for near in range(-3, 4))}:
            altered = bytearray(content)
            altered[AT + generation % 2 * COPY + WHOLE] = byte
            state, found = newer(altered)
            assert (state, found[0]) == ((VALID, stands) if byte in fits else (DAMAGED, 0))


def test_a_copy_of_another_past_is_damage() -> None:
    """Two whole copies that are not one after the other, or one by itself that is not the first."""
    for one in range(1, 8):
        for other in range(1, 8):
            content = bytearray(MEMORY)
            content[AT : AT + WHOLE + 1] = copy(one)
            content[AT + COPY : AT + COPY + WHOLE + 1] = copy(other)
            expected = VALID if abs(one - other) == 1 else DAMAGED
            assert newer(content)[0] == expected
        alone = bytearray(MEMORY)
        alone[AT + one % 2 * COPY : AT + one % 2 * COPY + WHOLE + 1] = copy(one)
        assert newer(alone)[0] == (VALID if one == 1 else DAMAGED)


def test_a_write_that_failed_is_made_again_at_the_same_place() -> None:
    store = Fram(after(5, 0))
    book = records.Records(store, TAG)
    now = values(5)
    store.forgets = 0
    with pytest.raises(records.StoreFailed):
        book.write_newer(AT, COPY, FIELDS, now)
    assert now[0] == 5 and store.content == after(5, 0)
    book.write_newer(AT, COPY, FIELDS, now)
    assert now[0] == 6 and store.content == after(6, 0)
