"""Who answers on a line, asked without a session: nothing moves, nothing ends, nobody's session does.

HELLO offers no version at all. A device refuses it (VERSION) and still says who it is; while a dose is in hand it keeps
silent, but answers any request of no session with NO_SESSION and its state. What is sent spares whoever has another
MicroPython board there: it holds no Ctrl-C, Ctrl-D or Ctrl-E.
"""

from __future__ import annotations

from typing import NamedTuple

from mesoinjector import errors, opening
from mesoinjector.links import Link
from mesoprotocol import frame, messages, stream, typed, wire

SILENT_US = 3 * opening.AGAIN_US
"""Something that has not answered in this time is no mesoinjector, or its firmware does not run."""
KEPT = 2000
"""Bytes of what was heard that are kept, of its begin and of its end: a traceback or a prompt shows in them. A prompt
writes its line anew for each byte that it takes of the question, and shows at the begin alone."""
SPARED = frozenset(b"\x03\x04\x05")
"""What a MicroPython prompt takes for interrupt, restart and paste."""


class Answer(NamedTuple):
    """What a device says of itself to a stranger."""

    state: str
    """One of the schema's states, in lower case."""
    hello: messages.HelloReply | None
    """Who it is; None while a dose is in hand. What changes in it (latches, next_n) is not of now."""

    @property
    def uid(self) -> str | None:
        """The device's id, where it has said so."""
        return None if self.hello is None else self.hello.uid.hex()


def ask(link: Link, patience_us: int = 0) -> Answer:
    """Ask who is there, at most for SILENT_US; for `patience_us` more if a dose has to end first.

    Raises `FirmwareNotRunning` for a prompt or a traceback, `DeviceNotFound` for anything else, `LinkLost`.
    """
    nonce, question = write_question(link)
    decoder = stream.Decoder()
    begin, heard, state = b"", b"", None
    start_us = link.now_us()
    while True:
        link.write(question)
        again_us = link.now_us() + opening.AGAIN_US
        while link.now_us() < again_us:
            data = link.read(again_us)
            begin, heard = (begin + data)[:KEPT], (heard + data)[-KEPT:]
            for received in decoder.feed(data):
                message = received.message
                if isinstance(message, messages.HelloReply) and message.nonce == nonce:
                    return Answer(_name(message.state), message)
                if _is_to_a_stranger(received):
                    state = message.state
            if state not in (None, wire.STATE_IDLE) and link.now_us() - start_us >= patience_us:
                return Answer(_name(state), None)
        if link.now_us() - start_us >= SILENT_US + (patience_us if state is not None else 0):
            wrong = errors.not_running(link.url, begin.decode("utf-8", "replace"))
            raise wrong or opening.no_answer(link.url, heard.decode("utf-8", "replace"))


def write_question(link: Link) -> tuple[bytes, bytes]:
    """A fresh nonce, and the bytes that ask with it."""
    while True:
        nonce = link.token(8)
        hello = typed.write_request(messages.Hello(nonce, 0, 0, opening.CLIENT), 0, 0)
        stranger = typed.write_request(messages.ReadEvent(int.from_bytes(link.token(2))), 0, 0)
        if not SPARED.intersection(hello + stranger):
            return nonce, b"\0\0" + hello + stranger


def _is_to_a_stranger(received: typed.Frame) -> bool:
    message = received.message
    return (
        received.kind == frame.REPLY
        and received.session == 0
        and isinstance(message, typed.Refusal)
        and message.status == wire.S_NO_SESSION
    )


def _name(state: int) -> str:
    return messages.STATE_NAMES.get(state, str(state)).lower()


def judge(url: str, answer: Answer) -> errors.VersionMismatch | None:
    """Whether this host can work with who answered, as `open` would say it."""
    return None if answer.hello is None else opening.mismatch(url, answer.hello)
