"""The host's protocol core, fed by hand: no port, no clock."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesoinjector.connection import STOP_BYTES, Connection
from mesoinjector.keys import Key
from mesoprotocol import codec, frame, messages, typed, wire

NONCE = b"12345678"


def reply(
    message: int, seq: int, session: int, fields: tuple[tuple[int, int, int, int], ...], values: list[object]
) -> bytes:
    builder = frame.Builder(wire.MAJOR)
    end = codec.write(typed.REPLY_HEAD + fields, [0, 0, *values], builder.body, frame.HEADER)
    n = builder.build(frame.REPLY, message, seq, session, end - frame.HEADER)
    return bytes(builder.wire[:n])


def hello_reply(nonce: bytes = NONCE, session: int = 5) -> bytes:
    values = [nonce, 1, 1, b"U" * 8, b"0.1.0", b"HASH", b"micropython", b"BOOT", [0, 1000], b"LIMI"]
    return reply(wire.HELLO, 0, 0, wire.HELLO_REPLY_FIELDS, [*values, 3, 1, session, b"N" * 8, 1, 0, 0, 0])


def connected() -> Connection:
    connection = Connection()
    connection.greet(NONCE, "test")
    connection.receive(hello_reply(), 0)
    return connection


def clear_reply(seq: int, session: int = 5) -> bytes:
    return reply(wire.CLEAR, seq, session, wire.CLEAR_REPLY_FIELDS, [0])


def test_only_the_answer_with_our_nonce_opens() -> None:
    connection = Connection()
    connection.greet(NONCE, "test")
    connection.receive(hello_reply(nonce=b"stranger"), 0)
    assert connection.hello is None
    connection.receive(hello_reply(), 0)
    assert connection.session == 5


def test_the_answer_to_hello_counts_once() -> None:
    """A repeated one, or one that was late, does not begin the numbers again."""
    connection = connected()
    seq, _ = connection.request(messages.Clear(1, 1))
    connection.receive(hello_reply(session=6), 0)
    assert connection.session == 5
    assert connection.request(messages.Clear(1, 1))[0] == seq + 1


def test_a_new_session_has_no_key_and_no_gaps_of_the_former() -> None:
    connection = connected()
    key = Key(wire.ROLE_OPERATOR, bytes(range(1, 33)))
    proof = connection._code(b"meso1 device", key)[:16]
    assert connection.accept(key, messages.AuthReply(0, 0, proof, 1, 0, 0, 0))
    tagged = connection.request(messages.Clear(1, 1))[1]
    connection.missing.append(7)
    connection.greet(b"87654321", "test")
    connection.receive(hello_reply(nonce=b"87654321"), 0)
    assert len(connection.request(messages.Clear(1, 1))[1]) == len(tagged) - frame.TAG
    assert not connection.missing


def test_an_answer_is_matched_by_seq_and_session() -> None:
    connection = connected()
    seq, _ = connection.request(messages.Clear(1, 1))
    connection.receive(clear_reply(seq + 1), 0)
    connection.receive(clear_reply(seq, session=4), 0)
    assert connection.answer(seq) is None and connection.dropped == 2
    connection.receive(clear_reply(seq), 0)
    assert connection.answer(seq) == messages.ClearReply(0, 0, 0)
    assert connection.answer(seq) is None


def test_a_late_answer_does_not_answer_the_next_request() -> None:
    connection = connected()
    first, _ = connection.request(messages.Clear(1, 1))
    second, _ = connection.request(messages.Clear(1, 1))
    connection.receive(clear_reply(first), 0)
    assert connection.answer(second) is None


def test_another_messages_answer_with_the_same_number_is_none() -> None:
    """Somebody else on the line has used up the number with a request of his own."""
    connection = connected()
    seq, _ = connection.request(messages.StartTreatment(7))
    connection.receive(clear_reply(seq), 0)
    assert connection.answer(seq) is None and connection.dropped == 1
    connection.receive(reply(wire.START_TREATMENT, seq, 5, wire.START_TREATMENT_REPLY_FIELDS, [7]), 0)
    assert connection.answer(seq) == messages.StartTreatmentReply(0, 0, 7)


def test_ok_without_its_fields_is_no_answer() -> None:
    connection = connected()
    seq, _ = connection.request(messages.Clear(1, 1))
    connection.receive(reply(wire.CLEAR, seq, 5, (), []), 0)
    assert connection.answer(seq) is None and connection.dropped == 1


def test_frames_may_come_in_any_pieces() -> None:
    whole = hello_reply()
    for size in range(1, 12):
        connection = Connection()
        connection.greet(NONCE, "test")
        for at in range(0, len(whole), size):
            connection.receive(whole[at : at + size], 0)
        assert connection.session == 5


def test_device_time_goes_on_between_sightings() -> None:
    connection = connected()
    assert connection.device_tick(250) == 1250


def test_device_time_is_not_invented() -> None:
    with pytest.raises(ValueError, match="no device time"):
        Connection().device_tick(0)


def test_stop_is_one_constant() -> None:
    """These bytes are in the documents: a signal handler or a terminal may send them."""
    assert STOP_BYTES.hex() == typed.write_request(messages.Stop(), 0, 0).hex()
    assert STOP_BYTES[0] == STOP_BYTES[-1] == 0


@given(st.lists(st.binary(max_size=300), max_size=20))
def test_garbage_never_raises_and_is_bounded(pieces: list[bytes]) -> None:
    connection = connected()
    for piece in pieces:
        connection.receive(piece, 0)
    assert len(connection.tail) <= 400
    connection.receive(b"\0" + clear_reply(connection.request(messages.Clear(0, 0))[0]), 0)
    assert connection.answer(1) is not None


def test_garbled_answers_are_no_answers() -> None:
    good = clear_reply(1)
    rng = random.Random(1)
    for _ in range(500):
        connection = connected()
        connection.request(messages.Clear(1, 1))
        bad = bytearray(good)
        bad[rng.randrange(1, len(good) - 1)] ^= 1 << rng.randrange(8)
        connection.receive(bytes(bad), 0)
        assert connection.answer(1) is None


def test_an_echoing_line_is_no_device() -> None:
    """Our own requests come back whole: a terminal's echo. Nothing has answered."""
    connection = Connection()
    connection.receive(connection.greet(NONCE, "test"), 0)
    connection.receive(connection.heartbeat(b"12345678"), 0)
    assert (connection.frames, connection.dropped, len(connection.events)) == (0, 2, 0)
