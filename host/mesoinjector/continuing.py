"""Where a treatment stands that was left: which of its points were given, and which nobody can call either way.

Nothing is guessed. The journal knows what was asked for, the device what became of it; opening the device has asked
it. A point of which something moved, but not as asked, is never given again: a person looks, and leaves it out.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from mesoinjector import history, plans
from mesoinjector.errors import PlanError
from mesoinjector.history import Given, Past
from mesoinjector.injector import Injector
from mesoinjector.plans import FractionalPlan, Plan
from mesoinjector.results import Delivered, Unknown

LONGEST = timedelta(hours=12)
"""How long a treatment may be left; choice: a session is of one day, which may pass midnight."""


@dataclass(frozen=True, slots=True)
class Standing:
    """A treatment that may be gone on with."""

    past: Past
    plan: Plan
    given: frozenset[int]
    """Points that were given as asked, or are left out by an operator's word."""
    uncertain: dict[int, Given]
    """Points of which something was, or may have been, given, but not as asked."""


def find(injector: Injector, now: datetime | None = None) -> Standing:
    """The last treatment of an open device, as the journal knows it. Raises `PlanError`; nothing was sent."""
    past = history.latest(injector.journal, injector.uid)
    if past is None:
        raise _refused(f"this journal knows no treatment of device {injector.uid}. Next: begin one.")
    begun = f"the treatment of {past.utc:%Y-%m-%d %H:%M} UTC"
    if not timedelta(0) <= (now or datetime.now(UTC)) - past.utc <= LONGEST:
        hours = LONGEST // timedelta(hours=1)
        raise _refused(f"{begun} was not begun within the last {hours} h. Next: check the clock, or begin a new one.")
    if past.disturbed:
        raise _refused(
            f"something was given since {begun} began that this journal did not ask for. Next: read the device's "
            "ledger, look at the patient, and begin a new one."
        )
    if not past.plan:
        raise _refused(f"{begun} was not begun from a plan. Next: give what is missing dose by dose.")
    return stand(past, plans.parse(past.plan, begun))


def stand(past: Past, plan: Plan) -> Standing:
    """Sort a plan's points by what has become of them."""
    given = set(past.skipped)
    uncertain: dict[int, Given] = {}
    for dose in past.doses:
        if not dose.moved or dose.asked.kind == "prime":
            continue
        point = 1 if dose.asked.kind == "test" else dose.asked.point
        if dose.whole and point not in uncertain:
            given.add(point)
        elif point not in given:
            uncertain[point] = dose
    return Standing(past, plan, frozenset(given), uncertain)


def leave_out(standing: Standing, points: Iterable[int], injector: Injector) -> frozenset[int]:
    """Which points are not to be given; those that an operator leaves out are noted. Raises `PlanError`."""
    said = set(points)
    if strange := said - standing.uncertain.keys():
        named = ", ".join(map(str, sorted(strange)))
        raise _refused(f"point {named}: only a point of which it is uncertain what was given may be left out.")
    if undecided := standing.uncertain.keys() - said:
        lines = "\n  ".join(_line(standing.plan, point, standing.uncertain[point]) for point in sorted(undecided))
        options = " ".join(f"--skip {point}" for point in sorted(undecided))
        raise _refused(
            f"not everything was given as asked, and none of it is given again:\n  {lines}\nNext: look at the skin; "
            f"then go on without them: {options}"
        )
    if said:
        injector.journal.note_skipped(injector.uid, standing.past.number, sorted(said))
    return standing.given | said


def _line(plan: Plan, point: int, dose: Given) -> str:
    asked, result = dose.asked, dose.result
    what = f"zone {point}, {asked.zone}" if isinstance(plan, FractionalPlan) else f"point {point}, {asked.zone}"
    if isinstance(result, Delivered) and asked.strokes and not asked.asked_nl:
        return f"{what}: {result.strokes} of {asked.strokes} punctures, {result.reason}"
    if isinstance(result, Unknown) and asked.strokes and not asked.asked_nl:
        return f"{what}: up to {result.upper_strokes} of {asked.strokes} punctures, {result.reason}"
    if isinstance(result, Delivered | Unknown):
        amount = f"{result.lower_nl / 1000:.1f} to {result.upper_nl / 1000:.1f} of {asked.asked_nl / 1000:.1f} ul"
        return f"{what}: {amount}, {result.reason}"
    return f"{what}: nobody knows yet"


def _refused(said: str) -> PlanError:
    return PlanError(f"the treatment cannot be gone on with: {said}")
