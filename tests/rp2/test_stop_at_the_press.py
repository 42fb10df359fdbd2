"""STOP at the press of the first dose after a start: what the depth stop was not sent to is not taken for reached."""

from __future__ import annotations

from pathlib import Path

import pytest

from mesoinjector.connection import STOP_BYTES
from mesoinjector.results import Delivered
from tests.bench_of_one import Bench
from tests.rp2 import calls


@pytest.mark.requirement("SR-27", "SR-29")
@pytest.mark.parametrize("chip", calls.CHIPS)
def test_the_next_needle_goes_as_deep_as_it_is_asked(chip: type[calls.Recorded], tmp_path: Path) -> None:
    device = chip()
    bench = Bench(device, tmp_path / "journal.sqlite")
    injector = bench.ready()
    assert isinstance(injector.dose(0.02, 3.0, "body"), Delivered)  # the stop stands at 3.0 mm
    bench.rest(1_000_000)
    device.control("reset")
    injector = bench.connect()
    injector.prime(0.1)
    bench.rest(1_000_000)
    world = device.world
    book = world.app._ledger
    write_start = book.write_start

    def stopped(n: int) -> None:
        book.write_start = write_start
        world._port.received.held += STOP_BYTES
        write_start(n)

    book.write_start = stopped
    before = bench.plant()
    assert injector.dose(0.02, 1.0, "body").reason == "stop"
    after = bench.rest(1_000_000)
    assert (after["punctures"], after["plunger_steps"]) == (before["punctures"], before["plunger_steps"])
    injector.clear()
    bench.rest(1_000_000)
    deepest: list[int] = []
    advance = world.plant.fluid.advance

    def seen(t: int) -> None:
        advance(t)
        if world.plant.fluid.in_skin:
            deepest.append(world.plant.carriage._stop.position(t) * 10)

    world.plant.fluid.advance = seen
    assert injector.dose(0.02, 1.0, "body").reason == "complete"
    assert max(deepest) == 1_000
