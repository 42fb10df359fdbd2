"""Records the traces' hashes of the packaged scenarios: `python -m tests.system.record_scenarios`."""

from __future__ import annotations

import json

from mesosim.lab import play, scenario
from mesosim.lab.outcome import Outcome
from tests.house.rooms import ROOT

FILE = ROOT / "tests" / "vectors" / "scenarios.json"
SEED = 1


def played(name: str, runtime: str = "cpython") -> Outcome:
    """A packaged scenario, as it is recorded."""
    return play.play(scenario.load(name), SEED, runtime)


if __name__ == "__main__":
    hashes = {name: played(name).trace_sha256 for name in scenario.names()}
    FILE.write_text(json.dumps(hashes, indent=2) + "\n", encoding="utf-8")
