"""HELLO and AUTH: who is let in, on what proof, and what becomes of whoever was there before."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from mesoinjector import AuthError, Delivered, Injector, Unknown
from mesoinjector.keys import Key
from mesoprotocol import messages, wire
from tests.bench_of_one import OPERATOR, SERVICE, Bench, after_flow, world
from tests.system.test_roles import ANSWER_US, BIG, Stranger


def lost(injector: Injector) -> bool:
    """Whether a dose ends because somebody else has taken the device over."""
    result = injector.dose(**BIG)
    return isinstance(result, Unknown) and "another program has taken it over" in result.reason


@pytest.mark.parametrize("what", ["hello", "wrong key", "right key"])
def test_only_who_proves_a_key_ends_what_is_under_way(what: str, here: Bench) -> None:
    operator = here.keyed()
    stranger = Stranger(here.device)
    ended: list[Any] = []
    link = here.link(operator)

    def act() -> None:
        # the line is one: what the operator's host would have read goes to the stranger
        stranger.hello()
        if what == "wrong key":
            assert stranger.auth(Key(wire.ROLE_OPERATOR, bytes(range(2, 34)))) == wire.S_AUTH_FAILED
        elif what == "right key":
            seq, data = stranger.connection.request(stranger.connection.auth(OPERATOR))
            stranger.send(data, 10_000_000)
            ended.append(stranger.connection.answer(seq))

    link.at(link.now_us() + 1_500_000, act)
    if what == "right key":
        n = operator.status().next_n
        assert lost(operator)
        assert ended[0].status == wire.S_OK and ended[0].next_n == n + 1
        (result,) = here.connect(OPERATOR).resolved
        assert isinstance(result, Delivered) and result.reason == "session" and not result.complete
    else:
        result = operator.dose(**BIG)
        assert isinstance(result, Delivered) and result.complete


def test_auth_is_answered_after_the_outcome_is_recorded(here: Bench) -> None:
    operator = here.keyed()
    answered: list[Any] = []
    stranger = Stranger(here.device)

    def act() -> None:
        stranger.hello()
        reply = None
        seq, data = stranger.connection.request(stranger.connection.auth(SERVICE))
        while reply is None:
            stranger.send(data)
            reply = stranger.connection.answer(seq)
        assert stranger.connection.accept(SERVICE, reply)
        answered.append(stranger.ask(messages.Ledger(reply.next_n - 1)))

    operator.listen(after_flow(30_000, act))
    assert lost(operator)
    entry = answered[0]
    assert entry.dose_state == wire.DOSE_ABORTED and entry.reason == wire.REASON_SESSION
    assert entry.lower_nl <= entry.delivered_nl <= entry.upper_nl and entry.upper_nl >= 30_000


@pytest.mark.requirement("SR-33")
def test_wrong_proofs_are_looked_at_ever_more_rarely(here: Bench) -> None:
    here.keyed()
    stranger = Stranger(here.device)
    stranger.hello()
    wrong = Key(wire.ROLE_OPERATOR, bytes(range(2, 34)))
    assert [stranger.auth(wrong) for _ in range(5)] == [wire.S_AUTH_FAILED] * 5
    for pause_s in (1, 2, 4, 8, 16, 32, 64, 64):
        stranger.send(b"", pause_s * 1_000_000 - 4 * ANSWER_US)
        assert stranger.auth(OPERATOR) == wire.S_AUTH_BACKOFF
        stranger.send(b"", 4 * ANSWER_US)
        assert stranger.auth(wrong) == wire.S_AUTH_FAILED
    stranger.send(b"", 64_100_000)
    assert stranger.auth(OPERATOR) == wire.S_OK
    stranger.hello()
    assert stranger.auth(wrong) == wire.S_AUTH_FAILED
    assert stranger.auth(OPERATOR) == wire.S_OK, "a right proof forgives the wrong ones"


def auth_in_a_dose(here: Bench, act: Callable[[Stranger, int], None]) -> None:
    """Somebody with the service key has asked for command while a dose runs, and is not answered yet."""
    operator = here.keyed()
    stranger = Stranger(here.device)
    link = here.link(operator)
    acted: list[int] = []

    def ask() -> None:
        stranger.hello()
        seq, data = stranger.connection.request(stranger.connection.auth(SERVICE))
        stranger.send(data)
        assert world(here).app._access.waits and stranger.connection.answer(seq) is None
        act(stranger, seq)
        acted.append(seq)

    link.at(link.now_us() + 1_500_000, ask)
    operator.dose(**BIG)
    assert acted


def test_nobody_is_let_in_on_another_ones_proof(here: Bench) -> None:
    """HELLO comes between AUTH and its answer."""
    other = Stranger(here.device, 8)

    def act(stranger: Stranger, seq: int) -> None:
        other.send(b"", 0)
        guest = other.hello().session
        other.send(b"", 10_000_000)
        access = world(here).app._access
        assert guest == access._guest.number and access._guest.role == wire.ROLE_OBSERVER
        assert access._command.number not in (guest, stranger.connection.session)

    auth_in_a_dose(here, act)


def test_nothing_is_answered_before_auth_is(here: Bench) -> None:
    def act(stranger: Stranger, seq: int) -> None:
        _, status = stranger.connection.request(messages.Status())
        stranger.send(status)
        assert stranger.connection.answer(seq + 1) is None
        stranger.connection._seq, stranger.connection._asked = seq, wire.AUTH
        stranger.send(b"", 10_000_000)
        reply = stranger.connection.answer(seq)
        assert reply is not None and stranger.connection.accept(SERVICE, reply)
        assert stranger.ask(messages.Status()).state == wire.STATE_IDLE

    auth_in_a_dose(here, act)


def test_auth_is_for_guests(here: Bench) -> None:
    here.keyed()
    stranger = Stranger(here.device)
    stranger.hello()
    assert stranger.auth(OPERATOR) == wire.S_OK
    assert stranger.auth(SERVICE) == wire.S_WRONG_STATE


def test_a_recorded_opening_opens_nothing(here: Bench) -> None:
    """The same HELLO and the same proof once more, after somebody else's HELLO: the device's challenge is fresh."""
    here.keyed()
    owner = Stranger(here.device)
    hello = owner.hello()
    proof = owner.connection.auth(OPERATOR)
    assert owner.ask(proof).status == wire.S_OK
    nonce = owner.connection._nonce
    owner.hello()
    owner.send(owner.connection.greet(nonce, "stranger"))
    again = owner.connection.hello
    assert again is not None and again.nonce == hello.nonce and again.device_nonce != hello.device_nonce
    assert owner.ask(proof).status == wire.S_AUTH_FAILED


def test_a_proof_is_for_one_challenge_and_one_role(here: Bench) -> None:
    here.keyed()
    stranger = Stranger(here.device)
    stranger.hello()
    proof = stranger.connection.auth(OPERATOR)
    stranger.hello()
    assert stranger.ask(proof).status == wire.S_AUTH_FAILED, "of the challenge before"
    fresh = stranger.connection.auth(OPERATOR)
    assert stranger.ask(fresh._replace(role=wire.ROLE_SERVICE)).status == wire.S_AUTH_FAILED, "of another role"
    assert stranger.ask(fresh).status == wire.S_OK


def test_a_device_that_cannot_prove_the_key_is_not_worked_with(here: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    here.keyed()
    code = type(world(here).app._access)._code
    # an impostor that lets everybody in: whatever the host says is what it expects, its own proof is made up
    monkeypatch.setattr("mesoprotocol.mac.equal", lambda *_: True)
    monkeypatch.setattr(type(world(here).app._access), "_code", lambda *args: code(*args)[::-1])
    with pytest.raises(AuthError, match="not the device it says it is"):
        here.connect(OPERATOR)


def test_a_key_for_a_device_without_keys_is_refused(here: Bench) -> None:
    with pytest.raises(AuthError, match="has no keys"):
        here.connect(OPERATOR)


def test_what_was_open_before_the_keys_ends_with_the_next_hello(here: Bench) -> None:
    """Its number is no secret, and it needs no tag."""
    injector = here.ready()
    injector.provision(SERVICE)
    former = injector.hello.session
    stranger = Stranger(here.device)
    stranger.hello()
    stranger.connection.session = former
    stranger.connection._seq = 500
    assert stranger.ask(messages.Provision(wire.ROLE_SERVICE, bytes(range(9, 41)))).status == wire.S_NO_SESSION
    assert here.connect(SERVICE).status().status == wire.S_OK


def test_a_guest_never_bears_the_commands_number(here: Bench) -> None:
    """Not even when 65,534 sessions were begun and left meanwhile."""
    operator = here.keyed()
    taken = operator.hello.session
    world(here).app._ledger.session = taken - 1
    stranger = Stranger(here.device)
    assert stranger.hello().session == taken + 1
    assert operator.status().status == wire.S_OK


def test_a_hello_that_cannot_be_kept_gets_nobody_elses_session(here: Bench) -> None:
    here.keyed()
    store = world(here).board.store
    write = store.write
    store.write = lambda at, buf, n: None if at < 64 else write(at, buf, n)
    stranger = Stranger(here.device)
    data = stranger.connection.greet(b"a nonce.", "stranger")
    for _ in range(2):
        stranger.send(data)
        assert stranger.connection.hello is None
    store.write = write
    stranger.send(data)
    assert stranger.connection.hello is not None
