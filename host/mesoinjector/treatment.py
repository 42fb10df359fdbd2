"""Executes a plan point by point and keeps what came of it. Stops at the first dose that is not as asked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

from mesoinjector.injector import Injector
from mesoinjector.plans import FractionalPlan, FractionalZone, MeteredPlan, MeteredZone, Plan
from mesoinjector.record import DoseRecord, FractionalRecord, Sample, Stroke, TreatmentRecord
from mesoinjector.results import Delivered, NotDelivered, Result
from mesoprotocol import messages, wire

STROKE_BYTES = 7
STEADY, BAD = 1, 2


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a treatment has got: shown live."""

    done: int
    total: int
    what: str
    """What is being done now, in words for a person."""


class Treatment:
    """One plan on one open device. `record` grows as doses end, and is valid at any moment."""

    def __init__(self, injector: Injector, plan: Plan, on_progress: Callable[[Progress], None]) -> None:
        self._injector = injector
        self._plan = plan
        self._on_progress = on_progress
        self._samples: list[Sample] = []
        self._strokes: dict[int, Stroke] = {}
        self._under_way: Callable[[Result], None] | None = None
        self._start_us: int | None = None
        self._plant = (0, 0)
        self._done = 0
        self._total = plan.points + 1 if isinstance(plan, MeteredPlan) else plan.strokes
        self.record = TreatmentRecord(
            plan_name=plan.name,
            device_uid=injector.uid,
            firmware=injector.hello.firmware,
            runtime=injector.runtime,
            started_utc=datetime.now(UTC).isoformat(timespec="seconds"),
            simulated=injector.link.virtual or injector.link.control("account") is not None,
        )

    def add_interrupted(self) -> None:
        """After Ctrl-C: the dose or run that was under way belongs into the record as well."""
        result = self._injector.interrupted
        if result is not None and self._under_way is not None:
            self._under_way(result)

    def run(self) -> bool:
        """Execute the plan; whether everything was given as asked. Raises what `Injector` raises."""
        unlisten = self._injector.listen(self._take)
        try:
            self._injector.begin_treatment(self._plan.text)
            if isinstance(self._plan, MeteredPlan):
                return self._run_metered(self._plan)
            return all(self._run_zone(self._plan, zone) for zone in self._plan.zones)
        finally:
            unlisten()

    # --- Metered --------------------------------------------------------------------------------------

    def _run_metered(self, plan: MeteredPlan) -> bool:
        self._tell("prime: hold the handpiece away from the skin and press the trigger")
        self._count_plant()
        air = MeteredZone(name="-", depth_mm=0, volume_ml=plan.prime_ml, points=1)
        self._under_way = partial(self._add_dose, "prime", air, 0)
        result = self._injector.prime(plan.prime_ml, plan.profile)
        self._under_way(result)
        if not _as_asked(result):
            return False
        point = 0
        for zone in plan.zones:
            for i in range(zone.points):
                point += 1
                self._tell(f"{zone.name}, point {i + 1} of {zone.points}: set to the skin and press")
                self._under_way = partial(self._add_dose, "dose", zone, point)
                result = self._give(plan, zone, point)
                self._under_way(result)
                if not _as_asked(result):
                    return False
        return True

    def _give(self, plan: MeteredPlan, zone: MeteredZone, point: int) -> Result:
        injector, where = self._injector, (zone.depth_mm, zone.name, point, plan.profile)
        if plan.mode == "repeat":
            return injector.repeat(zone.volume_ml, plan.stroke_ml, plan.rate_per_min, *where)
        if plan.mode == "perfusion":
            return injector.perfusion(zone.volume_ml, plan.flow_ul_per_s, *where)
        if plan.mode == "test":
            return injector.test_dose(zone.volume_ml, zone.depth_mm, zone.name, plan.profile)
        return injector.dose(zone.volume_ml, *where, retract=plan.retract)

    def _add_dose(self, kind: str, zone: MeteredZone, point: int, result: Result) -> None:
        self._done += 1
        tip_nl, skin_nl = self._count_plant()
        samples, self._samples = tuple(self._samples), []
        delivered, lower, upper = amounts(result)
        dose = DoseRecord(
            dose_id=result.dose_id,
            kind=kind,
            zone=zone.name,
            point=point,
            depth_um=round(zone.depth_mm * 1000),
            asked_nl=result.asked_nl,
            result=type(result).__name__,
            reason=result.reason,
            delivered_nl=delivered,
            lower_nl=lower,
            upper_nl=upper,
            plant_nl=tip_nl,
            plant_skin_nl=skin_nl,
            samples=samples,
        )
        self.record.doses.append(dose)

    def _count_plant(self) -> tuple[int | None, int | None]:
        """What the plant says has left the needle since the last call, in all and into skin; None on a real device.

        It is asked right after each dose, which is right before the next command: nothing falls between two doses.
        """
        account: dict[str, int] | None = self._injector.link.control("account")
        if account is None:
            return None, None
        last, self._plant = self._plant, (account["tip_nl"], account["skin_nl"])
        return self._plant[0] - last[0], self._plant[1] - last[1]

    # --- Fractional -----------------------------------------------------------------------------------

    def _run_zone(self, plan: FractionalPlan, zone: FractionalZone) -> bool:
        self._tell(f"{zone.name}, {zone.strokes} strokes: set to the skin and hold the trigger")
        self._strokes = {}
        self._under_way = partial(self._add_run, plan, zone)
        result = self._injector.fractional(
            zone.strokes, zone.depth_mm, zone.name, zone.area_cm2, plan.rate_per_min, plan.needles
        )
        self._under_way(result)
        return _as_asked(result)

    def _add_run(self, plan: FractionalPlan, zone: FractionalZone, result: Result) -> None:
        made = result.strokes if isinstance(result, Delivered) else 0
        if made:
            self._fetch_missing(made)
        run = FractionalRecord(
            dose_id=result.dose_id,
            zone=zone.name,
            depth_um=round(zone.depth_mm * 1000),
            set_per_min=plan.rate_per_min,
            needles=plan.needles,
            area_mm2=zone.area_cm2 * 100,
            asked_strokes=zone.strokes,
            strokes=made,
            result=type(result).__name__,
            reason=result.reason,
            records=tuple(self._strokes[i] for i in sorted(self._strokes)),
        )
        self.record.runs.append(run)
        self._done += zone.strokes
        self._samples = []

    def _fetch_missing(self, made: int) -> None:
        """Read again what was lost on the way, as far as the device still has it."""
        missing = [i for i in range(made) if i not in self._strokes]
        while missing:
            reply = self._injector.strokes(missing[0])
            self._take_strokes(reply.first, reply.records)
            missing = [i for i in missing[1:] if i not in self._strokes and i >= reply.first]

    # --- Events ---------------------------------------------------------------------------------------

    def _take(self, event: Any) -> None:
        if isinstance(event, messages.Telemetry):
            if self._start_us is None:
                self._start_us = event.time
            t = event.time - self._start_us
            self._samples.append(Sample(t, event.pressure_pa, event.plunger_nl, event.needle_um))
        elif isinstance(event, messages.PhaseEvent) and event.state == wire.STATE_ARMED:
            self._strokes = {}  # what came since the last run's end was its own
        elif isinstance(event, messages.StrokeRecordsEvent):
            self._take_strokes(event.first, event.records)
            self._on_progress(Progress(self._done + len(self._strokes), self._total, "punctures"))

    def _take_strokes(self, first: int, records: bytes) -> None:
        for k in range(len(records) // STROKE_BYTES):
            raw = records[k * STROKE_BYTES : (k + 1) * STROKE_BYTES]
            flags = raw[6]
            self._strokes[first + k] = Stroke(
                index=first + k,
                interval_us=int.from_bytes(raw[0:4], "little"),
                depth_um=int.from_bytes(raw[4:6], "little"),
                steady=bool(flags & STEADY),
                bad=bool(flags & BAD),
            )

    def _tell(self, what: str) -> None:
        self._on_progress(Progress(self._done, self._total, what))


def amounts(result: Result) -> tuple[int, int, int]:
    """Delivered, lower and upper nl of any result; an Unknown one counts as its middle."""
    if isinstance(result, Delivered):
        return result.delivered_nl, result.lower_nl, result.upper_nl
    if isinstance(result, NotDelivered):
        return 0, 0, 0
    return (result.lower_nl + result.upper_nl) // 2, result.lower_nl, result.upper_nl


def _as_asked(result: Result) -> bool:
    return isinstance(result, Delivered) and result.complete
