"""`mesoinjector journal`: what a person reads, what a program reads, exit codes."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from mesoinjector.journal import Intended, Journal
from mesoinjector.results import Delivered

DEVICE = "0011223344556677"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Two doses, the second without an end."""
    journal = Journal(tmp_path / "journal.sqlite")
    number = journal.start_treatment(DEVICE, "plan", {"patient_ref": "P-1"})
    for n in (1, 2):
        dose = Intended(f"{n:x}0112233aabbccdd", n, "dose", number, "cheek", n, 20_000, 1_000)
        journal.intend(DEVICE, dose)
        journal.commit(DEVICE, dose.dose_id)
    ended = Delivered("10112233aabbccdd", 1, True, True, "complete", 20_000, 19_990, 19_500, 20_400, True, False)
    journal.close_dose(DEVICE, ended)
    journal.close()
    return journal.path


def command(path: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return program(path, "journal", *words)


def program(path: Path, *words: str) -> subprocess.CompletedProcess[str]:
    whole = [sys.executable, "-m", "mesoinjector", *words, "--journal", str(path)]
    return subprocess.run(whole, capture_output=True, text=True, check=False, timeout=60, cwd=path.parent)


def test_list_and_show(path: Path) -> None:
    before = path.read_bytes()
    told = command(path, "list")
    assert told.returncode == 0 and told.stderr == ""
    first, second = [line.split() for line in told.stdout.splitlines() if "aabbccdd" in line]
    assert first[0] == "10112233aabbccdd" and first[-4:] == ["20.0", "20.0", "Delivered,", "complete"]
    assert second[-7:] == ["20.0", "0.0..20.0", "Unknown,", "no", "end", "known", "yet"]
    doses = json.loads(command(path, "list", "--json", "--last", "1").stdout)["doses"]
    assert [dose["dose_id"] for dose in doses] == ["20112233aabbccdd"] and doses[0]["delivered_nl"] is None
    shown = command(path, "show", "1")
    assert shown.returncode == 0 and "patient ref              P-1" in shown.stdout and "row 6 " in shown.stdout
    facts = json.loads(command(path, "show", "20112233aabbccdd", "--json").stdout)
    assert facts["result"] == "Unknown" and [row["kind"] for row in facts["rows"]] == ["intended", "committed"]
    for several in ("", "ff"):
        refused = command(path, "show", several)
        assert refused.returncode == 2 and "Next: `journal list`" in refused.stderr
    assert path.read_bytes() == before


def test_a_treatment_and_its_report(path: Path) -> None:
    [treatment] = json.loads(command(path, "treatments", "--json").stdout)["treatments"]
    assert (treatment["number"], treatment["patient"], treatment["doses"], treatment["ended"]) == (2, "P-1", 2, None)
    assert "P-1" in command(path, "treatments").stdout
    told = json.loads(program(path, "report", "2", "--json").stdout)
    page = (path.parent / f"treatment-{DEVICE}-2.html").read_text(encoding="utf-8")
    assert told["plan"] == "Treatment 2" and [dose["result"] for dose in told["doses"]] == ["Delivered", "Unknown"]
    assert "1 result unknown: do not give again" in page and "Written from the journal" in page
    assert "0.0195 and 0.0404 ml" in page and "firmware\nnot recorded" in page
    refused = program(path, "report", "3")
    assert refused.returncode == 2 and "no treatment 3. Next: `mesoinjector journal treatments`" in refused.stderr


@pytest.mark.parametrize("plan", ["plan = 1", '[plan]\nname = "[/x]"', "[[plan]]", "["])
def test_whatever_stands_for_a_plan_a_treatment_is_listed_and_reported(tmp_path: Path, plan: str) -> None:
    journal = Journal(tmp_path / "journal.sqlite")
    number = journal.start_treatment(DEVICE, plan)
    dose = Intended("10112233aabbccdd", 1, "dose", number, "cheek", 1, 20_000, 1_000)
    journal.intend(DEVICE, dose)
    journal.close()
    listed, reported = command(journal.path, "treatments"), program(journal.path, "report", str(number))
    assert (listed.returncode, reported.returncode) == (0, 0), listed.stderr + reported.stderr
    if "name" in plan:
        assert "[/x]" in listed.stdout and "[/x]" in reported.stdout


def test_verify_knows_heads_of_before(path: Path) -> None:
    told = json.loads(command(path, "verify", "--json").stdout)
    assert told["rows"] == 6
    journal = Journal(path)
    journal.start_treatment(DEVICE, "next")
    journal.close()
    assert command(path, "verify", "--head", told["head"]).stdout.startswith("7 rows are as they were written; head ")
    foreign = command(path, "verify", "--head", "00" * 32)
    assert foreign.returncode == 3 and "it was written anew. Next: keep it" in foreign.stderr


def test_an_altered_journal_is_shown_and_named(path: Path) -> None:
    db = sqlite3.connect(path)
    db.execute("DROP TRIGGER entry_stands")
    db.execute("UPDATE entry SET data = replace(data, 'chee', 'foot') WHERE id = 2")
    db.commit()
    db.close()
    for words in (["verify"], ["list"], ["show", "1"]):
        told = command(path, *words)
        assert told.returncode == 3 and "row 2 of" in told.stderr and "Next: keep this file" in told.stderr
        assert ("footk" in told.stdout) is (words != ["verify"])
    told = program(path, "report")
    assert told.returncode == 3 and "row 2 of" in told.stderr and not list(path.parent.glob("*.html"))


def test_export(path: Path, tmp_path: Path) -> None:
    out = tmp_path / "doses.csv"
    told = command(path, "export", "--format", "csv", "--out", str(out))
    assert (told.returncode, told.stdout) == (0, f"2 doses in {out}\n"), told.stderr
    again = command(path, "export", "--format", "json", "--out", str(out))
    assert again.returncode == 2 and "is there already" in again.stderr and out.read_text().startswith("dose_id,")
    assert command(path, "export", "--format", "xml", "--out", str(tmp_path / "x")).returncode == 2


def test_a_device_is_stopped_whatever_the_journal_says(path: Path) -> None:
    path.write_bytes(b"no database at all" * 100)
    words = [sys.executable, "-m", "mesoinjector", "stop", "--device", "sim://?seed=1", "--journal", str(path)]
    told = subprocess.run(words, capture_output=True, text=True, check=False, timeout=60)
    assert (told.returncode, told.stdout[:7]) == (0, "stopped")
    assert "file is not a database. Next: keep this file" in told.stderr
    assert path.read_bytes() == b"no database at all" * 100


def test_no_journal(tmp_path: Path) -> None:
    told = command(tmp_path / "none.sqlite", "list")
    assert told.returncode == 3 and "there is none. Next: name one with --journal" in told.stderr
    assert not (tmp_path / "none.sqlite").exists()
