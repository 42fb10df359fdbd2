"""Keeps what comes of a treatment: its record, which grows as doses and runs end."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from mesoinjector.history import Given, Past
from mesoinjector.injector import Injector
from mesoinjector.plan_files import FractionalZone
from mesoinjector.plans import FractionalPlan, Plan
from mesoinjector.record import DoseRecord, FractionalRecord, Sample, Stroke, TreatmentRecord
from mesoinjector.results import Delivered, NotDelivered, Result
from mesoprotocol import messages, wire

STROKE_BYTES = 7
STEADY, BAD = 1, 2


class Keeper:
    """Listens to one open device; `record` is valid at any moment."""

    def __init__(self, injector: Injector, plan: Plan) -> None:
        self._injector = injector
        self._samples: list[Sample] = []
        self._strokes: dict[int, Stroke] = {}
        self._start_us: int | None = None
        self._plant = (0, 0)
        self.record: TreatmentRecord = TreatmentRecord(
            plan_name=plan.name,
            device_uid=injector.uid,
            firmware=injector.hello.firmware,
            runtime=injector.runtime,
            started_utc=datetime.now(UTC).isoformat(timespec="seconds"),
            simulated=is_simulated(injector),
        )

    def add_dose(self, kind: str, zone: str, point: int, depth_um: int, result: Result) -> None:
        """A metered dose, or a prime, has ended."""
        tip_nl, skin_nl = self.count_plant()
        samples, self._samples = tuple(self._samples), []
        self.record.doses.append(_dose(kind, zone, point, depth_um, result, tip_nl, skin_nl, samples))

    def add_run(self, plan: FractionalPlan, zone: FractionalZone, result: Result) -> None:
        """A fractional run has ended."""
        made = result.strokes if isinstance(result, Delivered) else 0
        if made:
            self._fetch_missing(made)
        records = tuple(self._strokes[i] for i in sorted(self._strokes))
        self.record.runs.append(_run(plan, zone, result, records))
        self._samples = []

    def begin_run(self) -> None:
        """What came before belongs to another run."""
        self._strokes = {}

    def recall(self, plan: Plan, past: Past, zones: dict[int, FractionalZone]) -> None:
        """What an earlier program gave in this treatment, from the journal: amounts, without samples and strokes."""
        for dose in past.doses:
            if dose.moved and dose.result is not None:
                self._recall(plan, dose, dose.result, zones)

    def _recall(self, plan: Plan, dose: Given, result: Result, zones: dict[int, FractionalZone]) -> None:
        asked = dose.asked
        if isinstance(plan, FractionalPlan):
            if asked.point in zones:
                self.record.runs.append(_run(plan, zones[asked.point], result, ()))
            return
        if dose.point or asked.kind == "prime":
            kind = "prime" if asked.kind == "prime" else "dose"
            self.record.doses.append(_dose(kind, asked.zone or "-", dose.point, asked.depth_um, result, None, None, ()))

    def count_plant(self) -> tuple[int | None, int | None]:
        """What the plant says has left the needle since the last call, in all and into skin; None on a real device.

        It is asked right after each dose, which is right before the next command: nothing falls between two doses.
        """
        account: dict[str, int] | None = self._injector.link.control("account")
        if account is None:
            return None, None
        last, self._plant = self._plant, (account["tip_nl"], account["skin_nl"])
        return self._plant[0] - last[0], self._plant[1] - last[1]

    def _fetch_missing(self, made: int) -> None:
        """Read again what was lost on the way, as far as the device still has it."""
        missing = [i for i in range(made) if i not in self._strokes]
        while missing:
            reply = self._injector.strokes(missing[0])
            self._strokes.update((each.index, each) for each in read_strokes(reply.first, reply.records))
            missing = [i for i in missing[1:] if i not in self._strokes and i >= reply.first]

    # --- Events ---------------------------------------------------------------------------------------

    def take(self, event: Any) -> int | None:
        """An event or sample has come; how many strokes of the run are known, if it told of some."""
        if isinstance(event, messages.Telemetry):
            if self._start_us is None:
                self._start_us = event.time
            t = event.time - self._start_us
            self._samples.append(Sample(t, event.pressure_pa, event.plunger_nl, event.needle_um))
        elif isinstance(event, messages.PhaseEvent) and event.state == wire.STATE_ARMED:
            self._strokes = {}  # what came since the last run's end was its own
        elif isinstance(event, messages.StrokeRecordsEvent):
            self._strokes.update((each.index, each) for each in read_strokes(event.first, event.records))
            return len(self._strokes)
        return None


def read_strokes(first: int, records: bytes) -> list[Stroke]:
    """Stroke records as the device sends them; the first has index `first`."""
    found: list[Stroke] = []
    for k in range(len(records) // STROKE_BYTES):
        raw = records[k * STROKE_BYTES : (k + 1) * STROKE_BYTES]
        flags = raw[6]
        stroke = Stroke(
            index=first + k,
            interval_us=int.from_bytes(raw[0:4], "little"),
            depth_um=int.from_bytes(raw[4:6], "little"),
            steady=bool(flags & STEADY),
            bad=bool(flags & BAD),
        )
        found.append(stroke)
    return found


def is_simulated(injector: Injector) -> bool:
    """Whether the device is a simulated one, in this process or in its own; behind a port it looks like a real one."""
    return injector.link.virtual or injector.link.control("account") is not None


def amounts(result: Result) -> tuple[int, int, int]:
    """Delivered, lower and upper nl of any result; an Unknown one counts as its middle."""
    if isinstance(result, Delivered):
        return result.delivered_nl, result.lower_nl, result.upper_nl
    if isinstance(result, NotDelivered):
        return 0, 0, 0
    return (result.lower_nl + result.upper_nl) // 2, result.lower_nl, result.upper_nl


def _dose(
    kind: str,
    zone: str,
    point: int,
    depth_um: int,
    result: Result,
    tip_nl: int | None,
    skin_nl: int | None,
    samples: tuple[Sample, ...],
) -> DoseRecord:
    delivered, lower, upper = amounts(result)
    return DoseRecord(
        dose_id=result.dose_id,
        kind=kind,
        zone=zone,
        point=point,
        depth_um=depth_um,
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


def _run(plan: FractionalPlan, zone: FractionalZone, result: Result, records: tuple[Stroke, ...]) -> FractionalRecord:
    return FractionalRecord(
        dose_id=result.dose_id,
        zone=zone.name,
        depth_um=round(zone.depth_mm * 1000),
        set_per_min=plan.rate_per_min,
        needles=plan.needles,
        area_mm2=zone.area_cm2 * 100,
        asked_strokes=zone.strokes,
        strokes=result.strokes if isinstance(result, Delivered) else 0,
        result=type(result).__name__,
        reason=result.reason,
        records=records,
    )
