"""The twin on MicroPython: the same trace, to the last bit, of whole doses and of a run."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mesoinjector.results import Result
from mesosim.rp2.twin import TwinWorld
from mesosim.runtime import InProcess
from mesosim.world.trace import Trace
from tests.bench_of_one import Bench
from tests.house.rooms import ROOT
from tests.rp2.scenarios import SCENARIOS

_REPLAY = """
import json, sys
sys.path[:] = {paths!r} + [".frozen"]
from mesosim.rp2.twin import TwinWorld
from mesosim.world.trace import Trace
world = TwinWorld(1, Trace())
for name, value, rx in json.load(open({script!r})):
    if name == "run":
        world.run(value, bytes(rx))
    else:
        world.control(name, value)
print(json.dumps(world.control("trace", 0)))
"""


class Scripted(InProcess):
    """A twin that remembers what was asked of it."""

    def __init__(self) -> None:
        self.world = TwinWorld(1, Trace())
        self.script: list[tuple[str, Any, list[int]]] = []

    def run(self, until_us: int, rx: bytes) -> tuple[int, bytes]:
        self.script.append(("run", until_us, list(rx)))
        return super().run(until_us, rx)

    def control(self, name: str, value: Any = 0) -> Any:
        self.script.append((name, value, []))
        return super().control(name, value)


@pytest.mark.skipif(importlib.util.find_spec("micropython_unix") is None, reason="MicroPython is not installed")
@pytest.mark.parametrize(("scenario", "reason"), SCENARIOS)
def test_the_twin_on_micropython_leaves_the_same_trace(
    scenario: Callable[[Bench], Result], reason: str, tmp_path: Path
) -> None:
    device = Scripted()
    assert scenario(Bench(device, tmp_path / "j.sqlite")).reason == reason
    script = tmp_path / "script.json"
    script.write_text(json.dumps(device.script))
    here: Any = device.control("trace")
    paths = [str(ROOT / folder) for folder in ("protocol", "firmware", "sim")]
    program = _REPLAY.format(paths=paths, script=str(script))
    line = [sys.executable, "-m", "micropython_unix", "-X", "heapsize=8M", "-c", program]
    done = subprocess.run(line, capture_output=True, text=True, check=False, timeout=240)
    assert done.returncode == 0, done.stderr or done.stdout
    assert json.loads(done.stdout) == here
    assert here["records"] > 1000
