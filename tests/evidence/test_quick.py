"""The reduced form of all studies by the command itself, and every number of its document recomputed."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mesosim.evidence import studies
from mesosim.lab.campaign import identity
from tests.summary import TOLD


def evidence(*arguments: str) -> subprocess.CompletedProcess[str]:
    """The command."""
    command = [sys.executable, "-m", "mesoinjector", "evidence", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.timeout(600)
def test_the_quick_form_is_whole(tmp_path: Path, record_property: Callable[[str, Any], None]) -> None:
    """All studies, every line passed or failed with its cause, and no number that is not so."""
    begun = time.monotonic()
    done = evidence("--out", str(tmp_path), "--quick", "--json")
    took_s = time.monotonic() - begun
    assert done.returncode in (0, 1), done.stderr
    said = json.loads(done.stdout)
    assert done.returncode == any(not line["passed"] for line in said["acceptance"])
    assert all(line["passed"] or len(line["cause"]) > 10 for line in said["acceptance"])
    document = json.loads((tmp_path / "figures.json").read_text())
    assert {one["study"] for one in document["figures"]} >= set(studies.MODULES)
    assert {one["study"] for one in document["verdicts"]} == set(studies.MODULES)
    assert said["figures"] == len(document["figures"])
    facts = document["facts"]
    assert facts["software"] == identity.package() and facts["seed"] == "1" and facts["commit"] and facts["with"]
    assert (tmp_path / "evidence.pdf").read_bytes().startswith(b"%PDF")
    again = subprocess.run(
        [sys.executable, "-I", str(tmp_path / "recompute.py")], capture_output=True, text=True, check=False
    )
    assert again.returncode == 0, again.stdout + again.stderr
    cost = next(one["value"] for one in document["figures"] if one["id"] == "cost.all.s")
    lines = [f"{took_s:.0f} s of wall time, beside the other tests; {cost:.0f} s of processor time in the cases"]
    lines += [f"{'passed' if line['passed'] else 'FAILED'}: {line['asked']}" for line in said["acceptance"]]
    record_property(TOLD, ["evidence --quick", *lines, *again.stdout.splitlines()])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--only", "height"], "--only height: must be one of dose, "),
        (["--executor", "abacus://"], "--executor abacus://: must be dask://HOST:PORT."),
    ],
)
def test_bad_input_is_said_and_nothing_is_run(arguments: list[str], said: str, tmp_path: Path) -> None:
    done = evidence("--out", str(tmp_path / "new"), *arguments)
    assert done.returncode == 2
    assert said in done.stderr
    assert not list((tmp_path).rglob("*.html"))


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = evidence("--out", str(tmp_path / "file" / "new"), "--quick")
    assert done.returncode == 2
    assert "Next: name a folder that can be written." in done.stderr
