"""The accuracy step of the production line: a simulated scale under simulated boards, by the command."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from mesoinjector import production_weighing
from mesoinjector.cli import app
from mesoinjector.errors import PlanError
from mesoinjector.production_file import load
from mesoinjector.production_record import Weighed

LINE = 'serial = "MI-###"\nkeys = "keys"\n[scale]\nport = "sim:sics"\n'


def provisioned(folder: Path, *lines: str) -> tuple[int, list[dict[str, Any]]]:
    """The command on two boards; its exit code, and what it says of each."""
    (folder / "line.toml").write_text(LINE + "".join(f"{line}\n" for line in lines))
    devices = [word for seed in (1, 2) for word in ("--device", f"sim://?seed={seed}")]
    found = CliRunner().invoke(app, ["provision", str(folder / "line.toml"), *devices, "--json"])
    boards: list[dict[str, Any]] = json.loads(found.stdout)["boards"]
    return found.exit_code, boards


def accuracy(board: dict[str, Any]) -> dict[str, Any]:
    (step,) = [step for step in board["steps"] if step["name"] == "accuracy"]
    return dict(step)


def test_boards_are_weighed_one_after_the_other_and_pass(tmp_path: Path) -> None:
    code, boards = provisioned(tmp_path, "doses = 3")
    assert code == 0 and [board["serial"] for board in boards] != []
    for board in boards:
        step = accuracy(board)
        assert board["passed"] and step["verdict"] == "passed"
        assert "20 µl" in step["said"] and "100 µl" in step["said"] and "sim:sics" in step["said"]
    reports = [file.read_text() for file in (tmp_path / "reports").glob("*.html")]
    assert len(reports) == 2 and all("dose 6 of" in page for page in reports)


def test_one_that_is_further_off_than_the_line_allows_gets_no_keys(tmp_path: Path) -> None:
    code, boards = provisioned(tmp_path, "within_percent = 0.0001")
    assert code == 3
    for board in boards:
        assert not board["passed"] and accuracy(board)["verdict"] == "failed" and board["keys"] == {}
    assert not (tmp_path / "labels.csv").exists()


@pytest.mark.parametrize(
    ("weighed", "early", "within", "passed"),
    [
        ((20_900, 19_300, 100_000), [], 5.0, True),
        ((21_100, 21_000, 100_000), [], 5.0, False),
        ((20_000, 20_000, 94_900), [], 5.0, False),
        ((20_000, 20_000, 100_000), ["occlusion"], 5.0, False),
    ],
)
def test_the_mean_of_each_volume_is_judged(
    weighed: tuple[int, ...], early: list[str], within: float, passed: bool
) -> None:
    doses = tuple(map(Weighed, (20_000, 20_000, 100_000), weighed))
    found = production_weighing.judged(doses, early, within, "a scale")
    assert found.passed is passed and found.doses == doses and all(reason in found.said for reason in early)


@pytest.mark.parametrize(
    "line", ['port = "typed"', 'port = "sim:sics"\ndoses = 2', 'port = "sim:sics"\nvolumes_ml = [0.02]', "doses = 3"]
)
def test_what_cannot_be_weighed_is_refused_before_anything_is_sent(tmp_path: Path, line: str) -> None:
    (tmp_path / "line.toml").write_text(f'serial = "MI-###"\nkeys = "keys"\n[scale]\n{line}\n')
    with pytest.raises(PlanError):
        load(tmp_path / "line.toml")
    assert not (tmp_path / "serials.sqlite").exists()
