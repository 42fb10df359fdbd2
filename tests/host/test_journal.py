"""The journal: on disk before anything follows, never changed, readable by the next program."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from mesoinjector.errors import PlanError
from mesoinjector.journal import Intended, Journal, JournalError
from mesoinjector.results import Delivered, NotDelivered, Result, Unknown

DEVICE = "0011223344556677"


def intended(dose_id: str = "aa", n: int = 1) -> Intended:
    return Intended(dose_id, n, "dose", 1, "cheek", 3, 20_000, 1_000)


def delivered(dose_id: str = "aa", n: int = 1) -> Delivered:
    return Delivered(dose_id, n, True, True, "complete", 20_000, 19_990, 19_500, 20_400, True, False)


@pytest.mark.requirement("SR-20")
def test_what_was_written_is_read_by_another_program(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    writer = Journal(path)
    writer.intend(DEVICE, intended())
    reader = Journal(path)  # the writer is not closed: it may have been killed
    assert reader.open_doses(DEVICE) == [intended()]
    assert not reader.committed("aa")
    writer.commit(DEVICE, "aa")
    assert reader.committed("aa")
    writer.close_dose(DEVICE, delivered())
    assert reader.open_doses(DEVICE) == []
    assert reader.result("aa") == delivered()


@pytest.mark.parametrize(
    ("result", "still_open"),
    [
        (delivered(), False),
        (NotDelivered("aa", 1, "trigger", 20_000), False),
        (Unknown("aa", 1, "line broke", 20_000, 0, 20_000), True),
    ],
)
def test_only_an_unknown_dose_stays_open(result: Result, still_open: bool, tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.sqlite")
    journal.intend(DEVICE, intended())
    journal.close_dose(DEVICE, result)
    assert journal.result("aa") == result
    assert bool(journal.open_doses(DEVICE)) is still_open
    if still_open:
        journal.close_dose(DEVICE, delivered())
        assert journal.result("aa") == delivered()
        assert journal.open_doses(DEVICE) == []


def test_doses_of_another_device_are_not_ours(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.sqlite")
    journal.intend("ffffffffffffffff", intended())
    assert journal.open_doses(DEVICE) == []
    assert not journal.knows(DEVICE, "aa")


@pytest.mark.requirement("SR-20")
@pytest.mark.parametrize("statement", ["DELETE FROM entry", "UPDATE entry SET data = '{}'"])
def test_rows_stand(statement: str, tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.sqlite")
    journal.intend(DEVICE, intended())
    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        sqlite3.connect(journal.path).execute(statement)
    assert journal.intended("aa") == intended()


def test_a_settled_dose_stays_unknown_and_blocks_nothing(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.sqlite")
    journal.intend(DEVICE, intended())
    journal.commit(DEVICE, "aa")  # and then the host was killed, and the device lost
    assert journal.open_doses(DEVICE) == [intended()]
    with pytest.raises(PlanError, match="operator and reason"):
        journal.settle("aa", "", "gone")
    settled = journal.settle("aa", "M. Curie", "device stolen")
    assert isinstance(settled, Unknown) and settled.upper_nl == 20_000
    reader = Journal(journal.path)
    assert reader.settled("aa") and reader.result("aa") == settled
    assert reader.open_doses(DEVICE) == []
    assert reader.entries()[-1][5] == {"operator": "M. Curie", "reason": "device stolen"}
    with pytest.raises(PlanError, match="has ended: Unknown"):
        journal.settle("aa", "M. Curie", "again")


def test_settling_keeps_the_bounds_that_are_known(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.sqlite")
    journal.intend(DEVICE, intended())
    journal.commit(DEVICE, "aa")
    interrupted = Unknown("aa", 1, "interrupted", 20_000, 4_000, 6_000)
    journal.close_dose(DEVICE, interrupted)
    assert journal.settle("aa", "M. Curie", "device burnt") == interrupted


def test_what_is_certain_cannot_be_settled(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.sqlite")
    with pytest.raises(PlanError, match="not in the journal"):
        journal.settle("aa", "M. Curie", "gone")
    journal.intend(DEVICE, intended())
    assert isinstance(journal.settle("aa", "M. Curie", "gone"), NotDelivered)  # COMMIT never left
    assert not journal.settled("aa")
    with pytest.raises(PlanError, match="has ended: NotDelivered"):
        journal.settle("aa", "M. Curie", "gone")


def test_treatments_are_numbered_apart(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.sqlite")
    numbers = [journal.start_treatment(DEVICE, "plan") for _ in range(5)]
    assert len(set(numbers)) == 5 and all(1 <= n <= 0xFFFF for n in numbers)


def test_the_last_number_known(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.sqlite")
    assert journal.last_n(DEVICE) == 0
    journal.intend(DEVICE, intended(n=7))
    assert journal.last_n(DEVICE) == 0  # intended is not used
    journal.close_dose(DEVICE, delivered(n=7))
    journal.note_foreign(DEVICE, {"dose_id": "bb", "n": 9})
    assert journal.last_n(DEVICE) == 9
    assert journal.knows(DEVICE, "bb")


def test_a_journal_of_a_later_format_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    Journal(path).close()
    db = sqlite3.connect(path)
    db.execute("PRAGMA user_version = 3")
    db.close()
    with pytest.raises(JournalError, match="format 3"):
        Journal(path)


def test_a_commit_is_on_disk_in_full(tmp_path: Path) -> None:
    db = Journal(tmp_path / "journal.sqlite")._db
    assert db.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert db.execute("PRAGMA synchronous").fetchone() == (2,)
