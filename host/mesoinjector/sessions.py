"""One patient, one day: what a session must say before a treatment is begun, and what the journal adds to it.

    plan = "face-30-points.toml"            [needle]
    patient = "P-10442"                     lot = "N-7731"
    date = 2026-01-01                       expiry = 2027-06-30

    [operator]                              [[component]]
    id = "mcurie-2"                         name = "hyaluronic acid 1 %"
    role = "physician"                      volume_ml = 0.8
                                            lot = "HA-2231"
    [confirmed]                             expiry = 2026-09-30
    age_18_or_over = true
    no_contraindications = true
    new_needle = true
    no_test_reaction = true

A plan is used again and again; a session is used once. The device knows of no person: all that is judged here is
judged by this computer, from what a named operator has confirmed and from the journal, by the patient's reference.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pydantic

from mesoinjector import history, plans
from mesoinjector.journal import Journal
from mesoinjector.plan_files import COMPONENTS_MAX, Component, Confirmed, Person, Session, Sterile
from mesoinjector.plans import FractionalPlan, MeteredPlan, Plan
from mesoprotocol import limits

__all__ = ["Component", "Confirmed", "Person", "Session", "Sterile", "about", "check", "parse", "read"]

COURSE_DAYS = (7, 10)
"""Usual interval between two sessions of a course, days; sooner is warned of."""
TREATING = ("dose", "retrograde", "repeat", "perfusion", "fractional")
"""Kinds of doses that a patient is treated by; a test dose and a prime do not count."""


def read(path: Path) -> tuple[Session | None, Plan]:
    """A session with its plan, or a plan alone, whichever the file is. Raises `PlanError` with every fault."""
    text = plans.text_of(path)
    named = plans.tables(text, str(path)).get("plan")
    if not isinstance(named, str):
        return None, plans.parse(text, str(path))
    return parse(text, str(path)), plans.load(path.parent / named)


def parse(text: str, origin: str) -> Session:
    """Check what a session's text says by itself; `origin` names it in errors. Raises `PlanError`."""
    try:
        return Session.model_validate(plans.tables(text, origin))
    except pydantic.ValidationError as error:
        faults = [plans.sentence(item) for item in error.errors(include_url=False)]
        raise plans.refused(origin, "session", faults) from None


def about(session: Session) -> dict[str, Any]:
    """What the journal keeps of a session, with its treatment."""
    kept: dict[str, Any] = session.model_dump(mode="json", exclude={"plan", "patient", "operator"})
    who = {history.PATIENT: session.patient, "operator": session.operator.id, "role": session.operator.role}
    return {**who, **kept}


def check(session: Session, plan: Plan, journal: Journal | None, today: date, now: datetime | None = None) -> list[str]:
    """Whether a session may begin with a plan, today; `now` is the time in UTC by which the journal's are judged.

    Without a journal the patient's test dose and last treatment are not judged. Returns what the operator is to be
    warned of. Raises `PlanError` with everything that forbids the session; nothing was sent.
    """
    moment = now or datetime.now(UTC)
    past = history.of_patient(journal, session.patient) if journal else []
    faults = _of_the_day(session, today) + _confirmed(session, plan) + _cocktail(session, plan, today)
    if journal and isinstance(plan, MeteredPlan):
        tests = [each for each in past if each.given("test")]
        faults += _too_early(tests, moment) or _untested(session, plan, tests)
    if faults:
        raise plans.refused(f"patient {session.patient}", "session", faults)
    return _interval(past, moment)


def _of_the_day(session: Session, today: date) -> list[str]:
    faults: list[str] = []
    if session.date != today:
        faults.append(f"date = {session.date}: must be {today}, today: a session is confirmed for one day")
    if session.needle.expiry < today:
        faults.append(f"needle.expiry = {session.needle.expiry}: lot {session.needle.lot} has expired; take another")
    return faults


def _confirmed(session: Session, plan: Plan) -> list[str]:
    said = session.confirmed
    wanted = {
        "age_18_or_over": said.age_18_or_over,
        "no_contraindications": said.no_contraindications,
        "new_needle": said.new_needle,
    }
    if isinstance(plan, MeteredPlan) and plan.mode != "test":
        wanted["no_test_reaction"] = said.no_test_reaction
    return [f"confirmed.{key} = false: must be true, or nobody is treated" for key, so in wanted.items() if not so]


def _cocktail(session: Session, plan: Plan, today: date) -> list[str]:
    cocktail = session.component
    if isinstance(plan, FractionalPlan):
        # 21 CFR 878.4430: puncturing with a product on the skin is another device's use
        return ["component: must be none in a fractional session, which dispenses nothing"] if cocktail else []
    if not 1 <= len(cocktail) <= COMPONENTS_MAX:
        return [f"component: {len(cocktail)} of them: must be 1 to {COMPONENTS_MAX}"]
    faults: list[str] = []
    for i, part in enumerate(cocktail):
        if part.expiry < today:
            faults.append(
                f"component[{i}].expiry = {part.expiry}: {part.name}, lot {part.lot}, has expired; take another"
            )
        if part.volume_ml <= 0:
            faults.append(f"component[{i}].volume_ml = {part.volume_ml:g}: must be more than 0 ml")
    mixed_nl = sum(round(part.volume_ml * 1e6) for part in cocktail)
    said = f"component[].volume_ml: {mixed_nl / 1e6:g} ml in all"
    if mixed_nl > limits.TREATMENT_MAX_NL:
        faults.append(f"{said}: must be at most {limits.TREATMENT_MAX_NL / 1e6:g} ml")
    if mixed_nl < plan.total_nl:
        faults.append(f"{said}: must be at least {plan.total_nl / 1e6:g} ml, which the plan takes, priming included")
    return faults


def _too_early(tests: list[history.Past], now: datetime) -> list[str]:
    """The wait after a test dose counts from the end of whatever may have been given."""
    waits = timedelta(seconds=limits.TEST_WAIT_S)
    ends = [dose.utc for past in tests for dose in past.given("test")]
    if not ends or now >= max(ends) + waits:
        return []
    if now < max(ends):
        return [f"the last test dose is of {max(ends):%Y-%m-%d %H:%M} UTC, later than this computer's clock: set it"]
    minutes = -((now - max(ends) - waits) // timedelta(minutes=1))
    return [
        f"a test dose was given: {minutes} of {limits.TEST_WAIT_S // 60} minutes are left in which it may show a "
        "reaction; wait, and look at the skin"
    ]


def _untested(session: Session, plan: MeteredPlan, tests: list[history.Past]) -> list[str]:
    """The allergy test: a whole one was given, of all these components, here or elsewhere."""
    names = {part.name for part in session.component}
    elsewhere = session.confirmed.tested_elsewhere is not None
    if plan.mode == "test" or elsewhere or any(_is_test_of(each, names) for each in tests):
        return []
    return [
        f'no test dose of {", ".join(sorted(names))} is in this journal for the patient: give one (mode = "test"), or '
        "say in confirmed.tested_elsewhere where and when there was one"
    ]


def _is_test_of(past: history.Past, names: set[str]) -> bool:
    whole = any(dose.whole for dose in past.given("test"))
    return whole and names <= _components(past)


def _components(past: history.Past) -> set[str]:
    """Names of what was in the syringe; of a treatment that was begun without a session nobody need have said any."""
    said = past.about.get("component")
    parts = cast("list[object]", said) if isinstance(said, list) else []
    return {str(cast("dict[str, object]", part).get("name")) for part in parts if isinstance(part, dict)}


def _interval(past: list[history.Past], now: datetime) -> list[str]:
    treated = [each.utc for each in past if each.given(*TREATING)]
    if not treated or now - treated[-1] >= timedelta(days=COURSE_DAYS[0]):
        return []
    usual = f"{COURSE_DAYS[0]} to {COURSE_DAYS[1]} days are usual between two sessions of a course"
    return [f"the patient was treated on {treated[-1]:%Y-%m-%d}, {(now - treated[-1]).days} days ago: {usual}"]
