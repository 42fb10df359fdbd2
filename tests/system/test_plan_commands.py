"""`mesoinjector plan ...` and `run` with a session, --continue and keys, as a user types them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from mesoinjector import cli
from mesoinjector.cli.keyboard import keys
from mesoinjector.journal import Journal
from mesosim.runtime import Paced
from tests.house.rooms import ROOT

PLANS = ROOT / "examples" / "plans"
SESSION = (PLANS / "session-face.toml").read_text()
PATIENCE_S = 30.0


class Done(NamedTuple):
    """What a command line did."""

    code: int
    out: str
    err: str


Meso = Callable[..., Done]


@pytest.fixture
def meso(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Meso:
    """Runs a command line in this process, in a folder with the example plans."""
    for file in PLANS.glob("*.toml"):
        (tmp_path / file.name).write_text(file.read_text())
    monkeypatch.chdir(tmp_path)

    def run(*arguments: object) -> Done:
        monkeypatch.setattr(sys, "argv", ["mesoinjector", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        return Done(int(ended.value.code or 0), *capsys.readouterr())

    return run


def test_check_says_what_is_allowed(meso: Meso) -> None:
    assert "30 points, allowed" in meso("plan", "check", "face-30-points.toml").out
    assert "1,800 punctures, allowed" in meso("plan", "check", "fractional-900.toml").out
    done = meso("plan", "check", "session-face.toml", "--day", "2026-01-01", "--json")
    assert done.code == 0 and json.loads(done.out)["session"] is True


def test_check_says_what_is_not(meso: Meso, tmp_path: Path) -> None:
    late = meso("plan", "check", "session-face.toml", "--day", "2027-07-01")
    assert late.code == cli.BAD_INPUT and late.out == ""
    for told in ("date = 2026-01-01", "needle.expiry", "component[0].expiry", "component[1].expiry", "Next:"):
        assert told in late.err
    assert meso("plan", "check", "session-face.toml", "--day", "soon").code == cli.BAD_INPUT
    (tmp_path / "bad.toml").write_text(SESSION.replace("face-30-points.toml", "none.toml"))
    absent = meso("plan", "check", "bad.toml")
    assert absent.code == cli.BAD_INPUT and "none.toml: there is no such file" in absent.err


def test_check_asks_a_journal_for_the_test_dose(meso: Meso, tmp_path: Path) -> None:
    untested = "\n".join(line for line in SESSION.splitlines() if "tested_elsewhere" not in line)
    (tmp_path / "untested.toml").write_text(untested)
    arguments = ("plan", "check", "untested.toml", "--day", "2026-01-01")
    assert meso(*arguments).code == 0
    done = meso(*arguments, "--journal", "j.sqlite")
    assert done.code == cli.BAD_INPUT and "no test dose of hyaluronic acid 1 %, vitamin C 5 %" in done.err


def test_estimate_and_schema(meso: Meso) -> None:
    facts = json.loads(meso("plan", "estimate", "session-face.toml", "--json").out)
    assert facts["volume_nl"] == 600_000 and 55 < facts["device_s"] < 57 and facts["points"] == 31
    assert "priming, at most" in meso("plan", "estimate", "face-30-points.toml").out
    for what in ("plan", "session"):
        assert meso("plan", "schema", what).out == (PLANS / f"{what}.schema.json").read_text()


def test_a_session_is_run_and_its_journal_has_references(meso: Meso, tmp_path: Path) -> None:
    done = meso("run", "session-face.toml", "--device", "sim://cpython?seed=1", "--journal", "j.sqlite", "--json")
    assert done.code == 0 and len(json.loads(done.out)["doses"]) == 31
    book = Journal(tmp_path / "j.sqlite")
    (about,) = [row[5] for row in book.entries() if row[2] == "treatment"]
    book.close()
    assert about["patient_ref"] == "P-10442" and about["confirmed"]["age_18_or_over"] is True
    soon = meso("plan", "check", "session-face.toml", "--day", "2026-01-01", "--journal", "j.sqlite")
    assert soon.code == 0 and "0 days ago: 7 to 10 days are usual" in soon.err


@pytest.mark.parametrize(
    "arguments", [(), ("face-30-points.toml", "--continue"), ("face-30-points.toml", "--skip", "2")]
)
def test_either_a_file_or_what_was_left(arguments: tuple[str, ...], meso: Meso) -> None:
    done = meso("run", *arguments, "--device", "sim://")
    assert done.code == cli.BAD_INPUT and "say either FILE, or --continue" in done.err


# --- In real time, with real processes ------------------------------------------------------------------


@pytest.fixture
def device() -> Iterator[Paced]:
    paced = Paced(1, "cpython")
    yield paced
    paced.close()


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "mesoinjector", "run", *map(str, arguments)]


PLAN = """
[plan]
name = "Three"
mode = "metered"
points = 3
profile = "1ml-30G4-aqueous"
prime_ml = 0.1

[[zone]]
name = "body"
depth_mm = 1.5
volume_ml = 0.02
points = 3
"""


def test_a_plan_alone_gives_nothing_on_a_real_device(device: Paced, tmp_path: Path) -> None:
    (tmp_path / "plan.toml").write_text(PLAN)
    arguments = ("plan.toml", "--device", device.path, "--journal", "j.sqlite")
    done = subprocess.run(
        command(*arguments), capture_output=True, text=True, check=False, cwd=tmp_path, timeout=PATIENCE_S
    )
    assert done.returncode == cli.BAD_INPUT and "this is a real device" in done.stderr
    unasked = subprocess.run(
        command(*arguments, "--bench"),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        timeout=PATIENCE_S,
    )
    assert unasked.returncode == cli.BAD_INPUT and "About to give Three, 3 points" in unasked.stderr
    assert device.control("account")["plunger_steps"] == 0


def test_a_host_killed_between_points_is_continued(device: Paced, tmp_path: Path) -> None:
    """By SIGKILL, once the first point's outcome is in the journal."""
    (tmp_path / "plan.toml").write_text(PLAN)
    common = ("--device", device.path, "--journal", "j.sqlite", "--report", "r.html", "--json", "--yes")
    host = subprocess.Popen(command("plan.toml", "--bench", *common), cwd=tmp_path, stdout=subprocess.DEVNULL)
    for _ in range(int(PATIENCE_S * 20)):
        if device.control("account")["punctures"] >= 2:
            break
        threading.Event().wait(0.05)
    host.send_signal(signal.SIGKILL)
    host.wait(PATIENCE_S)
    # the line was lost while a dose was under way: somebody looks, and says so
    cleared = [sys.executable, "-m", "mesoinjector", "clear", *common[:4]]
    for _ in range(10):  # refused as long as the trigger is held
        if not subprocess.run(cleared, cwd=tmp_path, check=False, capture_output=True, timeout=PATIENCE_S).returncode:
            break
    skip: list[str] = []
    for _ in range(3):
        line = command("--continue", *common, *skip)
        done = subprocess.run(line, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=PATIENCE_S)
        if "--skip" not in done.stderr:
            break
        skip = ["--skip", "2"]
    assert done.returncode == (4 if skip else 0), done.stderr
    assert "Going on with Three, nobody's, begun" in done.stderr
    assert [dose["point"] for dose in json.loads(done.stdout)["doses"]] == [0, 1, 2, 3]
    account = device.control("account")
    assert account["punctures"] == 3 and account["skin_nl"] < 61_000


def test_keys_act_and_ctrl_c_stays_a_signal() -> None:
    import termios

    master, slave = os.openpty()
    before = termios.tcgetattr(slave)
    pressed: list[str] = []
    both = threading.Event()

    def note(key: str) -> None:
        pressed.append(key)
        if len(pressed) == 2:
            both.set()

    with keys({"p": lambda: note("p"), "q": lambda: note("q")}, slave) as are_read:
        assert are_read
        assert termios.tcgetattr(slave)[3] & termios.ISIG
        os.write(master, b"xPq")
        assert both.wait(PATIENCE_S)
    assert pressed == ["p", "q"] and termios.tcgetattr(slave) == before
    os.close(slave)
    os.close(master)


def test_without_a_terminal_no_key_is_read() -> None:
    read, write = os.pipe()
    with keys({}, read) as are_read:
        assert not are_read
    os.close(read)
    os.close(write)
