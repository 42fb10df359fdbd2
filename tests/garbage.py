"""Garbage for whoever reads a serial line, from a seed: noise, zeros, no zeros, pieces of frames, senseless frames."""

from __future__ import annotations

import gc
import json
import random
import sys
import time
from collections.abc import Callable, Iterator
from types import FunctionType, ModuleType
from typing import NamedTuple

from mesofirmware import link
from mesoinjector.connection import TAIL_KEPT, Connection
from mesoprotocol import codec, frame, messages, typed, wire
from tests.house.rooms import ROOT

SESSION = 0x1234
"""The golden frames' session, so that the host takes them for its own."""
CHUNK = 4096
GOLDEN = {
    (row["name"], row["kind"]): bytes.fromhex(row["hex"])
    for row in json.loads((ROOT / "tests/vectors/frames.json").read_text())
}
HELLO_NONCE = bytes(range(8))
"""The nonce of the golden HELLO's answer, which opens the session."""
MANY_ZEROS = bytes(i if i % 3 else 0 for i in range(256))
NO_ZEROS = bytes(i or 1 for i in range(256))
LOOK = 64 * CHUNK
"""Bytes between two looks at what the receiver holds; at the first look every buffer has been full."""
GROWTH_MAX = 4096
"""Bytes that a receiver may hold more than at the first look: kept events and text differ a little in size."""


def chunks(chance: random.Random, size: int) -> Iterator[bytes]:
    """About `size` bytes, in chunks of one kind of garbage each."""
    pool = [*GOLDEN.values(), *(senseless(chance) for _ in range(100))]
    kinds: list[Callable[[], bytes]] = [
        lambda: chance.randbytes(CHUNK),
        lambda: chance.randbytes(CHUNK).translate(MANY_ZEROS),
        lambda: chance.randbytes(CHUNK).translate(NO_ZEROS),
        lambda: b"".join(chance.choices(pool, k=CHUNK // 80)),
        lambda: b"".join(piece(chance, one) for one in chance.choices(pool, k=CHUNK // 40)),
        lambda: b"".join(damaged(chance, one) for one in chance.choices(pool, k=CHUNK // 80)),
    ]
    made = 0
    while made < size:
        chunk = chance.choice(kinds)()
        made += len(chunk)
        yield chunk


def senseless(chance: random.Random) -> bytes:
    """A frame whose stuffing and CRC are right and whose content is anything: the checks behind them see it.

    Some have their message's length, so that only their values are senseless.
    """
    builder = frame.Builder(wire.MAJOR)
    kind = chance.randrange(4)
    if chance.random() < 0.5:
        known, head = (messages.REPLIES, typed.REPLY_HEAD) if kind == frame.REPLY else (messages.EVENTS, ())
        msg_id = chance.choice(list(known))
        n = codec.size(head) + codec.size(known[msg_id][1])
    else:
        msg_id = chance.choice((*wire.REQUESTS, *messages.EVENTS, chance.randrange(0x10000)))
        n = chance.randrange(frame.PAYLOAD_MAX + 1)
    builder.body[frame.HEADER : frame.HEADER + n] = chance.randbytes(n)
    end = builder.build(kind, msg_id, chance.randrange(0x10000), chance.choice((0, SESSION)), n)
    return bytes(builder.wire[:end])


def piece(chance: random.Random, whole: bytes) -> bytes:
    """A part of a frame."""
    a, b = sorted(chance.choices(range(len(whole) + 1), k=2))
    return whole[a:b]


def damaged(chance: random.Random, whole: bytes) -> bytes:
    """A frame with one byte changed."""
    at = chance.randrange(len(whole))
    return whole[:at] + chance.randbytes(1) + whole[at + 1 :]


class Device:
    """The device's decoder, with all the majors that it reads."""

    def __init__(self) -> None:
        self._reader = frame.Reader(link.MAJORS)
        self.frames = 0

    def receive(self, data: bytes) -> None:
        """Take received bytes."""
        buf = bytearray(data)
        at = 0
        while at < len(buf):
            at = self._reader.feed(buf, at, len(buf))
            if self._reader.length:
                self.frames += 1


class Host:
    """The host's connection in an open session, which waits for an answer; its events are fetched."""

    def __init__(self) -> None:
        self._connection = Connection()
        self._connection.greet(HELLO_NONCE, "garbage")
        self._connection.receive(GOLDEN["HELLO", "reply"], 0)
        assert self._connection.hello is not None
        self._connection.session = SESSION
        self._connection.request(messages.Status())

    def receive(self, data: bytes) -> None:
        """Take received bytes, and look at what a client looks at."""
        self._connection.receive(data, 0)
        self._connection.events.clear()
        assert len(self._connection.tail) <= TAIL_KEPT

    @property
    def frames(self) -> int:
        """Frames whose message was understood."""
        return self._connection.frames


EARS: dict[str, Callable[[], Device | Host]] = {"device": Device, "host": Host}


class Heard(NamedTuple):
    """What came of it."""

    size: int
    """Bytes."""
    frames: int
    growth: int
    """Bytes held at most, beyond those held at the first look."""
    rate: float
    """Bytes a second."""


def held(thing: object) -> int:
    """Bytes of an object and of everything that it refers to, but for code."""
    seen: dict[int, object] = {}
    rest = [thing]
    while rest:
        one = rest.pop()
        if id(one) not in seen and not isinstance(one, (type, ModuleType, FunctionType)):
            seen[id(one)] = one
            rest += gc.get_referents(one)
    return sum(map(sys.getsizeof, seen.values()))


def hear(who: str, seed: int, size: int) -> Heard:
    """Let `who` receive about `size` bytes of garbage; the next frame must be read, and nothing pile up."""
    ear = EARS[who]()
    sizes = []
    heard = 0
    looked = 0
    start = time.perf_counter()
    for chunk in chunks(random.Random(seed), size):
        ear.receive(chunk)
        heard += len(chunk)
        if heard - looked >= LOOK:
            looked = heard
            sizes.append(held(ear))
    seconds = time.perf_counter() - start
    frames = ear.frames
    ear.receive(b"\0" + GOLDEN["STATUS", "reply"])
    assert ear.frames == frames + 1, f"{who} does not read the next frame, seed {seed}"
    growth = max(sizes) - sizes[0]
    assert growth < GROWTH_MAX, f"{who} holds {growth} bytes more than at the start, seed {seed}"
    return Heard(heard, frames, growth, heard / seconds)
