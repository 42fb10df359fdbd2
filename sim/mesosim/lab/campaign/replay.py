"""How a failed case is played again: one command, for a drawn case with a scenario file of its own."""

from __future__ import annotations

import shlex
from pathlib import Path

from mesosim.lab.campaign.results import Result

FOLDER = "failing"
"""In a campaign's folder: the scenarios of failed cases that a campaign file has drawn."""


def command(result: Result, out: Path) -> str:
    """The command; writes the drawn scenario into `out` if there is one. Raises OSError."""
    scenario = result.replay
    if result.replay_is_text:
        file = out / FOLDER / f"{result.outcome.scenario}-{result.key.seed}.toml"
        file.parent.mkdir(exist_ok=True)
        file.write_text(result.replay, encoding="utf-8")
        scenario = str(file)
    words = ["mesoinjector", "sim", "run", scenario, "--seed", str(result.key.seed)]
    if result.key.runtime != "cpython":
        words += ["--runtime", result.key.runtime]
    return shlex.join(words)
