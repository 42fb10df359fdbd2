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
from mesoinjector.journal import Intended
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
    """Sort a plan's points by what has become of them. Raises `PlanError` if anything else was given."""
    wanted = _wanted(plan)
    given: set[int] = set()
    uncertain: dict[int, Given] = {}
    for dose in past.doses:
        if not dose.moved or dose.asked.kind in history.AWAY:
            continue
        point = dose.point
        if point in given or point in uncertain or _said(dose.asked) != wanted.get(point):
            raise _refused(_something_else(dose))
        if dose.whole:
            given.add(point)
        else:
            uncertain[point] = dose
    left = {point: dose for point, dose in uncertain.items() if point not in past.skipped}
    return Standing(past, plan, frozenset(given | past.skipped), left)


Said = tuple[str, str, int, int, int, int]
"""Kind, zone, depth in um, volume in nl, strokes, and their rate a minute."""


def _wanted(plan: Plan) -> dict[int, Said]:
    """What the journal says of each point that was given as its plan wants it."""
    if isinstance(plan, FractionalPlan):
        runs = [("fractional", z.name, round(z.depth_mm * 1000), 0, z.strokes, plan.rate_per_min) for z in plan.zones]
        return dict(enumerate(runs, 1))
    single = "retrograde" if plan.retract else "dose"
    kind, stroke_nl = single if plan.mode == "metered" else plan.mode, round(plan.stroke_ml * 1e6)
    found: list[Said] = []
    for zone in plan.zones:
        volume_nl = round(zone.volume_ml * 1e6)
        strokes = -(-volume_nl // stroke_nl) if stroke_nl else 0
        said = kind, zone.name, round(zone.depth_mm * 1000), volume_nl, strokes, plan.rate_per_min
        found += [said] * zone.points
    return dict(enumerate(found, 1))


def _said(asked: Intended) -> Said:
    return asked.kind, asked.zone, asked.depth_um, asked.asked_nl, asked.strokes, asked.rate_per_min


def _something_else(dose: Given) -> str:
    asked = dose.asked
    amount = f"{asked.asked_nl / 1000:.1f} ul" if asked.asked_nl else f"{asked.strokes} punctures"
    where = f"{asked.zone}, point {asked.point}, {asked.depth_um / 1000:g} mm, {dose.utc:%H:%M} UTC"
    return (
        f"something else was given in it: {asked.kind}, {amount}, {where}; its plan does not want that there. Next: "
        "look at the patient, then give what is missing dose by dose, or begin a new one."
    )


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
