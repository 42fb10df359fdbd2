"""Who may do what: roles, keys, tags. A stranger on the line can look and stop, and nothing else."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest

from mesoinjector import AuthError, Delivered, Injector, NotDelivered
from mesoinjector.connection import STOP_BYTES, Connection
from mesoinjector.keys import Key
from mesoprotocol import frame, messages, packing, typed, wire
from mesosim.runtime import Device
from tests.bench_of_one import OPERATOR, SERVICE, Bench, after_flow, world

DOSE = {"volume_ml": 0.02, "depth_mm": 1.0, "zone": "cheek"}
BIG = {"volume_ml": 0.1, "depth_mm": 1.0, "zone": "cheek"}
ANSWER_US = 20_000


class Stranger:
    """Somebody on the line with the protocol in his head: sends what he likes and sees every byte."""

    def __init__(self, device: Device, seed: int = 7) -> None:
        self.device = device
        self.connection = Connection()
        self.seen = b""
        self._random = random.Random(seed)
        self._t = device.control("account")["t_us"]

    def send(self, data: bytes, wait_us: int = ANSWER_US) -> None:
        """Send, and take in what comes within a time."""
        end = self._t + wait_us
        while True:
            self._t, came = self.device.run(end, data)
            data = b""
            self.seen += came
            self.connection.receive(came, self._t)
            if self._t >= end:
                return

    def hello(self) -> messages.HelloReply:
        """A session, as HELLO gives it."""
        self.send(self.connection.greet(self._random.randbytes(8), "stranger"))
        assert self.connection.hello is not None
        return self.connection.hello

    def ask(self, message: Any) -> Any:
        """The answer to a request; None if there is none."""
        seq, data = self.connection.request(message)
        self.send(data)
        return self.connection.answer(seq)

    def auth(self, key: Key) -> int:
        """The status of AUTH; a session of the key's role if it is 0."""
        reply = self.ask(self.connection.auth(key))
        if reply.status == wire.S_OK:
            assert self.connection.accept(key, reply)
        return int(reply.status)


EXAMPLES: dict[str, Any] = {
    "Status": messages.Status(),
    "Clear": messages.Clear(0, 0),
    "Auth": messages.Auth(1, bytes(16)),
    "Sync": messages.Sync(),
    "ReadEvent": messages.ReadEvent(0),
    "Provision": messages.Provision(1, bytes(range(32))),
    "StartTreatment": messages.StartTreatment(99),
    "Prepare": messages.Prepare(bytes(8), 1, 20_000, 1000, 1, 1, 6, 0),
    "PrepareSeries": messages.PrepareSeries(bytes(8), 1, 50_000, 1000, 5, 1, 6, 0, 10_000, 50, 0),
    "PrepareRun": messages.PrepareRun(bytes(8), 1, 10, 1000, 900, 6, 16, 100, 60),
    "PrepareDry": messages.PrepareDry(bytes(8), 1, 10, 1000, 900, 60),
    "PrepareHome": messages.PrepareHome(bytes(8), 1),
    "Commit": messages.Commit(bytes(8), bytes(4), bytes(4), 0),
    "Query": messages.Query(bytes(8), 1),
    "Ledger": messages.Ledger(1),
    "Ack": messages.Ack(1, "me"),
    "Strokes": messages.Strokes(0),
    "Log": messages.Log(1),
    "Update": messages.Update(),
    "Confirm": messages.Confirm(),
    "UpdateBegin": messages.UpdateBegin(1, bytes(32), 0),
    "UpdateWrite": messages.UpdateWrite(0, 0, 1, bytes(192)),
    "UpdateStage": messages.UpdateStage(),
    "Restart": messages.Restart(0),
    "Cartridge": messages.Cartridge(),
    "SetDate": messages.SetDate(9_600),
    "NewSyringe": messages.NewSyringe(),
    "SelfTest": messages.SelfTest(),
    "Settings": messages.Settings(),
    "Alarms": messages.Alarms(),
    "Calibrate": messages.Calibrate("me", 0, 0, 1_000_000),
}
OUTSIDE = {"Hello", "Stop", "Heartbeat"}
"""Outside the order of requests; tested by name."""


def test_every_request_is_in_the_table_of_roles() -> None:
    assert {cls.__name__ for cls in messages.REQUESTS} == set(EXAMPLES) | OUTSIDE


@pytest.mark.requirement("SR-33")
@pytest.mark.parametrize("name", EXAMPLES)
@pytest.mark.parametrize("key", [None, OPERATOR, SERVICE], ids=["observer", "operator", "service"])
def test_a_role_may_ask_what_the_schema_says_and_no_more(name: str, key: Key | None, here: Bench) -> None:
    here.keyed()
    stranger = Stranger(here.device)
    stranger.hello()
    if key:
        assert stranger.auth(key) == wire.S_OK
    message = EXAMPLES[name]
    reply = stranger.ask(message)
    allowed = messages.ROLES[messages.REQUESTS[type(message)][0]] <= (key.role if key else wire.ROLE_OBSERVER)
    assert (reply.status != wire.S_ROLE) == allowed


@pytest.mark.requirement("SR-33")
def test_a_stranger_stops_but_does_not_give(bench: Bench) -> None:
    bench.keyed()
    before = bench.plant()
    observer = bench.connect()
    for _ in range(2):
        with pytest.raises(AuthError, match=r"ROLE.*Next: open the device with an operator's key"):
            observer.dose(**DOSE)
    assert not observer.journal.open_doses(observer.uid), "what was refused is not uncertain"
    assert observer.stop().latches & wire.LATCH_STOPPED
    with pytest.raises(AuthError, match="ROLE"):
        observer.clear()
    assert bench.rest()["plunger_steps"] == before["plunger_steps"]


@pytest.mark.requirement("SR-33")
def test_an_operator_gives_and_service_provisions(bench: Bench) -> None:
    operator = bench.keyed()
    assert isinstance(operator.dose(**DOSE), Delivered)
    with pytest.raises(AuthError, match="ROLE"):
        operator.provision(SERVICE)
    new = Key.new("operator")
    bench.connect(SERVICE).provision(new)
    with pytest.raises(AuthError, match="AUTH_FAILED"):
        bench.connect(OPERATOR)
    assert isinstance(bench.connect(new).dose(**DOSE), Delivered)


# --- Tags ---------------------------------------------------------------------------------------------


def forged(data: bytes, change: Callable[[bytearray], None]) -> bytes:
    """A frame on the line, changed and framed anew with a right CRC; its tag stays."""
    reader = frame.Reader((wire.MAJOR,))
    reader.feed(bytearray(data), 0, len(data))
    body, n = reader.body, reader.length
    change(body)
    tag = bytes(body[n : n + frame.TAG])
    words = [body[i] | body[i + 1] << 8 for i in (2, 4, 6)]
    tagged = body[1] & frame.TAGGED
    return packing.encode(frame.REQUEST, *words, bytes(body[frame.HEADER : n]), (lambda _: tag) if tagged else None)


def flip(at: int) -> Callable[[bytearray], None]:
    def change(body: bytearray) -> None:
        body[at] ^= 1

    return change


def untag(body: bytearray) -> None:
    body[1] &= ~frame.TAGGED


@pytest.mark.requirement("SR-33")
@pytest.mark.parametrize(
    "change", [flip(frame.HEADER), flip(frame.HEADER + 1), flip(frame.HEADER + 2), untag], ids=["0", "1", "tag", "none"]
)
def test_an_altered_request_is_refused_and_does_not_use_its_number(
    change: Callable[[bytearray], None], here: Bench
) -> None:
    here.keyed()
    owner = Stranger(here.device)
    owner.hello()
    assert owner.auth(OPERATOR) == wire.S_OK
    seq, data = owner.connection.request(messages.StartTreatment(77))
    owner.send(forged(data, change))
    assert owner.connection.answer(seq).status == wire.S_BAD_TAG
    owner.send(data)
    reply = owner.connection.answer(seq)
    assert reply.status == wire.S_OK and reply.treatment == 77, "the true one, with the same number"


def test_a_query_with_a_wrong_tag_is_refused_too(here: Bench) -> None:
    here.keyed()
    owner = Stranger(here.device)
    owner.hello()
    assert owner.auth(OPERATOR) == wire.S_OK
    seq, _ = owner.connection.request(messages.Status())
    owner.send(packing.encode(frame.REQUEST, wire.STATUS, seq, owner.connection.session, b"", lambda _: bytes(8)))
    assert owner.connection.answer(seq).status == wire.S_BAD_TAG


def test_a_tag_is_for_one_request_of_one_session(here: Bench) -> None:
    here.keyed()
    owner = Stranger(here.device)
    owner.hello()
    assert owner.auth(OPERATOR) == wire.S_OK
    _, first = owner.connection.request(messages.StartTreatment(70))
    owner.send(first)

    def later(body: bytearray) -> None:
        body[4] += 1

    owner.send(forged(first, later))
    assert here.connect().hello.treatment == 70
    owner.hello()
    assert owner.auth(OPERATOR) == wire.S_OK
    session = owner.connection.session

    def moved(body: bytearray) -> None:
        body[6], body[7] = session & 255, session >> 8
        body[4] += 9

    assert owner.ask(messages.StartTreatment(71)).status == wire.S_OK
    owner.send(forged(first, moved))
    assert owner.ask(messages.Status()).treatment == 71


@pytest.mark.requirement("SR-33")
def test_a_strangers_query_uses_up_no_number(here: Bench) -> None:
    here.keyed()
    owner = Stranger(here.device)
    owner.hello()
    assert owner.auth(OPERATOR) == wire.S_OK
    for seq in (owner.connection._seq + 1, 0xFFFF):
        query = packing.encode(frame.REQUEST, wire.STATUS, seq, owner.connection.session, b"")
        owner.send(query)
    assert owner.ask(messages.StartTreatment(77)).treatment == 77
    assert owner.ask(messages.Status()).treatment == 77


def test_a_strangers_heartbeat_keeps_nothing_alive(here: Bench) -> None:
    operator = here.keyed()
    here.device.control("present", 0)
    connection: Any = operator._pump.connection
    true = connection.heartbeat
    beats: list[int] = []

    def untagged(dose_id: bytes) -> bytes:
        true(dose_id)
        beats.append(1)
        return typed.write_request(messages.Heartbeat(len(beats), connection._tick, dose_id), 0, connection.session)

    connection.heartbeat = untagged
    result = operator.dose(**DOSE)
    assert isinstance(result, NotDelivered) and result.reason == "link_lost"


def test_stop_needs_no_key(here: Bench) -> None:
    operator = here.keyed()
    operator.listen(after_flow(30_000, lambda: here.link(operator).write(STOP_BYTES)))
    result = operator.dose(**BIG)
    assert isinstance(result, Delivered) and result.reason == "stop"


# --- Keys ---------------------------------------------------------------------------------------------


def test_the_service_key_comes_first_and_no_key_is_zero(here: Bench) -> None:
    injector = here.connect()
    with pytest.raises(AuthError, match=r"NO_KEY.*service key first"):
        injector.provision(OPERATOR)
    with pytest.raises(Exception, match="RANGE"):
        injector.provision(Key(wire.ROLE_SERVICE, bytes(32)))
    assert not here.connect().hello.capabilities & wire.CAPABILITY_KEYED
    here.connect().provision(SERVICE)
    assert here.connect().hello.capabilities & wire.CAPABILITY_KEYED


def test_a_key_does_not_pass_the_line_of_a_session_without_one(here: Bench) -> None:
    here.keyed()
    observer = here.connect()
    sent: list[bytes] = []
    link: Any = observer.link
    link.write = sent.append
    with pytest.raises(AuthError, match="ROLE"):
        observer.provision(Key.new("operator"))
    assert sent == []


def test_keys_outlive_a_restart_and_are_never_told(here: Bench) -> None:
    here.keyed()
    here.device.control("reset")
    stranger = Stranger(here.device)
    stranger.hello()
    assert stranger.auth(SERVICE) == wire.S_OK
    fresh = Key(wire.ROLE_OPERATOR, bytes(range(50, 82)))
    sent: list[bytes] = []
    for role in (wire.ROLE_OPERATOR, wire.ROLE_SERVICE):
        seq, data = stranger.connection.request(messages.Provision(role, fresh.secret))
        sent.append(data)
        stranger.send(data)
        assert stranger.connection.answer(seq).status == wire.S_OK
    for name, message in EXAMPLES.items():
        if name not in ("Auth", "Provision"):
            stranger.ask(message)
    for key in (OPERATOR, SERVICE, fresh):
        for at in range(0, 32, 8):
            assert key.secret[at : at + 8] not in stranger.seen
            assert not any(key.secret[at : at + 8] in data for data in sent), "covered on the line"
    pads = [bytes(a ^ b for a, b in zip(sent[0][12:44], sent[1][12:44], strict=True))]
    assert any(pads[0]), "two keys under one pad would tell each other"
    assert isinstance(here.connect(fresh), Injector)


@pytest.mark.requirement("SR-34")
@pytest.mark.parametrize("copies", [(0,), (1,), (0, 1)])
def test_damaged_keys_let_nobody_in(copies: tuple[int, ...], here: Bench) -> None:
    here.keyed()
    for copy in copies:
        world(here)._fram[26880 + 128 * copy + 20] ^= 4
    here.device.control("reset")
    with pytest.raises(AuthError, match="KEYS_DAMAGED"):
        here.connect(SERVICE)
    observer = here.connect()
    with pytest.raises(AuthError, match="ROLE"):
        observer.dose(**DOSE)


@pytest.mark.parametrize("copy", [0, 1])
def test_one_damaged_copy_does_not_open_a_device_with_one_key(copy: int, here: Bench) -> None:
    here.ready().provision(SERVICE)
    world(here)._fram[26880 + 128 * copy + 20] ^= 4
    here.device.control("reset")
    assert here.connect().hello.capabilities & wire.CAPABILITY_KEYED


@pytest.mark.parametrize("written", [0, 1])
def test_a_key_that_could_not_be_written_is_as_the_memory_has_it(written: int, here: Bench) -> None:
    here.keyed()
    service = here.connect(SERVICE)
    store = world(here).board.store
    write = store.write
    left = [written]

    def failing(at: int, buf: bytearray, n: int) -> None:
        if at >= 26880:
            left[0] -= 1
        if at < 26880 or left[0] >= 0:
            write(at, buf, n)

    new = Key(wire.ROLE_SERVICE, bytes(range(7, 39)))
    store.write = failing
    with pytest.raises(Exception, match="STORE_FAILED"):
        service.provision(new)
    store.write = write
    for _ in range(2):
        assert here.connect(new if written else SERVICE).status().status == wire.S_OK
        here.device.control("reset")


def test_session_numbers_begin_anew_with_one(here: Bench) -> None:
    here.connect()
    world(here).app._ledger.session = 0xFFFE
    assert [here.connect().hello.session for _ in range(3)] == [0xFFFF, 1, 2]


def test_sessions_rise_across_restarts(here: Bench) -> None:
    numbers = []
    for _ in range(3):
        numbers += [here.connect().hello.session for _ in range(2)]
        here.device.control("reset")
    assert numbers == sorted(set(numbers))
