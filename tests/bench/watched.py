"""A device in wall time, on MicroPython, whose plant notes when its motors were stopped and lost their power."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from mesosim import micropython, runtime
from mesosim.runtime import Paced

WATCHED = """
import time
from mesosim import device
from mesosim.world import plant, world

class Plant(plant.Plant):
    moments = []
    def _note(self, what, t):
        self.moments.append([what, t // plant.TICKS_PER_US, time.time_ns()])
    def _drop_permit(self, t):
        super()._drop_permit(t)
        self._note("halted", t)
    def park(self, t):
        super().park(t)
        self._note("halted", t)
    def power(self, t, on):
        was = self.powered
        super().power(t, on)
        if was and not on:
            self._note("off", t)

class World(world.World):
    def _handpiece(self, seed, symbols):
        return Plant(self.log, seed, symbols, world.START_US * world.US)
    def control(self, name, value):
        if name != "moments":
            return super().control(name, value)
        found, self.plant.moments = self.plant.moments, []
        return found

world.World = World
device.main({arguments!r})
"""


class Stopped(NamedTuple):
    """What the plant says of one STOP."""

    halted_ns: int
    """Wall time, since the epoch: the plunger without its permit, or the drive bound to park."""
    homing_us: int
    """From then to when all motors lost their power, the needle being home: the plant's own time."""


class Watched(Paced):
    """See `Paced`."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        with monkeypatch.context() as patch:
            patch.setattr(
                runtime, "command", lambda _, arguments: micropython.line(WATCHED.format(arguments=arguments))
            )
            super().__init__(1, "micropython")

    def stopped(self, since_ns: int) -> Stopped:
        """What became of the STOP that was written at `since_ns`; all that moved is at rest."""
        moments = [moment for moment in self.control("moments") if moment[2] >= since_ns]
        halted = next(moment for moment in moments if moment[0] == "halted")
        off = next(moment for moment in moments if moment[0] == "off" and moment[1] >= halted[1])
        plant = self.control("account")
        assert plant["needle_home"] and not plant["moving"]
        return Stopped(halted[2], off[1] - halted[1])
