"""Plays a scenario: a real host driver on a simulated device in virtual time, and the plant as the witness."""

from __future__ import annotations

import contextlib
from dataclasses import asdict, dataclass
from typing import Any

from mesoinjector import Delivered, DeviceError, Injector, MesoError, NotDelivered, Result, Unknown
from mesoinjector.connection import STOP_BYTES
from mesoprotocol import messages, wire
from mesosim import runtime as simulator
from mesosim.lab import oracle, strokes
from mesosim.lab.line import FaultyLine
from mesosim.lab.link import Killed, MortalLink
from mesosim.lab.occurrence import MortalJournal, Occurrences
from mesosim.lab.outcome import Outcome
from mesosim.lab.scenario import Dose, Fractional, Giving, Prime, Scenario, Wait
from mesosim.lab.witness import Witness

REST_US = 20_000_000
"""Longer than any dose needs to end by itself."""
OPERATOR = "M. Curie"
REASONS = [name.lower() for code, name in messages.REASON_NAMES.items() if code != wire.REASON_COMPLETE]
SAMPLES = 5
"""One of so many telemetry samples is kept."""


@dataclass
class Given:
    """One step that gives, and the plant's account before it."""

    step: Giving
    before: dict[str, Any]
    dose_id: str = ""
    refusal: str = ""
    """The status or error that it was refused with; "" if it was not."""
    result: Result | None = None


class Play:
    """One scenario on one device."""

    def __init__(self, scenario: Scenario, seed: int, device: simulator.Device) -> None:
        self.scenario = scenario
        self.seed = seed
        self.line = FaultyLine(device) if scenario.on_the_line else None
        self.witness = Witness(self.line or device)
        self.journal = MortalJournal()
        self.journal.on_death = self._die
        self.faults = Occurrences(scenario, self.witness, self.line, self.journal)
        self.struck = True
        """Whether the scenario's first fault, if it has one, has come about."""
        self.host: Injector | None = None
        self.given: list[Given] = []
        self.strokes = strokes.Strokes()
        self.pressure: list[list[int]] = []
        self.raised: list[tuple[int, str]] = []
        """Alarms as the host heard of them: time, reason or latch."""
        self._hosts = 0
        self._samples = 0
        self._latches = 0
        self._ran_us = -1
        self.ran: list[tuple[int, int]] = []
        """From when to when something ran."""

    def run(self) -> None:
        """All steps, then rest."""
        for symbol, thousandths in self.scenario.device.values(self.seed):
            self.witness.control("set", [symbol, thousandths])
        for name, value in self.scenario.hand.model_dump().items():
            self.witness.control(name, int(value))
        for i, step in enumerate((None, *self.scenario.step)):
            self.faults.begin(i)
            with contextlib.suppress(Killed, MesoError):
                self._do(step)
        if self.scenario.fault:
            self.struck = self.faults.struck(self.witness.t_us)

    def account(self) -> dict[str, Any]:
        """The plant's account."""
        return self.witness.account()

    # --- Steps ------------------------------------------------------------------------------------------

    def _do(self, step: Any) -> None:
        if step is None:
            self._connect()
        elif isinstance(step, Prime | Dose | Fractional):
            self._give(step)
        elif isinstance(step, Wait):
            self.host.wait(step.s) if self.host else self.witness.rest(round(step.s * 1e6))
        elif step.do == "reconnect":
            self._connect()
        elif self.host is None:
            raise MesoError("there is no host: it needs a step `reconnect`")
        elif step.do == "stop":
            self.host.stop()
        elif step.do == "clear":
            self.host.clear()
        elif step.do == "treatment":
            self.host.begin_treatment()
        elif step.do == "acknowledge":
            for dose in self.journal.open_doses(self.host.uid):
                self.host.acknowledge(dose.dose_id, OPERATOR)

    def _connect(self) -> None:
        """A fresh host: a new link, the same journal; the one before is gone."""
        self.host = None
        self._hosts += 1
        self._link = MortalLink("sim", self.witness, self.seed * 100 + self._hosts)
        if self.line:
            self.line.on_crash = self._die
        self.host = Injector(self._link, self.journal)
        self.host.listen(self._hear)
        if self._hosts == 1:
            self.host.begin_treatment()
        else:
            self._ask()

    def _give(self, step: Giving) -> None:
        given = Given(step, self.account())
        self.given.append(given)
        known = len(self._intended())
        if step.stop_after_s is not None:
            self._link.at(self._link.now_us() + round(step.stop_after_s * 1e6), self._send_stop)
        try:
            if self.host is None:
                raise MesoError("there is no host: it needs a step `reconnect`")
            given.result = _give(self.host, step)
        except DeviceError as error:
            given.refusal = error.name.lower()
            self._raise(given.refusal)
        except MesoError as error:
            given.refusal = type(error).__name__
        finally:
            given.dose_id = next(iter(self._intended()[known:]), "")

    def _die(self) -> None:
        """The host process is gone."""
        self._link.dead = True
        self.host = None
        if self.line:
            self.line.on_crash = None

    def _send_stop(self) -> None:
        self._link.write(STOP_BYTES)

    def _intended(self) -> list[str]:
        return [str(row[4]) for row in self.journal.entries() if row[2] == "intended"]

    # --- What the device says -----------------------------------------------------------------------------

    def _hear(self, event: Any) -> None:
        if isinstance(event, messages.Telemetry):
            self._samples += 1
            if self._samples % SAMPLES == 1:
                self.pressure.append([self._link.now_us(), event.pressure_pa])
        elif isinstance(event, messages.StrokeRecordsEvent):
            self.strokes.add(event.first, event.records)
        elif isinstance(event, messages.OutcomeEvent) and event.reason != wire.REASON_COMPLETE:
            self._raise(messages.REASON_NAMES[event.reason].lower())
        elif isinstance(event, messages.AlarmEvent):
            if event.priority > wire.PRIORITY_LOW:
                self._raise(messages.ALARM_NAMES[event.alarm].lower())
        elif isinstance(event, messages.PhaseEvent):
            self._running(event.state == wire.STATE_RUNNING)
            if event.state == wire.STATE_HELD:
                self._raise("held")
            for name in latch_names(event.latches & ~self._latches):
                self._raise(name)
            self._latches = event.latches

    def _running(self, runs: bool) -> None:
        """A dose or run has begun, or does not go on; as the host hears of it."""
        if runs and self._ran_us < 0:
            self._ran_us = self._link.now_us()
        elif not runs and self._ran_us >= 0:
            self.ran.append((self._ran_us, self._link.now_us()))
            self._ran_us = -1

    def _raise(self, alarm: str) -> None:
        self.raised.append((self._link.now_us(), alarm))

    # --- The end ------------------------------------------------------------------------------------------

    def finish(self) -> list[str]:
        """Rest, a clean line, a fresh host that asks for what was left open; what it found wrong."""
        rested = self.witness.rest(REST_US)
        self.faults.end()
        findings = oracle.at_rest(rested)
        try:
            self._connect()
        except MesoError as error:
            findings.append(f"the device cannot be opened at the end: {error}")
        moved = self.account()["plunger_steps"] - rested["plunger_steps"]
        if moved:
            findings.append(f"the plunger moved {moved} steps when a host opened the device at the end")
        for given in self.given:
            if given.dose_id:
                given.result = self.journal.result(given.dose_id) or given.result
        self.journal.close()
        return findings

    def _ask(self) -> None:
        """What the device has raised while no host listened: ledger and latches say what, its light showed when."""
        assert self.host
        self._running(False)
        latched_us = self.account()["latched_us"]
        since_us = latched_us if latched_us >= 0 else self._link.now_us()
        for result in self.host.resolved:
            if not isinstance(result, Unknown) and result.reason in REASONS:
                self.raised.append((since_us, result.reason))
        latches = self.host.status().latches
        for name in latch_names(latches & ~self._latches):
            self.raised.append((since_us, name))
        self._latches = latches

    def alarm(self) -> oracle.Alarm:
        """The first alarm, from the first fault's onset on."""
        onset = self.faults.onset_us
        raised = [item for item in self.raised if onset is None or item[0] >= onset]
        name = raised[0][1] if raised else ""
        if onset is None:
            return oracle.Alarm(name, None, None, False)
        harm = next((max(onset, begin) for begin, end in self.ran if end > onset), None)
        since = onset if harm is None else harm
        after_ms = (raised[0][0] - since + 999) // 1000 if raised else None
        safe = self.witness.safe_us
        return oracle.Alarm(name, after_ms, None if safe is None else max(0, safe - since) // 1000, harm is not None)


def play(scenario: Scenario, seed: int, runtime: str = "cpython", trace_path: str = "") -> Outcome:
    """Play a scenario on a device of its own. Raises `NoMicroPython`, `DeviceDied`."""
    device = simulator.start(runtime, seed, trace_path)
    try:
        return _played(Play(scenario, seed, device), runtime)
    finally:
        device.close()


def _played(run: Play, runtime: str) -> Outcome:
    run.run()
    findings = run.finish()
    ends = [given.before for given in run.given[1:]] + [run.account()]
    doses = [_dose(given, after) for given, after in zip(run.given, ends, strict=True)]
    alarm = run.alarm()
    findings += oracle.judge(run.scenario, doses, alarm)
    trace = run.witness.control("trace")
    fault = run.scenario.fault[0].entry if run.scenario.fault else None
    return Outcome(
        scenario=run.scenario.name,
        seed=run.seed,
        runtime=runtime,
        passed=not findings,
        findings=findings,
        requirements=list(run.scenario.requirements),
        hazard=fault.hazard if fault else "",
        fault=fault.name if fault else "",
        alarm=alarm.name,
        alarm_ms=alarm.after_ms,
        hazard_ms=fault.hazard_ms if fault else None,
        struck=run.struck,
        judged=run.struck and oracle.judged(run.scenario),
        exposed=alarm.exposed or fault is None,
        safe_ms=alarm.safe_ms,
        standing=oracle.standing(run.scenario),
        doses=doses,
        strokes=run.strokes.summary(
            [step.strokes for step in run.scenario.giving if isinstance(step, Fractional)],
            [given.result for given in run.given if isinstance(given.result, Delivered)],
        ),
        pressure=run.pressure,
        duration_us=run.witness.t_us,
        trace_sha256=trace["sha256"],
        records=trace["records"],
    )


def _give(host: Injector, step: Giving) -> Result:
    if isinstance(step, Prime):
        return host.prime(step.volume_ml, step.profile)
    if isinstance(step, Dose):
        return host.dose(step.volume_ml, step.depth_mm, step.zone, step.point, step.profile)
    return host.fractional(
        step.strokes, step.depth_mm, step.zone, step.area_cm2, step.rate_per_min, step.needles, step.duration_s
    )


def _dose(given: Given, after: dict[str, Any]) -> dict[str, Any]:
    """One entry of `Outcome.doses`."""
    step, result = given.step, given.result
    asked_nl = 0 if isinstance(step, Fractional) else round(step.volume_ml * 1e6)
    known = asdict(result) if result is not None else {}
    upper = asked_nl if result is None and given.dose_id else 0
    return {
        "kind": "run" if isinstance(step, Fractional) else step.do,
        "asked_nl": asked_nl,
        "delivered_nl": known.get("delivered_nl", 0),
        "lower_nl": known.get("lower_nl", 0),
        "upper_nl": known.get("upper_nl", upper),
        "result": type(result).__name__ if result is not None else "open" if given.dose_id else "NotDelivered",
        "reason": _reason(given),
        "exact": known.get("exact", False),
        "drip": known.get("drip", False),
        "depth_um": 0 if isinstance(step, Prime) else round(step.depth_mm * 1e3),
        "plant_tip_nl": after["tip_nl"] - given.before["tip_nl"],
        "plant_skin_nl": after["skin_nl"] - given.before["skin_nl"],
        "punctures": after["punctures"] - given.before["punctures"],
        "strokes": known.get("strokes", 0),
        "upper_strokes": known.get("upper_strokes", known.get("strokes", 0)),
    }


def _reason(given: Given) -> str:
    if given.refusal:
        return given.refusal
    if isinstance(given.result, Unknown):
        return "unknown" if given.dose_id else "never intended"
    if isinstance(given.result, Delivered | NotDelivered):
        return given.result.reason
    return "unknown" if given.dose_id else "never intended"


def latch_names(bits: int) -> list[str]:
    """The schema's names of latches."""
    return [name[6:].lower() for name, bit in vars(wire).items() if name.startswith("LATCH_") and bits & bit]
