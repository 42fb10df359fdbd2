"""Two programs with one journal: one of them at a time has a device, and the other is told who."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mesoinjector.errors import JournalHeld, PlanError
from mesoinjector.journal import Intended, Journal

DEVICE, ANOTHER = "0011223344556677", "8899aabbccddeeff"
HOLDER = """
import sys
from mesoinjector.journal import Journal
journal = Journal(sys.argv[1])
journal.hold(sys.argv[2])
print("held", flush=True)
for line in sys.stdin:
    for n in range(int(line)):
        journal.note_foreign(sys.argv[2], {"dose_id": "%016x" % n, "n": n})
    print("written", flush=True)
"""
FORKED = """
import os, sys
from mesoinjector.errors import JournalHeld
from mesoinjector.journal import Journal
parent = Journal(sys.argv[1])
parent.hold(sys.argv[2])
if os.fork() == 0:
    try:
        Journal(sys.argv[1]).hold(sys.argv[2])
    except JournalHeld as error:
        print(type(error).__name__, flush=True)
    os._exit(0)
os.wait()
"""


@pytest.fixture
def program(tmp_path: Path) -> Iterator[Callable[[str], subprocess.Popen[str]]]:
    begun: list[subprocess.Popen[str]] = []

    def begin(device: str) -> subprocess.Popen[str]:
        words = [sys.executable, "-c", HOLDER, str(tmp_path / "journal.sqlite"), device]
        begun.append(subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))
        assert begun[-1].stdout and begun[-1].stdout.readline() == "held\n"
        return begun[-1]

    yield begin
    for process in begun:
        process.kill()
        process.communicate(timeout=30)


def test_the_second_is_told_who_has_it(program: Callable[[str], subprocess.Popen[str]], tmp_path: Path) -> None:
    first = program(DEVICE)
    journal = Journal(tmp_path / "journal.sqlite")
    with pytest.raises(JournalHeld, match=f"process {first.pid} has device {DEVICE} open. Next: end that program"):
        journal.hold(DEVICE)
    journal.hold(ANOTHER)
    os.kill(first.pid, signal.SIGKILL)
    first.wait()
    journal.hold(DEVICE)
    with pytest.raises(AssertionError):
        program(DEVICE)
    journal.release(DEVICE)
    program(DEVICE)
    journal.close()


def test_what_another_program_gives_is_not_settled_here(
    program: Callable[[str], subprocess.Popen[str]], tmp_path: Path
) -> None:
    program(DEVICE)
    journal = Journal(tmp_path / "journal.sqlite")
    journal.intend(DEVICE, Intended("aa", 1, "dose", 1, "cheek", 3, 20_000, 1_000))
    with pytest.raises(JournalHeld):
        journal.settle("aa", "M. Curie", "gone")
    assert journal.result("aa") is None
    with pytest.raises(PlanError, match="not in the journal"):
        journal.settle("bb", "M. Curie", "gone")
    journal.close()


def test_a_process_of_the_same_number_is_another(
    program: Callable[[str], subprocess.Popen[str]], tmp_path: Path
) -> None:
    """As in two containers that share a folder, each of which counts its own processes."""
    program(DEVICE)
    (tmp_path / f"journal.sqlite-{DEVICE}.lock").write_text(str(os.getpid()))
    journal = Journal(tmp_path / "journal.sqlite")
    with pytest.raises(JournalHeld):
        journal.hold(DEVICE)
    journal.close()


def test_hosts_of_one_process_share_it_to_the_last(
    program: Callable[[str], subprocess.Popen[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    first, second = Journal(tmp_path / "journal.sqlite"), Journal("journal.sqlite")
    first.hold(DEVICE)
    second.hold(DEVICE)
    for _ in range(2):
        first.close()
    with pytest.raises(AssertionError):
        program(DEVICE)
    second.close()
    program(DEVICE)


def test_a_host_that_was_dropped_holds_nothing(program: Callable[[str], subprocess.Popen[str]], tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.sqlite")
    journal.hold(DEVICE)
    del journal
    gc.collect()
    program(DEVICE)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows does not fork")
def test_a_forked_process_is_another(tmp_path: Path) -> None:
    said = subprocess.run(
        [sys.executable, "-c", FORKED, str(tmp_path / "journal.sqlite"), DEVICE],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert said.stdout == "JournalHeld\n"


def test_two_devices_in_one_journal(program: Callable[[str], subprocess.Popen[str]], tmp_path: Path) -> None:
    """Rows of two programs that write at once form one chain, none lost, none doubled."""
    programs = [program(DEVICE), program(ANOTHER)]
    for process in programs:
        assert process.stdin
        process.stdin.write("40\n")
        process.stdin.flush()
    for process in programs:
        assert process.stdout and process.stdout.readline() == "written\n"
    journal = Journal(tmp_path / "journal.sqlite", read_only=True)
    journal.verify()
    entries = journal.entries()
    journal.close()
    assert [entry[0] for entry in entries] == list(range(1, 81))
    for device in (DEVICE, ANOTHER):
        assert [entry[5]["n"] for entry in entries if entry[3] == device] == list(range(40))


def test_a_second_host_of_the_same_device_gives_nothing(
    program: Callable[[str], subprocess.Popen[str]], tmp_path: Path
) -> None:
    """From the command line; a device of the same uid stands for a second line to it."""
    uid = "4d53494d01000000"
    first, path = program(uid), tmp_path / "journal.sqlite"
    journal = Journal(path)
    journal.intend(uid, Intended("aa", 1, "dose", 1, "cheek", 3, 20_000, 1_000))
    journal.close()
    words = [sys.executable, "-m", "mesoinjector", "info", "--journal", str(path), "--device"]
    second = subprocess.run([*words, "sim://?seed=1"], capture_output=True, text=True, check=False, timeout=60)
    assert second.returncode == 3 and f"process {first.pid} has device {uid} open. Next: end that" in second.stderr
    another = subprocess.run([*words, "sim://?seed=2"], capture_output=True, text=True, check=False, timeout=60)
    assert another.returncode == 0, another.stderr
    reader = Journal(path, read_only=True)
    assert reader.open_doses(uid) and not reader.result("aa"), "the first one is giving it"
    reader.close()
