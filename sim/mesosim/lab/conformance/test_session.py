"""Opening, identity, who is answered, and that none of it moves anything."""

from __future__ import annotations

import pytest

from mesoinjector import Injector
from mesoinjector.connection import Connection
from mesoinjector.links import Link
from mesoprotocol import limits, messages, typed, wire
from mesosim.lab.conformance.host import Host

ANSWER_US = 1_000_000


def hello(link: Link, nonce: bytes, major: int = wire.MAJOR) -> messages.HelloReply:
    """The answer to HELLO alone."""
    connection = Connection()
    connection.greet(nonce, "conformance")
    link.write(b"\0\0" + typed.write_request(messages.Hello(nonce, major, major, "conformance"), 0, 0))
    deadline = link.now_us() + ANSWER_US
    while connection.hello is None and link.now_us() < deadline:
        connection.receive(link.read(deadline), link.now_us())
    assert connection.hello is not None, "HELLO is not answered"
    return connection.hello


def test_hello_says_who_it_is(injector: Injector) -> None:
    """Protocol, limits, identity, a session, random bytes of its own."""
    said = injector.hello
    assert said.major_min <= wire.MAJOR <= said.major_max
    assert said.limits_crc == limits.fingerprint()
    assert said.session != 0 and any(said.uid) and any(said.boot_id) and any(said.device_nonce)
    assert said.firmware and said.implementation
    assert said.next_n >= 1


def test_hello_repeated_is_answered_alike_and_anew_otherwise(link: Link) -> None:
    """The same nonce is the same opening."""
    first = hello(link, b"nonce--1")
    again = hello(link, b"nonce--1")
    assert (again.session, again.device_nonce) == (first.session, first.device_nonce)
    other = hello(link, b"nonce--2")
    assert other.session != first.session and other.device_nonce != first.device_nonce
    assert (other.uid, other.boot_id) == (first.uid, first.boot_id)


def test_an_unknown_version_is_refused_with_those_that_are_known(link: Link) -> None:
    """Nothing else is in such an answer."""
    said = hello(link, b"nonce--3", major=200)
    assert said.status == wire.S_VERSION and said.session == 0
    assert said.major_min <= said.major_max < 200


@pytest.mark.requirement("SR-27")
def test_opening_and_asking_moves_nothing(injector: Injector) -> None:
    """The ledger, the state and the treatment's totals are as before."""
    before = injector.status()
    injector.strokes(0)
    for n in range(max(1, before.next_n - 3), before.next_n):
        assert injector.ledger(n).n == n
    injector.wait(1.0)
    after = injector.status()
    assert (after.state, after.next_n, after.counted_nl) == (before.state, before.next_n, before.counted_nl)
    assert after.time > before.time


@pytest.mark.requirement("SR-28")
def test_a_request_in_another_session_does_nothing(host: Host) -> None:
    """A number that was never given."""
    before = host.injector.status()
    other = host.injector.hello.session ^ 0x155
    host.raw(typed.write_request(messages.StartTreatment(before.treatment + 1), 1, other))
    host.injector.wait(0.3)
    assert host.injector.status().treatment == before.treatment


@pytest.mark.parametrize(
    "data",
    [b"\0", b"\0" * 40, bytes(range(256)), b"\x03\x04" * 100, b"help()\r\n", b"\xff" * 2_000, b"\0\x01\0\x02\0\x03\0"],
    ids=["zero", "zeros", "all bytes", "ctrl-c", "prompt", "long", "short frames"],
)
def test_garbage_is_skipped(host: Host, data: bytes) -> None:
    """What follows is answered."""
    host.raw(data + b"\0")
    assert host.state == wire.STATE_IDLE
