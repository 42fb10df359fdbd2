"""No value on the control path reaches 2^30: none in any packaged scenario, nor on a clock of thirteen days."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from mesosim.lab import scenario
from tests.house.rooms import ROOT
from tests.judges import bounded


def judged(*names: str, path: str = "") -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([path, os.environ.get("PYTHONPATH", "")])}
    command = [sys.executable, "-m", "tests.judges.bounded", *names]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=environment, check=False)


def test_nothing_reaches_2_to_the_30() -> None:
    done = judged(*scenario.names(), "long", "homing")
    assert (done.stdout, done.stderr, done.returncode) == ("", "", 0)


def test_it_is_found_where_it_is(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "protocol" / "mesoprotocol", tmp_path / "mesoprotocol")
    file = tmp_path / "mesoprotocol" / "tick.py"
    file.write_text(file.read_text().replace("d = (a - b) & MASK", "d = (a - b + (1 << 30)) & MASK"))
    done = judged("single-dose-20ul", path=str(tmp_path))
    assert done.stdout.startswith("mesoprotocol.tick.diff:") and done.returncode == 1, done.stderr


@pytest.mark.parametrize(
    "code",
    [
        "x = big * 2",
        "x = -big - big",
        "x = min(big * big, 5)",
        "x = big\nx += big",
        "v = [big]\nv[0] <<= 1",
        "x = int.from_bytes(b'\\xff' * 4, 'big')",
        "x = 0x40000000",
        "class A:\n    def f(self):\n        return ~(big - 1) - 2 * big\nA().f()",
    ],
)
def test_what_is_planted_is_found(code: str) -> None:
    tree = bounded.Watching("planted").visit(ast.parse("big = 0x3FFFFFFF\n" + code))
    exec(compile(tree, "planted", "exec"), {"__within__": bounded.within})
    seen = dict(bounded.SEEN)
    bounded.SEEN.clear()
    assert {where.split(":")[0] for where in seen} <= {"planted", "planted.A.f"} and seen


def test_what_just_fits_passes() -> None:
    tree = bounded.Watching("fits").visit(ast.parse("x = (1 << 29) + ((1 << 29) - 1)\ny = -x - 1\nx -= 1"))
    exec(compile(tree, "fits", "exec"), {"__within__": bounded.within})
    assert bounded.SEEN == {}
