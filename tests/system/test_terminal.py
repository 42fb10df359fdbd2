"""`mesoinjector prime`, `dose`, `fractional`, `ledger` on a port: asked before, told after, STOP at Ctrl-C."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tty
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mesoinjector.connection import STOP_BYTES
from mesoinjector.journal import Journal
from mesosim.runtime import Paced

DOSE = ("dose", "--volume-ml", "0.02", "--depth-mm", "1", "--zone", "cheek")


class Terminal:
    """A person at a terminal, and the device on the desk: a port, as far as the command line knows."""

    def __init__(self, folder: Path) -> None:
        self.device = Paced(1, "cpython")
        self._folder = folder

    def command(self, *words: str) -> list[str]:
        journal = ["--journal", str(self._folder / "journal.sqlite")]
        return [sys.executable, "-m", "mesoinjector", *words, "--device", self.device.path, *journal]

    def says(self, *words: str, answer: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(*words), input=answer, capture_output=True, text=True, timeout=60, check=False
        )

    def plant(self) -> dict[str, Any]:
        account: dict[str, Any] = self.device.control("account")
        return account


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    one = Terminal(tmp_path)
    yield one
    one.device.close()


@pytest.mark.parametrize("answer", ["", "n\n", "perhaps\nn\n"])
def test_nothing_is_given_before_somebody_says_yes(terminal: Terminal, answer: str) -> None:
    done = terminal.says("prime", answer=answer)
    assert done.returncode == 2 and "Nothing was sent" in done.stderr and "About to prime" in done.stderr
    assert terminal.plant()["plunger_steps"] == 0
    assert "nothing was given yet" in terminal.says("ledger").stdout


def test_what_is_given_is_what_the_plant_has_seen(terminal: Terminal) -> None:
    primed = terminal.says("prime", "--json", answer="y\n")
    assert primed.returncode == 0 and json.loads(primed.stdout)["complete"]
    before = terminal.plant()
    dosed = terminal.says(*DOSE, "--yes")
    assert dosed.returncode == 0 and "set the handpiece to the skin" in dosed.stderr
    given = terminal.plant()["tip_nl"] - before["tip_nl"]
    # another program goes on in the same treatment, on the same syringe
    run = terminal.says(
        "fractional", "--strokes", "10", "--depth-mm", "1", "--zone", "cheek", "--area-cm2", "9", "--yes"
    )
    assert run.returncode == 0 and "10 of 10 punctures" in run.stdout
    rows = json.loads(terminal.says("ledger", "--last", "2", "--json").stdout)
    assert [(row["mode"], row["state"]) for row in rows] == [("dose", "done"), ("fractional", "done")]
    assert rows[0]["lower_nl"] <= given <= rows[0]["upper_nl"] and rows[1]["strokes"] == 10


def test_a_value_out_of_range_asks_nobody_for_anything(terminal: Terminal) -> None:
    done = terminal.says(*DOSE[:2], "0.5", *DOSE[3:], "--yes")
    assert done.returncode == 2 and "volume" in done.stderr and "set the handpiece" not in done.stderr
    assert terminal.plant()["plunger_steps"] == 0


@pytest.mark.requirement("SR-27")
@pytest.mark.parametrize("how", ["SIGINT", "SIGTERM"])
def test_ctrl_c_and_an_end_by_the_system_send_stop_and_say_what_was_delivered(terminal: Terminal, how: str) -> None:
    terminal.device.control("present", 0)
    command = terminal.command("prime", "--yes")
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as host:
        assert host.stderr
        assert "press the trigger" in host.stderr.readline()  # it is armed, and waits for a hand
        host.send_signal(signal.Signals[how])
        said = host.stderr.read()
        assert host.wait(timeout=30) == 130
    assert "Stopped." in said and "nothing was delivered, stop" in said
    latched = json.loads(terminal.says("info", "--json").stdout)["latches"]
    assert latched == ["stopped"] and terminal.plant()["needle_home"]


@pytest.mark.requirement("SR-27")
def test_stop_is_the_first_that_is_sent() -> None:
    """Before a session is asked for, and to something that does not answer at all."""
    device, port = os.openpty()
    tty.setraw(port)
    command = [sys.executable, "-m", "mesoinjector", "stop", "--device", os.ttyname(port), "--journal", ":memory:"]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as host:
        sent = b""
        while len(sent) < len(STOP_BYTES):
            sent += os.read(device, 512)
        host.kill()
    os.close(device)
    os.close(port)
    assert sent.startswith(STOP_BYTES)


def test_stop_is_sent_whatever_the_journal_has_to_say(terminal: Terminal, tmp_path: Path) -> None:
    """A journal of another device's history: opening with it is refused, stopping is not."""
    assert terminal.says("prime", "--yes").returncode == 0
    terminal.device.control("reset")
    book = Journal(tmp_path / "journal.sqlite")
    uid = book.entries()[0][3]
    book.note_foreign(uid, {"n": 40, "dose_id": "00" * 8})
    book.close()
    done = terminal.says("stop")
    assert done.returncode == 0 and "stopped" in done.stdout and "without a journal" in done.stderr
    assert json.loads(terminal.says("info", "--json").stdout or "{}").get("latches", ["stopped"]) == ["stopped"]
