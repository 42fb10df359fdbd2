"""What leaves a journal: every dose once, nothing that nobody knows as an amount, nobody by name."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from mesoinjector import export, sessions
from mesoinjector.errors import ExportError, JournalAltered
from mesoinjector.export import Format, lines
from mesoinjector.journal import Intended, Journal
from mesoinjector.results import Delivered, NotDelivered, Result, Unknown
from tests.bench_of_one import Bench
from tests.house.rooms import ROOT

DEVICE, PATIENT, OPERATOR = "0011223344556677", "P-10442", "mcurie-2"
COMPONENT = {"name": "hyaluronic acid 1 %", "volume_ml": 0.8, "lot": "HA-2231", "expiry": "2026-09-30"}
STATUSES = {"completed", "stopped", "not-done", "unknown"}
FHIR = {Format.FHIR_R5: "fhir.resources.bundle", Format.FHIR_R4B: "fhir.resources.R4B.bundle"}


def dose(n: int, treatment: int, kind: str = "dose") -> Intended:
    strokes = 100 if kind == "fractional" else 0
    return Intended(f"{n:016x}", n, kind, treatment, "cheek", n, 0 if strokes else 20_000, 1_000, strokes, 900)


def ended(n: int, complete: bool = True, exact: bool = True, **more: Any) -> Delivered:
    reason = "complete" if complete else "trigger"
    given = (20_000, 19_990, 19_500, 20_400) if complete else (20_000, 7_000, 6_500, 7_400)
    return Delivered(f"{n:016x}", n, complete, exact, reason, *given, True, False, **more)


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    """One treatment with a dose of every kind of end, then one whose end nobody has told."""
    seconds = iter(range(10_000))
    noon = datetime(2026, 6, 1, 12, tzinfo=UTC)
    book = Journal(tmp_path / "journal.sqlite", now=lambda: noon + timedelta(seconds=next(seconds)))
    about = {"patient_ref": PATIENT, "operator": OPERATOR, "component": [COMPONENT]}
    number = book.start_treatment(DEVICE, "plan", about)
    results: list[Result | None] = [
        ended(1),
        ended(2, complete=False),
        NotDelivered(f"{3:016x}", 3, "arm_timeout", 20_000),
        Unknown(f"{4:016x}", 4, "interrupted", 20_000, 4_000, 6_000),
        None,
        ended(6, complete=False, exact=False),
    ]
    for n, result in enumerate(results, 1):
        give(book, dose(n, number), result)
    give(book, dose(7, number, "prime"), ended(7))
    run = Delivered(f"{8:016x}", 8, True, True, "complete", 0, 0, 0, 0, True, False, 100, 100, 1, 66_000, 1_010)
    give(book, dose(8, number, "fractional"), run)
    book.intend(DEVICE, dose(9, number))
    book.start_treatment(DEVICE, "next")
    yield book
    book.close()


def give(book: Journal, asked: Intended, result: Result | None) -> None:
    book.intend(DEVICE, asked)
    book.commit(DEVICE, asked.dose_id)
    if result:
        book.close_dose(DEVICE, result)


def written(book: Journal, as_format: Format, folder: Path) -> bytes:
    path = folder / f"out.{as_format}"
    path.unlink(missing_ok=True)
    export.write(book, as_format, path)
    return path.read_bytes()


# --- Tables ------------------------------------------------------------------------------------------------


def test_a_line_for_each_dose(journal: Journal, tmp_path: Path) -> None:
    assert export.write(journal, Format.CSV, tmp_path / "doses.csv") == 9
    rows = list(csv.DictReader(io.StringIO((tmp_path / "doses.csv").read_text())))
    said = [(row["result"], row["delivered_nl"], row["lower_nl"], row["upper_nl"]) for row in rows]
    assert said == [
        ("Delivered", "19990", "19500", "20400"),
        ("Delivered", "7000", "6500", "7400"),
        ("NotDelivered", "0", "0", "0"),
        ("Unknown", "", "4000", "6000"),
        ("Unknown", "", "0", "20000"),
        ("Delivered", "7000", "6500", "7400"),
        ("Delivered", "19990", "19500", "20400"),
        ("Delivered", "0", "0", "0"),
        ("Unknown", "", "0", "20000"),
    ]
    assert [row["complete"] for row in rows[:4]] == ["true", "false", "false", ""]
    assert [row["reason"] for row in rows[4:9:4]] == ["no end known yet", "not committed yet"]
    assert {(row["patient_ref"], row["operator"]) for row in rows} == {(PATIENT, OPERATOR)}
    assert rows[0]["committed_utc"] == "2026-06-01T12:00:02.000+00:00" and rows[8]["committed_utc"] == ""


def test_a_later_answer_takes_the_place_of_unknown(journal: Journal) -> None:
    journal.close_dose(DEVICE, ended(4, complete=False, exact=False))
    account = lines.read(journal)
    assert (account.doses[3].result, account.doses[3].exact, account.doses[3].upper_nl) == ("Delivered", False, 7_400)
    journal.close_dose(DEVICE, Unknown(f"{3:016x}", 3, "interrupted", 20_000, 0, 9_000))  # as the ledger corrects it
    corrected = lines.read(journal).doses[2]
    assert (corrected.result, corrected.delivered_nl, corrected.exact, corrected.upper_nl) == (
        "Unknown",
        None,
        None,
        9_000,
    )
    journal.settle(f"{5:016x}", OPERATOR, "device lost")
    settled = lines.read(journal).doses[4]
    assert (settled.result, settled.settled_by, settled.delivered_nl) == ("Unknown", OPERATOR, None)
    assert settled.upper_nl == 20_000


def test_json_names_the_state_of_the_journal(journal: Journal, tmp_path: Path) -> None:
    data = json.loads(written(journal, Format.JSON, tmp_path))
    assert data["head"] == journal.verify().hex() and data["rows"] == len(journal.entries())
    assert len(data["doses"]) == 9 and data["treatments"][0]["doses"] == [f"{n:016x}" for n in range(1, 10)]
    assert data["treatments"][0]["about"]["component"] == [COMPONENT]


def test_parquet_is_typed(journal: Journal, tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet", reason="needs pip install 'mesoinjector[parquet]'")
    table = parquet.read_table(io.BytesIO(written(journal, Format.PARQUET, tmp_path)))
    rows = table.to_pylist()
    assert [row["delivered_nl"] for row in rows[:5]] == [19_990, 7_000, 0, None, None]
    assert rows[0]["committed_utc"] == datetime(2026, 6, 1, 12, 0, 2, tzinfo=UTC)
    assert rows[0]["complete"] is True and rows[3]["exact"] is None
    assert table.schema.metadata[b"mesoinjector.head"].decode() == journal.verify().hex()
    assert [row["dose_id"] for row in rows] == [line.dose_id for line in lines.read(journal).doses]


def test_a_foreign_dose_has_a_line_and_no_patient(here: Bench, tmp_path: Path) -> None:
    here.ready().dose(0.02, 1.0, "cheek")
    here.journal = tmp_path / "other.sqlite"
    other = here.connect().journal
    doses = lines.read(other).doses
    assert [(line.kind, line.result, line.patient_ref) for line in doses] == [(lines.FOREIGN, "Delivered", None)] * 2
    assert doses[1].delivered_nl == pytest.approx(20_000, rel=0.05)
    other.close()


# --- FHIR --------------------------------------------------------------------------------------------------


def bundle_of(book: Journal, as_format: Format, folder: Path) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The bundle as its release's models read it again, and its resources."""
    models = pytest.importorskip(FHIR[as_format], reason="needs pip install 'mesoinjector[fhir]'")
    data = written(book, as_format, folder)
    again = json.loads(models.Bundle.model_validate_json(data).model_dump_json())
    assert again == json.loads(data)
    return again, [entry["resource"] for entry in again["entry"]]


@pytest.mark.requirement("SR-20")
@pytest.mark.parametrize("release", FHIR)
def test_only_what_was_measured_is_an_amount(release: Format, journal: Journal, tmp_path: Path) -> None:
    _, resources = bundle_of(journal, release, tmp_path)
    given = [each for each in resources if each["resourceType"] == "MedicationAdministration"]
    status = {each["identifier"][0]["value"][-1]: each["status"] for each in given}
    assert status == {
        "1": "completed",
        "2": "stopped",
        "3": "not-done",
        "4": "unknown",
        "5": "unknown",
        "6": "stopped",
        "9": "unknown",
    }, "the prime went into the air, the run has no fluid"
    amounts = {each["identifier"][0]["value"][-1]: each.get("dosage", {}).get("dose") for each in given}
    assert {name for name, amount in amounts.items() if amount} == {"1", "2"}
    assert (amounts["1"]["value"], amounts["1"]["code"]) == (0.01999, "mL")
    unknown = next(each for each in given if each["identifier"][0]["value"][-1] == "4")
    assert unknown["dosage"]["text"].startswith("not known whether it was given, between 0.004 and 0.006 ml")
    bounds = {each["url"].rpartition(":")[2]: each["valueQuantity"]["value"] for each in unknown["extension"]}
    assert bounds == {"delivered-at-least": 0.004, "delivered-at-most": 0.006}
    assert unknown["statusReason"] == [{"text": "interrupted"}]


@pytest.mark.parametrize("release", FHIR)
def test_who_with_what_when_and_where(release: Format, journal: Journal, tmp_path: Path) -> None:
    bundle, resources = bundle_of(journal, release, tmp_path)
    urls = [entry["fullUrl"] for entry in bundle["entry"]]
    assert len(set(urls)) == len(urls)
    text = json.dumps(bundle)
    for reference in _references(bundle):
        assert reference in urls
    r5 = release is Format.FHIR_R5
    first = next(each for each in resources if each["resourceType"] == "MedicationAdministration")
    assert first["subject"]["identifier"]["value"] == PATIENT and OPERATOR in json.dumps(first["performer"])
    assert "lot HA-2231" in json.dumps(first["medication" if r5 else "medicationCodeableConcept"])
    assert first["occurencePeriod" if r5 else "effectivePeriod"] == {
        "start": "2026-06-01T12:00:02Z",
        "end": "2026-06-01T12:00:03Z",
    }
    kinds = [each["resourceType"] for each in resources]
    usage = "DeviceUsage" if r5 else "DeviceUseStatement"
    assert (kinds.count("Device"), kinds.count(usage), kinds.count("Procedure")) == (1, 2, 3)
    run = resources[-2]
    assert run["status"] == "completed" and "100 punctures asked for" in run["code"]["text"]
    assert DEVICE in text and f"{7:016x}" not in text
    assert [each["status"] for each in resources if each["resourceType"] == usage] == ["stopped", "active"]


def test_the_cocktail_is_as_the_session_says(tmp_path: Path) -> None:
    book = Journal(tmp_path / "journal.sqlite")
    session = sessions.parse((ROOT / "examples/plans/session-face.toml").read_text(), "session-face.toml")
    number = book.start_treatment(DEVICE, "plan", sessions.about(session))
    give(book, dose(1, number), ended(1))
    _, resources = bundle_of(book, Format.FHIR_R5, tmp_path)
    book.close()
    said = resources[-1]["medication"]["concept"]["text"]
    assert said.startswith("hyaluronic acid 1 % 0.6 ml, lot HA-2231, expiry 2") and "; vitamin C 5 % 0.2 ml, " in said
    assert resources[-1]["subject"]["identifier"]["value"] == session.patient


def _references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("reference"), str):
            yield value["reference"]
        for each in value.values():
            yield from _references(each)
    elif isinstance(value, list):
        for each in value:
            yield from _references(each)


@pytest.mark.parametrize(
    ("doses", "as_asked", "status", "usage"),
    [
        ([ended(1)], True, "completed", "completed"),
        ([ended(1), ended(2, complete=False)], False, "stopped", "stopped"),
        ([NotDelivered(f"{1:016x}", 1, "trigger", 20_000)], False, "not-done", "stopped"),
        ([], False, "not-done", "not-done"),
        ([ended(1)], None, "unknown", "active"),
        ([ended(1), Unknown(f"{2:016x}", 2, "line", 20_000, 0, 20_000)], False, "unknown", "stopped"),
        ([Unknown(f"{1:016x}", 1, "line", 20_000, 0, 20_000), ended(2)], True, "unknown", "completed"),
    ],
)
def test_a_treatment_is_what_its_doses_are(
    doses: list[Result], as_asked: bool | None, status: str, usage: str, tmp_path: Path
) -> None:
    book = Journal(tmp_path / "journal.sqlite")
    number = book.start_treatment(DEVICE, "plan")
    for n, result in enumerate(doses, 1):
        give(book, dose(n, number), result)
    if as_asked is not None:
        book.end_treatment(DEVICE, number, as_asked, "complete" if as_asked else "trigger")
    _, resources = bundle_of(book, Format.FHIR_R5, tmp_path)
    book.close()
    assert [each["status"] for each in resources[1:3]] == [status, usage]
    assert resources[1]["subject"] == {"display": "not recorded"}


@pytest.mark.parametrize("release", FHIR)
def test_what_goes_on_has_no_end_until_it_ends_again(release: Format, tmp_path: Path) -> None:
    seconds = iter(range(100))
    noon = datetime(2026, 6, 1, 12, tzinfo=UTC)
    book = Journal(tmp_path / "journal.sqlite", now=lambda: noon + timedelta(seconds=next(seconds)))
    number = book.start_treatment(DEVICE, "plan")

    def said() -> list[Any]:
        _, resources = bundle_of(book, release, tmp_path)
        line = lines.read(book).treatments[0]
        assert (line.ended_utc is None) == (line.as_asked is None) == (line.ended_by is None)
        procedure, usage = resources[1:3]
        period = procedure.get("occurrencePeriod") or procedure["performedPeriod"]
        assert period == usage["timingPeriod"] and period["start"] == "2026-06-01T12:00:00Z"
        return [
            (procedure["status"], period.get("end"), procedure.get("statusReason", {}).get("text")),
            usage["status"],
        ]

    give(book, dose(1, number), ended(1))
    book.end_treatment(DEVICE, number, False, "stopped between points")
    assert said() == [("stopped", "2026-06-01T12:00:04Z", "stopped between points"), "stopped"]
    book.resume_treatment(DEVICE, number)
    give(book, dose(2, number), ended(2))
    # as a host that was killed leaves it
    assert said() == [("unknown", None, None), "active"]
    book.end_treatment(DEVICE, number, True, "complete")
    assert said() == [("completed", "2026-06-01T12:00:09Z", None), "completed"]
    book.close()


def test_a_clock_set_back_makes_no_period_that_ends_before_it_began(tmp_path: Path) -> None:
    noon = datetime(2026, 6, 1, 12, tzinfo=UTC)
    times = iter([noon, noon, noon, noon - timedelta(days=1)])
    book = Journal(tmp_path / "journal.sqlite", now=lambda: next(times))
    give(book, dose(1, book.start_treatment(DEVICE, "plan")), ended(1))
    _, resources = bundle_of(book, Format.FHIR_R5, tmp_path)
    assert resources[-1]["occurencePeriod"] == {"start": "2026-06-01T12:00:00Z"}
    assert lines.read(book).doses[0].clock_set_back
    book.close()


@pytest.mark.parametrize("release", FHIR)
def test_an_empty_journal_is_an_empty_bundle(release: Format, tmp_path: Path) -> None:
    pytest.importorskip(FHIR[release], reason="needs pip install 'mesoinjector[fhir]'")
    book = Journal(tmp_path / "journal.sqlite")
    assert "entry" not in json.loads(written(book, release, tmp_path))
    book.close()


# --- What is refused ---------------------------------------------------------------------------------------


def test_what_is_there_stays(journal: Journal, tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text("mine")
    with pytest.raises(ExportError, match=r"is there already, and stays as it is. Next: name another"):
        export.write(journal, Format.CSV, path)
    assert path.read_text() == "mine"
    with pytest.raises(ExportError, match="cannot be written"):
        export.write(journal, Format.CSV, tmp_path / "no" / "where.csv")


def test_an_altered_journal_is_not_exported(journal: Journal, tmp_path: Path) -> None:
    journal._db.execute("DROP TRIGGER entry_stands")
    journal._db.execute("UPDATE entry SET device = 'other' WHERE id = 3")
    with pytest.raises(JournalAltered, match="row 3 of"):
        export.write(journal, Format.CSV, tmp_path / "doses.csv")
    assert not (tmp_path / "doses.csv").exists()


@pytest.mark.parametrize(("as_format", "module"), [("parquet", "pyarrow"), ("fhir-r5", "fhir"), ("fhir-r4b", "fhir")])
def test_a_missing_package_is_named(as_format: str, module: str, journal: Journal, tmp_path: Path) -> None:
    script = f"import sys; sys.modules['{module}'] = sys.modules['{module}.resources'] = None\n"
    script += "from mesoinjector.cli import main; main()"
    words = ["journal", "export", "--journal", str(journal.path), "--format", as_format, "--out", str(tmp_path / "x")]
    done = subprocess.run([sys.executable, "-c", script, *words], capture_output=True, text=True, check=False)
    extra = "parquet" if as_format == "parquet" else "fhir"
    assert done.returncode == 2 and f"pip install 'mesoinjector[{extra}]'" in done.stderr
    assert not (tmp_path / "x").exists()
