"""STATUS, and STOP to motors off, over a pty to the firmware in MicroPython, beside a bare echo and `mpremote exec`.

Each round's median stands beside its peer's in that round.
"""

from __future__ import annotations

import contextlib
import random
import statistics
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from mesoinjector import Injector, Result
from mesoprotocol import messages, wire
from mesosim.micropython import NoMicroPython
from mesosim.runtime import Paced
from tests.bench.figures import Figures
from tests.bench.peers import Echo, Repl
from tests.bench.watched import Watched

ROUNDS, IN_A_ROUND = 10, 200
"""By turns, so that other load meets all of them."""
PROGRAMS, STOPS = 5, 3
"""In a round."""
LONGEST_PHASE_S = 0.15
"""STOP comes this long after a dose or run is seen to move, at most: somewhere in a stroke."""
PATIENCE_S = 30.0
TRIGGER = wire.INPUT_TRIGGER_A | wire.INPUT_TRIGGER_B
MS = 1e3

Asked = tuple[str, Callable[[], object], object, int]
"""Who is asked, how, what comes back, and how often in a round."""


def test_status_beside_peers(tmp_path: Path, figures: Figures) -> None:
    """STATUS by the driver, as many bytes by pyserial alone, and the same query by mpremote."""
    with contextlib.ExitStack() as stack:
        try:
            device = stack.enter_context(contextlib.closing(Paced(1, "micropython")))
        except NoMicroPython as missing:
            pytest.skip(str(missing))
        injector = stack.enter_context(Injector.open(device.path, tmp_path / "journal.sqlite"))
        status = injector.status()
        known = counts(status[3:])
        echo = stack.enter_context(contextlib.closing(Echo(status)))
        repl, shell = (stack.enter_context(contextlib.closing(Repl())) for _ in range(2))
        shell.leave()
        ours: Asked = ("", lambda: counts(injector.status()[3:]), known, IN_A_ROUND)
        peers: list[Asked] = [
            (f"echo of {echo.asked} bytes by {echo.answered}, pyserial alone", echo.exchange, echo.answer, IN_A_ROUND),
            ("mpremote's transport, in the raw REPL", lambda: counts(repl.query()), known, IN_A_ROUND),
            ("`mpremote resume exec`, a process each", lambda: counts(shell.by_program()), known, PROGRAMS),
        ]
        rounds: dict[str, list[tuple[float, float]]] = {name: [] for name, *_ in peers}
        for _ in range(ROUNDS):
            took_ms = ask(*ours)
            for peer in peers:
                rounds[peer[0]].append((took_ms, ask(*peer)))
    for name, each in rounds.items():
        figures.timed(f"STATUS beside {name.split(',')[0]}", name, "ms", "less", each)


def ask(_: str, call: Callable[[], object], expected: object, n: int) -> float:
    """The median of n calls in milliseconds; what each returns is judged."""
    took = []
    for _n in range(n):
        start = time.perf_counter()
        found = call()
        took.append(time.perf_counter() - start)
        assert found == expected
    return statistics.median(took) * MS


def counts(found: Sequence[object]) -> list[object]:
    """Of STATUS' answer from the latches on, all but what two sensors read: the same on two devices just as new."""
    return [*found[:9], *found[11:]]


def test_stop_beside_status(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, figures: Figures) -> None:
    """By the plant's word; another thread calls for STOP than the one that waits for the dose or run."""
    try:
        watched = Watched(monkeypatch)
    except NoMicroPython as missing:
        pytest.skip(str(missing))
    with contextlib.closing(watched) as device, Injector.open(device.path, tmp_path / "journal.sqlite") as injector:
        injector.begin_treatment()
        injector.prime(0.1)

        def dose() -> Result:
            return injector.dose(volume_ml=0.1, depth_mm=1.0, zone="cheek")

        def run() -> Result:
            return injector.fractional(strokes=900, depth_mm=1.0, zone="body", area_cm2=1200, needles=12)

        gives = {"dose: plunger without permit": dose, "run: drive parking": run}
        rounds: dict[str, list[tuple[float, float]]] = {name: [] for name in gives}
        chance = random.Random(1)
        for _ in range(ROUNDS):
            status_ms = ask("", lambda: injector.status().state, injector.status().state, IN_A_ROUND)
            for name, give in gives.items():
                took = [to_halt_ms(device, injector, give, chance.uniform(0, LONGEST_PHASE_S)) for _ in range(STOPS)]
                rounds[name].append((statistics.median(took), status_ms))
    for name, each in rounds.items():
        figures.timed(f"STOP in a {name}", "STATUS on the same line", "ms", "less", each)


def to_halt_ms(device: Watched, injector: Injector, give: Callable[[], Result], phase_s: float) -> float:
    """From the call for STOP to the halt; the device is as before then."""
    called_ns, result = stop_in(injector, give, phase_s)
    assert result.reason == "stop"
    seen = device.stopped(called_ns)
    while injector.status().inputs & TRIGGER:
        pass
    assert injector.clear() == 0
    return (seen.halted_ns - called_ns) / 1e6


def stop_in(injector: Injector, give: Callable[[], Result], phase_s: float) -> tuple[int, Result]:
    """Call for STOP a while after what is given moves: when, in wall time since the epoch, and what came of it."""
    moves = threading.Event()
    called_ns = 0

    def stop() -> None:
        nonlocal called_ns
        assert moves.wait(PATIENCE_S)
        time.sleep(phase_s)
        called_ns = time.time_ns()
        injector.stop()

    def listen(event: Any) -> None:
        if isinstance(event, messages.Telemetry):
            moves.set()

    unlisten = injector.listen(listen)
    hand = threading.Thread(target=stop)
    hand.start()
    result = give()
    hand.join()
    unlisten()
    return called_ns, result
