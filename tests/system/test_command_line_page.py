"""docs/commands.md: exit codes are said alike everywhere, and a shell completes commands as it says."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest

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
