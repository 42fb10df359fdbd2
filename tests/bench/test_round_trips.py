"""STATUS, and STOP to motors off, over a pty to the firmware in MicroPython, beside a bare echo and `mpremote exec`.

Nothing here is judged by time; one table is printed at the end. Ratios are to STATUS in the same run.
"""

from __future__ import annotations

import contextlib
import random
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
from tests.bench.peers import Echo, Repl
from tests.bench.watched import Watched

ROUNDS, IN_A_ROUND = 10, 200
"""By turns, so that other load meets all of them."""
PROGRAMS = 50
STOPS = 100
LONGEST_PHASE_S = 0.15
"""STOP comes this long after a dose or run is seen to move, at most: somewhere in a stroke."""
PATIENCE_S = 30.0
TRIGGER = wire.INPUT_TRIGGER_A | wire.INPUT_TRIGGER_B
STATUS = "STATUS, Injector.status()"

Timed = dict[str, list[float]]


def test_round_trips(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Seconds of each thing that is measured stand by its name, in the order of the table."""
    measured: Timed = {}
    try:
        beside_peers(measured, tmp_path / "status.sqlite")
        stop_to_motors_off(measured, tmp_path / "stop.sqlite", monkeypatch)
    except NoMicroPython as missing:
        pytest.skip(str(missing))
    base = percentile(measured[STATUS], 50)
    print("\n\nover a pty to MicroPython, one caller, wall time")
    print(f"{'':56}{'n':>6}{'p50 ms':>10}{'p99 ms':>10}{'p50 : STATUS':>14}")
    for name, each in measured.items():
        p50, p99 = percentile(each, 50), percentile(each, 99)
        ratio = "" if name.startswith("STOP") else f"{p50 / base:14.2f}"
        print(f"{name:56}{len(each):6}{p50 * 1e3:10.3f}{p99 * 1e3:10.3f}{ratio}")
    print("* from the line above on in the plant's time: the needle's way home is no computer's")
    print(f"command rate: {len(measured[STATUS]) / sum(measured[STATUS]):,.0f} STATUS a second, one after the other")


def percentile(seconds: list[float], percent: int) -> float:
    """As `mesoinjector latency` takes it."""
    return sorted(seconds)[len(seconds) * percent // 100]


def beside_peers(measured: Timed, journal: Path) -> None:
    """STATUS by the driver, as many bytes by pyserial alone, and the same query by mpremote."""
    with contextlib.ExitStack() as stack:
        device = stack.enter_context(contextlib.closing(Paced(1, "micropython")))
        injector = stack.enter_context(Injector.open(device.path, journal))
        status = injector.status()
        known = counts(status[3:])
        echo = stack.enter_context(contextlib.closing(Echo(status)))
        repl = stack.enter_context(contextlib.closing(Repl()))
        asked: list[tuple[str, Callable[[], object], object]] = [
            (STATUS, lambda: counts(injector.status()[3:]), known),
            (f"echo of {echo.asked} bytes by {echo.answered}, pyserial alone", echo.exchange, echo.answer),
            ("same query by mpremote's transport, in the raw REPL", lambda: counts(repl.query()), known),
        ]
        for _ in range(ROUNDS):
            for each in asked:
                ask(measured, *each, IN_A_ROUND)
        repl.leave()
        ask(
            measured,
            "same query by `mpremote resume exec`, a process each",
            lambda: counts(repl.by_program()),
            known,
            PROGRAMS,
        )


def ask(measured: Timed, name: str, call: Callable[[], object], expected: object, n: int) -> None:
    """Time n calls; what each returns is judged."""
    took = measured.setdefault(name, [])
    for _ in range(n):
        start = time.perf_counter()
        found = call()
        took.append(time.perf_counter() - start)
        assert found == expected


def counts(found: Sequence[object]) -> list[object]:
    """Of STATUS' answer from the latches on, all but what two sensors read: the same on two devices just as new."""
    return [*found[:9], *found[11:]]


def stop_to_motors_off(measured: Timed, journal: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the plant's word; another thread calls for STOP than the one that waits for the dose or run."""
    with contextlib.closing(Watched(monkeypatch)) as device, Injector.open(device.path, journal) as injector:
        injector.begin_treatment()
        injector.prime(0.1)

        def dose() -> Result:
            return injector.dose(volume_ml=0.1, depth_mm=1.0, zone="cheek")

        def run() -> Result:
            return injector.fractional(strokes=900, depth_mm=1.0, zone="body", area_cm2=1200, needles=12)

        for what, halted, give in (("dose", "plunger without permit", dose), ("run", "drive parking", run)):
            names = f"STOP in a {what}: {halted}", f"STOP in a {what}: needle home, motors off *"
            measured.update({name: [] for name in names})
            chance = random.Random(1)
            for _ in range(STOPS):
                called_ns, result = stop_in(injector, give, chance.uniform(0, LONGEST_PHASE_S))
                assert result.reason == "stop"
                seen = device.stopped(called_ns)
                to_halt_s = (seen.halted_ns - called_ns) / 1e9
                measured[names[0]].append(to_halt_s)
                measured[names[1]].append(to_halt_s + seen.homing_us / 1e6)
                while injector.status().inputs & TRIGGER:
                    pass
                assert injector.clear() == 0


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
