"""Lines in wall time: what is written arrives, what arrives is read, and a line that is gone says so."""

from __future__ import annotations

import os
import socket
import tty
from collections.abc import Callable, Iterator

import pytest

from mesoinjector.errors import LinkLost
from mesoinjector.links import Link, open_link

WAIT_US = 1_000_000
Ends = tuple[Link, Callable[[int], bytes], Callable[[bytes], object], Callable[[], None]]


def read(link: Link, deadline_us: int) -> bytes:
    """As the pump does: a read may return early."""
    while link.now_us() < deadline_us:
        data = link.read(deadline_us)
        if data:
            return data
    return b""


@pytest.fixture(params=["pty", "socket"])
def ends(request: pytest.FixtureRequest) -> Iterator[Ends]:
    """A link, and how the other end receives, sends and goes away."""
    if request.param == "pty":
        master, slave = os.openpty()
        tty.setraw(slave)
        link = open_link(os.ttyname(slave))
        os.close(slave)
        ends = [master]
        yield link, lambda n: os.read(master, n), lambda data: os.write(master, data), lambda: os.close(ends.pop())
        for end in ends:
            os.close(end)
    else:
        with socket.create_server(("127.0.0.1", 0)) as server:
            link = open_link(f"socket://127.0.0.1:{server.getsockname()[1]}")
            peer, _ = server.accept()
        with peer:
            yield link, peer.recv, peer.sendall, peer.close
    link.close()


def test_bytes_pass_both_ways(ends: Ends) -> None:
    link, receive, send, _ = ends
    link.write(b"\0out\0")
    assert receive(99) == b"\0out\0"
    send(b"\0in\0")
    assert read(link, link.now_us() + WAIT_US) == b"\0in\0"


def test_silence_ends_at_the_deadline(ends: Ends) -> None:
    link, *_ = ends
    deadline_us = link.now_us() + 2000
    assert read(link, deadline_us) == b""
    assert deadline_us <= link.now_us() < deadline_us + WAIT_US


def test_the_other_end_going_away_is_said(ends: Ends) -> None:
    link, _, _, go = ends
    go()
    with pytest.raises(LinkLost, match="Next"):
        read(link, link.now_us() + WAIT_US)


def test_a_closed_line_is_lost(ends: Ends) -> None:
    link, *_ = ends
    link.close()
    link.close()
    with pytest.raises(LinkLost):
        link.write(b"x")
    with pytest.raises(LinkLost):
        link.read(link.now_us() + WAIT_US)


def test_a_line_without_a_descriptor() -> None:
    link = open_link("loop://")
    link.write(b"again")
    assert read(link, link.now_us() + WAIT_US) == b"again"
    link.close()
