"""`mesoinjector sim run, faults, inject, control, schema`: what they print, exit codes, faults of a served device."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from mesoinjector import Delivered, Injector, errors
from mesoinjector.cli import app
from mesosim.lab import catalogue, scenario

ONE_DOSE = """
title = "A prime and a dose"

[[step]]
do = "prime"
volume_ml = 0.06

[[step]]
do = "dose"
volume_ml = 0.1
depth_mm = 1.0
zone = "cheek"

"""


def sim(*arguments: str) -> tuple[int, str]:
    """Exit code and stdout of `mesoinjector sim`; errors of the package are raised."""
    done = CliRunner().invoke(app, ["sim", *arguments])
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.exit_code, done.stdout


def test_a_scenario_that_holds() -> None:
    code, out = sim("run", "prime", "--seed", "7")
    assert code == 0
    assert "prime, seed 7, cpython: passed" in out


def test_findings_come_first_and_with_exit_code_1(tmp_path: Path) -> None:
    text = 'title = "Wrong"\n[[step]]\ndo = "prime"\nvolume_ml = 0.06\n[expect]\nresults = ["occlusion"]\n'
    (tmp_path / "wrong.toml").write_text(text)
    code, out = sim("run", str(tmp_path / "wrong.toml"), "--seed", "1")
    assert code == 1
    assert out.startswith("FINDING: results are complete; expected occlusion")


def test_a_fault_from_the_command_line_and_json(tmp_path: Path) -> None:
    code, out = sim("run", "doses", "--seed", "1", "--fault", "estop@1.5:step=2", "--json")
    outcome = json.loads(out)
    assert code == 0, outcome["findings"]
    assert (outcome["fault"], outcome["hazard"], outcome["alarm"]) == ("estop", "H-06", "estop")
    assert 0 <= outcome["alarm_ms"] <= (catalogue.get("estop").signal_ms or 0)


@pytest.mark.parametrize(
    ("fault", "code", "words"),
    [
        ("drive_stall@2.0", 1, "FINDING: needle home and nothing pushed never; allowed are 1000 ms"),
        ("drive_stall@2.0", 1, "known: open: a drive that cannot turn"),
        ("depth_stop_off@1.2", 1, "FINDING: the alarm is none; expected depth"),
        ("index_dead", 0, "known: harmless: a dose goes by the needle's own position"),
        ("board.index_count.stuck@2.0", 0, "seed 7, cpython: passed, its fault not judged"),
        ("board.index_count.stuck@2.0", 0, "not judged: the catalogue has no entry for it in a dose"),
        ("index_dead@600.0", 0, "not judged: it did not strike before the last step had ended"),
        ("frame.Stop.drop", 0, "not judged: it did not strike"),
        ("host.crash.outcome@600.0:kind=after", 0, "not judged: it did not strike"),
        ("estop@1.0:step=4", 0, "not judged: nothing is given in its step"),
    ],
)
def test_a_fault_is_judged_or_said_not_to_be(fault: str, code: int, words: str, tmp_path: Path) -> None:
    text = ONE_DOSE + '[[step]]\ndo = "wait"\ns = 1.0\n' * 2
    (tmp_path / "mine.toml").write_text(text)
    done, out = sim("run", str(tmp_path / "mine.toml"), "--seed", "7", "--fault", fault)
    assert words in out
    assert done == code


def test_the_same_seed_gives_the_same_trace(tmp_path: Path) -> None:
    files = [tmp_path / "a", tmp_path / "b"]
    outcomes = [json.loads(sim("run", "prime", "--seed", "3", "--trace", str(file), "--json")[1]) for file in files]
    assert outcomes[0] == outcomes[1]
    assert files[0].read_bytes() == files[1].read_bytes() != b""


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("run", "nowhere"), "there is no such file"),
        (("run", "doses", "--fault", "oclusion"), "there is no fault 'oclusion'"),
        (("run", "doses", "--fault", "occlusion@soon"), "must be a valid number"),
        (("run", "doses", "--fault", "occlusion:kind"), "must be symbol=value"),
        (("run", "doses", "--set", "depth.offset_um"), "must be symbol=value"),
        (("run", "doses", "--trace", "/nowhere/trace"), "--trace /nowhere/trace: cannot be written"),
        (("faults", "oclusion"), "there is no fault 'oclusion'"),
    ],
)
def test_bad_input_is_a_plan_error(arguments: tuple[str, ...], words: str) -> None:
    with pytest.raises(errors.PlanError, match=words):
        sim(*arguments)


@pytest.mark.parametrize("seed", ["-1", str(1 << 30)])
def test_a_seed_that_no_device_has(seed: str) -> None:
    assert sim("run", "prime", "--seed", seed)[0] == sim("serve", "--pty", "x", "--seed", seed)[0] == 2


def test_the_catalogue_is_listed() -> None:
    _, out = sim("faults", "--json")
    assert {"occlusion", "estop", "power_cut"} <= {fault["name"] for fault in json.loads(out)}
    _, out = sim("faults", "board.encoder", "--json")
    assert {fault["target"] for fault in json.loads(out)} == {"board.encoder"}
    assert "trigger_b_open" in sim("faults")[1]


def test_the_schema_is_printed() -> None:
    assert json.loads(sim("schema")[1]) == scenario.schema()


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Path]:
    """A paced device; its pty is `injector`, its control socket `injector.ctl`, in the folder."""
    command = [
        sys.executable,
        "-m",
        "mesoinjector",
        "sim",
        "serve",
        "--runtime",
        "cpython",
        "--seed",
        "1",
        "--speed",
        "2",
    ]
    command += ["--pty", "injector", "--control", "injector.ctl"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=tmp_path)
    assert process.stdout
    process.stdout.readline()
    yield tmp_path
    process.terminate()
    process.communicate(timeout=30)


def test_faults_come_and_go_while_a_client_is_connected(served: Path) -> None:
    control = ("--control", str(served / "injector.ctl"))
    with Injector.open(str(served / "injector"), served / "journal.sqlite") as injector:
        injector.begin_treatment()
        assert injector.prime(0.06).reason == "complete"
        assert sim("inject", "occlusion", *control)[0] == 0
        assert json.loads(sim("control", "faults", *control)[1]) == ["needle.blocked"]
        result = injector.dose(0.02, 1.0, "cheek")
        assert isinstance(result, Delivered) and result.reason == "occlusion"
        assert sim("inject", "occlusion", "--clear", *control)[0] == 0
        assert json.loads(sim("control", "account", *control)[1])["needle_home"]
        assert json.loads(sim("control", "faults", *control)[1]) == []
    with pytest.raises(errors.PlanError, match="needs a scenario"):
        sim("inject", "link_lost", *control)
    with pytest.raises(errors.PlanError, match="no_such"):
        sim("control", "no_such", *control)


def test_no_device_at_the_socket(tmp_path: Path) -> None:
    with pytest.raises(errors.DeviceNotFound, match="no device listens there"):
        sim("control", "account", "--control", str(tmp_path / "injector.ctl"))
