"""What keeps frames apart in time: heartbeats that are too old or for another dose, requests that come late."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from mesoinjector import Delivered, DeviceError, NotDelivered, Result, SessionLost, Unknown
from mesoinjector.connection import LAST_SEQ
from mesoprotocol import frame, messages, typed, wire
from tests.bench_of_one import Bench, after_flow, world

DOSE = {"volume_ml": 0.02, "depth_mm": 1.0, "zone": "cheek"}
BIG = {"volume_ml": 0.1, "depth_mm": 1.0, "zone": "cheek"}


def dose_with_heartbeats(here: Bench, changed: Callable[[messages.Heartbeat], messages.Heartbeat]) -> Result:
    """A dose that nobody triggers, waited for by a host whose heartbeats are changed on their way."""
    injector = here.ready()
    here.device.control("present", 0)
    connection: Any = injector._pump.connection
    sent: list[int] = []

    def heartbeat(dose_id: bytes) -> bytes:
        sent.append(1)
        beat = messages.Heartbeat(10_000 + len(sent), connection._tick, dose_id)
        return typed.write_request(changed(beat), 0, connection.session)

    connection.heartbeat = heartbeat
    return injector.dose(**DOSE)


@pytest.mark.requirement("SR-30")
@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("none", "arm_timeout"),
        ("stale echo", "link_lost"),
        ("echo of the future", "link_lost"),
        ("repeated counter", "link_lost"),
        ("another dose", "link_lost"),
    ],
)
def test_only_a_fresh_heartbeat_of_this_dose_feeds(fault: str, reason: str, here: Bench) -> None:
    def changed(beat: messages.Heartbeat) -> messages.Heartbeat:
        if fault == "stale echo":
            return beat._replace(echo_tick=(beat.echo_tick - 450_000) & 0x3FFFFFFF)
        if fault == "echo of the future":
            return beat._replace(echo_tick=(beat.echo_tick + 450_000) & 0x3FFFFFFF)
        if fault == "repeated counter":
            return beat._replace(counter=10_001)
        if fault == "another dose":
            return beat._replace(dose_id=b"another!")
        return beat

    result = dose_with_heartbeats(here, changed)
    assert isinstance(result, NotDelivered)
    assert result.reason == reason


@pytest.mark.requirement("SR-25")
def test_a_request_that_comes_late_is_not_executed(here: Bench) -> None:
    """The bytes of an earlier request of this session, once more after a later one."""
    injector = here.connect()
    sent: list[bytes] = []
    link: Any = injector.link
    write = link.write
    link.write = lambda data: (sent.append(data), write(data))
    injector._pump.request(messages.StartTreatment(5))
    late = sent[-1]
    injector._pump.request(messages.StartTreatment(6))
    write(late)
    assert injector.status().treatment == 6


@pytest.mark.requirement("SR-26")
def test_what_is_still_stored_was_not_delivered(here: Bench) -> None:
    """The needle blocks and the trigger is released at once: the plunger has moved further than the fluid."""
    injector = here.ready()
    before = here.plant()["tip_nl"]

    def block_and_release() -> None:
        here.device.control("blocked", 1)
        world(here).plant.set_input(world(here)._t, wire.INPUT_TRIGGER_A, False)

    injector.listen(after_flow(30_000, block_and_release))
    result = injector.dose(**BIG)
    given = here.plant()["tip_nl"] - before
    assert isinstance(result, Delivered)
    assert result.reason == "trigger"
    assert result.drip
    assert result.delivered_nl == pytest.approx(given, rel=0.05)
    assert result.lower_nl <= given <= result.upper_nl


def test_an_answer_that_is_lost_is_asked_for_again(here: Bench) -> None:
    """COMMIT's answer never arrives: the device answers the repeat from its cache, and arms once."""
    injector = here.ready()
    link: Any = injector.link
    read = link.read
    lost: list[bytes] = []

    def lossy(deadline_us: int) -> bytes:
        data: bytes = read(deadline_us)
        if not lost and bytes((frame.REPLY, wire.COMMIT)) in data:
            lost.append(data)
            return b""
        return data

    link.read = lossy
    next_n = injector.status().next_n
    result = injector.dose(**DOSE)
    assert lost
    assert isinstance(result, Delivered) and not isinstance(result, Unknown)
    assert injector.status().next_n == next_n + 1


@pytest.mark.requirement("SR-25")
@pytest.mark.parametrize(("late_us", "refused"), [(-1_000_000, False), (1, True), (1_000_000, True)])
def test_a_commit_that_was_held_up_does_not_arm(late_us: int, refused: bool, here: Bench) -> None:
    injector = here.ready()
    here.device.control("present", 0)
    status = injector.status()
    request = messages.Prepare(b"abcdefgh", status.next_n, 20_000, 1_000, wire.MODE_SINGLE, 1, 6, 1)
    plan = injector._pump.request(request)
    not_after = (injector.status().time - late_us) & 0x3FFFFFFF
    commit = messages.Commit(b"abcdefgh", plan.plan_crc, injector.hello.boot_id, not_after)
    if refused:
        with pytest.raises(DeviceError, match="EXPIRED"):
            injector._pump.request(commit)
    else:
        assert injector._pump.request(commit).dose_state == wire.DOSE_ARMED


@pytest.mark.requirement("SR-26")
def test_no_step_is_fed_before_it_is_reserved(here: Bench) -> None:
    """At every chunk, what the memory says may have been given covers all that was fed, this chunk included."""
    injector = here.ready()
    board = world(here).board
    write, feed = board.store.write, board.plunger.feed
    reserved: list[int] = [0]
    fed: list[int] = [0]

    def watched_write(at: int, buf: bytearray, n: int) -> None:
        write(at, buf, n)
        if at in (64, 96):  # the two copies of progress: generation u32, n u24, lower_nl u24, upper_nl u24
            reserved.append(int.from_bytes(buf[10:13], "little"))

    def watched_feed(words: Any, n: int, cycles: int, hold: bool) -> None:
        if board.inputs() & wire.INPUT_PERMIT_PLUNGER:  # the self-test's pulses, which no permit lets out, give nothing
            fed.append(fed[-1] + (words[0] >> 1) + 1)
        assert fed[-1] * 5_607 // 1000 <= reserved[-1]
        feed(words, n, cycles, hold)

    board.store.write, board.plunger.feed = watched_write, watched_feed
    assert isinstance(injector.dose(**BIG), Delivered)
    assert len(fed) == 41  # forty chunks: two in flight are 5 % of the dose
    # nor is much more reserved than was fed: 5 % of the dose and the profile's 2 %
    assert reserved[-1] < 102_500


@pytest.mark.parametrize("seq", [LAST_SEQ - 1, LAST_SEQ, 0xFF00])
def test_a_session_whose_numbers_run_out_gives_way_to_another(seq: int, here: Bench) -> None:
    injector = here.ready()
    first = injector.hello.session
    injector._pump.connection._seq = seq
    assert isinstance(injector.dose(**DOSE), Delivered)
    assert (injector.hello.session != first) == (seq >= LAST_SEQ)
    assert isinstance(injector.dose(**DOSE), Delivered)


def test_who_only_looks_does_not_run_out_of_numbers(here: Bench) -> None:
    injector = here.ready()
    injector._pump.connection._seq = 0xFFFF
    assert injector.status().status == wire.S_OK
    assert injector._pump.connection._seq < LAST_SEQ


def test_another_session_is_not_opened_on_a_device_that_restarted(here: Bench) -> None:
    injector = here.ready()
    injector._pump.connection._seq = LAST_SEQ
    here.device.control("reset")
    with pytest.raises(SessionLost):
        injector.dose(**DOSE)


def test_another_session_is_not_opened_on_a_device_that_others_have_used(here: Bench) -> None:
    injector = here.ready()
    injector._pump.connection._seq = LAST_SEQ
    injector._next_n -= 1
    with pytest.raises(SessionLost):
        injector.status()


def test_a_session_without_numbers_says_so(here: Bench) -> None:
    injector = here.ready()
    injector._pump.connection._seq = 0xFFFF
    with pytest.raises(SessionLost, match=r"used up. Next: open the device again"):
        injector._pump.request(messages.Status())
    assert injector.status().status == wire.S_OK, "the next call opens another session"
