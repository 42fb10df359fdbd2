"""Events that did not come are noticed by their numbers and read again; repeated ones are told once."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mesoinjector import Delivered, Injector, plans
from mesoinjector.connection import MISSING_KEPT, Connection
from mesoinjector.journal import Journal
from mesoinjector.simulated import SimulatedLink
from mesoinjector.treatment import Treatment
from mesoprotocol import frame, limits, messages, wire
from tests.bench_of_one import Bench, world

KIND_AT = 2
"""Where the kind is in a stuffed frame that begins `00 code major kind`."""


class LossyLink(SimulatedLink):
    """Changes what comes from the device, frame by frame."""

    def __init__(self, bench: Bench, change: Callable[[int, bytes], bytes]) -> None:
        super().__init__("sim", bench.device, 5)
        self._change = change

    def read(self, deadline_us: int) -> bytes:
        """See `Link`."""
        came = super().read(deadline_us)
        frames = [b"\0" + piece + b"\0" for piece in came.split(b"\0") if piece]
        return b"".join(self._change(kind_of(data), data) for data in frames)


def kind_of(data: bytes) -> int:
    reader = frame.Reader((1,))
    reader.feed(bytearray(data), 0, len(data))
    return reader.body[1]


def run(bench: Bench, change: Callable[[int, bytes], bytes]) -> tuple[Injector, list[Any]]:
    """A run of 60 strokes over such a line, and the events that were told."""
    injector = Injector(LossyLink(bench, change), Journal(":memory:"))
    injector.begin_treatment()
    told: list[Any] = []
    injector.listen(told.append)
    result = injector.fractional(strokes=60, depth_mm=0.5, zone="body", area_cm2=100)
    assert isinstance(result, Delivered) and result.strokes == 60
    for _ in range(3):
        injector.status()
        injector._pump.until(injector.link.now_us() + 10_000, lambda: False)
    return injector, [event for event in told if not isinstance(event, messages.Telemetry)]


def test_what_is_dropped_is_read_again(make_bench: Callable[..., Bench]) -> None:
    _, whole = run(make_bench(), lambda kind, data: data)
    dropped: list[bytes] = []
    chance = random.Random(3)

    def drop(kind: int, data: bytes) -> bytes:
        if kind == frame.EVENT and chance.random() < 0.4:
            dropped.append(data)
            return b""
        return data

    injector, told = run(make_bench(), drop)
    assert len(dropped) > 3
    assert injector._pump.connection.events_lost == 0
    assert sorted(map(repr, without_time(told))) == sorted(map(repr, without_time(whole)))


def without_time(events: list[Any]) -> list[Any]:
    """Requests for what was missed make the host slower, not the device's events others."""
    return [event._replace(time=0) if isinstance(event, messages.PhaseEvent) else event for event in events]


def test_what_is_repeated_is_told_once(here: Bench) -> None:
    injector, told = run(here, lambda kind, data: data * 2 if kind == frame.EVENT else data)
    strokes = [i for event in told if isinstance(event, messages.StrokeRecordsEvent) for i in [event.first]]
    assert len(strokes) == len(set(strokes)) > 5
    assert sum(isinstance(event, messages.OutcomeEvent) for event in told) == 1
    assert not injector._pump.connection.missing


def test_what_the_device_does_not_keep_any_more_is_counted(here: Bench) -> None:
    away: list[bool] = [False]

    def drop(kind: int, data: bytes) -> bytes:
        return b"" if away[0] and kind in (frame.EVENT, frame.STREAM) else data

    injector = Injector(LossyLink(here, drop), Journal(":memory:"))
    injector.begin_treatment()
    before = injector._pump.connection._event
    away[0] = True
    for _ in range(6):
        injector.prime(0.03)
    away[0] = False
    injector.prime(0.03)
    injector.status()
    connection = injector._pump.connection
    assert before is not None and connection._event is not None
    assert connection._event - before > limits.EVENTS_KEPT
    assert connection.events_lost > 0 and not connection.missing


def test_what_does_not_fit_the_protocol_is_counted(here: Bench) -> None:
    """An event of another release, read again: nobody's dose ends for it."""
    injector = here.ready()
    connection = injector._pump.connection
    newest = connection._event
    assert newest is not None
    world(here).app._events._lengths[newest % limits.EVENTS_KEPT] = 3
    connection.missing.append(newest)
    injector._pump.until(injector.link.now_us() + 10_000, lambda: False)
    assert connection.events_lost == 1 and not connection.missing


@pytest.mark.parametrize("newest", [3, 40, 0xFFFF, 0, 5])
def test_a_number_is_read_again_as_long_as_it_is_kept(newest: int, here: Bench) -> None:
    """Also where numbers begin anew: 65,535 is followed by 0."""
    injector = here.connect()
    events = world(here).app._events
    events.newest = (newest - 20) & 0xFFFF
    fields = wire.EVENT_PHASE_FIELDS
    for k in range(20):
        events.tell(wire.EVENT_PHASE, 0, fields, [[0, k], 0, 0, bytes(8)])
    assert events.newest == newest
    for back in range(-2, 19):
        reply = injector._pump.request(messages.ReadEvent((newest - back) & 0xFFFF))
        kept = 0 <= back < limits.EVENTS_KEPT
        assert reply.newest == newest and (reply.msg_id == wire.EVENT_PHASE) == kept
        assert not kept or reply.payload[0] == 19 - back


def numbered(number: int, kind: int = frame.EVENT) -> Callable[[Connection], bool]:
    return lambda connection: connection._is_new(number & 0xFFFF, kind == frame.EVENT)


@pytest.mark.parametrize("start", [0, 100, 0xFFF0, 0xFFFF])
def test_gaps_late_frames_and_the_wrap(start: int) -> None:
    connection = Connection()
    connection.begin_events(start)
    assert numbered(start + 1)(connection)
    assert numbered(start + 4)(connection)
    assert list(connection.missing) == [(start + 2) & 0xFFFF, (start + 3) & 0xFFFF]
    assert numbered(start + 3)(connection), "late, and still wanted"
    assert not numbered(start + 3)(connection), "told before"
    assert not numbered(start + 4)(connection)
    assert numbered(start + 6, frame.STREAM)(connection), "a sample shows a gap too"
    assert list(connection.missing) == [(start + k) & 0xFFFF for k in (2, 5, 6)]
    assert numbered(start + 6)(connection)


def test_what_is_missing_is_bounded() -> None:
    connection = Connection()
    connection.begin_events(0)
    assert numbered(1000)(connection)
    assert len(connection.missing) == MISSING_KEPT
    assert connection.events_lost == 999 - MISSING_KEPT


def test_what_is_lost_is_counted_on_both_sides(here: Bench) -> None:
    def spoil(kind: int, data: bytes) -> bytes:
        return data[:-3] + b"\0" if kind == frame.STREAM else data

    injector, _ = run(here, spoil)
    injector.link.write(b"\0garbage\0")
    assert injector.losses().refused > 1
    assert injector.losses()[1:] == (0, 0, 0)
    assert injector.status().rx_bad == 1


@pytest.mark.parametrize("ago", [limits.EVENTS_KEPT, 4096, 0x8000])
def test_an_event_of_long_ago_is_not_taken_for_a_later_one(ago: int, here: Bench) -> None:
    injector = here.ready()
    newest = injector._pump.request(messages.ReadEvent(0)).newest
    assert injector._pump.request(messages.ReadEvent(newest)).msg_id
    old = injector._pump.request(messages.ReadEvent((newest - ago) & 0xFFFF))
    assert (old.msg_id, old.payload) == (0, b"")


PLAN = """
[plan]
name = "Two zones"
mode = "fractional"
strokes = 140
rate_per_min = 900
needles = 12

[[zone]]
name = "cheek"
strokes = 80
depth_mm = 0.8
area_cm2 = 40
[[zone]]
name = "cheekbone"
strokes = 60
depth_mm = 0.5
area_cm2 = 40
"""


def test_a_stroke_that_is_told_late_is_not_the_next_runs(here: Bench, tmp_path: Path) -> None:
    (tmp_path / "plan.toml").write_text(PLAN)
    injector = here.connect()
    treatment = Treatment(injector, plans.load(tmp_path / "plan.toml"), lambda _: None)

    def late(event: Any) -> None:
        if isinstance(event, messages.PhaseEvent) and event.state == wire.STATE_PREPARED and treatment.record.runs:
            treatment._take(messages.StrokeRecordsEvent(79, 1, bytes(7)))

    injector.listen(late)
    assert treatment.run()
    assert [len(run.records) for run in treatment.record.runs] == [80, 60]
