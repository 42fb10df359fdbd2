"""Moves bytes between a link and a connection. Whoever waits, pumps; others queue, first come first served.

There is no I/O thread: in virtual time waiting is a call that advances the simulator, and on a port it is a
read of at most 50 ms. Every wait has a deadline.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Any

from mesoinjector import connection, errors
from mesoinjector.links import Link
from mesoprotocol import messages

TRIES = 4
"""Times that a request is sent with the same seq before the line counts as dead."""
SHORTEST_TIMEOUT_US = 100_000


class FairLock:
    """A lock that waiters get in the order they came: no thread's long wait starves another's STOP."""

    def __init__(self) -> None:
        self._mutex = threading.Lock()
        self._queue: deque[threading.Event] = deque()
        self._held = False

    def __enter__(self) -> None:
        with self._mutex:
            if not self._held:
                self._held = True
                return
            turn = threading.Event()
            self._queue.append(turn)
        turn.wait()

    def __exit__(self, *_: object) -> None:
        with self._mutex:
            if self._queue:
                self._queue.popleft().set()
            else:
                self._held = False


class Pump:
    """One link and one connection. Safe to use from many threads."""

    def __init__(self, link: Link) -> None:
        self.link = link
        self.connection = connection.Connection()
        self._step = FairLock()
        self._request = FairLock()
        self._listeners: list[Callable[[Any], None]] = []

    def listen(self, listener: Callable[[Any], None]) -> Callable[[], None]:
        """Call `listener(event)` for each event and sample, in the thread that happens to pump.

        Returns what ends it.
        """
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def send(self, data: bytes) -> None:
        """Write bytes at once."""
        self.link.write(data)

    def until(self, deadline_us: int, ready: Callable[[], bool]) -> bool:
        """Pump until `ready()` or the deadline; whether it became ready."""
        while not ready():
            if self.link.now_us() >= deadline_us:
                return False
            with self._step:
                if ready():
                    break
                data = self.link.read(deadline_us)
                if data:
                    self.connection.receive(data, self.link.now_us())
            self._tell()
        return True

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
                self.send(data)
                if self.until(self.link.now_us() + timeout_us, arrived):
                    answer = answers[0]
                    if answer.status:
                        raise errors.refusal(answer.status, name)
                    return answer
        raise errors.ReplyTimeout(
            f"{self.link.url}: no answer to {name} after {TRIES} tries. Next: check the cable and the handpiece, "
            "then open the device again: doses that were under way are asked for by their ids."
        )

    def _tell(self) -> None:
        while self.connection.events:
            try:
                event = self.connection.events.popleft()
            except IndexError:
                return
            for listener in self._listeners:
                listener(event)
