"""One 32-byte frame, damaged in every way there is: none is taken with another content.

All flips of one, two and three of its 256 bits on the wire, all truncations, and all splices of two frames go
through the device's decoder. A decoder that is lenient about stuffing is shown beside it.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from itertools import permutations
from math import comb

import pytest

from mesoprotocol import frame, messages, typed, wire

ACK = typed.write_request(messages.Ack(1234, "Dr. Sorokina"), 7, 0x1234)
BITS = 8 * len(ACK)
PARTS = 16
"""Tests that share the flips, so that each core has its share of them."""

HEARTBEATS = [messages.Heartbeat(k, k << 18, bytes((0, k)) * 4) for k in (1, 2)]
FRAMES = {
    "ACK": ACK,
    "ACK of another": typed.write_request(messages.Ack(1234, "Dr. Sorokin"), 7, 0x1234),
    "ACK once more": typed.write_request(messages.Ack(1234, "Dr. Sorokina"), 8, 0x1234),
    "HEARTBEAT": typed.write_request(HEARTBEATS[0], 0, 0x1234),
    "next HEARTBEAT": typed.write_request(HEARTBEATS[1], 0, 0x1234),
    "STOP": typed.write_request(messages.Stop(), 0, 0),
}

Judge = Callable[[bytearray], bool]


class Decoder:
    """The device's decoder, used again and again; each stream is fed between two delimiters."""

    def __init__(self) -> None:
        self._reader = frame.Reader((wire.MAJOR,))

    def takes(self, stream: bytearray) -> bool:
        """Whether any frame is taken from a stream that begins and ends with 00."""
        self._reader.feed(stream, 0, len(stream))
        return self._reader.length > 0

    def bodies(self, damaged: bytes) -> list[bytes]:
        """Header and payload of every frame that is taken."""
        stream = bytearray(b"\0" + damaged + b"\0")
        found = []
        at = 0
        while at < len(stream):
            at = self._reader.feed(stream, at, len(stream))
            if self._reader.length:
                found.append(bytes(self._reader.body[: self._reader.length]))
        return found


def lenient(stream: bytearray) -> bool:
    """A decoder with the same checks but stuffing: a group that ends early is taken as it is."""
    for stuffed in bytes(stream).split(b"\0"):
        body = bytearray()
        at = 0
        while at < len(stuffed):
            body += stuffed[at + 1 : at + stuffed[at]]
            at += stuffed[at]
            if at < len(stuffed):
                body.append(0)
        if len(body) >= 14 and body[0] == wire.MAJOR and body[1] <= frame.STREAM and body[8] == len(body) - 14:
            seed = zlib.crc32(b"MESO" + body[:1])
            if not body[9] and zlib.crc32(body[:-4], seed) == int.from_bytes(body[-4:], "little"):
                return True
    return False


def flips(part: int, parts: int, most: int, takes: Judge) -> tuple[int, list[tuple[int, ...]]]:
    """Judge each flip of up to `most` bits whose first is one of this part's; how many, and which were taken."""
    stream = bytearray(b"\0" + ACK + b"\0")
    at = [1 + bit // 8 for bit in range(BITS)]
    mask = [1 << bit % 8 for bit in range(BITS)]
    tried = 0
    taken: list[tuple[int, ...]] = []
    for i in range(part, BITS, parts):
        stream[at[i]] ^= mask[i]
        tried += 1
        if takes(stream):
            taken.append((i,))
        for j in range(i + 1, BITS) if most > 1 else ():
            stream[at[j]] ^= mask[j]
            tried += 1
            if takes(stream):
                taken.append((i, j))
            for k in range(j + 1, BITS) if most > 2 else ():
                stream[at[k]] ^= mask[k]
                tried += 1
                if takes(stream):
                    taken.append((i, j, k))
                stream[at[k]] ^= mask[k]
            stream[at[j]] ^= mask[j]
        stream[at[i]] ^= mask[i]
    return tried, taken


def share(part: int) -> int:
    """The flips of one, two and three bits that a part has to judge."""
    return sum(1 + rest + comb(rest, 2) for rest in (BITS - 1 - i for i in range(part, BITS, PARTS)))


def test_the_parts_are_all_flips() -> None:
    assert len(ACK) == 32
    assert sum(map(share, range(PARTS))) == comb(256, 1) + comb(256, 2) + comb(256, 3) == 2_796_416


@pytest.mark.parametrize("part", range(PARTS))
def test_no_flip_of_up_to_three_bits_is_taken(part: int) -> None:
    """An accepted flip is never the original: a body has one encoding, and these bytes are not it."""
    tried, taken = flips(part, PARTS, 3, Decoder().takes)
    print(f"{tried} flips, {len(taken)} taken")
    assert (tried, taken) == (share(part), [])


def test_only_a_lenient_decoder_takes_other_stuffing() -> None:
    """The content is then the original's, but a decoder that mends one fault does not know it was one."""
    for most in (1, 2):
        tried, taken = flips(0, 1, most, lenient)
        _, ours = flips(0, 1, most, Decoder().takes)
        print(f"up to {most} bits: of {tried} flips a lenient decoder takes {len(taken)}, ours {len(ours)}")
        assert taken
        assert not ours
        assert len(taken) / tried < 0.03


def undamaged(stream: bytes, names: tuple[str, ...]) -> list[bytes]:
    """Header and payload of the frames that still stand in a stream, byte for byte between two delimiters."""
    whole = {FRAMES[name][1:-1]: Decoder().bodies(FRAMES[name])[0] for name in names}
    return [whole[piece] for piece in stream.split(b"\0") if piece in whole]


@pytest.mark.parametrize("name", FRAMES)
def test_no_truncation_is_taken(name: str) -> None:
    """Cut at the front, at the back, or both."""
    whole = FRAMES[name]
    decoder = Decoder()
    for a in range(len(whole)):
        for b in range(a, len(whole) + 1):
            assert decoder.bodies(whole[a:b]) == undamaged(whole[a:b], (name,)), f"bytes {a}..{b}"


@pytest.mark.parametrize(("a", "b"), list(permutations(FRAMES, 2)))
def test_no_splice_is_taken(a: str, b: str) -> None:
    """Every head of one frame before every tail of another, of other content or of other length."""
    decoder = Decoder()
    for end in range(len(FRAMES[a]) + 1):
        for start in range(len(FRAMES[b]) + 1):
            spliced = FRAMES[a][:end] + FRAMES[b][start:]
            assert decoder.bodies(spliced) == undamaged(spliced, (a, b)), f"{end} bytes of {a}, then {b} from {start}"
