"""Executes a plan point by point and keeps what came of it. Stops at the first dose that is not as asked."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date
from functools import partial
from typing import Any, Self

from mesoinjector import continuing, sessions
from mesoinjector.errors import DeviceError, JournalError, MesoError, PlanError
from mesoinjector.history import Past
from mesoinjector.injector import Injector
from mesoinjector.keeping import Keeper
from mesoinjector.links import is_simulated
from mesoinjector.plan_files import FractionalZone, MeteredZone, Session
from mesoinjector.plans import MeteredPlan, Plan
from mesoinjector.record import TreatmentRecord
from mesoinjector.results import Delivered, Result
from mesoprotocol import wire

LEFT_OUT = "left out: point"
PAUSE_LOOK_S = 0.1
"""How often a paused treatment looks whether it is to go on."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a treatment has got: shown live."""

    done: int
    total: int
    what: str
    """What is being done now, in words for a person."""


@dataclass(frozen=True, slots=True)
class _Point:
    """One dose, or one run over a zone."""

    number: int
    """From 1 through the whole plan; in a fractional plan the zone's."""
    zone: MeteredZone | FractionalZone
    told: str


class Treatment:
    """One plan on one open device. `record` grows as doses end, and is valid at any moment.

    `pause`, `resume` and `stop` act between two points and may be called from any thread; what is under way is
    stopped by `Injector.stop`.
    """

    def __init__(
        self,
        injector: Injector,
        plan: Plan,
        on_progress: Callable[[Progress], None] = lambda _: None,
        session: Session | None = None,
        bench: bool = False,
    ) -> None:
        """Check the session; nothing is sent.

        A real device wants a session, or the word that nobody is treated: `bench`. Raises `PlanError`.
        """
        if session is None and not bench and not is_simulated(injector.link):
            raise PlanError(
                "a plan alone says nothing of a person, and this is a real device. Next: run a session that names the "
                "plan, or say --bench (bench=True) if nobody is treated."
            )
        self.warnings: list[str] = []
        """What the operator is to be told before anything is begun."""
        if session is not None:
            today = injector.link.today() if injector.link.virtual else date.today()
            self.warnings = sessions.check(session, plan, injector.journal, today)
        self._session = session
        self.left_out: list[int] = []
        """Points of what is gone on with that an operator has left out: it ends, but not as asked."""
        self.past: Past | None = None
        """What is gone on with: the treatment as the journal has it."""
        self._injector = injector
        self._plan = plan
        self._on_progress = on_progress
        self._under_way: Callable[[Result], None] | None = None
        self._paused = threading.Event()
        self._stopped = threading.Event()
        self._points = tuple(_points(plan))
        self._primed = False
        self.ended_by: str = "complete"
        """How it ended: this, why early, or `LEFT_OUT` and which points."""
        self._done = 0
        self._total = plan.points if isinstance(plan, MeteredPlan) else plan.strokes
        self._keeper = Keeper(injector, plan)
        self.record: TreatmentRecord = self._keeper.record

    @classmethod
    def left(
        cls,
        injector: Injector,
        on_progress: Callable[[Progress], None] = lambda _: None,
        skip: Iterable[int] = (),
    ) -> Self:
        """The device's last treatment, to go on where it stands: `run` begins where nothing was given yet.

        A point of which something moved, but not as asked, is not given again; `skip` must name it, which the
        journal keeps. Raises `PlanError`, `JournalError`; nothing was sent.
        """
        standing, said = continuing.find(injector), set(skip)
        without = continuing.leave_out(standing, said, injector)
        made = cls(injector, standing.plan, on_progress, bench=True)
        made.past = standing.past
        made.left_out = sorted(standing.past.skipped | said)
        done = [point for point in made._points if point.number in without]
        made._points = tuple(point for point in made._points if point.number not in without)
        made._keeper.recall(standing.past)
        made._done = sum(p.zone.strokes if isinstance(p.zone, FractionalZone) else 1 for p in done)
        return made

    @property
    def points_left(self) -> int:
        """How many points, or zones of a fractional plan, are still to be given."""
        return len(self._points)

    @property
    def is_stopped(self) -> bool:
        """Whether somebody has said `stop`."""
        return self._stopped.is_set()

    @property
    def is_paused(self) -> bool:
        """Whether it waits, or will once the point under way has ended."""
        return self._paused.is_set()

    def pause(self) -> None:
        """Begin no further point until `resume`; the one under way is given to its end."""
        self._paused.set()

    def resume(self) -> None:
        """Go on after `pause`."""
        self._paused.clear()

    def stop(self) -> None:
        """Begin no further point; `run` returns once the one under way has ended."""
        self._stopped.set()

    def add_interrupted(self) -> None:
        """After Ctrl-C or an error: the dose or run that was under way belongs into the record as well."""
        result = self._injector.interrupted
        if result is not None and self._under_way is not None:
            under_way, self._under_way = self._under_way, None
            under_way(result)

    def run(self) -> bool:
        """Execute the plan; whether everything was given as asked. Raises what `Injector` raises."""
        unlisten = self._injector.listen(self._take)
        try:
            number = self._begin()
            try:
                as_asked = self._execute()
            except (MesoError, KeyboardInterrupt) as error:
                with contextlib.suppress(JournalError):
                    self._note_end(number, False, type(error).__name__)
                if isinstance(error, MesoError):
                    self.add_interrupted()
                raise
            if as_asked and self.left_out:
                as_asked, self.ended_by = False, f"{LEFT_OUT} {', '.join(map(str, self.left_out))}"
            self._note_end(number, as_asked, self.ended_by)
            return as_asked
        finally:
            unlisten()

    def _execute(self) -> bool:
        self._keeper.count_plant()
        return self._is_primed() and all(self._goes_on() and self._give(point) for point in self._points)

    def _note_end(self, number: int, as_asked: bool, reason: str) -> None:
        self._injector.journal.end_treatment(self._injector.uid, number, as_asked, reason)

    def _begin(self) -> int:
        if self.past is not None:
            fresh = not any(dose.moved for dose in self.past.doses)
            self._injector.resume_treatment(self.past.number, fresh)
            self._injector.journal.resume_treatment(self._injector.uid, self.past.number)
            return self.past.number
        about = sessions.about(self._session) if self._session else {}
        return self._injector.begin_treatment(self._plan.text, about)

    # --- Points ---------------------------------------------------------------------------------------

    def _goes_on(self) -> bool:
        """Wait while paused; whether the next point is to be begun."""
        if self._paused.is_set():
            self._tell("paused")
        while self._paused.is_set() and not self._stopped.is_set():
            self._injector.wait(PAUSE_LOOK_S)
        if self._stopped.is_set():
            self.ended_by = "stopped between points"
        return not self._stopped.is_set()

    def _is_primed(self) -> bool:
        """A new treatment is primed; one that goes on only if the device says that it must."""
        return self.past is not None or not isinstance(self._plan, MeteredPlan) or self._prime(self._plan)

    def _prime(self, plan: MeteredPlan) -> bool:
        self._tell("prime: hold the handpiece away from the skin and press the trigger")
        ended = self._watch(partial(self._ended, 0))
        result = self._injector.prime(plan.prime_ml, plan.profile)
        ended(result)
        self._primed = True
        return self._is_as_asked(result)

    def _give(self, point: _Point) -> bool:
        self._tell(point.told)
        zone = point.zone
        if isinstance(zone, FractionalZone):
            ended = self._watch(partial(self._run_ended, zone.strokes))
            result = self._fractional(zone, point.number)
        else:
            ended = self._watch(partial(self._ended, point.number))
            try:
                result = self._metered(zone, point.number)
            except DeviceError as error:
                # the device has started anew since it was primed; what it refused was not given
                if self._primed or error.status != wire.S_NOT_PRIMED:
                    raise
                return isinstance(self._plan, MeteredPlan) and self._prime(self._plan) and self._give(point)
        ended(result)
        return self._is_as_asked(result)

    def _metered(self, zone: MeteredZone, number: int) -> Result:
        injector, plan = self._injector, self._plan
        assert isinstance(plan, MeteredPlan)
        where = zone.depth_mm, zone.name, number, plan.profile
        if plan.mode == "repeat":
            return injector.repeat(zone.volume_ml, plan.stroke_ml, plan.rate_per_min, *where)
        if plan.mode == "perfusion":
            return injector.perfusion(zone.volume_ml, plan.flow_ul_per_s, *where)
        if plan.mode == "test":
            return injector.test_dose(zone.volume_ml, zone.depth_mm, zone.name, plan.profile)
        return injector.dose(zone.volume_ml, *where, retract=plan.retract)

    def _fractional(self, zone: FractionalZone, number: int) -> Result:
        plan = self._plan
        assert not isinstance(plan, MeteredPlan)
        self._keeper.begin_run()
        how = zone.strokes, zone.depth_mm, zone.name, zone.area_cm2, plan.rate_per_min, plan.needles
        return self._injector.fractional(*how, point=number)

    def _watch(self, ended: Callable[[Result], None]) -> Callable[[Result], None]:
        """What is to be done with the next result, be it interrupted; none of before is taken for it."""
        self._injector.interrupted = None
        self._under_way = ended
        return ended

    def _ended(self, number: int, result: Result) -> None:
        self._done += number > 0
        self._keeper.add_dose(number, result)

    def _run_ended(self, strokes: int, result: Result) -> None:
        self._keeper.add_run(result)
        self._done += strokes

    def _is_as_asked(self, result: Result) -> bool:
        self.ended_by = result.reason
        return isinstance(result, Delivered) and result.complete

    # --- Events ---------------------------------------------------------------------------------------

    def _take(self, event: Any) -> None:
        strokes = self._keeper.take(event)
        if strokes is not None:
            self._on_progress(Progress(self._done + strokes, self._total, "punctures"))

    def _tell(self, what: str) -> None:
        self._on_progress(Progress(self._done, self._total, what))


def _points(plan: Plan) -> list[_Point]:
    if not isinstance(plan, MeteredPlan):
        return [
            _Point(n, zone, f"{zone.name}, {zone.strokes} strokes: set to the skin and hold the trigger")
            for n, zone in enumerate(plan.zones, 1)
        ]
    found: list[_Point] = []
    for zone in plan.zones:
        for i in range(zone.points):
            told = f"{zone.name}, point {i + 1} of {zone.points}: set to the skin and press"
            found.append(_Point(len(found) + 1, zone, told))
    return found
