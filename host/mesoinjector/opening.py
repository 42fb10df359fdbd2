"""Opening a session: HELLO, AUTH, what may be wrong with whoever answers; and setting the keys that AUTH proves."""

from __future__ import annotations

import logging
from typing import Any

from mesoinjector import errors, logs
from mesoinjector.keys import Key
from mesoinjector.pump import Pump
from mesoinjector.recorder import RecordingLink
from mesoinjector.replay import ReplayLink
from mesoprotocol import limits, messages, wire

CLIENT = "mesoinjector 0.1"
ASKS_PROMPT = b"\r\x03"
"""What a board that starts takes for a wish for MicroPython's prompt: it may be what HELLO wakes."""
AGAIN_US = 600_000
"""After this time HELLO is sent again; the same nonce gets the same answer."""
SILENT_US = 3_000_000
"""Wait for an answer from something that has sent no frame yet."""
BUSY_US = 15_000_000
"""Wait while the device ends a dose first: dispensing, settling (5 s) and coming to rest (5 s)."""


def reopen(pump: Pump, key: Key | None, until_us: int) -> messages.HelloReply:
    """Open line and session anew, as soon as the device is there and has started; tried until then.

    Raises what `open_session` does.
    """
    while True:
        begun_us = pump.link.now_us()
        pump.link.reopen(until_us)
        try:
            return open_session(pump, key, until_us)
        except errors.LinkLost:
            # where no time passes a simulated device has died
            if not begun_us < pump.link.now_us() < until_us:
                raise


def open_session(pump: Pump, key: Key | None, until_us: int = 0) -> messages.HelloReply:
    """Open a session: whose it is, its limits, version and keys are checked. Moves nothing; ends what was under way.

    Without a key the session of a device that has keys is an observer's, and ends nothing. The answer to HELLO
    comes back with what AUTH has brought up to date. Silence is waited for until `until_us`, which may be a device
    that starts. Raises `DeviceNotFound`, `FirmwareNotRunning`,
    `VersionMismatch`, `AuthError`, `LinkLost`.
    """
    with pump.alone():
        hello = _greet(pump, until_us)
        if key is not None:
            hello = _authenticate(pump, hello, key)
    events: messages.ReadEventReply = pump.request(messages.ReadEvent(0))
    pump.connection.begin_events(events.newest)
    pump.sync()
    logs.note(logging.INFO, "session", url=pump.link.url, **hello._asdict())
    return hello


def provision(pump: Pump, hello: messages.HelloReply, mine: Key | None, key: Key) -> None:
    """Set the key of a role, unless it would be seen by somebody. Raises `AuthError`, `RecordingError`."""
    keyed = hello.capabilities & wire.CAPABILITY_KEYED
    if keyed and mine is None:
        # without a session key nothing covers it: it would pass the line only to be refused
        raise errors.refusal(wire.S_ROLE, "Provision")
    if not keyed and isinstance(pump.link, RecordingLink | ReplayLink):
        raise errors.RecordingError(
            "a device's first keys have no place in a recording. Next: provision it on a line that is not recorded."
        )
    pump.request(messages.Provision(key.role, key.secret))


def _authenticate(pump: Pump, hello: messages.HelloReply, key: Key) -> messages.HelloReply:
    connection = pump.connection
    if not hello.capabilities & wire.CAPABILITY_KEYED:
        raise errors.AuthError(
            f"{pump.link.url} has no keys, so a key proves nothing to it. Next: provision it, or open it without a key."
        )
    seq, data = connection.request(connection.auth(key))
    deadline = pump.link.now_us() + BUSY_US
    answers: list[Any] = []

    def arrived() -> bool:
        answer = connection.answer(seq)
        if answer is not None:
            answers.append(answer)
        return bool(answers)

    while not answers:
        if pump.link.now_us() >= deadline:
            raise errors.ReplyTimeout(f"{pump.link.url}: no answer to Auth. Next: check the cable, then open it again.")
        pump.send(data)
        pump.until(min(deadline, pump.link.now_us() + AGAIN_US), arrived)
    reply = answers[0]
    if reply.status:
        raise errors.refusal(reply.status, "Auth")
    if not connection.accept(key, reply):
        raise errors.AuthError(
            f"{pump.link.url} cannot prove that it has this key: it is not the device it says it is. Next: do not use "
            "it; check cable and device."
        )
    return hello._replace(
        state=reply.state,
        next_n=reply.next_n,
        latches=reply.latches,
        stop_count=reply.stop_count,
        treatment=reply.treatment,
    )


def _greet(pump: Pump, until_us: int) -> messages.HelloReply:
    """HELLO until it is answered, and whether its answer can be worked with."""
    link = pump.link
    connection = pump.connection
    data = connection.greet(link.token(8), CLIENT)
    while ASKS_PROMPT in data:
        data = connection.greet(link.token(8), CLIENT)
    start = link.now_us()
    while connection.hello is None:
        pump.send(data)
        try:
            pump.until(link.now_us() + AGAIN_US, lambda: connection.hello is not None)
        except errors.LinkLost:
            if connection.tail.startswith("busy:"):
                raise errors.PortBusy(
                    f"{link.url} says: {connection.tail.splitlines()[0]}. Next: close that one."
                ) from None
            raise
        now_us = link.now_us()
        is_late = now_us - start > (BUSY_US if connection.frames else SILENT_US)
        may_start = now_us < until_us and errors.not_running(link.url, connection.tail) is None
        if is_late and not may_start and connection.hello is None:
            raise no_answer(link.url, connection.tail, connection.frames > 0)
    hello: messages.HelloReply = connection.hello
    wrong = mismatch(link.url, hello)
    if wrong is not None:
        raise wrong
    return hello


def mismatch(url: str, hello: messages.HelloReply) -> errors.VersionMismatch | None:
    """What keeps this host and the device apart, and which side to update; None if they fit."""
    if not hello.major_min <= wire.MAJOR <= hello.major_max:
        theirs = f"{hello.major_min} to {hello.major_max}" if hello.major_min != hello.major_max else hello.major_max
        newer = hello.major_min > wire.MAJOR
        side = "this host: pip install -U mesoinjector" if newer else "the device's firmware"
        return errors.VersionMismatch(
            f"{url} speaks protocol version {theirs}, this host version {wire.MAJOR}. Next: update {side}."
        )
    if hello.limits_crc != limits.fingerprint():
        return errors.VersionMismatch(
            f"{url} (firmware {hello.firmware}) enforces other limits than this host knows. Next: bring "
            "firmware and host to the same release."
        )
    return None


def no_answer(url: str, tail: str, has_frames: bool = False) -> errors.MesoError:
    """The error for silence, and for what else came, if none of it was a frame."""
    fallen = errors.not_running(url, tail)
    if fallen:
        return fallen
    said = f"; it sent {tail[:60]!r}" if tail and not has_frames else ""
    return errors.DeviceNotFound(
        f"{url}: what is connected there does not answer as a mesoinjector{said}. Next: check that it is the "
        "right port."
    )
