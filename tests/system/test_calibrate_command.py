"""`mesoinjector calibrate` from the command line: what it asks, prints, draws and refuses."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from mesoinjector import PlanError
from mesoinjector.cli import app

PNG = b"\x89PNG\r\n\x1a\n"


def run(folder: Path, line: str, typed: str | None = None) -> Result:
    words = line.replace("FOLDER", str(folder)).split()
    return CliRunner().invoke(app, ["calibrate", *words], input=typed)


@pytest.mark.parametrize("kind", ["png", "html"])
def test_doses_on_a_scale_from_the_command_line(kind: str, tmp_path: Path) -> None:
    line = f"dose --device sim://cpython?seed=3 --operator Ada --scale sim:sbi --plot FOLDER/it.{kind} --json"
    done = run(tmp_path, line)
    assert done.exit_code == 0, done.output
    said = json.loads(done.stdout)
    assert (said["written"], said["calibration"], len(said["doses"])) == (False, "dose", 10)
    assert said["finding"]["better_ppm"] is None and "as good" in said["said"]
    picture = (tmp_path / f"it.{kind}").read_bytes()
    if kind == "png":
        width, height = struct.unpack(">II", picture[16:24])
        assert picture.startswith(PNG) and width > 700 and height > 500
    else:
        assert b"<svg" in picture and b"volume asked for" in picture
    assert "press and hold" in done.stderr


def test_doses_are_told_in_words(tmp_path: Path) -> None:
    done = run(tmp_path, "dose --device sim://cpython?seed=3 --operator Ada --scale sim:sics --plot FOLDER/it.png")
    assert done.exit_code == 0, done.output
    assert done.stdout.count("weighed") == 10 and "mean error" in done.stdout and "as good" in done.stdout


def test_a_pressure_is_asked_about_before_it_is_written(tmp_path: Path) -> None:
    line = "pressure --device sim://cpython?seed=3 --operator Ada --plot FOLDER/it.png"
    refused = run(tmp_path, line, "n\n")
    assert "Nothing" in refused.output or "not wanted" in refused.output
    done = run(tmp_path, f"{line} --yes --json")
    assert done.exit_code == 0, done.output
    said = json.loads(done.stdout)
    assert said["written"] == (said["now"] != said["former"])


def test_a_depth_with_a_gauge_that_is_typed(tmp_path: Path) -> None:
    line = "depth --device sim://cpython?seed=3&mounted=nothing --operator Ada --plot FOLDER/it.png"
    done = run(tmp_path, line, "1.1\n3,1\ny\n1.1\n3.1\n")
    assert done.exit_code == 0, done.output
    assert "carrier_zero_um 0 -> -10" in done.stderr and "better than 0" in done.stdout


def test_set_history_and_restore(tmp_path: Path) -> None:
    device = "--device sim://cpython?seed=7 --journal FOLDER/journal.sqlite"
    done = run(tmp_path, f"set {device} --operator Ada --name Marie --encoder-gain-ppm 1001000")
    assert done.exit_code == 0, done.output
    assert "encoder gain ppm         1001000" in done.stdout
    (noted,) = json.loads(run(tmp_path, f"history {device} --json").stdout)
    assert noted["wanted"]["name"] == "Marie" and noted["former"]["name"] == ""
    assert "encoder_gain_ppm 1000000 -> 1001000" in run(tmp_path, f"history {device}").stdout
    asked = run(tmp_path, f"restore {noted['row']} {device} --operator Bob")
    assert asked.exit_code == 2 and f"before change {noted['row']}: name" in asked.output
    done = run(tmp_path, f"restore {noted['row']} {device} --operator Bob --yes --json")
    assert done.exit_code == 0 and json.loads(done.stdout)["encoder_gain_ppm"] == 1_000_000
    assert len(json.loads(run(tmp_path, f"history {device} --json").stdout)) == 2


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("set --operator Ada", "nothing is to be written"),
        ("dose --operator Ada --volume-ml 0.02", "at least two volumes"),
        ("dose --operator Ada --volume-ml 0.02 --volume-ml 0.3", "volume_ml"),
        ("dose --operator Ada --doses 10 --checks 5", "holds 1 ml"),
        ("dose --operator Ada --doses 2", "doses = 2"),
        ("dose --operator Ada --water-c 60", "water_c"),
        ("dose --operator Ada --plot it.gif", ".png or .html"),
        ("dose --operator Ada --scale oz:/dev/x", "--scale"),
        ("dose --operator Ada --scale sim:oz", "sim:sics"),
        ("depth --operator Ada --gauge-mm 1", "--gauge-mm"),
        ("restore 5 --operator Ada --yes", "there are: none"),
    ],
)
def test_bad_input_is_refused_before_anything_moves(line: str, said: str, tmp_path: Path) -> None:
    done = run(tmp_path, f"{line} --device sim://cpython?seed=3")
    assert isinstance(done.exception, PlanError) and said in str(done.exception)
