"""What a request may look like, and when it is answered: the device's side of order, length, range and HELLO."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from mesoprotocol import frame, messages, packing, typed, wire
from mesosim.lab.enumeration.host import Unexpected
from mesosim.lab.enumeration.workloads import OPERATOR, PRIME, SERVICE
from tests.safety.watch import DOSE, RUN, SMALL, Watch

HELLO = messages.Hello(b"another!", wire.MAJOR, wire.MAJOR, "a test")
SAID_US = 100_000
"""Longer than any answer takes."""


def said(host: Watch, data: bytes) -> list[typed.Frame]:
    """What the device says to these bytes."""
    end = host.t_us + SAID_US
    frames = host.run(end, data)
    while host.t_us < end:
        frames += host.run(end)
    return frames


def request(host: Watch, msg_id: int, payload: bytes, session: int | None = None) -> bytes:
    """The next request of the host's session, or of another."""
    host._seq += 1
    return packing.encode(frame.REQUEST, msg_id, host._seq, host._session if session is None else session, payload)


def payload(message: Any) -> bytes:
    return typed.LAYOUTS[type(message)][1].pack(message)


def status_of(frames: list[typed.Frame]) -> list[int]:
    return [received.message.status for received in frames if received.kind == frame.REPLY]


LEDGER = payload(messages.Ledger(1))


@pytest.mark.parametrize(
    ("msg_id", "data", "status"),
    [
        (0x7FFF, b"", wire.S_UNKNOWN_MESSAGE),
        (wire.LEDGER, LEDGER + b"\0", wire.S_BAD_LENGTH),
        (wire.LEDGER, LEDGER[:-1], wire.S_BAD_LENGTH),
        (wire.START_TREATMENT, b"\0\0", wire.S_RANGE),
        (
            wire.PREPARE,
            payload(SMALL._replace(n=1))[:13] + b"\xa1\x0f" + payload(SMALL._replace(n=1))[15:],
            wire.S_RANGE,
        ),
    ],
    ids=["unknown", "long", "short", "too small", "too deep"],
)
def test_what_is_no_request_is_refused_and_counts(msg_id: int, data: bytes, status: int) -> None:
    """Its place in the order is used: asked again, it is answered from the cache."""
    host = Watch().opened()
    before = host.account()
    asked = request(host, msg_id, data)
    (answer,) = heard(host, asked, wire.MAJOR)
    at = frame.HEADER
    assert answer[at] | answer[at + 1] << 8 == status
    assert heard(host, asked, wire.MAJOR) == [answer]
    assert host.ask(messages.Status()).state == wire.STATE_IDLE
    assert host.account()["plunger_steps"] == before["plunger_steps"]


def test_a_stranger_is_told_that_there_is_no_session() -> None:
    host = Watch().opened()
    for number in (0, 0x1234):
        host._seq += 1
        assert status_of(said(host, request(host, wire.STATUS, b"", number))) == [wire.S_NO_SESSION]
    assert host.ask(messages.Status()).status == wire.S_OK


@pytest.mark.requirement("SR-30")
@pytest.mark.parametrize("how", [lambda beat: beat + b"\0", lambda beat: beat[:7] + b"\xff" + beat[8:]])
def test_a_heartbeat_that_is_none_is_not_answered(how: Callable[[bytes], bytes]) -> None:
    host = Watch().opened()
    assert host._tick
    beat = payload(messages.Heartbeat(1, host._tick[0], b"dose0001"))
    assert said(host, packing.encode(frame.REQUEST, wire.HEARTBEAT, 0, host._session, how(beat))) == []
    assert len(said(host, packing.encode(frame.REQUEST, wire.HEARTBEAT, 0, host._session, beat))) == 1


# --- HELLO ----------------------------------------------------------------------------------------------


def foreign(message: Any, major: int, seq: int = 0, session: int = 0) -> bytes:
    """The frame of a host of another major: header and CRC are that major's."""
    builder = frame.Builder(major)
    data = payload(message)
    builder.body[frame.HEADER : frame.HEADER + len(data)] = data
    n = builder.build(frame.REQUEST, typed.LAYOUTS[type(message)][0], seq, session, len(data))
    return bytes(builder.wire[:n])


def heard(host: Watch, data: bytes, *majors: int) -> list[bytes]:
    """The bodies of the frames of these majors that the device says to these bytes."""
    end = host.t_us + SAID_US
    came = b""
    while host.t_us < end:
        host.t_us, more = host.world.run(end, data)
        data = b""
        came += more
    reader = frame.Reader(majors)
    at = 0
    bodies = []
    while at < len(came):
        at = reader.feed(bytearray(came), at, len(came))
        if reader.length:
            bodies.append(bytes(reader.body[: reader.length]))
    return bodies


@pytest.mark.parametrize("major", [2, 8])
def test_another_major_is_told_what_this_one_speaks(major: int) -> None:
    """In its own frames, so that it can say what to update; nothing is begun, and nothing else of it is answered."""
    host = Watch().opened()
    (body,) = heard(host, foreign(HELLO._replace(major_min=major, major_max=major), major), major)
    at = frame.HEADER
    assert body[at] | body[at + 1] << 8 == wire.S_VERSION
    at += 3
    assert body[at : at + 8] == HELLO.nonce
    assert body[at + 8 : at + 10] == bytes((wire.MAJOR, wire.MAJOR))
    assert heard(host, foreign(messages.Status(), major, host._seq + 1, host._session), major, wire.MAJOR) == []
    assert host.ask(messages.Status()).status == wire.S_OK, "the session goes on"
    assert heard(host, foreign(HELLO._replace(major_min=2, major_max=8), wire.MAJOR), wire.MAJOR) != []
    host.world.meddle().add("send", "stuck", 0, 1)
    assert heard(host, foreign(HELLO._replace(major_min=major, major_max=major), major), major) == []
    assert host.do(messages.Status()).tx_dropped == 1


def test_another_major_leaves_a_dose_alone() -> None:
    host = Watch().primed()
    answers: list[bytes] = []
    ask = foreign(HELLO._replace(major_min=2, major_max=2), 2)
    dose = host.try_dose(DOSE, 2_000_000, lambda: answers.extend(heard(host, ask, 2)))
    assert (answers, dose.outcome.reason) == ([], wire.REASON_COMPLETE)


def test_a_hello_of_another_length_is_none() -> None:
    host = Watch().opened()
    data = payload(HELLO)
    assert said(host, packing.encode(frame.REQUEST, wire.HELLO, 0, 0, data[:-1])) == []
    assert host.ask(messages.Status()).status == wire.S_OK, "the session goes on"


@pytest.mark.requirement("SR-26")
def test_a_hello_that_is_repeated_begins_no_other_session() -> None:
    """Its answer was lost: the same nonce gets the same session, and what it has begun since stays."""
    host = Watch().opened()
    hello = typed.write_request(HELLO, 0, 0)
    (first,) = said(host, hello)
    host._session, host._seq = first.message.session, 0
    host.do(messages.StartTreatment(7))
    (again,) = said(host, hello)
    assert again.message.session == first.message.session
    assert (first.message.treatment, again.message.treatment) == (1, 7)
    assert host.do(messages.Status()).treatment == 7


@pytest.mark.requirement("SR-26", "SR-29")
def test_a_hello_that_is_repeated_while_a_dose_ends_is_answered_once() -> None:
    host = Watch().primed()
    answers: list[typed.Frame] = []

    def comes() -> None:
        hello = typed.write_request(HELLO, 0, 0)
        answers.extend(said(host, hello) + said(host, hello))

    with pytest.raises(Unexpected):
        host.try_dose(DOSE, 2_000_000, comes)
    assert [answer.message for answer in answers if answer.kind == frame.REPLY] == []
    frames = answers + [received for _ in range(50) for received in said(host, b"")]
    ends = [received.message for received in frames if isinstance(received.message, messages.OutcomeEvent)]
    hellos = [received.message for received in frames if isinstance(received.message, messages.HelloReply)]
    assert [hello.nonce for hello in hellos] == [HELLO.nonce]
    assert [end.reason for end in ends] == [wire.REASON_SESSION]
    assert host.account()["needle_home"]


@pytest.mark.requirement("SR-33")
def test_who_is_in_command_proves_nothing_again() -> None:
    host = Watch().opened()
    host.do(messages.Provision(*SERVICE))
    host.do(messages.Provision(*OPERATOR))
    assert host.ask(messages.Auth(OPERATOR[0], b"\1" * 16)).status == wire.S_WRONG_STATE
    assert host.ask(messages.Status()).status == wire.S_OK


@pytest.mark.requirement("SR-33")
def test_a_role_without_a_key_cannot_be_proven() -> None:
    host = Watch().opened()
    host.do(messages.Provision(*SERVICE))
    host.key = OPERATOR
    with pytest.raises(Unexpected, match=str(wire.S_NO_KEY)):
        host.open()
    host.key = SERVICE
    host.open()
    assert host.do(messages.StartTreatment(7)).treatment == 7


# --- What is asked for twice, or too early --------------------------------------------------------------


def commit(host: Watch, asked: Any, plan: Any) -> messages.Commit:
    assert host.hello
    now = host.do(messages.Sync()).time & 0x3FFFFFFF
    return messages.Commit(asked.dose_id, plan.plan_crc, host.hello.boot_id, now + 1_000_000)


@pytest.mark.requirement("SR-25")
def test_while_one_is_prepared_no_other_is() -> None:
    host = Watch().primed()
    asked = SMALL._replace(dose_id=b"the one!", n=host.next_n)
    plan = host.do(asked)
    assert host.ask(asked._replace(dose_id=b"another!")).status == wire.S_WRONG_STATE
    assert host.ask(commit(host, asked, plan)).status == wire.S_OK


@pytest.mark.requirement("SR-25")
@pytest.mark.parametrize("changed", [{"strokes": 41}, {"depth_um": 510}, {"rate_per_min": 601}, {"zone": 9}])
def test_a_run_is_known_by_what_it_asked_for(changed: dict[str, int]) -> None:
    host = Watch().opened()
    dose = host.try_dose(RUN)
    assert host.ask(dose.request).status == wire.S_KNOWN_ID
    assert host.ask(dose.request._replace(**changed)).status == wire.S_ID_CONFLICT
    assert host.account()["punctures"] == RUN.strokes


@pytest.mark.requirement("SR-20", "SR-34")
def test_what_was_prepared_is_not_armed_once_the_log_fails() -> None:
    """A refusal that cannot be written makes it damaged, while the dose waits for its COMMIT."""
    host = Watch().primed()
    asked = SMALL._replace(dose_id=b"the one!", n=host.next_n)
    ready = commit(host, asked, host.do(asked))
    host.world.meddle().add("store.write", "stuck", 0, 0)
    assert host.ask(asked._replace(dose_id=b"another!")).status == wire.S_WRONG_STATE
    host.world.meddle().clear()
    assert host.ask(ready).status == wire.S_LOG_DAMAGED
    assert host.do(messages.Status()).latches == wire.LATCH_LOG_DAMAGED
    assert host.ask(asked._replace(dose_id=b"athird!!")).status in (wire.S_WRONG_STATE, wire.S_LOG_DAMAGED)


# --- What the device tells ------------------------------------------------------------------------------


@pytest.mark.requirement("SR-26")
def test_what_the_ledger_does_not_have_is_told_as_such() -> None:
    host = Watch().primed()
    done = host.next_n - 1
    assert host.do(messages.Ledger(done)).dose_state == wire.DOSE_DONE
    assert host.do(messages.Ledger(host.next_n)).dose_state == wire.DOSE_NOT_FOUND
    assert host.do(messages.Ledger(0)).dose_state == wire.DOSE_NOT_FOUND
    # a number that no dose has proves nothing of an id
    assert host.do(messages.Query(b"unheard!", 0)).dose_state == wire.DOSE_FORGOTTEN
    assert host.do(messages.Query(b"unheard!", host.next_n)).dose_state == wire.DOSE_NOT_FOUND
    # an entry that does not read any more was given all the same
    host.world._fram[128 + done % 257 * 104 + 5] ^= 1
    assert host.do(messages.Ledger(done)).dose_state == wire.DOSE_FORGOTTEN


@pytest.mark.requirement("SR-26")
def test_the_entry_of_a_dose_that_is_armed_says_so() -> None:
    host = Watch().primed()
    n = host.next_n
    told: list[Any] = []
    host.try_dose(SMALL, 300_000, lambda: told.append(host.do(messages.Ledger(n))))
    assert (told[0].dose_state, told[0].n, told[0].dose_id) == (wire.DOSE_ARMED, n, host.doses[-1].dose_id)


def test_answers_that_the_line_does_not_take_are_counted_and_asked_for_again() -> None:
    """A new one, and one from the cache."""
    host = Watch().opened()
    assert host.do(messages.Status()).tx_dropped == 0
    host.world.meddle().add("send", "stuck", 0, 2)
    asked = request(host, wire.SYNC, b"")
    assert [len(said(host, asked)) for _ in range(3)] == [0, 0, 1]
    assert host.do(messages.Status()).tx_dropped == 2


# --- A memory that does not keep what it is given -------------------------------------------------------


@pytest.mark.requirement("SR-25", "SR-34")
@pytest.mark.parametrize("asked", [messages.StartTreatment(5), messages.SetDate(9_500)], ids=["treatment", "date"])
def test_what_cannot_be_kept_is_refused(asked: Any) -> None:
    host = Watch().opened()
    host.world.meddle().add("store.write", "stuck", 0, 1)
    assert host.ask(asked).status == wire.S_STORE_FAILED
    after = host.do(messages.Status())
    assert (after.treatment, after.latches) == (1, wire.LATCH_FAULT)
    assert host.ask(PRIME._replace(dose_id=b"another!", n=host.next_n)).status == wire.S_LATCHED


@pytest.mark.requirement("SR-25")
def test_the_same_treatment_once_more_is_no_other() -> None:
    host = Watch().primed()
    before = host.do(messages.Status())
    assert host.do(messages.StartTreatment(before.treatment)).treatment == before.treatment
    assert host.do(messages.Status()).counted_nl == before.counted_nl > 0
    assert host.try_dose(SMALL).outcome.reason == wire.REASON_COMPLETE, "it is primed still"


@pytest.mark.requirement("SR-25", "SR-34")
def test_an_acknowledgement_that_cannot_be_kept_leaves_the_latch() -> None:
    host = Watch().primed()
    n = host.next_n
    host.give(DOSE, 2_000_000)
    host.world.control("reset", 1)
    host.rest(1_000_000)
    host.open()
    assert host.do(messages.Status()).latches == wire.LATCH_INTERRUPTED
    host.world.meddle().add("store.write", "stuck", 0, 1)
    assert host.ask(messages.Ack(n, "nobody")).status == wire.S_STORE_FAILED
    assert host.do(messages.Status()).latches == wire.LATCH_INTERRUPTED
    assert host.do(messages.Ack(n, "nobody")).latches == 0


@pytest.mark.requirement("SR-33", "SR-34")
def test_a_key_whose_copy_is_spoilt_lets_nobody_in() -> None:
    host = Watch().opened()
    host.do(messages.Provision(*SERVICE))
    host.world.meddle().add("store.write", "flipped_bit", 0, 1, 77)
    assert host.ask(messages.Provision(*OPERATOR)).status == wire.S_STORE_FAILED
    assert host.ask(messages.Provision(*OPERATOR)).status == wire.S_KEYS_DAMAGED
    host.key = SERVICE
    with pytest.raises(Unexpected, match=str(wire.S_KEYS_DAMAGED)):
        host.open()


def test_a_trial_is_not_confirmed_while_its_record_does_not_read() -> None:
    host = Watch()
    host.world.files["slots.a"] = b"spoilt"
    host.world.control("reset", 1)
    host.rest(1_000_000)
    host.open()
    assert host.do(messages.Update()).update == wire.UPDATE_DAMAGED
    assert host.ask(messages.Confirm()).status == wire.S_SAFE_APPLICATION
    assert host.world.files == {"slots.a": b"spoilt"}
