"""Rigs of the boards that are here: the simulator's, and the board file on the twin of either chip."""

from __future__ import annotations

from typing import Any

from mesosim.rp2 import chip
from mesosim.rp2.twin import TwinWorld, TwinWorld2350
from mesosim.world import world
from mesosim.world.trace import Untraced

LOOK_US = 10_000
"""How often the idle loop comes round."""
STEP_US = 20
"""What a round of it takes on a chip."""


class Idle:
    """Stands where the firmware does, and does nothing."""

    def step(self, now: int) -> int:
        """See `App.step`."""
        return LOOK_US


class IdleOnChip:
    """The same on the twin, where whoever is woken by a changed input or by bytes takes his time."""

    def __init__(self, board: Any) -> None:
        self._board = board

    def step(self, now: int) -> int:
        """See `App.step`."""
        self._board.inputs()
        here = chip.chip
        look_soon()
        if here.t >= here.limit:
            raise chip.TimeUp
        here.sleep(STEP_US * here.model.clocks_per_us)
        return LOOK_US


def look_soon() -> None:
    """The processor's next alarm is ahead of it, whatever time calls have taken."""
    chip.chip.alarm = chip.chip.t + LOOK_US * chip.chip.model.clocks_per_us


class SimulatedRig:
    """A board in its world, which has no firmware."""

    def __init__(self, kind: type[world.World]) -> None:
        idle = self.idle

        class Bare(kind):  # type: ignore[misc, valid-type]
            """Its boots start no application."""

            def firmware(self) -> Any:
                """See `World`."""
                self.hand.present = 0
                return idle(self.board)

            def boot(self, reason: int) -> None:
                """See `World`."""
                super().boot(reason)
                self.hand._todo = []  # no hand but the test's
                self._watch_hand()

        self._received = b""
        self.world: Any = Bare(1, Untraced())
        for mounted in ("syringe", "cartridge"):
            self.world.control(mounted, 0)
        self.board: Any = None
        self._settle()

    def idle(self, board: Any) -> Any:
        """What stands where the firmware does."""
        return Idle()

    def run(self, us: int) -> None:
        """See `Rig`."""
        until_us = self._now_us() + us
        while self._now_us() < until_us:
            _, data = self.world.run(until_us, b"")
            self._received += data
        self._settle()

    def set_input(self, bit: int, on: bool) -> None:
        """See `Rig`."""
        self.world.targets.move(self.world._t, bit, on)
        self._settle()

    def deliver(self, data: bytes) -> None:
        """See `Rig`."""
        _, sent = self.world.run(self._now_us(), data)
        self._received += sent
        self._settle()

    def received(self) -> bytes:
        """See `Rig`."""
        data, self._received = self._received, b""
        return data

    def restart(self) -> None:
        """See `Rig`."""
        self.world._power(True)
        self._settle()

    def close(self) -> None:
        """See `Rig`."""

    def _now_us(self) -> int:
        return int(self.world._t // world.US - world.START_US)

    def _settle(self) -> None:
        self.board = self.world.board
        self.board.t = self.world._t


class TwinRig(SimulatedRig):
    """The same with the board file, on a model of its chip."""

    def __init__(self, kind: type[world.World]) -> None:
        super().__init__(kind)
        self.run(LOOK_US)  # a boot at the beginning of time would be a new device's

    def idle(self, board: Any) -> Any:
        """See `SimulatedRig`."""
        return IdleOnChip(board)

    def _now_us(self) -> int:
        return int(chip.chip.t // self.world.model.clocks_per_us - world.START_US)

    def set_input(self, bit: int, on: bool) -> None:
        """See `Rig`."""
        super().set_input(bit, on)
        self.world.circuit.follow()

    def _settle(self) -> None:
        self.board = self.world.board
        chip.chip.limit = chip.NEVER  # a call may take its time
        look_soon()


def simulated() -> SimulatedRig:
    """The simulator's board."""
    return SimulatedRig(world.World)


def twin() -> TwinRig:
    """The board file on the twin, an RP2040."""
    return TwinRig(TwinWorld)


def twin_2350() -> TwinRig:
    """The board file on the twin, an RP2350."""
    return TwinRig(TwinWorld2350)
