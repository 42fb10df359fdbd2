"""docs/commands.md: exit codes are said alike everywhere, and a shell completes commands as it says."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from mesoinjector import cli
from tests.house.rooms import ROOT

ROW = re.compile(r"^\| (\d+) \| ([^|]+?) \|", re.M)


def table(page: str) -> dict[str, str]:
    return dict(ROW.findall((ROOT / page).read_text()))


def test_exit_codes_are_said_alike() -> None:
    said = re.sub(r"\s+", " ", (cli.__doc__ or "").partition("Exit codes: ")[2]).strip(". ")
    in_code = dict(part.split(" ", 1) for part in said.split("; "))
    codes = table("docs/commands.md")
    assert codes == table("README.md")
    assert set(in_code) == set(codes)
    assert {"2", "3", "4", "5", "130"} == {
        str(code) for code in (cli.BAD_INPUT, cli.DEVICE, cli.ENDED_EARLY, cli.UNKNOWN, cli.INTERRUPTED)
    }


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("jou", {"journal"}),
        ("journal ex", {"export"}),
        ("plan schema ", {"plan", "session"}),
        ("info --rec", {"--record"}),
    ],
)
def test_a_shell_completes_commands_and_options(typed: str, offered: set[str]) -> None:
    program = "import sys; sys.argv = ['mesoinjector']; from mesoinjector.cli import main; main()"
    asked = {"_MESOINJECTOR_COMPLETE": "complete_bash", "COMP_WORDS": f"mesoinjector {typed}"}
    where = {"COMP_CWORD": str(typed.count(" ") + 1)}
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, **asked, **where},
        capture_output=True,
        text=True,
        check=False,
    )
    assert set(done.stdout.split()) == offered


SPEAK_JSON_ALONE = ("plan schema", "sim schema", "sim control")


def test_every_command_speaks_json() -> None:
    def leaves(command: Any, name: str) -> Iterator[tuple[str, Any]]:
        if not hasattr(command, "commands"):
            yield name, command
        for word, inner in getattr(command, "commands", {}).items():
            yield from leaves(inner, f"{name} {word}".strip())

    found = dict(leaves(typer.main.get_command(cli.app), ""))
    assert len(found) > 40
    silent = [name for name, command in found.items() if not any("--json" in each.opts for each in command.params)]
    assert sorted(silent) == sorted(SPEAK_JSON_ALONE)


def test_what_writes_files_says_so_in_json(tmp_path: Path) -> None:
    said: list[dict[str, Any]] = []
    for line in (
        "sim campaign occlusion --seeds 1:1 --out one --json",
        "sim report one --json",
        "sim merge one --out all --json",
        "record line.jsonl --device sim://?seed=1 --seconds 1 --journal :memory: --json",
    ):
        command = [sys.executable, "-m", "mesoinjector", *line.split()]
        done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False, timeout=60)
        assert done.returncode == 0, done.stderr
        said.append(json.loads(done.stdout))
    played, reported, merged, recorded = said
    assert (played["cases"], played["failing"], reported["failing"]) == (1, [], []) and merged["results"] == 1
    assert played["report"] == reported["report"] == "one/report.html" and recorded["entries"] > 10
