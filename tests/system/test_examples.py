"""The examples run as they are: on the simulated device, each in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.house.rooms import ROOT

EXAMPLES = ROOT / "examples"
LAST_LINE = {
    "one_dose.py": "given: 20.0 ul",
    "session_with_report.py": "as asked - see treatment.html",
    "watch_events.py": "Delivered complete",
}


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    program = [sys.executable, str(EXAMPLES / arguments[0]), *arguments[1:]]
    return subprocess.run(program, cwd=folder, capture_output=True, text=True, timeout=100, check=False)


def test_each_example_is_short_shown_and_run_here() -> None:
    there = {path.name: path.read_text() for path in EXAMPLES.glob("*.py")}
    assert set(there) == set(LAST_LINE)
    page = (ROOT / "docs" / "examples.md").read_text()
    for name, text in there.items():
        assert len(text.splitlines()) < 40, name
        assert f'--8<-- "examples/{name}"' in page


@pytest.mark.parametrize("name", LAST_LINE)
def test_an_example_gives_what_it_says(name: str, tmp_path: Path) -> None:
    session = [str(EXAMPLES / "plans" / "session-face.toml")] if "session" in name else []
    done = run(tmp_path, name, *session, "sim://?seed=1")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-1] == LAST_LINE[name]


def test_the_session_leaves_report_and_journal(tmp_path: Path) -> None:
    run(tmp_path, "session_with_report.py", str(EXAMPLES / "plans" / "session-face.toml"), "sim://?seed=1")
    assert {path.name for path in tmp_path.iterdir()} >= {"treatment.html", "journal.sqlite"}


def test_a_session_that_is_not_one_is_refused_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "bad.toml").write_text('plan = "nowhere.toml"\n')
    done = run(tmp_path, "session_with_report.py", "bad.toml")
    assert done.returncode == 1
    assert "bad.toml" in done.stderr
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == [tmp_path / "bad.toml"]


def test_watching_sees_the_pressure_rise(tmp_path: Path) -> None:
    done = run(tmp_path, "watch_events.py", "sim://?seed=1")
    samples = [line for line in done.stdout.splitlines() if line.endswith(" ul")]
    assert max(float(line.split()[0]) for line in samples) > 10
