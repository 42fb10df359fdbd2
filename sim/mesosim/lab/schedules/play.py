"""Plays a schedule on one device and judges it by the plant: what moved, how often, and what was said about it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, NamedTuple

from mesoinjector import Delivered, DeviceError, Injector, MesoError, NotDelivered, Result, Unknown, updating
from mesoinjector.connection import STOP_BYTES
from mesoinjector.journal import Journal
from mesoinjector.keys import Key
from mesoinjector.service import Service
from mesoprotocol import messages, wire
from mesosim.lab.frames import Fault
from mesosim.lab.line import FaultyLine
from mesosim.lab.link import Killed, MortalLink
from mesosim.lab.oracle import OVERHEAD_NL
from mesosim.lab.play import REST_US
from mesosim.lab.schedules.primed import OPERATOR, SERVICE
from mesosim.lab.schedules.words import Do, Schedule
from mesosim.runtime import Device

SEED = 5000
"""Of the first host's random bytes: another than that of the host that has primed."""
SETTLED_PA = 1_000
"""Below this pressure less than `OVERHEAD_NL` is stored."""
MOUNTED = ("syringe", "cartridge")
GIVEN = ("dose", "prime", "perfusion", "run")
STAGE = messages.UpdateStage()
ENDED = (wire.DOSE_DONE, wire.DOSE_ABORTED, wire.DOSE_INTERRUPTED)


class Wrong(AssertionError):
    """An invariant does not hold."""


class Fate(NamedTuple):
    """What became of one call for a dose, prime or run: by the host's journal at the end, and by the plant."""

    what: str
    asked: int
    """nl, or strokes."""
    said: str
    """Delivered, NotDelivered, Unknown, or nothing."""
    reason: str
    motions: int
    """How often the plunger was set in motion, from this call to the next."""
    steps: int
    punctures: int

    @property
    def is_double(self) -> bool:
        """Given more than once, or given and said not to be: whoever believes that gives it again."""
        if self.what == "run":
            return self.punctures > (0 if self.said == "NotDelivered" else self.asked)
        return self.motions > 1 or (self.said == "NotDelivered" and self.steps != 0)

    @property
    def is_unresolved(self) -> bool:
        """Nobody knows, and nobody ever will: all but what a restart of the device has cut short, within bounds."""
        return not self.said or (self.said == "Unknown" and self.reason != "interrupted")


@dataclass
class Given:
    """One call for a dose, prime or run, and the plant's account before it."""

    what: str
    asked: int
    """nl, or strokes."""
    before: dict[str, Any]
    motions: int
    dose_id: str | None = None

    def settled(self) -> bool:
        """Whether nothing of what was given before can still flow."""
        return not self.before["moving"] and self.before["pressure_pa"] < SETTLED_PA


@dataclass
class Flow:
    """What has left the tip while there was no rest, and what was said about it; nl."""

    asked: int = 0
    lower: int = 0
    upper: int = 0
    given: int = 0
    said: list[str] = field(default_factory=list)

    def add(self, dose: Given, result: Result | None, after: Given) -> None:
        """One call more."""
        given = after.before["tip_nl"] - dose.before["tip_nl"]
        self.given += given
        self.asked += dose.asked if dose.what in ("dose", "prime", "perfusion") else 0
        self.said.append(f"{dose.what} of {dose.asked}: {result}; the plant: {given} nl")
        if isinstance(result, Delivered | Unknown):
            self.lower += result.lower_nl
            self.upper += result.upper_nl
        elif result is None:
            self.upper += dose.asked * 21 // 20

    def holds(self) -> bool:
        """Whether it lies within what was said."""
        slack = OVERHEAD_NL * len(self.said)
        return self.lower - slack <= self.given <= min(self.upper, self.asked * 1.05) + slack


@dataclass
class Play:
    """A device, its line, and one host after another with one journal."""

    device: Device
    host_type: type[Injector] = Injector
    schedule: Schedule = field(default_factory=list)
    given: list[Given] = field(default_factory=list)
    fates: list[Fate] = field(default_factory=list)
    """Of all that was given, once the play has ended."""
    host: Injector | None = None

    def __post_init__(self) -> None:
        self.line = FaultyLine(self.device)
        self.journal = Journal(":memory:")
        self._hosts = 0
        self._link: MortalLink | None = None
        self._stop_ms = -1
        self._treatments = 0
        self.given.append(Given("nothing", 0, self.account(), 0))

    def do(self, item: Fault | Do) -> None:
        """Arm a fault, or act; then everything is checked."""
        self.schedule.append(item)
        if isinstance(item, Fault):
            self.line.arm(item)
            return
        if item.what == "rest":
            with contextlib.suppress(Killed):
                self._rest(item.value * 1000)
        else:
            with contextlib.suppress(Killed, MesoError):
                self._act(item)
        self.line.in_dose = False
        if self.line.on_crash is None:
            self.host = None
        self.check()

    # --- Acts -------------------------------------------------------------------------------------------

    def _act(self, item: Do) -> None:
        what, value = item
        if what == "stop later":
            self._stop_ms = value
            return
        if what == "provision":
            self._connect(self.host_type, SERVICE).provision(OPERATOR)
            return
        host = self._connect(self.host_type) if what == "connect" or self.host is None else self.host
        if what in ("dose", "prime", "perfusion", "run"):
            self._give(host, what, value)
        elif what in ("dry", "home"):
            self._serve(what, value)
        elif what == "treatment":
            self._treatments += 1
            host.begin_treatment()
        elif what == "stop":
            host.stop()
        elif what == "clear":
            host.clear()
        elif what == "acknowledge":
            for dose in self.journal.open_doses(host.uid):
                host.acknowledge(dose.dose_id, "M. Curie")
        elif what == "status":
            host.status()
        elif what == "ledger":
            host.ledger(value)
        elif what == "alarms":
            host.alarms()
        elif what == "self_test":
            host.self_test()
        elif what == "battery":
            self.line.control("set", ("battery.charge_permille", value * 1000))
        elif what == "strokes":
            host.strokes(value)
        elif what == "new_syringe":
            host.new_syringe()
        elif what == "cartridge":
            Service(host).cartridge()
        elif what == "update":
            Service(host).update()
        elif what == "confirm":
            Service(self._connect(self.host_type, SERVICE)).confirm()
        elif what == "application":
            self._offer(self._connect(self.host_type, SERVICE))
        elif what == "restart":
            updating.restart(self._connect(self.host_type, SERVICE))
        elif what == "log":
            Service(host).entry(value)
        elif what == "settings":
            Service(host).settings()
        elif what == "calibrate":
            Service(self._connect(self.host_type, SERVICE)).calibrate(pressure_zero_pa=value)
        elif what != "connect":
            raise ValueError(f"unknown act {what!r}")

    def _offer(self, host: Injector) -> None:
        """An application, to a device that knows no signer: each request is refused, whatever becomes of its frames."""
        for request in (messages.UpdateBegin(100, bytes(32), 0), messages.UpdateWrite(0, 0, 1, bytes(192)), STAGE):
            with contextlib.suppress(DeviceError):
                host._ask(request)
                raise Wrong(f"{type(request).__name__} was not refused")

    def _connect(self, host_type: type[Injector], key: Key = OPERATOR) -> Injector:
        """A fresh host: a new link, the same journal; the one before is gone."""
        self._hosts += 1
        link = MortalLink("sim", self.line, SEED + self._hosts)

        def crash() -> None:
            link.dead = True
            self.line.on_crash = None

        self.host, self._link, self.line.on_crash = None, link, crash
        self.host = host_type(link, self.journal, key)
        return self.host

    def _serve(self, what: str, value: int) -> None:
        """The hand leaves the skin, and syringe and cartridge are taken off."""
        self._rest(1_000_000)
        for name in MOUNTED:
            self.line.control(name, 0)
        try:
            self._give(self._connect(self.host_type, SERVICE), what, value)
        finally:
            for name in MOUNTED:
                self.line.control(name, 1)

    def _give(self, host: Injector, what: str, value: int) -> None:
        assert self._link
        link = self._link
        given = Given(what, value, self.account(), len(self.line.motions))
        known = len(self._intended())
        if self._stop_ms >= 0:
            link.at(link.now_us() + self._stop_ms * 1000, lambda: link.write(STOP_BYTES))
            self._stop_ms = -1
        try:
            if what == "dose":
                host.dose(value / 1e6, 1.0, "body")
            elif what == "prime":
                host.prime(value / 1e6)
            elif what == "perfusion":
                host.perfusion(value / 1e6, 20.0, 1.0, "body")
            elif what == "home":
                host.home()
            elif what == "dry":
                host.dry_run(value, 1.0, 1800)
            else:
                host.fractional(value, 1.0, "cheek", 40, 1800)
        finally:
            # a call that was refused before it was noted belongs to what was before
            for given.dose_id in self._intended()[known:][:1]:
                self.given.append(given)

    def _rest(self, us: int) -> None:
        """Nobody does anything; what is on the line arrives, at no host."""
        end = self.line.t_us + us
        while self.line.t_us < end:
            self.line.run(end, b"")

    def _intended(self) -> list[str]:
        return [str(row[4]) for row in self.journal.entries() if row[2] == "intended"]

    def account(self) -> dict[str, Any]:
        """The plant's."""
        account: dict[str, Any] = self.line.control("account")
        return account

    # --- What must hold ---------------------------------------------------------------------------------

    def check(self) -> None:
        """Hold each dose against what the plant did from its call to the next."""
        now = Given("", 0, self.account(), len(self.line.motions))
        flow = Flow()
        for dose, after in pairwise([*self.given, now]):
            result = self.journal.result(dose.dose_id) if dose.dose_id else None
            self._check_motion(dose, result, after)
            flow.add(dose, result, after)
            if after is now or after.settled():
                self._hold(flow.holds(), f"outside its bounds: {flow}")
                flow = Flow()

    def _check_motion(self, dose: Given, result: Result | None, after: Given) -> None:
        steps, punctures = (after.before[key] - dose.before[key] for key in ("plunger_steps", "punctures"))
        said = f"{dose.what} of {dose.asked}: {result}; the plant: {steps} steps, {punctures} punctures"
        self._hold(after.motions - dose.motions <= 1, f"the plunger moved more than once: {said}")
        if dose.what == "home":
            self._hold(steps <= 0, f"the plunger moved forward: {said}")
        elif isinstance(result, NotDelivered) or dose.what in ("nothing", "run", "dry"):
            self._hold(not steps, f"the plunger moved: {said}")
        if dose.what == "run":
            least, most = 0, dose.asked
            if isinstance(result, NotDelivered):
                most = 0
            elif isinstance(result, Unknown):
                most = result.upper_strokes
            elif isinstance(result, Delivered):
                least, most = result.strokes if result.exact else 0, result.strokes
            self._hold(least <= punctures <= most, f"other punctures: {said}")

    def finish(self) -> list[str]:
        """A clean line, rest, a fresh host; the ledger is held against the plant. Returns every dose's result."""
        self.line.disarm()
        self.host = self.line.on_crash = None
        self._rest(REST_US)
        rested = self.account()
        self._hold(rested["needle_home"] and not rested["moving"], f"not at rest: {rested}")
        try:
            host = self._connect(Injector)
            entries = [host.ledger(n) for n in range(1, host.status().next_n)]
            status = host.status()
        except MesoError as error:
            raise self._wrong(f"cannot be opened: {error}") from error
        moved = self.account()["plunger_steps"] - rested["plunger_steps"]
        self._hold(not moved, f"moved {moved} steps on reconnecting")
        self.check()
        self.fates = list(self.told())
        primes = {dose.dose_id for dose in self.given if dose.what == "prime"}
        for dose in self.journal.open_doses(host.uid):
            result = self.journal.result(dose.dose_id)
            self._hold(isinstance(result, Unknown) and result.reason == "interrupted", f"left open: {result}")
            assert isinstance(result, Unknown)
            # what a prime pushes may have left, or filled slack, until fluid is seen
            narrow = dose.dose_id in primes or result.upper_nl - result.lower_nl < dose.asked_nl * 0.15 + 8_000
            self._hold(narrow, f"bounds too wide: {result}")
        self._check_ledger(entries, status)
        self.journal.close()
        return [f"{dose.what} {dose.dose_id}" for dose in self.given] + [str(entry) for entry in entries]

    def told(self) -> Iterator[Fate]:
        """What became of all that was given, as of now. Its journal must be open."""
        now = Given("", 0, self.account(), len(self.line.motions))
        for dose, after in pairwise([*self.given, now]):
            if dose.dose_id is None or dose.what not in GIVEN:
                continue
            result = self.journal.result(dose.dose_id)
            said = "" if result is None else type(result).__name__
            reason = "" if result is None else result.reason
            steps, punctures = (after.before[key] - dose.before[key] for key in ("plunger_steps", "punctures"))
            yield Fate(dose.what, dose.asked, said, reason, after.motions - dose.motions, steps, punctures)

    def _check_ledger(self, entries: list[Any], status: Any) -> None:
        """The ledger as a whole: its ids, its sums, and what has left the tip since the device was new."""
        ids = [entry.dose_id for entry in entries]
        self._hold(len(set(ids)) == len(ids), "an id stands twice in the ledger")
        self._hold(all(entry.dose_state in ENDED for entry in entries), f"an entry has no end: {entries}")
        lower, upper = sum(entry.lower_nl for entry in entries), sum(entry.upper_nl for entry in entries)
        slack = OVERHEAD_NL * len(entries)
        tip = self.account()["tip_nl"]
        self._hold(lower - slack <= tip <= upper + slack, f"the ledger says {lower} to {upper} nl, the plant {tip}")
        if not self._treatments:
            self._hold(status.counted_nl == upper, f"{status.counted_nl} nl are counted, the entries say {upper}")
            total = sum(entry.delivered_nl for entry in entries)
            self._hold(status.delivered_nl == total, f"a total of {status.delivered_nl} nl, the entries say {total}")

    def _hold(self, holds: bool, otherwise: str) -> None:
        if not holds:
            raise self._wrong(otherwise)

    def _wrong(self, what: str) -> Wrong:
        return Wrong(f"{what}\nschedule = {self.schedule!r}")


def play(device: Device, schedule: Schedule, host_type: type[Injector] = Injector) -> tuple[Play, list[str]]:
    """A whole schedule on a primed device. Raises `Wrong`."""
    run = Play(device, host_type)
    for item in schedule:
        run.do(item)
    return run, run.finish()
