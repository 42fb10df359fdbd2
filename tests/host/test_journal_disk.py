"""What a disk can do to a journal: bytes altered, a log cut anywhere, no room, nothing writable."""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mesoinjector.errors import JournalError
from mesoinjector.journal import Intended, Journal
from mesoinjector.results import Delivered

DEVICE = "0011223344556677"


def give(journal: Journal, n: int) -> None:
    dose = Intended(f"{n:016x}", n, "dose", 1, "cheek", n, 20_000, 1_000)
    journal.intend(DEVICE, dose)
    journal.commit(DEVICE, dose.dose_id)
    outcome = Delivered(dose.dose_id, n, True, True, "complete", 20_000, 19_990, 19_500, 20_400, True, False)
    journal.close_dose(DEVICE, outcome)


def files(folder: Path) -> dict[str, bytes]:
    """As they lie on disk: the journal and its log."""
    return {name: (folder / name).read_bytes() for name in ("j.sqlite", "j.sqlite-wal") if (folder / name).exists()}


def opened(folder: Path, content: dict[str, bytes]) -> list[tuple] | str:
    """What a new program finds in such files: all rows, verified, or why not."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for name, data in content.items():
        (folder / name).write_bytes(data)
    try:
        journal = Journal(folder / "j.sqlite")
    except JournalError as error:
        return str(error)
    try:
        entries = journal.entries()
        # through the index, as the driver asks: what it does not find is called NotDelivered
        assert all(journal.committed(row[4]) for row in entries if row[2] == "committed")
        journal.verify()
        return entries
    except JournalError as error:
        return str(error)
    finally:
        journal.close()


@pytest.mark.requirement("SR-20")
@pytest.mark.parametrize("killed", [False, True])
def test_bytes_altered_anywhere_are_noticed_or_alter_nothing(killed: bool, tmp_path: Path) -> None:
    """Of a journal that was closed, and of one whose program was killed, so that its log lies beside it."""
    journal = Journal(tmp_path / "j.sqlite")
    for n in range(1, 8):
        give(journal, n)
    entries = journal.entries()
    if not killed:
        journal.close()
    content = files(tmp_path)
    journal.close()
    assert ("j.sqlite-wal" in content) is killed
    assert opened(tmp_path / "copy", content) == entries
    region, noticed = 256 if killed else 64, 0
    for name, data in content.items():
        for start in range(0, len(data), region):
            altered = (
                data[:start] + bytes(byte ^ 0x55 for byte in data[start : start + region]) + data[start + region :]
            )
            found = opened(tmp_path / "copy", {**content, name: altered})
            if isinstance(found, str):
                noticed += 1
                assert "Next: " in found and "--journal" in found, (name, start, found)
                assert (tmp_path / "copy" / name).read_bytes()[start : start + region] == altered[
                    start : start + region
                ]
            else:
                assert found == entries, (name, start)
    assert noticed > 20


@pytest.mark.requirement("SR-20")
def test_power_cut_anywhere_in_the_writing_of_a_row(tmp_path: Path) -> None:
    """A row is there or not; what was there before stays. The log is cut anywhere, the file half renewed from it."""
    journal = Journal(tmp_path / "j.sqlite")
    give(journal, 1)
    journal._db.execute("PRAGMA wal_autocheckpoint = 0")
    before, entries = files(tmp_path), journal.entries()
    journal.commit(DEVICE, "02")
    after = files(tmp_path)
    journal._db.execute("PRAGMA wal_autocheckpoint = 1")
    more = journal.entries()
    journal._db.execute("PRAGMA wal_checkpoint(PASSIVE)")
    renewed = files(tmp_path)
    journal.close()
    assert before["j.sqlite"] == after["j.sqlite"] != renewed["j.sqlite"]
    log, old = after["j.sqlite-wal"], before["j.sqlite-wal"]
    seen = []
    for cut in range(0, len(log) + 1, 512):
        torn = log[:cut] + old[cut:]
        found = opened(tmp_path / "copy", {"j.sqlite": before["j.sqlite"], "j.sqlite-wal": torn})
        assert found in (entries, more), cut
        seen.append(found == more)
    assert seen[0] is False and seen[-1] is True
    for page in range(0, len(renewed["j.sqlite"]), 4096):
        half = renewed["j.sqlite"][:page] + after["j.sqlite"][page:]
        assert opened(tmp_path / "copy", {"j.sqlite": half, "j.sqlite-wal": log}) == more
    assert opened(tmp_path / "copy", {"j.sqlite": renewed["j.sqlite"]}) == more, "the log alone had it"


def test_a_full_disk_is_said_and_what_was_there_stays(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j.sqlite")
    give(journal, 1)
    entries = journal.entries()
    (pages,) = journal._db.execute("PRAGMA page_count").fetchone()
    journal._db.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(JournalError, match=r"full. Next: free space on its disk. Then open the device again"):
        journal.note_foreign(DEVICE, {"dose_id": "02", "note": "x" * 10_000})
    assert journal.entries() == entries
    journal._db.execute("PRAGMA max_page_count = 100000")
    give(journal, 2)
    journal.verify()
    assert journal.entries()[: len(entries)] == entries and len(journal.entries()) == 2 * len(entries)
    journal.close()


@pytest.fixture
def reachable() -> Iterator[Path]:
    """A folder that everybody may look into."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    folder.chmod(0o755)
    shutil.rmtree(folder)


@contextmanager
def unprivileged(folder: Path) -> Iterator[None]:
    """As somebody who may read the folder and what is in it, and no more."""
    for path in (*folder.iterdir(), folder):
        path.chmod(0o555)
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)


@pytest.mark.parametrize("there", [True, False])
def test_on_a_read_only_disk(there: bool, reachable: Path) -> None:
    path = reachable / "j.sqlite"
    entries = []
    if there:
        journal = Journal(path)
        give(journal, 1)
        entries = journal.entries()
        journal.close()
    with unprivileged(reachable):
        with pytest.raises(JournalError, match=r"Next: make file and folder (readable and )?writable, or name another"):
            Journal(path)
        if there:
            reader = Journal(path, read_only=True)
            reader.verify()
            assert reader.entries() == entries
            with pytest.raises(JournalError, match="readonly"):
                give(reader, 2)
            reader.close()
    if there:
        journal = Journal(path)
        assert journal.entries() == entries
        journal.close()


def test_a_reader_changes_nothing_while_another_writes(tmp_path: Path) -> None:
    path = tmp_path / "j.sqlite"
    with pytest.raises(JournalError, match=r"there is none. Next: name one"):
        Journal(path, read_only=True)
    assert not path.exists()
    journal = Journal(path)
    give(journal, 1)
    reader = Journal(path, read_only=True)
    give(journal, 2)
    assert reader.entries() == journal.entries()
    with pytest.raises(JournalError, match="readonly"):
        give(reader, 3)
    reader.close()
    journal.close()


def test_a_program_that_never_ends_its_writing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mesoinjector.journal_file.PATIENCE_S", 0.05)
    journal = Journal(tmp_path / "j.sqlite")
    other = sqlite3.connect(tmp_path / "j.sqlite", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(JournalError, match=r"locked. Next: end the program that has been writing"):
        give(journal, 1)
    other.execute("ROLLBACK")
    other.close()
    give(journal, 1)
    assert len(journal.entries()) == 3
    journal.close()
