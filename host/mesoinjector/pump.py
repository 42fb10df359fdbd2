"""Moves bytes between a link and a connection. Whoever waits, pumps; others queue, first come first served.

On a port a thread of the driver's own waits as well, between all calls: events are told when they come, and a line
that breaks is told at once. In virtual time there is none: no time passes between two calls. Every wait has a deadline;
on a port it is a read of at most 50 ms at a time.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import weakref
from collections import deque
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from mesoinjector import clock, connection, errors, logs
from mesoinjector.links import Link
from mesoinjector.waiting import waiting
from mesoprotocol import limits, messages, packing, stream

TRIES = 4
"""Times that a request is sent with the same seq before the line counts as dead."""
SHORTEST_TIMEOUT_US = 100_000
ATTEND_US = 1_000_000
"""How long the driver's own thread waits at a time; a pump that nobody holds any more is let go then."""


@dataclass(frozen=True, slots=True)
class LineLost:
    """Told to listeners once the line has broken while nobody waited: `reason` says how, and what to do next."""

    reason: str


class FairLock:
    """A lock that waiters get in the order they came: no thread's long wait starves another's STOP.

    A thread that has it already gets it: Ctrl-C may have come between two lines of `__exit__`.
    """

    def __init__(self) -> None:
        self._mutex = threading.Lock()
        self._queue: deque[tuple[threading.Event, int]] = deque()
        self._owner = 0

    def __enter__(self) -> None:
        self.enter(lambda: None)

    def enter(self, meanwhile: Callable[[], object]) -> None:
        """Take it. `meanwhile` is done once this thread has it, or stands in the queue for it."""
        me = threading.get_ident()
        turn = None
        try:
            with self._mutex:
                if not self._owner or self._owner == me:
                    self._owner = me
                else:
                    turn = threading.Event()
                    self._queue.append((turn, me))
            meanwhile()
            if turn is not None:
                waiting.for_turn(turn)
        except BaseException:
            # interrupted while queued: leave the queue, or pass the turn on if it has just come
            with self._mutex:
                if turn is not None and (turn, me) in self._queue:
                    self._queue.remove((turn, me))
                    raise
            self.__exit__()
            raise

    def mine(self) -> bool:
        """Whether this thread holds it."""
        return self._owner == threading.get_ident()

    def is_wanted(self) -> bool:
        """Whether another thread waits for it."""
        return bool(self._queue)

    def __exit__(self, *_: object) -> None:
        with self._mutex:
            if not self.mine():
                return
            self._owner = 0
            if self._queue:
                turn, self._owner = self._queue.popleft()
                turn.set()


class Pump:
    """One link and one connection. Safe to use from many threads."""

    def __init__(self, link: Link) -> None:
        self.link = link
        self.connection: connection.Connection = connection.Connection()
        self._step = FairLock()
        self._request = FairLock()
        self._beating_for = b""
        self._beater = 0
        """The thread that waits for a dose: it alone sends heartbeats."""
        self._beat_at = 0
        self._sync_at = 0
        self._listeners: list[Callable[[Any], None]] = []
        self._telling = threading.Lock()
        self._attendant: threading.Thread | None = None
        self._is_over = False
        self.is_closed: bool = False

    def attend(self) -> None:
        """From here on a thread waits when nobody else does, until `leave`, or the line breaks."""
        self._is_over = False
        self._attendant = threading.Thread(target=_attend, args=(weakref.ref(self),), name="mesoinjector", daemon=True)
        self._attendant.start()

    def leave(self) -> None:
        """End that thread. Idempotent."""
        self._is_over = True
        self.recover()
        attendant, self._attendant = self._attendant, None
        if attendant is not None and attendant is not threading.current_thread():
            attendant.join()

    def recover(self) -> None:
        """Let go of what this thread still holds: it was interrupted."""
        self._step.__exit__()
        self._request.__exit__()

    def close(self) -> None:
        """Close the link, while nobody reads from it; who still waits gets a `LinkLost`. Idempotent."""
        self.leave()
        self.is_closed = True
        with self._step:
            self.link.close()

    def refuse_if_closed(self) -> None:
        """Raises `LinkLost` once it is closed."""
        if self.is_closed:
            raise errors.LinkLost(f"{self.link.url} was closed by this program. Next: open it again.")

    def turn(self) -> bool:
        """One turn of that thread; whether there is another."""
        if self._attendant is not threading.current_thread():
            return False
        if not self._is_over:
            try:
                self.until(self.link.now_us() + ATTEND_US, lambda: self._is_over)
            except errors.LinkError as error:
                if not self._is_over:
                    self._is_over = True
                    logs.note(logging.WARNING, "line lost", url=self.link.url, reason=str(error))
                    self.connection.add_event(LineLost(str(error)))
                    self._tell()
        return not self._is_over

    def listen(self, listener: Callable[[Any], None]) -> Callable[[], None]:
        """Call `listener(event)` for each event and sample, in the thread that happens to pump.

        Returns what ends it.
        """
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    @contextmanager
    def beating(self, dose_id: bytes) -> Generator[None]:
        """Within this block this thread sends the heartbeats of a dose, as long as it waits."""
        self._beating_for, self._beater, self._beat_at = dose_id, threading.get_ident(), self.link.now_us()
        try:
            yield
        finally:
            self._beating_for = b""

    @property
    def is_beating(self) -> bool:
        """Whether somebody waits for a dose."""
        return bool(self._beating_for)

    @contextmanager
    def alone(self) -> Generator[None]:
        """Within this block no other thread makes a request."""
        with self._request:
            yield

    def send(self, data: bytes) -> None:
        """Write bytes at once."""
        self.link.write(data)

    def send_stop(self) -> None:
        """STOP, at once."""
        self.link.write(connection.STOP_BYTES)
        logs.note(logging.WARNING, "STOP", url=self.link.url)

    def until(self, deadline_us: int, ready: Callable[[], bool]) -> bool:
        """Pump until `ready()` or the deadline; whether it became ready. Tells the listeners as it goes."""
        link, step, connection = self.link, self._step, self.connection
        while True:
            with step:
                while True:
                    self.refuse_if_closed()
                    now_us = link.now_us()
                    done = ready()
                    if done or now_us >= deadline_us:
                        break
                    data = link.read(self._beat(now_us, deadline_us))
                    now_us = link.now_us()
                    if data:
                        connection.receive(data, now_us)
                    if step.is_wanted() or connection.events or connection.missing or self._is_sync_due(now_us):
                        done = ready()
                        break
            self._tell()
            if done or now_us >= deadline_us:
                return done

    def _beat(self, now_us: int, deadline_us: int) -> int:
        """Send a heartbeat if this thread's is due; how long may be waited before the next."""
        if not self._beating_for:
            return deadline_us
        if now_us >= self._beat_at:
            if self._beater != threading.get_ident():
                return deadline_us  # whoever is to send it does not wait: nobody does in his place
            self.link.write(self.connection.heartbeat(self._beating_for))
            self._beat_at = now_us + limits.HEARTBEAT_PERIOD_MS * 1000
        return self._beat_at if self._beat_at < deadline_us else deadline_us

    def _is_sync_due(self, now_us: int) -> bool:
        return bool(self._beating_for) and now_us >= self._sync_at

    def request(self, message: Any) -> Any:
        """Send a request until it is answered; the answer.

        The same bytes go out again after a time-out: the device answers a repeat from its cache. Raises
        `DeviceError` if it is refused, `ReplyTimeout` if nothing answers, `LinkLost`.
        """
        name = type(message).__name__
        with self._request:
            seq, data = self.connection.request(message)
            answers: list[Any] = []

            def arrived() -> bool:
                answer = self.connection.answer(seq)
                if answer is not None:
                    answers.append(answer)
                return bool(answers)

            timeout_us = max(messages.TIMEOUT_MS[messages.REQUESTS[type(message)][0]] * 1000, SHORTEST_TIMEOUT_US)
            for _ in range(TRIES):
                asked_us = self.link.now_us()
                # first in the queue, then sent: another thread that reads the answer passes the line on at once
                self._step.enter(lambda: self.send(data))
                if self.until(asked_us + timeout_us, arrived):
                    answer = answers[0]
                    took_us = self.link.now_us() - asked_us
                    logs.note(logging.DEBUG, "request", message=name, seq=seq, status=answer.status, took_us=took_us)
                    if answer.status:
                        raise errors.refusal(answer.status, name)
                    return answer
                logs.note(logging.WARNING, "no answer", message=name, seq=seq, waited_us=timeout_us)
        fallen = errors.not_running(self.link.url, self.connection.tail)
        raise errors.ReplyTimeout(
            str(fallen)
            if fallen
            else f"{self.link.url}: no answer to {name} after {TRIES} tries. Next: check the cable and the handpiece, "
            "then open the device again: doses that were under way are asked for by their ids."
        )

    def sync(self) -> None:
        """Ask the device for its time."""
        sent_us = self.link.now_us()
        self._sync_at = sent_us + clock.PROBE_US
        reply: messages.SyncReply = self.request(messages.Sync())
        self.connection.clock.probe(sent_us, reply.time, self.link.now_us())

    def fetch_missing(self) -> None:
        """Ask for events that did not come. What the device does not keep any more is counted as lost."""
        connection = self.connection
        while True:
            try:
                index = connection.missing.popleft()
            except IndexError:
                return  # another thread has asked for the last one
            with contextlib.suppress(errors.DeviceError, errors.ReplyTimeout, packing.Malformed):
                reply: messages.ReadEventReply = self.request(messages.ReadEvent(index))
                event = stream.read_event(reply.msg_id, reply.payload)
                if event is not None:
                    connection.add_event(event)
                    continue
            connection.events_lost += 1

    def _tell(self) -> None:
        """Between requests: ask for what was missed and for the time, and hand events to the listeners."""
        if self._request.mine():
            return
        if self.connection.missing:
            self.fetch_missing()
        if self._is_sync_due(self.link.now_us()):
            with contextlib.suppress(errors.ReplyTimeout):
                self.sync()
        if not self._telling.acquire(blocking=False):
            return  # another thread tells, and takes what has come meanwhile
        try:
            while self.connection.events:
                event = self.connection.events.popleft()
                if not isinstance(event, LineLost | messages.Telemetry | messages.StrokeRecordsEvent):
                    logs.note(logging.INFO, type(event).__name__, **event._asdict())
                for listener in tuple(self._listeners):
                    try:
                        listener(event)
                    except Exception:  # what is shown of a dose must not end it
                        logs.LOGGER.exception("a listener failed; the device goes on")
        finally:
            self._telling.release()


def _attend(reference: weakref.ref[Pump]) -> None:
    while True:
        pump = reference()
        if pump is None or not pump.turn():
            return
        del pump
