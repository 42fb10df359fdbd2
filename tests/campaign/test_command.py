"""The command line of campaigns: what is printed, exit codes, Ctrl-C."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from mesoinjector.cli import main
from mesosim.lab.campaign.results import FILE
from tests.campaign.conftest import Played

PATIENCE_S = 60.0


class Said(NamedTuple):
    """What a command printed, and how it ended."""

    code: int
    out: str
    err: str


@pytest.fixture
def sim(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Said]:
    """`mesoinjector sim ...`, in this process."""

    def run(*words: str) -> Said:
        monkeypatch.setattr(sys, "argv", ["mesoinjector", "sim", *words])
        with pytest.raises(SystemExit) as ended:
            main()
        return Said(int(ended.value.code or 0), *capsys.readouterr())

    return run


def test_failed_cases_are_named_with_their_replay(played: Played, sim: Callable[..., Said]) -> None:
    out, junit = str(played.folder / "out"), str(played.folder / "junit.xml")
    done = sim("campaign", *played.scenarios, "--seeds", "1:2", "--out", out, "--workers", "1", "--junit", junit)
    assert done.code == 1, done.err
    said = done.out.splitlines()
    assert said[0] == "4 cases, 4 played now, 2 failed"
    assert said[1].startswith("refused, seed 1: ")
    assert said[2] == f"  mesoinjector sim run {played.scenarios[1]} --seed 1"
    assert done.err.split() == ["Report:", f"{out}/report.html"]  # no progress bar where there is no terminal
    assert Path(junit).is_file()

    again = sim("campaign", played.scenarios[0], "--seeds", "1:2", "--out", out)
    assert (again.code, again.out) == (0, "2 cases, 0 played now, 0 failed\n")
    merged = sim("merge", out, "--out", f"{out}-merged")
    assert (merged.code, merged.out) == (0, f"4 results of 1 folders in {out}-merged\n")
    assert sim("report", f"{out}-merged").code == 1


def test_bad_input_runs_nothing(played: Played, sim: Callable[..., Said]) -> None:
    out = played.folder / "out"
    for words, said in (
        (("campaign", "nowhere.toml", "--seeds", "1:2"), "nowhere.toml: there is no such file"),
        (("campaign", played.scenarios[0]), "no seeds are given"),
        (("campaign", played.scenarios[0], "--seeds", "1:2", "--shard", "3/2"), "--shard 3/2: must be i/n"),
        (("campaign", played.scenarios[0], "--seeds", "1:2", "--runtime", "java"), "--runtime java: must be cpython"),
        (("campaign", played.scenarios[0], "--seeds", "1:2", "--executor", "foo"), "--executor foo: must be dask://"),
        (("merge", str(played.folder)), "cannot be read"),
    ):
        done = sim(*words, "--out", str(out))
        assert done.code == 2
        assert said in done.err
        assert not out.exists()


def test_ctrl_c_ends_it_and_the_same_command_goes_on(played: Played, sim: Callable[..., Said]) -> None:
    file = played.folder / "out" / FILE
    words = ["campaign", played.scenarios[0], "--seeds", "1:100", "--out", str(file.parent), "--workers", "2"]
    process = subprocess.Popen(
        [sys.executable, "-m", "mesoinjector", "sim", *words],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
        # a shell's background job ignores SIGINT, and so would its children
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
    )
    deadline = time.monotonic() + PATIENCE_S
    while not (file.exists() and b"outcome" in file.read_bytes()):
        assert time.monotonic() < deadline
        assert process.poll() is None
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to the workers too
    _, said = process.communicate(timeout=PATIENCE_S)
    assert (process.returncode, said) == (130, b"")
    kept = len(played.results("out"))
    assert 0 < kept < 100
    assert sim(*words).out == f"100 cases, {100 - kept} played now, 0 failed\n"
    assert len(played.results("out")) == 100
