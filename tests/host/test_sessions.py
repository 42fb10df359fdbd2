"""Sessions: what they must say, what the journal adds, and that nothing is begun without it."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from mesoinjector import PlanError
from mesoinjector.journal import Intended, Journal
from mesoinjector.links import VIRTUAL_DAY
from mesoinjector.plan_files import Session
from mesoinjector.plans import Plan, load, parse
from mesoinjector.results import Delivered, NotDelivered, Result, Unknown
from mesoinjector.sessions import COURSE_DAYS, about, check, read
from mesoinjector.sessions import parse as parse_session
from mesoinjector.treatment import Treatment
from mesoprotocol import limits
from tests.bench_of_one import Bench
from tests.house.rooms import ROOT

PLANS = ROOT / "examples" / "plans"
TODAY = date(2026, 1, 1)
COCKTAIL = """
[[component]]
name = "hyaluronic acid"
volume_ml = 0.8
lot = "HA-2231"
expiry = 2026-01-01
"""
TEXT = f"""
plan = "face-30-points.toml"
patient = "P-10442"
date = 2026-01-01

[operator]
id = "mcurie-2"
role = "physician"

[confirmed]
age_18_or_over = true
no_contraindications = true
new_needle = true
no_test_reaction = true
tested_elsewhere = "2025-12-01, at the other house"

[needle]
lot = "N-7731"
expiry = 2026-01-01
{COCKTAIL}"""
TEST_PLAN = """
[plan]
name = "Test"
mode = "test"
points = 1
profile = "1ml-30G4-aqueous"
prime_ml = 0.1

[[zone]]
name = "body"
depth_mm = 1.5
volume_ml = 0.01
points = 1
"""


def face() -> Plan:
    return load(PLANS / "face-30-points.toml")


def session(text: str = TEXT) -> Session:
    return parse_session(text, "here")


def test_a_session_names_its_plan(tmp_path: Path) -> None:
    (tmp_path / "face-30-points.toml").write_text(face().text)
    (tmp_path / "session.toml").write_text(TEXT)
    found, plan = read(tmp_path / "session.toml")
    assert found is not None and found == session() and plan == face()
    assert read(tmp_path / "face-30-points.toml") == (None, face())
    assert check(found, plan, Journal(":memory:"), TODAY) == []


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("age_18_or_over = true", "age_18_or_over = false", "confirmed.age_18_or_over = false: must be true"),
        ("no_contraindications = true", "no_contraindications = false", "confirmed.no_contraindications = false"),
        ("new_needle = true", "new_needle = false", "confirmed.new_needle = false"),
        ("no_test_reaction = true", "", "confirmed.no_test_reaction = false"),
        ("date = 2026-01-01", "date = 2025-12-31", "date = 2025-12-31: must be 2026-01-01, today"),
        (
            'lot = "N-7731"\nexpiry = 2026-01-01',
            'lot = "N-7731"\nexpiry = 2025-12-31',
            "needle.expiry = 2025-12-31: lot",
        ),
        ('"HA-2231"\nexpiry = 2026-01-01', '"HA-2231"\nexpiry = 2025-12-31', r"component[0].expiry = 2025-12-31: hyal"),
        ("volume_ml = 0.8", "volume_ml = 0.69", "0.69 ml in all: must be at least 0.7 ml, which the plan takes"),
        ("volume_ml = 0.8", "volume_ml = 20.001", "20.001 ml in all: must be at most 20 ml"),
        ("volume_ml = 0.8", "volume_ml = -0.8", "component[0].volume_ml = -0.8: must be more than 0 ml"),
        (COCKTAIL, "", "component: 0 of them: must be 1 to 3"),
        (COCKTAIL, COCKTAIL * 4, "component: 4 of them: must be 1 to 3"),
    ],
)
def test_a_session_is_refused(old: str, new: str, told: str) -> None:
    assert TEXT.count(old) == 1
    with pytest.raises(PlanError, match=re.escape(told)) as refused:
        check(session(TEXT.replace(old, new)), face(), Journal(":memory:"), TODAY)
    assert "nothing was sent" in str(refused.value) and "Next:" in str(refused.value)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('"P-10442"', '"Marie Curie 1"', "patient = 'Marie Curie 1': must be "),
        ('"P-10442"', '"Curie"', "patient = 'Curie': must be "),
        ('"P-10442"', '"' + "1" * 37 + '"', "patient = "),
        ('"mcurie-2"', '"Curie"', "operator.id = 'Curie'"),
        ("[operator]", "[operator]\nnmae = 1", "operator.nmae = 1: unknown key"),
        ('role = "physician"', "", "operator.role: missing"),
        ("new_needle = true", "new_needle = 1", "confirmed.new_needle = 1: must be a valid boolean"),
        ("date = 2026-01-01", 'date = "today"', "date = 'today': must be a valid date"),
        ("[needle]", "[needle", "not a whole TOML file"),
    ],
)
def test_a_session_does_not_read(old: str, new: str, told: str) -> None:
    with pytest.raises(PlanError, match=re.escape(told)):
        session(TEXT.replace(old, new))


def test_a_fractional_session_has_no_cocktail() -> None:
    plan = load(PLANS / "fractional-900.toml")
    with pytest.raises(PlanError, match="component: must be none in a fractional session"):
        check(session(), plan, Journal(":memory:"), TODAY)
    check(session(TEXT.replace(COCKTAIL, "").replace("no_test_reaction = true", "")), plan, Journal(":memory:"), TODAY)


# --- What the journal adds -------------------------------------------------------------------------------

UNTESTED = TEXT.replace('tested_elsewhere = "2025-12-01, at the other house"\n', "")
ID = "00" * 8


def delivered(complete: bool = True) -> Delivered:
    return Delivered(ID, 1, complete, True, "complete", 10_000, 10_000, 9_900, 10_100, True, False)


def dosed(book: Journal, result: Result | None, kind: str = "test", text: str = TEXT) -> datetime:
    """A journal that knows of one dose; when it knows it from."""
    treatment = book.start_treatment("d1", TEST_PLAN, about(session(text)))
    book.intend("d1", Intended(ID, 1, kind, treatment, "body", 0, 10_000, 1_500))
    if result is not None:
        book.close_dose("d1", result)
    return datetime.fromisoformat(book.entries()[-1][1])


def refusal(book: Journal, now: datetime, text: str = UNTESTED) -> str:
    try:
        check(session(text), face(), book, TODAY, now)
    except PlanError as error:
        return str(error)
    return ""


def test_there_was_a_test_dose() -> None:
    book = Journal(":memory:")
    assert "no test dose of hyaluronic acid is in this journal" in refusal(book, datetime.now(UTC))
    late = dosed(book, delivered()) + timedelta(seconds=limits.TEST_WAIT_S)
    assert refusal(book, late) == ""
    assert "no test dose" in refusal(book, late, UNTESTED.replace("P-10442", "P-10443"))
    assert "no test dose" in refusal(book, late, UNTESTED.replace('"hyaluronic acid"', '"vitamin C"'))
    assert "no test dose of hyaluronic acid, vitamin C" in refusal(
        book, late, UNTESTED + COCKTAIL.replace("hyaluronic acid", "vitamin C")
    )


@pytest.mark.parametrize(
    "result", [NotDelivered(ID, 1, "trigger", 10_000), delivered(complete=False), None], ids=["none", "part", "open"]
)
def test_only_a_whole_test_dose_tests(result: Result | None) -> None:
    book = Journal(":memory:")
    late = dosed(book, result) + timedelta(seconds=limits.TEST_WAIT_S)
    assert "no test dose" in refusal(book, late)


@pytest.mark.parametrize("more", [{}, {"component": "HA"}, {"component": ["HA"]}, {"component": [{"lot": "HA-2231"}]}])
def test_a_test_dose_of_nobody_knows_what_tests_nothing(more: dict[str, Any]) -> None:
    book = Journal(":memory:")
    treatment = book.start_treatment("d1", "", {"patient_ref": "P-10442", "operator": "mcurie-2", **more})
    book.intend("d1", Intended(ID, 1, "test", treatment, "body", 0, 10_000, 1_500))
    book.close_dose("d1", delivered())
    late = datetime.now(UTC) + timedelta(seconds=limits.TEST_WAIT_S)
    assert "no test dose of hyaluronic acid is in this journal" in refusal(book, late)


@pytest.mark.parametrize("result", [delivered(), delivered(False), Unknown(ID, 1, "line", 10_000, 0, 10_000), None])
@pytest.mark.parametrize("text", [TEXT, UNTESTED], ids=["elsewhere", "here"])
def test_it_waits_for_whatever_may_have_been_given(result: Result | None, text: str) -> None:
    """Also where another test is said to have been made elsewhere, and for another test."""
    book = Journal(":memory:")
    end = dosed(book, result)
    assert "20 of 20 minutes are left" in refusal(book, end, text)
    last = end + timedelta(seconds=limits.TEST_WAIT_S - 1)
    assert "1 of 20 minutes are left" in refusal(book, last, text)
    with pytest.raises(PlanError, match="1 of 20 minutes"):
        check(session(text), parse(TEST_PLAN, "test"), book, TODAY, last)
    assert "minutes are left" not in refusal(book, last + timedelta(seconds=1), text)


def test_a_clock_that_was_set_back_is_said() -> None:
    book = Journal(":memory:")
    end = dosed(book, delivered())
    assert "later than this computer's clock" in refusal(book, end - timedelta(hours=1))


def test_where_nothing_was_given_nobody_waits() -> None:
    book = Journal(":memory:")
    end = dosed(book, NotDelivered(ID, 1, "trigger", 10_000))
    assert refusal(book, end, TEXT) == ""


@pytest.mark.parametrize("kind", ["dose", "repeat", "perfusion", "retrograde", "fractional"])
def test_another_session_too_soon_is_warned_of(kind: str) -> None:
    book = Journal(":memory:")
    began = dosed(book, delivered(), kind)

    def warned(days: float, who: str = "P-10442") -> list[str]:
        text = TEXT.replace("P-10442", who)
        return check(session(text), face(), book, TODAY, began + timedelta(days=days))

    assert "6 days ago: 7 to 10 days are usual" in warned(6.9)[0]
    assert warned(COURSE_DAYS[0]) == [] and warned(1, "P-1") == []


@pytest.mark.parametrize(("kind", "result"), [("dose", NotDelivered(ID, 1, "trigger", 1)), ("prime", delivered())])
def test_what_treated_nobody_is_no_session(kind: str, result: Result) -> None:
    book = Journal(":memory:")
    began = dosed(book, result, kind)
    assert check(session(), face(), book, TODAY, began) == []


# --- Whoever runs a plan ---------------------------------------------------------------------------------


def test_the_journal_has_references_only(here: Bench) -> None:
    injector = here.connect()
    treatment = Treatment(injector, parse(TEST_PLAN, "test"), session=session())
    assert treatment.run()
    (data,) = [row[5] for row in injector.journal.entries() if row[2] == "treatment"]
    assert (data["patient_ref"], data["operator"], data["role"]) == ("P-10442", "mcurie-2", "physician")
    assert data["component"][0]["lot"] == "HA-2231" and data["plan"] == TEST_PLAN
    with pytest.raises(PlanError, match="20 of 20 minutes are left"):
        Treatment(here.connect(), face(), session=session())
    assert date.fromisoformat(data["date"]) == VIRTUAL_DAY


def test_a_real_device_wants_a_session(here: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Or the word that nobody is treated."""
    injector = here.connect()
    before = here.plant()
    monkeypatch.setattr(injector.link, "virtual", False)
    monkeypatch.setattr(injector.link, "control", lambda name, value=0: None)
    asked: list[Any] = []
    monkeypatch.setattr(injector._pump, "request", asked.append)
    with pytest.raises(PlanError, match=r"this is a real device.*Next:"):
        Treatment(injector, face())
    Treatment(injector, face(), bench=True)
    today = TEXT.replace("2026-01-01", date.today().isoformat())
    Treatment(injector, face(), session=session(today))
    assert not asked and here.plant()["plunger_steps"] == before["plunger_steps"]
