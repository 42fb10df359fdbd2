"""One whole dose exchange, with a fault at a border between two of its bytes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from mesosim.lab.frames import DOWN, UP, Splitter, name
from mesosim.lab.schedules.play import Play, Wrong
from mesosim.lab.schedules.primed import copied
from mesosim.lab.schedules.words import Do
from mesosim.runtime import Device

KINDS = ("cut", "drop", "duplicate", "corrupt", "zero", "delay", "truncate", "reset", "crash")
DELAY_US = 300_000
EXCHANGE = (Do("connect"), Do("dose", 20_000))
"""From HELLO over LEDGER, STATUS, PREPARE, COMMIT, heartbeats and telemetry to OUTCOME and the last STATUS."""


class ByteFault(NamedTuple):
    """What happens before byte `border` (from 0) of one direction.

    cut: all that follows is lost, both ways, until `mend`; drop, duplicate, corrupt: that byte; zero: 00 is inserted;
    delay: the direction stands still for 300 ms; truncate: the rest of the frame is lost; reset: the device restarts,
    and what it had not sent is lost; crash: the host is gone, and what it had not sent is lost.
    """

    way: str
    border: int
    kind: str


class ByteLine:
    """See `Device`. Stands next to the device: what arrives there is exact to the byte."""

    def __init__(self, device: Device, fault: ByteFault | None = None) -> None:
        self._device = device
        self._fault = fault
        self._t_us = 0
        self._cut = False
        self._stalled = {DOWN: b"", UP: b""}
        self._flows_at = {DOWN: 0, UP: 0}
        self.passed = {DOWN: bytearray(), UP: bytearray()}
        """All that came, before the fault."""
        self.on_crash: Callable[[], None] = lambda: None

    def run(self, until_us: int, rx: bytes) -> tuple[int, bytes]:
        """See `Device`."""
        down = self._through(DOWN, rx)
        waits = [t for t in self._flows_at.values() if t > self._t_us]
        self._t_us, tx = self._device.run(min([until_us, *waits]), down)
        return self._t_us, self._through(UP, tx)

    def control(self, what: str, value: int = 0) -> Any:
        """See `Device`."""
        return self._device.control(what, value)

    def close(self) -> None:
        """See `Device`."""
        self._device.close()

    def mend(self) -> None:
        """Plug in again what was cut."""
        self._cut = False

    def _through(self, way: str, data: bytes) -> bytes:
        if self._cut:
            return b""
        fault = self._fault
        at = fault.border - len(self.passed[way]) if fault and fault.way == way else -1
        self.passed[way] += data
        if fault and 0 <= at < len(data):
            data = self._happen(fault, data[:at], data[at:])
        if self._t_us < self._flows_at[way]:
            self._stalled[way] += data
            return b""
        data, self._stalled[way] = self._stalled[way] + data, b""
        return data

    def _happen(self, fault: ByteFault, head: bytes, tail: bytes) -> bytes:
        if fault.kind == "drop":
            return head + tail[1:]
        if fault.kind == "duplicate":
            return head + tail[:1] + tail
        if fault.kind == "corrupt":
            return head + bytes((tail[0] ^ 1 << fault.border % 8,)) + tail[1:]
        if fault.kind == "zero":
            return head + b"\0" + tail
        if fault.kind == "truncate":
            return head + tail[tail.find(0, 1) + 1 :]
        if fault.kind == "delay":
            self._flows_at[fault.way] = self._t_us + DELAY_US
            self._stalled[fault.way] = tail
            return head
        if fault.kind == "reset":
            if fault.way == DOWN:
                self._device.run(self._t_us, head)
                head = tail
            self._device.control("reset")
        elif fault.kind == "crash":
            self.on_crash()
        else:
            self._cut = True
        return head


def exchange(fault: ByteFault) -> None:
    """One exchange on a primed device, checked to its end. Raises `Wrong`."""
    line = ByteLine(copied(1), fault)
    play = Play(line)

    def crash() -> None:
        if play.line.on_crash:
            play.line.on_crash()

    line.on_crash = crash
    try:
        for act in EXCHANGE:
            play.do(act)
        line.mend()
        play.finish()
    except Wrong as wrong:
        raise Wrong(f"{fault}: {wrong}") from None


def borders() -> tuple[list[tuple[str, int]], list[tuple[str, int]]]:
    """The borders of the exchange: those in each message's first frame, and those in all its later ones."""
    play = Play(line := ByteLine(copied(1)))
    for act in EXCHANGE:
        play.do(act)
    first, later = [], []
    for way, data in line.passed.items():
        seen = set()
        at = 0
        for piece in Splitter().split(bytes(data)):
            message = name(piece)
            (later if message in seen else first).extend((way, at + i) for i in range(len(piece)))
            seen.add(message)
            at += len(piece)
    return first, later
