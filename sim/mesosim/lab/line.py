"""A line on which things go wrong: a `Device` in front of a device, so that any link can be put on it.

It outlives the hosts, as a cable with its buffers does: what is late arrives, whoever listens by then. It also
watches the plunger, as the plant has it.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from typing import Any, NamedTuple

from mesosim.lab import frames
from mesosim.lab.frames import DOWN, UP, Fault, Splitter, flipped
from mesosim.lab.link import Killed
from mesosim.runtime import Device

LOOK_US = 250_000
"""Between two looks at the plunger."""
PAUSE_US = 600_000
"""The plunger at rest for longer: what follows is another motion."""


class Hit(NamedTuple):
    """A fault that has happened."""

    fault: Fault
    in_dose: bool
    """Between PREPARE's first byte and OUTCOME."""


class FaultyLine:
    """See `Device`. `arm` faults; `hits` are those that have happened."""

    def __init__(self, device: Device) -> None:
        self._device = device
        self._splitters = {DOWN: Splitter(), UP: Splitter()}
        self._passed = {DOWN: b"", UP: b""}
        self._held: dict[str, list[bytes]] = {DOWN: [], UP: []}
        self._heads = {DOWN: b"", UP: b""}
        self._late: list[tuple[int, int, str, bytes]] = []
        self._lates = 0
        self._armed: list[tuple[Fault, int]] = []
        self._dying = False
        self.t_us, _ = device.run(0, b"")
        self._steps: int = self.control("account")["plunger_steps"]
        self.motions: list[int] = []
        """When each forward motion of the plunger was last seen."""
        self.hits: list[Hit] = []
        self.in_dose = False
        self.cut: set[str] = set()
        """Ways, of DOWN and UP, on which nothing passes."""
        self.on_crash: Callable[[], None] | None = None
        """Kills the host; None while there is none."""

    def arm(self, fault: Fault) -> None:
        """Let it happen to the k-th such message from now."""
        self._armed.append((fault, fault.k))

    def disarm(self) -> None:
        """Nothing new goes wrong; what is on its way arrives."""
        self._armed.clear()

    # --- Device -----------------------------------------------------------------------------------------

    def run(self, until_us: int, rx: bytes) -> tuple[int, bytes]:
        """See `Device`. Raises `Killed` if the host dies."""
        for piece in self._splitters[DOWN].split(rx):
            self._offer(DOWN, piece)
            if self._dying:
                self._die()
        self._release()
        while not self._passed[UP]:
            late_us = self._late[0][0] if self._late else until_us
            self._advance(max(self.t_us, min(until_us, late_us, self.t_us + LOOK_US)))
            if self.t_us >= until_us and not self._passed[DOWN]:
                break
        if self._dying:
            self._die()
        out, self._passed[UP] = self._passed[UP], b""
        return self.t_us, out

    def control(self, name: str, value: Any = 0) -> Any:
        """See `Device`."""
        return self._device.control(name, value)

    def close(self) -> None:
        """See `Device`."""
        self._device.close()

    def _advance(self, until_us: int) -> None:
        rx, self._passed[DOWN] = self._passed[DOWN], b""
        self.t_us, tx = self._device.run(until_us, rx)
        for piece in self._splitters[UP].split(tx):
            self._offer(UP, piece)
        self._release()
        steps = self.control("account")["plunger_steps"]
        if steps > self._steps:
            if self.motions and self.t_us - self.motions[-1] <= PAUSE_US:
                self.motions.pop()
            self.motions.append(self.t_us)
        self._steps = steps

    def _die(self) -> None:
        self._dying = False
        raise Killed

    # --- Frames -----------------------------------------------------------------------------------------

    def _offer(self, way: str, piece: bytes) -> None:
        message = frames.name(piece)
        if message in ("Prepare", "PrepareSeries", "PrepareRun", "PrepareDry", "PrepareHome"):
            self.in_dose = True
        held, self._held[way] = self._held[way], []
        head, self._heads[way] = self._heads[way], b""
        piece = head + piece[len(head) :]
        fault = self._due(message)
        if fault is None:
            self._pass(way, piece)
        else:
            self.hits.append(Hit(fault, self.in_dose))
            self._happen(fault, way, piece)
        for other in held:
            self._pass(way, other)
        if message == "OutcomeEvent":
            self.in_dose = False

    def _due(self, message: str) -> Fault | None:
        due = None
        still = []
        for fault, left in self._armed:
            if fault.message == message and not (fault.kind == "crash" and self.on_crash is None):
                left -= 1
            if left == 0 and due is None:
                due = fault
            else:
                still.append((fault, max(left, 1)))
        self._armed = still
        return due

    def _happen(self, fault: Fault, way: str, piece: bytes) -> None:
        at = fault.at
        if fault.kind == "duplicate":
            self._pass(way, piece)
            for i in range(1 + at % 2):
                self._delay(way, piece, at * (i + 1))
        elif fault.kind == "delay":
            self._delay(way, piece, at)
        elif fault.kind == "reorder":
            self._held[way].append(piece)
        elif fault.kind == "corrupt":
            self._pass(way, flipped(piece, at))
        elif fault.kind == "truncate":
            self._pass(way, piece[: at % len(piece)])
        elif fault.kind == "splice":
            self._heads[way] = piece[: 1 + at % (len(piece) - 1)]
        elif fault.kind == "reset":
            self._reset(way, piece, at % 3)
        elif fault.kind == "crash":
            if at % 2:
                self._pass(way, piece)
            assert self.on_crash
            self.on_crash()
            self._dying = way == DOWN or at % 2 == 0

    def _reset(self, way: str, piece: bytes, when: int) -> None:
        if when == 2:
            self._pass(way, piece)
            if way == DOWN:
                self._advance(self.t_us)
        self.control("reset")
        if when == 1:
            self._pass(way, piece)

    def _pass(self, way: str, piece: bytes) -> None:
        if way not in self.cut:
            self._passed[way] += piece

    def _delay(self, way: str, piece: bytes, ms: int) -> None:
        self._lates += 1
        heapq.heappush(self._late, (self.t_us + ms * 1000, self._lates, way, piece))

    def _release(self) -> None:
        while self._late and self._late[0][0] <= self.t_us:
            _, _, way, piece = heapq.heappop(self._late)
            self._pass(way, piece)
