"""What the production line tests on a board: it asks and reads; what moves does so while a person holds the trigger.

Each test returns its step; one that fails says what, and what next.
"""

from __future__ import annotations

from typing import NamedTuple

from mesoinjector import results
from mesoinjector.injector import Injector
from mesoinjector.keeping import read_strokes
from mesoinjector.production_record import Step
from mesoinjector.record import FractionalRecord, Stroke
from mesoprotocol import limits, messages, wire

AT_REST = (
    (wire.INPUT_TRIGGER_A, False, "trigger line A is closed with nobody pressing it"),
    (wire.INPUT_TRIGGER_B, False, "trigger line B is closed with nobody pressing it"),
    (wire.INPUT_CONTACT, False, "the nose says skin contact with nothing before it"),
    (wire.INPUT_ESTOP, False, "the emergency stop is pressed, or its wire is broken"),
    (wire.INPUT_DRIVE_FAULT, False, "a motor driver reports a fault"),
    (wire.INPUT_PERMIT_PLUNGER, False, "the plunger's permit is up, and nothing has raised it"),
    (wire.INPUT_NEEDLE_HOME, True, "the needle is not seen home"),
)
"""Input, its level at rest, and what is wrong otherwise."""


class Dry(NamedTuple):
    """The dry run of each board; ranges are those of `Injector.dry_run`."""

    strokes: int = 60
    depth_mm: float = 1.5
    rate_per_min: int = 600


def self_test(injector: Injector) -> Step:
    """The device's own: pressure, carrier, permit, safety variables, program, battery."""
    found = injector.self_test()
    failed = [messages.CHECK_BITS[bit] for bit in messages.CHECK_BITS if found.failed_checks & bit]
    facts = tuple(
        (name.lower(), "failed" if found.failed_checks & bit else "passed") for bit, name in messages.CHECK_BITS.items()
    )
    if failed:
        return Step("self-test", "failed", f"{', '.join(failed).lower()}. Next: mend it, and run it again.", facts)
    return Step("self-test", "passed", f"{len(facts)} checks", facts)


def sensors(injector: Injector) -> Step:
    """Every input at its level of rest, no latch, no alarm, a battery that may start a dose."""
    status, alarms = injector.status(), injector.alarms()
    wrong = [said for bit, level, said in AT_REST if bool(status.inputs & bit) is not level]
    wrong += [f"latch {name}" for bit, name in messages.LATCH_BITS.items() if status.latches & bit]
    if status.battery_mv < limits.BATTERY_START_MV:
        wrong.append(f"battery {status.battery_mv} mV, of {limits.BATTERY_START_MV} mV that a dose needs")
    if alarms.standing:
        wrong.append(f"alarms {alarms.standing:#x} stand")
    facts = (
        ("pressure at the luer", f"{status.pressure_pa} Pa"),
        ("battery", f"{status.battery_mv} mV"),
        ("frames refused", str(status.rx_bad)),
        ("looks of the loop that came late", str(alarms.overruns)),
        *((name.lower(), "on" if status.inputs & bit else "off") for bit, name in messages.INPUT_BITS.items()),
    )
    if wrong:
        return Step("sensors", "failed", f"{'; '.join(wrong)}. Next: mend it, and run it again.", facts)
    return Step("sensors", "passed", f"{status.battery_mv / 1000:.2f} V, {status.pressure_pa} Pa", facts)


def axes(injector: Injector, dry: Dry) -> tuple[Step, FractionalRecord | None]:
    """All axes to their origins, then strokes with nothing mounted: each is measured. A person holds the trigger."""
    home = injector.home()
    if not (isinstance(home, results.Delivered) and home.complete and home.needle_home):
        return _ended("home", home), None
    run = injector.dry_run(dry.strokes, dry.depth_mm, dry.rate_per_min)
    if not isinstance(run, results.Delivered):
        return _ended("dry run", run), None
    depth_um = round(dry.depth_mm * 1000)
    records = tuple(_strokes(injector, run.strokes))
    record = FractionalRecord(
        run.dose_id, "dry run", depth_um, dry.rate_per_min, 0, 0, dry.strokes, run.strokes, "Delivered", run.reason,
        run.bad_strokes, records=records,
    )  # fmt: skip
    errors_um = [abs(each.depth_um - depth_um) for each in records]
    facts = (
        ("strokes", f"{run.strokes} of {dry.strokes}"),
        ("strokes that the device found bad", str(run.bad_strokes)),
        ("depth set", f"{depth_um} µm"),
        ("depth's largest error", f"{max(errors_um, default=0)} µm"),
        ("interval's largest error", f"{run.worst_interval_us} µs"),
    )
    if not run.complete or run.bad_strokes or not run.needle_home:
        return Step("axes", "failed", f"dry run: {run.reason}, {run.bad_strokes} bad strokes. {_NEXT}", facts), record
    return Step("axes", "passed", f"{run.strokes} strokes, depth within {max(errors_um, default=0)} µm", facts), record


_NEXT = "Next: hold the trigger until the end, or mend it, and run it again."


def _ended(what: str, result: results.Result) -> Step:
    return Step("axes", "failed", f"{what} ended early: {result.reason}. {_NEXT}")


def _strokes(injector: Injector, made: int) -> list[Stroke]:
    """The run's records, from the oldest that the device still has."""
    found: list[Stroke] = []
    while not found or found[-1].index + 1 < made:
        reply = injector.strokes(found[-1].index + 1 if found else 0)
        fresh = read_strokes(reply.first, reply.records)
        if not fresh:
            break
        found += fresh
    return found
