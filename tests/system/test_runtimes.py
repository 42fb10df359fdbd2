"""The same scenarios on every runtime, over every line: the trace is one.

CPython in process is what the others are compared with; 32 bits judge small integers, a pty the serial path.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import threading
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from mesoinjector import Injector, demo, errors
from mesoinjector.connection import STOP_BYTES
from mesoinjector.links import SerialLink, open_link
from mesosim.micropython import NoMicroPython
from mesosim.process import DeviceDied
from mesosim.runtime import Piped, Terminal, command
from tests.bench_of_one import after_flow, after_strokes

HASHES = Path(__file__).parents[1] / "vectors" / "traces.json"
OTHERS = ["sim://micropython", "sim://wasm", "sim://cpython?line=pty", "sim://micropython?line=pty"]


def complete(injector: Injector) -> None:
    injector.dose(volume_ml=0.02, depth_mm=1.0, zone="cheek")


def occluded(injector: Injector) -> None:
    injector.link.control("blocked", 1)
    injector.dose(volume_ml=0.02, depth_mm=1.0, zone="cheek")


def stopped(injector: Injector) -> None:
    injector.listen(after_flow(20_000, lambda: injector.link.write(STOP_BYTES)))
    injector.dose(volume_ml=0.1, depth_mm=1.0, zone="cheek")


def reset(injector: Injector) -> None:
    injector.listen(after_flow(20_000, lambda: injector.link.control("reset")))
    with contextlib.suppress(errors.MesoError):
        injector.dose(volume_ml=0.1, depth_mm=1.0, zone="cheek")


def held(injector: Injector) -> None:
    injector.link.control("release_after_us", 2_000_000)
    injector.link.control("press_again_us", 900_000)
    injector.fractional(strokes=60, depth_mm=0.5, zone="cheek", area_cm2=30)


def without_index(injector: Injector) -> None:
    injector.listen(after_strokes(15, lambda: injector.link.control("index_dead", 1)))
    injector.fractional(strokes=60, depth_mm=0.5, zone="cheek", area_cm2=30)


SCENARIOS = [complete, occluded, stopped, reset, held, without_index]


def installed(url: str) -> None:
    """Skip, with the reason, where a runtime is not to be had."""
    runtime = url.removeprefix("sim://").split("?")[0]
    try:
        command(runtime, ["lockstep", "1", ""])
    except NoMicroPython as missing:
        pytest.skip(str(missing))


def trace(url: str, scenario: Callable[[Injector], None]) -> dict[str, Any]:
    """Prime, then the scenario; its trace."""
    with Injector.open(f"{url}{'&' if '?' in url else '?'}seed=7") as injector:
        injector.begin_treatment()
        injector.prime(0.1)
        scenario(injector)
        told: dict[str, Any] = injector.link.control("trace")
    return told


@cache
def expected(scenario: Callable[[Injector], None]) -> dict[str, Any]:
    return trace("sim://cpython", scenario)


@pytest.mark.parametrize("scenario", SCENARIOS)
@pytest.mark.parametrize("url", OTHERS)
def test_one_trace(url: str, scenario: Callable[[Injector], None]) -> None:
    installed(url)
    assert trace(url, scenario) == expected(scenario)


def test_scenarios_are_different_ones() -> None:
    assert len({expected(scenario)["sha256"] for scenario in SCENARIOS}) == len(SCENARIOS)


@pytest.mark.parametrize("url", OTHERS)
def test_the_demo_is_the_recorded_one(url: str) -> None:
    installed(url)
    done = demo.run(open_link(f"{url}{'&' if '?' in url else '?'}seed=1"), lambda _: None)
    assert done.figures["trace_sha256"] == json.loads(HASHES.read_text())["demo, seed 1"]


def test_the_trace_file_of_32_bits_is_written_outside(tmp_path: Path) -> None:
    installed("sim://wasm")
    for runtime in ("cpython", "wasm"):
        with Injector.open(f"sim://{runtime}?seed=7&trace={tmp_path / runtime}") as injector:
            injector.link.control("trace")
    assert (tmp_path / "cpython").read_bytes() == (tmp_path / "wasm").read_bytes()


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    device = Terminal(1, "cpython")
    yield device
    device.close()


def test_a_count_is_cumulative(terminal: Terminal) -> None:
    """A run that Ctrl-C has cut short is made good by the next: it says how much has passed since the start."""
    port = SerialLink(terminal.path)
    try:
        port.write(STOP_BYTES)
        t, coming = terminal.run(5_000_000, len(STOP_BYTES))
        assert (t, coming) == (0, 22)
        assert terminal.run(5_000_000, len(STOP_BYTES)) == (5_000_000, 22)
        assert len(port.take(1.0)) == 22
    finally:
        port.close()


@pytest.fixture
def ctrl_c() -> Iterator[None]:
    """SIGINT does what it does in a process of its own, whatever a test before has left."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("ctrl_c")
def test_ctrl_c_in_a_call_over_the_pty_costs_no_byte() -> None:
    with Injector.open("sim://cpython?line=pty&seed=7") as injector:
        injector.begin_treatment()
        me = threading.get_ident()
        stop = injector.listen(after_flow(1_000, lambda: signal.pthread_kill(me, signal.SIGINT)))
        with pytest.raises(KeyboardInterrupt):
            injector.prime(0.1)
        stop()
        assert injector.interrupted is not None and injector.interrupted.reason == "stop"
        assert injector.losses() == (0, 0, 0, 0)


def test_a_process_that_died_is_an_error_over_the_pty() -> None:
    with Injector.open("sim://cpython?line=pty&seed=7") as injector:
        os.kill(injector.link.device._terminal._behind.process.pid, signal.SIGKILL)  # type: ignore[attr-defined]
        with pytest.raises(errors.LinkLost, match="died"):
            injector.status()
        with pytest.raises(DeviceDied):
            injector.link.control("account")


def test_a_process_that_died_says_the_same_each_time() -> None:
    device = Piped(7, "cpython")
    try:
        os.kill(device._process.pid, signal.SIGKILL)
        said = []
        for ask in (lambda: device.run(1_000, b""), lambda: device.run(2_000, b""), lambda: device.control("account")):
            with pytest.raises(DeviceDied) as died:
                ask()
            said.append(str(died.value))
        assert said[0] == said[1] == said[2] and "exit code -9" in said[0]
    finally:
        device.close()


def test_a_runtime_that_is_not_there_is_named() -> None:
    with pytest.raises(errors.DeviceNotFound, match="choose one of cpython, micropython, wasm"):
        open_link("sim://jython")
    with pytest.raises(errors.DeviceNotFound, match="line=rope: must be direct or pty"):
        open_link("sim://?line=rope")
    with pytest.raises(errors.DeviceNotFound, match="in lock step over pipes only"):
        open_link("sim://wasm?line=pty")


def test_without_node_it_says_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(errors.DeviceNotFound, match=r"install Node\.js"):
        open_link("sim://wasm")
