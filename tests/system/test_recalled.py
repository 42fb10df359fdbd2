"""What the journal recalls of a treatment is what was given, as the program that gave it recorded it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from mesoinjector import history, recalling, shown
from mesoinjector.errors import AuthError, DeviceError, LinkLost, ResultNotKept
from mesoinjector.export import lines
from mesoinjector.journal import Intended, Journal
from mesoinjector.plans import parse
from mesoinjector.record import TreatmentRecord
from mesoinjector.transaction import Ended, Transaction
from mesoinjector.treatment import Treatment
from mesoprotocol import messages, wire
from tests.bench_of_one import OPERATOR, Bench, after_flow
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


def test_a_treatment_that_did_not_end_as_asked_is_recalled_as_that(bench: Bench) -> None:
    with bench.connect() as injector:
        cut = Treatment(injector, parse(MODES["metered"], "test"))
        injector.listen(after_flow(110_000, cut.stop))
        assert not cut.run()
        assert "Not all was given as asked: stopped between points." in recalled(bench).notes
        injector.dose(0.02, 1.0, "cheek", 0)
    assert "The journal does not say that it has ended." in recalled(bench).notes


def test_what_is_primed_behind_its_end_begins_nothing_anew(bench: Bench) -> None:
    with bench.connect() as injector:
        assert Treatment(injector, parse(FRACTIONAL, "test")).run()
        injector.wait(5.0)  # the hand takes the handpiece away
        injector.prime(0.1)
    [line] = lines.read(Journal(bench.journal, read_only=True)).treatments
    assert (line.as_asked, line.ended_by) == (True, "complete") and len(recalled(bench).notes) == 1


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


def test_what_the_device_refused_to_begin_takes_no_dose_from_the_treatment_it_is_in(bench: Bench) -> None:
    bench.keyed()
    with pytest.raises(AuthError):
        bench.connect().begin_treatment("", {"patient_ref": "P-2"})
    injector = bench.connect(OPERATOR)
    dose = injector.dose(0.02, 1.0, "cheek", 1)
    journal = Journal(bench.journal, read_only=True)
    first, refused = history.treatments(journal)
    assert [given.asked.dose_id for given in first.doses][-1] == dose.dose_id and not refused.doses


def test_a_run_that_the_device_has_forgotten_is_bounded_by_what_was_asked(bench: Bench) -> None:
    asked = Intended("a1" * 8, 1, "fractional", 2, "cheek", 1, 0, 1_000, 900, 900, 16, 40)
    reply = messages.OutcomeReply(*(0 for _ in messages.OutcomeReply._fields))
    forgotten = reply._replace(dose_id=bytes.fromhex(asked.dose_id), n=1, dose_state=wire.DOSE_FORGOTTEN)
    ended = Transaction(Journal(":memory:"), "d", asked).heard(forgotten, 0)
    assert isinstance(ended, Ended) and ended.result == asked.unknown("older than the device remembers")


def test_what_was_given_is_in_the_record_though_no_disk_keeps_its_end(bench: Bench) -> None:
    injector = bench.connect()
    treatment = Treatment(injector, parse(MODES["metered"], "test"))

    def lose_disk(event: Any) -> None:
        if isinstance(event, messages.OutcomeEvent) and event.n == 2:
            injector.journal._db.execute("PRAGMA query_only = ON")

    injector.listen(lose_disk)
    with pytest.raises(ResultNotKept) as failed:
        treatment.run()
    assert [dose.dose_id for dose in treatment.record.doses][1:] == [failed.value.result.dose_id]


def test_a_run_is_in_the_record_though_the_line_breaks_before_its_strokes_have_come(bench: Bench) -> None:
    injector = bench.connect()
    treatment = Treatment(injector, parse(FRACTIONAL, "test"))

    def lose(event: Any) -> None:
        if isinstance(event, messages.OutcomeEvent):
            treatment._keeper.begin_run()
            bench.link(injector).cut()

    injector.listen(lose)
    with pytest.raises(LinkLost):
        treatment.run()
    [run] = treatment.record.runs
    assert (run.result, run.strokes) == ("Delivered", 40) and len(run.records) < 40


def test_a_dose_that_was_interrupted_is_in_no_later_treatment(bench: Bench) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    injector = bench.connect()
    first = Treatment(injector, parse(MODES["metered"], "test"))
    injector.listen(after_flow(110_000, interrupt))
    with pytest.raises(KeyboardInterrupt):
        first.run()
    first.add_interrupted()
    assert injector.interrupted and first.record.doses[-1].dose_id == injector.interrupted.dose_id
    later = Treatment(injector, parse(MODES["metered"], "test"))
    with pytest.raises(DeviceError, match="STOPPED"):
        later.run()
    later.add_interrupted()
    assert not later.record.doses


def test_what_nobody_knows_is_told_by_its_bounds(capsys: pytest.CaptureFixture[str]) -> None:
    run = Intended("a1" * 8, 1, "fractional", 2, "cheek", 1, 0, 1_000, 900, 900, 16, 40)
    dose = Intended("b1" * 8, 2, "dose", 2, "cheek", 1, 20_000, 1_000)
    record = TreatmentRecord("[/red]", "d", "f", "r", "u", False)
    record.runs.append(recalling.run_record(run, run.unknown("line lost"), ()))
    record.doses.append(recalling.dose_record(dose, 1, dose.unknown("line lost")))
    assert shown.delivered(record) == "Delivered 0.00 ul to 20.00 ul in 1 doses, 0 to 900 punctures"
    facts = shown.facts(record)
    assert (facts["doses"][0]["delivered_nl"], facts["doses"][0]["upper_nl"]) == (None, 20_000)
    assert (facts["fractional"]["strokes"], facts["fractional"]["upper_strokes"]) == (None, 900)
    shown.treatment(record)
    said = capsys.readouterr().out
    assert "0.00 to 20.00" in said and "0 to 900" in said and "[/red]" in said
