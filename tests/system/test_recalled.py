"""What the journal recalls of a treatment is what was given, as the program that gave it recorded it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mesoinjector import history, recalling
from mesoinjector.journal import Journal
from mesoinjector.plans import parse
from mesoinjector.record import TreatmentRecord
from mesoinjector.treatment import Treatment
from tests.bench_of_one import Bench
from tests.system.test_continue import FRACTIONAL, MODES


def recalled(bench: Bench) -> TreatmentRecord:
    journal = Journal(bench.journal, read_only=True)
    record = recalling.recall(recalling.find(history.treatments(journal), None), journal)
    journal.close()
    return record


@pytest.mark.parametrize("plan", [*MODES.values(), FRACTIONAL], ids=[*MODES, "fractional"])
def test_a_treatment_is_recalled_as_it_was_recorded(bench: Bench, plan: str) -> None:
    with bench.connect() as injector:
        treatment = Treatment(injector, parse(plan, "test"))
        assert treatment.run()
        lived = treatment.record
    found = recalled(bench)
    assert found.doses == [replace(dose, samples=(), plant_nl=None, plant_skin_nl=None) for dose in lived.doses]
    assert found.runs == [replace(run, records=()) for run in lived.runs]
    heads = [(r.plan_name, r.device_uid, r.firmware, r.runtime, r.simulated) for r in (found, lived)]
    assert heads[0] == heads[1]


def test_what_was_given_at_the_second_attempt_counts_once(bench: Bench) -> None:
    with bench.ready() as injector:
        injector.link.control("present", 0)
        for point in (1, 2):
            assert injector.dose(0.02, 1.0, "cheek", point).reason == "arm_timeout"
        injector.link.control("present", 1)
        injector.dose(0.02, 1.0, "cheek", 1)
    found = [(dose.kind, dose.point, dose.result) for dose in recalled(bench).doses]
    assert found == [("prime", 0, "Delivered"), ("dose", 2, "NotDelivered"), ("dose", 1, "Delivered")]


def test_an_unknown_run_is_bounded(bench: Bench) -> None:
    with bench.ready() as injector:
        run = injector.fractional(20, 1.0, "cheek", 40)
    journal = Journal(bench.journal)
    past = history.latest(journal, injector.uid)
    assert past is not None
    past.doses[-1].result = past.doses[-1].asked.unknown("settled")
    [found] = recalling.recall(past, journal).runs
    assert (found.dose_id, found.result, found.strokes, found.upper_strokes) == (run.dose_id, "Unknown", 0, 20)
