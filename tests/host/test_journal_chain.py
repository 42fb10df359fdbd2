"""A journal that is not what was written: the row is named, nothing is written, nothing is repaired."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from mesoinjector.errors import JournalAltered, JournalError
from mesoinjector.journal import Intended, Journal
from mesoinjector.results import Delivered

DEVICE = "0011223344556677"


def write(path: Path, doses: int = 3) -> list[tuple]:
    journal = Journal(path)
    journal.start_treatment(DEVICE, "plan")
    for n in range(1, doses + 1):
        dose = Intended(f"{n:016x}", n, "dose", 1, "cheek", n, 20_000, 1_000)
        journal.intend(DEVICE, dose)
        journal.commit(DEVICE, dose.dose_id)
        outcome = Delivered(dose.dose_id, n, True, True, "complete", 20_000, 19_990, 19_500, 20_400, True, False)
        journal.close_dose(DEVICE, outcome)
    entries = journal.entries()
    journal.close()
    return entries


def alter(path: Path, *statements: str) -> None:
    """As somebody does who knows SQLite: without the triggers."""
    db = sqlite3.connect(path)
    for statement in ("DROP TRIGGER entry_is_kept", "DROP TRIGGER entry_stands", *statements):
        db.execute(statement)
    db.commit()
    db.close()


@pytest.mark.requirement("SR-20")
@pytest.mark.parametrize(
    ("statements", "said"),
    [
        (["UPDATE entry SET data = replace(data, '20000', '10000') WHERE id = 5"], "row 5 of .* was altered"),
        (["UPDATE entry SET utc = '2020-01-01T00:00:00.000+00:00' WHERE id = 5"], "row 5 of 2020"),
        (["UPDATE entry SET device = 'other' WHERE id = 5"], "row 5 of"),
        (["UPDATE entry SET dose_id = NULL WHERE id = 6"], "row 6 of"),
        (["UPDATE entry SET clock_back_ms = 1 WHERE id = 1"], "row 1 of"),
        (["UPDATE entry SET chain = zeroblob(32) WHERE id = 10"], "row 10 of"),
        (["DELETE FROM entry WHERE id = 4"], "row 4 .after 20.* is missing"),
        (["DELETE FROM entry WHERE id = 1"], "row 1 is missing"),
        (["DELETE FROM entry WHERE id > 7"], "row 8 .after 20.* is missing, the newest was 10"),
        (["DELETE FROM entry"], "row 1 is missing, the newest was 10"),
        (
            [
                "UPDATE entry SET id = 99 WHERE id = 4",
                "UPDATE entry SET id = 4 WHERE id = 7",
                "UPDATE entry SET id = 7 WHERE id = 99",
            ],
            "row 4 of",
        ),
    ],
)
def test_the_row_is_named_and_nothing_is_written(statements: list[str], said: str, tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    write(path)
    alter(path, *statements)
    before = path.read_bytes()
    with pytest.raises(JournalAltered, match=f"{said}.*Nothing is written to it. Next: keep this file"):
        Journal(path)
    reader = Journal(path, read_only=True)
    with pytest.raises(JournalAltered, match=said):
        reader.verify()
    reader.close()
    assert path.read_bytes() == before


def test_a_row_made_by_hand_has_no_place_in_the_chain(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    write(path)
    db = sqlite3.connect(path)
    db.execute("INSERT INTO entry SELECT 11, utc, 0, kind, device, dose_id, data, chain FROM entry WHERE id = 10")
    db.commit()
    db.close()
    with pytest.raises(JournalAltered, match="row 11 of"):
        Journal(path)


def test_what_is_old_is_found_by_verify_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mesoinjector.journal_file.CHECKED_ROWS", 4)
    path = tmp_path / "journal.sqlite"
    write(path)
    alter(path, "UPDATE entry SET data = '{}' WHERE id = 2")
    journal = Journal(path)
    with pytest.raises(JournalAltered, match="row 2 of"):
        journal.verify()
    journal.close()
    alter_again = sqlite3.connect(path)
    alter_again.execute("UPDATE entry SET data = '{}' WHERE id = 7")
    alter_again.commit()
    alter_again.close()
    with pytest.raises(JournalAltered, match="row 7 of"):
        Journal(path)
    for row in (6, 7):  # the one that the tail stands on, then the first of it
        db = sqlite3.connect(path)
        db.execute("DELETE FROM entry WHERE id = ?", (row,))
        db.commit()
        db.close()
        with pytest.raises(JournalAltered, match="row 6 is missing"):
            Journal(path)


def test_anybody_can_check_the_chain(tmp_path: Path) -> None:
    """By what docs/DESIGN.md says of it, and with nothing of ours."""
    path = tmp_path / "journal.sqlite"
    write(path)
    chain = bytes(32)
    db = sqlite3.connect(path)
    rows = db.execute("SELECT id, utc, clock_back_ms, kind, device, dose_id, data, chain FROM entry ORDER BY id")
    for *content, stored in rows.fetchall():
        chain = hashlib.sha256(chain + json.dumps(content, separators=(",", ":"), ensure_ascii=True).encode()).digest()
        assert stored == chain
    db.close()


def test_the_head_is_the_last_link(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    write(path)
    journal = Journal(path)
    rows = list(journal.rows())
    assert journal.verify() == rows[-1].chain
    journal.commit(DEVICE, "03")
    assert journal.verify() != rows[-1].chain
    journal.close()


@pytest.mark.parametrize("version", [0, 1])
def test_another_file_is_left_as_it_is(version: int, tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    db = sqlite3.connect(path)
    db.execute("CREATE TABLE entry (id INTEGER)")
    db.execute(f"PRAGMA user_version = {version}")
    db.commit()
    db.close()
    with pytest.raises(JournalError, match=r"Next: .*name a.* file with --journal"):
        Journal(path)
    assert sqlite3.connect(path).execute("SELECT count(*) FROM sqlite_master").fetchone() == (1,)


def test_a_clock_that_is_set_is_said_and_changes_no_order(tmp_path: Path) -> None:
    noon = datetime(2026, 6, 1, 12, tzinfo=UTC)
    times = [noon, noon + timedelta(days=3), noon, noon + timedelta(seconds=1), noon - timedelta(days=400)]
    journal = Journal(tmp_path / "journal.sqlite", now=iter([*times, noon]).__next__)
    dose = Intended("aa", 1, "dose", 1, "cheek", 3, 20_000, 1_000)
    journal.start_treatment(DEVICE, "")
    journal.intend(DEVICE, dose)
    journal.commit(DEVICE, "aa")
    assert journal.committed("aa") and journal.open_doses(DEVICE) == [dose]
    result = Delivered("aa", 1, True, True, "complete", 20_000, 19_990, 19_500, 20_400, True, False)
    journal.close_dose(DEVICE, result)
    journal.start_treatment(DEVICE, "")
    assert journal.result("aa") == result and journal.open_doses(DEVICE) == []
    back = [row.clock_back_ms for row in journal.rows()]
    assert back == [0, 0, 3 * 86_400_000, 0, 400 * 86_400_000 + 1000]
    journal.verify()
    journal.close()


@pytest.mark.parametrize("name", ["patient_ref", "operator"])
@pytest.mark.parametrize("value", ["", "Marie Curie", "a" * 37, "ü", 7, None, "a\n", "1867/11/07"])
def test_a_person_is_an_opaque_reference(name: str, value: object, tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.sqlite")
    with pytest.raises(Exception, match=f"{name}: must be 1 to 36 letters, digits and dashes"):
        journal.start_treatment(DEVICE, "plan", {name: value})
    assert journal.entries() == []
    journal.start_treatment(DEVICE, "plan", {name: "0f0c3c1a-98c2-4b9e-bb26-0d8a4fd1cf10", "facts": {"a": [1]}})
    ((*_, data),) = journal.entries()
    assert data == {name: "0f0c3c1a-98c2-4b9e-bb26-0d8a4fd1cf10", "facts": {"a": [1]}, "plan": "plan"}
    assert json.loads(next(journal.rows()).data) == data
    journal.close()
