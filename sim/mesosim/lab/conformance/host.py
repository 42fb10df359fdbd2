"""A host that says what it likes: requests round the driver's own checks, answers as they come."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest

from mesoinjector import Injector
from mesoinjector.connection import STOP_BYTES
from mesoprotocol import frame, limits, messages, packing, wire

CHEEK = 6
"""A zone in which everything here is allowed."""
SIMULATED = b"MSIM"
"""How the identity of a simulated device begins: it has a hand of its own."""
ANSWER_US = 2_000_000
END_S = 45.0
"""Longer than any dose here lasts, ARMED's 30 s included."""
BETWEEN_S = 0.05


class Host:
    """One session on a device."""

    def __init__(self, injector: Injector, config: pytest.Config) -> None:
        self.injector = injector
        self._config = config
        self.outcomes: list[messages.OutcomeEvent] = []
        injector.listen(self._take)

    def ask(self, request: Any) -> Any:
        """The answer. Raises `DeviceError` if it is refused."""
        return self.injector._pump.request(request)

    def refusal(self, request: Any, **wrong: int) -> str:
        """The name of the status with which a request is refused; "OK" if it is not.

        wrong: values to put in their places on the wire, which the schema may not allow.
        """
        pump, connection = self.injector._pump, self.injector._pump.connection
        seq, data = connection.request(request)
        if wrong:
            msg_id, fields = messages.REQUESTS[type(request)]
            anything = tuple((kind, n, 0, (1 << 8 * n) - 1) for kind, n, *_ in fields)
            payload = packing.Layout(anything).pack(request._replace(**wrong))
            tagger = connection._tag if connection._key else None
            data = packing.encode(frame.REQUEST, msg_id, seq, connection.session, payload, tagger)
        answers: list[Any] = []

        def answered() -> bool:
            answer = connection.answer(seq)
            if answer is not None:
                answers.append(answer)
            return bool(answers)

        pump.send(data)
        assert pump.until(self.injector.link.now_us() + ANSWER_US, answered), "no answer"
        return messages.STATUS_NAMES[answers[0].status]

    @property
    def state(self) -> int:
        """Where the device stands."""
        return self.injector.status().state

    def stop(self) -> None:
        """STOP, sent once, unanswered for."""
        self.injector._pump.send(STOP_BYTES)

    def raw(self, data: bytes) -> None:
        """Bytes, as they are."""
        self.injector._pump.send(data)

    def dose_id(self) -> bytes:
        """A new one."""
        return secrets.token_bytes(8)

    def run(self, dose_id: bytes) -> messages.PrepareRun:
        """PREPARE_RUN of a small run."""
        n = self.injector.status().next_n
        return messages.PrepareRun(dose_id, n, 30, 500, 900, CHEEK, 16, 40, 60)

    def prime(self, dose_id: bytes) -> messages.Prepare:
        """PREPARE of a small prime."""
        n = self.injector.status().next_n
        return messages.Prepare(dose_id, n, 60_000, 0, wire.MODE_PRIME, 1, 0, 0)

    def dose(self, dose_id: bytes) -> messages.Prepare:
        """PREPARE of the smallest dose."""
        n = self.injector.status().next_n
        return messages.Prepare(dose_id, n, limits.DOSE_MIN_NL, 1_000, wire.MODE_SINGLE, 1, CHEEK, 0)

    def commit(self, dose_id: bytes, plan_crc: bytes, late_ms: int = 2_000) -> messages.Commit:
        """COMMIT that is void `late_ms` from now."""
        link, connection = self.injector.link, self.injector._pump.connection
        tick = connection.device_tick(link.now_us()) + late_ms * 1000
        return messages.Commit(dose_id, plan_crc, self.injector.hello.boot_id, tick & 0x3FFFFFFF)

    def arm(self, dose_id: bytes) -> messages.CommitReply:
        """A small run, prepared and committed; no heartbeats follow unless `beating`."""
        plan = self.ask(self.run(dose_id))
        reply: messages.CommitReply = self.ask(self.commit(dose_id, plan.plan_crc))
        return reply

    def beating(self, dose_id: bytes) -> AbstractContextManager[None]:
        """Within this block heartbeats are sent."""
        return self.injector._pump.beating(dose_id)

    def until(self, seen: Callable[[], bool], seconds: float = END_S) -> bool:
        """Ask and listen until `seen()`; whether it was seen in that time of the link's clock."""
        link = self.injector.link
        deadline = link.now_us() + round(seconds * 1e6)
        while not seen():
            if link.now_us() >= deadline:
                return False
            self.injector.wait(BETWEEN_S)
        return True

    def outcome(self, dose_id: bytes, n: int) -> messages.OutcomeReply:
        """What became of a dose, once that is final."""
        found: list[messages.OutcomeReply] = []

        def final() -> bool:
            reply = self.ask(messages.Query(dose_id, n))
            if reply.dose_state in messages.FINAL_DOSE_STATES:
                found.append(reply)
            return bool(found)

        assert self.until(final), "the dose has no end"
        return found[0]

    def person(self, what: str) -> None:
        """Somebody has to do something: the simulated hand does, a person is told, and without one this is skipped."""
        if self.injector.hello.uid.startswith(SIMULATED):
            return
        if not self._config.getoption("--mesoinjector-operator"):
            pytest.skip(f"needs a person to {what}: --mesoinjector-operator")
        plugins = self._config.pluginmanager
        capture, terminal = plugins.get_plugin("capturemanager"), plugins.get_plugin("terminalreporter")
        if capture is None or terminal is None:
            pytest.skip(f"needs a person to {what}, and a terminal to say so")
        with capture.global_and_fixture_disabled():
            terminal.write_line(f"\nPlease {what}.")

    def _take(self, event: Any) -> None:
        if isinstance(event, messages.OutcomeEvent):
            self.outcomes.append(event)
