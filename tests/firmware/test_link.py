"""STOP overtakes: found at every look at the line, whatever is being done, and nothing is fed behind it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mesofirmware import link
from mesoinjector import Injector, Refused
from mesoinjector.connection import STOP_BYTES
from mesoprotocol import messages, tick, typed, wire
from mesosim.runtime import InProcess
from tests.bench_of_one import Bench, world

BEAT = typed.write_request(messages.Sync(), 1, 7)
TIMES = 12
"""Treatments that are stopped, of each kind."""
NEVER = "never armed"
REST_US = 500_000
"""Behind so long a pause something begins anew."""


class Line:
    """A Board of which only the line is there: what comes in pieces."""

    def __init__(self, *pieces: bytes) -> None:
        self.pieces = list(pieces)

    def receive(self, buf: bytearray) -> int:
        piece = self.pieces.pop(0) if self.pieces else b""
        buf[: len(piece)] = piece
        return len(piece)


def looking(*pieces: bytes) -> tuple[link.Link, list[int]]:
    """A link, and how many pieces were left whenever it found STOP."""
    line = Line(*pieces)
    found: list[int] = []
    return link.Link(line, lambda: found.append(len(line.pieces))), found  # type: ignore[arg-type]


@pytest.mark.requirement("SR-27")
@pytest.mark.parametrize("at", range(1, len(STOP_BYTES)))
def test_stop_in_two_pieces_is_found_with_its_last_byte(at: int) -> None:
    for before in (b"", BEAT, b"noise"):
        one, found = looking(before + STOP_BYTES[:at], STOP_BYTES[at:])
        one.look()
        one.look()
        assert found == [0]
        one, found = looking(before + STOP_BYTES[:at], b"", STOP_BYTES[at:])
        while not found and one.poll():
            pass  # what came before is handled, and the piece of STOP is with the reader
        one.look()
        assert found == [0]


@pytest.mark.requirement("SR-27")
def test_stop_is_found_behind_requests_and_handled_behind_them() -> None:
    one, found = looking(BEAT + BEAT, STOP_BYTES + BEAT)
    assert one.poll() and not one.is_stop()
    one.look()
    assert found == [0] and one.is_behind()
    assert [one.poll() and one.is_stop() for _ in range(4)] == [False, True, False, False]
    assert not one.is_behind() and one.bad == 0


def test_what_is_no_stop_is_none() -> None:
    other = bytearray(STOP_BYTES)
    other[-2] ^= 1
    longer = STOP_BYTES[:-1] + b"\1\0"
    one, found = looking(bytes(other), longer, STOP_BYTES[1:-1] * 2 + b"\0", BEAT * 3)
    for _ in range(4):
        one.look()
    assert not found


def test_a_line_that_is_full_is_left_to_the_board() -> None:
    piece = b"\1" * 64
    one, _ = looking(*[piece] * 9)
    for _ in range(9):
        one.look()
    assert len(one._board.pieces) == 5  # type: ignore[attr-defined]
    while one.poll():
        pass
    assert not one._board.pieces and one.bad == 0  # type: ignore[attr-defined]


class Witness:
    """Puts STOP on the line at one look, and sees what is fed from there on."""

    def __init__(self, bench: Bench, at: int) -> None:
        board = world(bench).board
        self._receive = board.receive
        self._at = at
        self.looks = 0
        self.fed = 0
        self.begun: list[int] = []
        """The looks before which something was fed behind a rest: the press, and where what was held goes on."""
        self._now = board.now
        self._fed_at = self._now() - REST_US
        board.receive = self.receive
        for feed in ("feed", "home"):
            for axis in (board.plunger, board.drive, board.depth):
                if hasattr(axis, feed):
                    setattr(axis, feed, self._watched(getattr(axis, feed)))

    def receive(self, buf: bytearray) -> int:
        n: int = self._receive(buf)
        self.looks += 1
        if self.looks < self._at or n + len(STOP_BYTES) > len(buf) or self._is_given():
            return n
        self._at = -self.looks
        buf[n : n + len(STOP_BYTES)] = STOP_BYTES
        return n + len(STOP_BYTES)

    def _is_given(self) -> bool:
        return self._at < 0

    def _watched(self, feed: Callable[..., None]) -> Callable[..., None]:
        def watched(*args: Any) -> None:
            self.fed += self._is_given()
            if tick.diff(self._now(), self._fed_at) >= REST_US:
                self.begun.append(self.looks)
            self._fed_at = self._now()
            feed(*args)

        return watched


def dose(injector: Injector) -> Any:
    return injector.dose(0.02, depth_mm=1.0, zone="cheek")


def prime(injector: Injector) -> Any:
    return injector.prime(0.1)


def run(injector: Injector) -> Any:
    return injector.fractional(10, depth_mm=0.5, zone="cheek", area_cm2=40)


def held(injector: Injector) -> Any:
    """A run whose trigger is released for a while."""
    return injector.fractional(40, depth_mm=0.5, zone="cheek", area_cm2=40)


def home(injector: Injector) -> Any:
    return injector.home()


def treat(tmp_path: Path, give: Callable[[Injector], Any], at: int) -> tuple[str, Witness]:
    """One treatment, with STOP at a look: its end, and what was seen."""
    bench = Bench(InProcess(1), tmp_path / f"{give.__name__}-{at}.sqlite")
    injector = bench.connect() if give in (prime, home) else bench.ready()
    if give is prime:
        injector.begin_treatment()
    for name in ("syringe", "cartridge") if give is home else ():
        bench.device.control(name, 0)
    if give is held:
        bench.device.control("release_after_us", 1_500_000)
        bench.device.control("press_again_us", 1_000_000)
    witness = Witness(bench, at)
    try:
        reason: str = give(injector).reason
    except Refused:
        reason = NEVER
    looks = witness.looks
    status = injector.status()
    assert status.state == wire.STATE_IDLE
    if at <= looks:
        assert status.latches == wire.LATCH_STOPPED and status.stop_count == 1
        assert witness.fed == 0
        assert bench.rest()["needle_home"]
    return reason, witness


@pytest.mark.requirement("SR-27", "SR-29")
@pytest.mark.parametrize("give", [dose, prime, run, held, home], ids=lambda give: give.__name__)
def test_nothing_is_fed_behind_a_stop_at_any_look(tmp_path: Path, give: Callable[[Injector], Any]) -> None:
    reason, witness = treat(tmp_path, give, 1 << 30)
    assert reason == "complete"
    looks, begun = witness.looks, witness.begun
    # every look around where something begins, and some of all
    some = {*range(looks // 50, looks, looks // TIMES), *(at + near for at in begun for near in range(-8, 16))}
    ends = [treat(tmp_path, give, at)[0] for at in sorted(some)]
    assert ends == sorted(ends, key=[NEVER, "stop", "complete"].index)
    assert ends.count("stop") > TIMES // 2
