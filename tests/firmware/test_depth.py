"""The depth stop on the plant: where it is, and that it looks for home when it cannot know."""

from __future__ import annotations

import pytest

from mesofirmware.depth import DepthStop
from mesosim.world import board, plant, symbols, trace

MS = 1000 * plant.TICKS_PER_US


class Rig:
    """A board over a plant, without the firmware's loop."""

    def __init__(self) -> None:
        self.plant = plant.Plant(trace.Untraced(), 1, symbols.Symbols(), 0)
        self.board = board.SimulatedBoard(self.plant, bytearray(), {}, {}, b"", _No(), 0, 0, lambda code: None)
        self.board.enable(True)
        self.stop = DepthStop(self.board)

    def run(self, ms: int) -> list[int]:
        """Let time pass; the stop's steps from home, each millisecond."""
        seen = []
        for _ in range(ms):
            self.board.t += MS
            while self.plant.event_at <= self.board.t:
                self.plant.due(self.plant.event_at)
            seen.append(self.plant.depth.position(self.board.t))
        return seen


class _No:
    def fill(self, buf: bytearray) -> None:
        """A boot id of zeros."""


def test_it_is_homed_once_and_then_knows_where_it_is() -> None:
    rig = Rig()
    rig.stop.move(1_000)
    assert rig.run(200)[-1] == 100 and not rig.stop.busy() and rig.stop.arrived()
    rig.stop.move(600)
    way = rig.run(200)
    assert way[-1] == 60 and min(way) == 60


@pytest.mark.requirement("SR-29")
def test_what_did_not_arrive_is_homed_again() -> None:
    rig = Rig()
    rig.stop.move(1_000)
    rig.run(200)
    assert rig.stop.arrived()
    rig.board.enable(False)
    rig.stop.move(2_000)
    assert rig.run(200)[-1] == 100 and not rig.stop.arrived()
    rig.board.enable(True)
    rig.stop.move(2_000)
    way = rig.run(400)
    assert min(way) < 5 and way[-1] == 200 and rig.stop.arrived()


@pytest.mark.requirement("SR-29")
def test_stopped_where_it_stands_it_is_homed_again() -> None:
    rig = Rig()
    rig.stop.move(1_000)
    rig.run(200)
    assert rig.stop.arrived()
    rig.stop.stop()
    rig.stop.move(1_000)
    way = rig.run(300)
    assert min(way) < 5 and way[-1] == 100


@pytest.mark.requirement("SR-29")
def test_stopped_on_the_way_it_is_homed_again() -> None:
    rig = Rig()
    rig.stop.move(1_000)
    rig.run(20)
    rig.stop.stop()
    assert 0 < rig.run(5)[-1] < 100
    rig.stop.move(1_000)
    way = rig.run(300)
    assert min(way) < 5 and way[-1] == 100
