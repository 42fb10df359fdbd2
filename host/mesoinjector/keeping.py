"""Keeps what comes of a treatment: its record, which grows as doses and runs end."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime
from typing import Any

from mesoinjector import recalling
from mesoinjector.errors import DeviceError, LinkError
from mesoinjector.history import Past
from mesoinjector.injector import Injector
from mesoinjector.journal import Intended
from mesoinjector.links import is_simulated
from mesoinjector.plans import Plan
from mesoinjector.record import Sample, Stroke, TreatmentRecord
from mesoinjector.results import Delivered, Result
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
            simulated=is_simulated(injector.link),
        )

    def add_dose(self, point: int, result: Result) -> None:
        """A metered dose, or a prime, has ended; `point` is its plan's."""
        tip_nl, skin_nl = self.count_plant()
        samples, self._samples = tuple(self._samples), []
        asked = self._asked(result)
        self.record.doses.append(recalling.dose_record(asked, point, result, tip_nl, skin_nl, samples))

    def add_run(self, result: Result) -> None:
        """A fractional run has ended."""
        made = result.strokes if isinstance(result, Delivered) else 0
        if made:
            with contextlib.suppress(LinkError, DeviceError):  # without them it has been given all the same
                self._fetch_missing(made)
        records = tuple(self._strokes[i] for i in sorted(self._strokes))
        self.record.runs.append(recalling.run_record(self._asked(result), result, records))
        self._samples = []

    def _asked(self, result: Result) -> Intended:
        asked = self._injector.journal.intended(result.dose_id)
        assert asked is not None, "a result's dose is in the journal"
        return asked

    def begin_run(self) -> None:
        """What came before belongs to another run."""
        self._strokes = {}

    def recall(self, past: Past) -> None:
        """What an earlier program gave in this treatment, from the journal: amounts, without samples and strokes."""
        recalling.add_given(self.record, past)

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
