"""One dose, one incident at a random moment, drawn from a seed; then what must hold whatever happened."""

from __future__ import annotations

import contextlib
import random
from pathlib import Path

from mesoinjector import Delivered, MesoError, NotDelivered, Result, Unknown
from mesoinjector.connection import STOP_BYTES
from mesosim import runtime as simulator
from mesosim.lab.link import Killed
from tests.bench_of_one import Bench

INCIDENTS = (
    "cut",
    "kill",
    "stop",
    "reset",
    "estop",
    "syringe",
    "drive_fault",
    "blocked",
    "release",
    "lift",
    "absent",
)
SPAN_US = 13_000_000
"""The incident falls within this time of the dose's start: 0.75 s to the press, at most 10 s of dispensing."""
OVERHEAD_NL = 250
"""What may pass the tip beside a dose: skin's own pressure into a needle at rest, and back."""


def check(seed: int, runtime: str, folder: Path) -> str:
    """Run one seed; returns what happened, in words. Raises AssertionError."""
    rng = random.Random(seed)
    bench = Bench(simulator.start(runtime, seed), folder / f"{seed}.sqlite")
    try:
        return _check(rng, bench)
    finally:
        bench.device.close()


def _check(rng: random.Random, bench: Bench) -> str:
    injector = bench.ready()
    incident = rng.choice(INCIDENTS)
    volume_nl = rng.randrange(20_000, 200_001)
    at_us = rng.randrange(SPAN_US)
    link = bench.link(injector)

    def act() -> None:
        if incident == "cut":
            link.cut()
        elif incident == "kill":
            link.dead = True
            raise Killed
        elif incident == "stop":
            link.write(STOP_BYTES)
        elif incident == "syringe":
            bench.device.control("syringe", 0)
        elif incident in ("reset", "estop", "drive_fault", "blocked"):
            bench.device.control(incident, 1)

    if incident == "absent":
        bench.device.control("present", 0)
    elif incident in ("release", "lift"):
        bench.device.control(f"{incident}_after_us", 1 + at_us)
    before = bench.plant()
    link.at(link.now_us() + at_us, act)
    result: Result | None = None
    with contextlib.suppress(Killed, MesoError):
        result = injector.dose(volume_nl / 1e6, 1.0, "body")
    bench.rest()
    rested = bench.plant()
    again = bench.connect()
    final = next(iter(again.resolved), None) or result
    story = f"{incident} at {at_us / 1e6:.3f} s of {volume_nl} nl: {final}"
    given = rested["tip_nl"] - before["tip_nl"]
    moved = rested["plunger_steps"] != before["plunger_steps"]
    assert rested["needle_home"] and not rested["moving"], story
    assert bench.plant()["plunger_steps"] == rested["plunger_steps"], f"moved on reconnecting: {story}"
    if final is None or isinstance(final, NotDelivered):
        assert not moved and given < OVERHEAD_NL, f"the plant gave {given} nl: {story}"
    else:
        assert isinstance(final, Delivered | Unknown)
        assert final.lower_nl - OVERHEAD_NL <= given <= final.upper_nl + OVERHEAD_NL, (
            f"the plant gave {given} nl: {story}"
        )
        if isinstance(final, Unknown):
            assert final.reason == "interrupted", story
            assert final.upper_nl - final.lower_nl < volume_nl * 0.15 + 8_000, story
    assert given <= volume_nl * 1.05 + OVERHEAD_NL, f"over-dose, {given} nl: {story}"
    return story
