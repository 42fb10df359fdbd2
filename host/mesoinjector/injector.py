"""The device as clinic software sees it: prime, dose, fractional, stop; volumes in ml, depths in mm.

Each dose is a transaction. Its id is in the journal before a byte leaves; its result comes from the device's
ledger and from nothing else. While one dose is Unknown, every new one is refused.
"""

from __future__ import annotations

import contextlib
import threading
import types
from collections.abc import Generator
from pathlib import Path
from typing import Any, Self

from mesoinjector import cartridges, catching_up, errors, opening, requests, results
from mesoinjector.giving import Giving
from mesoinjector.journal import Journal
from mesoinjector.keys import Key
from mesoinjector.links import Link, is_simulated, open_link
from mesoinjector.pump import Pump
from mesoinjector.recorder import RecordingLink
from mesoinjector.telling import Telling
from mesoinjector.transaction import Action, Ask, Ended, Request, SendStop, Transaction, Wait, has_stopped
from mesoprotocol import messages, wire


class Injector(Giving, Telling):
    """One open device. Use `Injector.open`; safe to use from many threads."""

    def __init__(self, link: Link, journal: Journal, key: Key | None = None) -> None:
        self.link = link
        self.journal = journal
        self._pump = Pump(link)
        self._under_way: Transaction | None = None
        self._giving = threading.Lock()
        self._key = key
        self.hello: messages.HelloReply = opening.open_session(self._pump, key)
        self.uid: str = self.hello.uid.hex()
        journal.hold(self.uid)
        self._next_n = self.hello.next_n
        self._treatment = self.hello.treatment
        self.interrupted: results.Result | None = None
        """What became of a dose whose call was ended by Ctrl-C."""
        self.resolved: list[results.Result] = self._catch_up()
        """Doses of before that were open, and what has become of them."""
        self._attend()

    @classmethod
    def open(
        cls,
        url: str,
        journal: Path | str | Journal | None = None,
        key: Key | Path | str | None = None,
        record: Path | str | None = None,
    ) -> Self:
        """Open the device at `url`: `usb:` (the only one there, see `finding`), `/dev/ttyACM0`, `sim://` and what else
        `links.open_link` takes.

        Without a journal of its own choosing, a real device gets this user's, a simulated one and a replay none
        that lasts. A device that has keys wants one to give doses, or the path of its file; without, this session
        observes. `record` names a new file for all that passes on the line; see `recording`. Nothing moves. Doses
        that were under way are asked for by their ids; see `resolved`. Raises `LinkError`, `ProtocolError`,
        `AuthError`, `KeyFileError`, `JournalError`, `RecordingError`.
        """
        secret = key if isinstance(key, Key) or key is None else Key.load(key)
        if journal is None and url.startswith(("sim:", "replay:")):
            journal = ":memory:"
        book = journal if isinstance(journal, Journal) else Journal(journal)
        link = open_link(url)
        try:
            if record is not None:
                link = RecordingLink(link, Path(record))
            return cls(link, book, secret)
        except BaseException:
            link.close()
            if book is not journal:
                book.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: types.TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give the device up. Idempotent; moves nothing, ends nothing."""
        self._pump.close()
        self.journal.release(self.uid)

    def reconnect(self, within_s: float = 60.0) -> list[results.Result]:
        """Open the line anew after it broke, as soon as the device is there and has started; tried for so many seconds.

        A new session in the same treatment: what was under way has ended on the device and is asked for by its id; the
        results come back, and stand in `resolved`. Nothing goes on by itself, nothing moves. Raises what `open` does,
        and `DeviceNotFound` if another device answers, `PlanError` if it is in another treatment now, `DeviceBusy`
        while another thread waits for a dose.
        """
        with self._alone("Reconnect"):
            self._pump.leave()
            self._pump.refuse_if_closed()
            hello = opening.reopen(self._pump, self._key, self.link.now_us() + round(within_s * 1e6))
            if hello.uid != self.hello.uid:
                self.close()
                raise errors.another_device(self.link.url, hello.uid.hex(), self.uid)
            if hello.treatment != self._treatment:
                self.close()
                raise errors.in_another_treatment(hello.treatment, self._treatment)
            self.hello = hello
            self._next_n = hello.next_n
            self.resolved = self._catch_up()
            self._attend()
            return self.resolved

    @contextlib.contextmanager
    def _alone(self, what: str) -> Generator[None]:
        """No dose is given within this block but its own; another thread's is refused, and never waits."""
        if not self._giving.acquire(blocking=False):
            raise errors.refusal(wire.S_WRONG_STATE, what)
        try:
            yield
        finally:
            self._giving.release()

    def _attend(self) -> None:
        """On a port events are told between calls too; a recording is of one thread, so that it can be replayed."""
        if not self.link.virtual and not isinstance(self.link, RecordingLink):
            self._pump.attend()

    @property
    def runtime(self) -> str:
        """What the firmware runs on, as it says itself."""
        return self.hello.implementation

    # --- Treatments and doses --------------------------------------------------------------------------

    def begin_treatment(self, plan: str = "", about: dict[str, Any] | None = None) -> int:
        """Start a new treatment: one patient, one session; totals begin at zero. Returns its number.

        `about` is kept with it in the journal, and what the device runs: see `Journal.start_treatment`.
        """
        runs = {"firmware": self.hello.firmware, "runtime": self.runtime, "simulated": is_simulated(self.link)}
        return self._start_treatment(self.journal.start_treatment(self.uid, plan, {**(about or {}), **runs}))

    def resume_treatment(self, number: int, fresh: bool) -> None:
        """Go on in a treatment of an earlier program, in which the device still is: its totals go on.

        `fresh`: nothing was given in it; the device is told of it if it never was. Raises `PlanError` if in another.
        """
        there = self.status().treatment
        if there != number:
            if not fresh:
                raise errors.in_another_treatment(there, number)
            self._start_treatment(number)
        self._treatment = number

    def _start_treatment(self, number: int) -> int:
        self._pump.request(messages.SetDate(cartridges.day_of(self.link.today())))
        self._pump.request(messages.StartTreatment(number))
        self._treatment = number
        return number

    def new_syringe(self) -> float:
        """Say that another syringe is mounted, a full one; prime it next. Returns what is in it, ml.

        Until then the device takes one that was put back for the former one, with what was left of it.
        """
        return float(self._pump.request(messages.NewSyringe()).left_nl) / 1e6

    def stop(self) -> messages.StatusReply:
        """Stop whatever moves; returns once the device has said so in a numbered answer.

        May be called from any thread at any time; a waiting `dose` returns with what was delivered. Therapy
        stays refused until `clear`.
        """
        before = self._pump.connection.stop_answer
        known = before.stop_count if before else self.hello.stop_count
        for _ in range(8):
            self._send_stop()
            status: messages.StatusReply = self._pump.request(messages.Status())
            if has_stopped(status, known):
                return status
        raise errors.ReplyTimeout(
            f"{self.link.url}: the device does not say that it has stopped. Next: press the emergency stop."
        )

    def status(self) -> messages.StatusReply:
        """Where the device stands."""
        status: messages.StatusReply = self._ask(messages.Status())
        return status

    def strokes(self, first: int) -> messages.StrokesReply:
        """Stroke records of the present or last run from index `first` on, as far as the device has them."""
        reply: messages.StrokesReply = self._ask(messages.Strokes(first))
        return reply

    def alarms(self) -> messages.AlarmsReply:
        """Which alarms stand, which checks of the last self-test failed, how often the device's loop came late."""
        reply: messages.AlarmsReply = self._ask(messages.Alarms())
        return reply

    def self_test(self) -> messages.SelfTestReply:
        """Have the device test itself now, with nothing in hand: which checks failed, and how many tests it has made.

        Moves nothing. What fails is an alarm, which refuses therapy until it is cleared and the test passes.
        """
        reply: messages.SelfTestReply = self._ask(messages.SelfTest())
        return reply

    def ledger(self, n: int) -> messages.OutcomeReply:
        """The device's ledger entry number n."""
        reply: messages.OutcomeReply = self._ask(messages.Ledger(n))
        return reply

    def clear(self) -> int:
        """Clear the latches that stand, after somebody has looked at the handpiece; those that remain, as bits."""
        status = self.status()
        return int(self._pump.request(messages.Clear(status.latches, status.latch_count)).latches)

    def acknowledge(self, dose_id: str, operator: str) -> results.Result:
        """Take note of an interrupted dose: it becomes Delivered, inexact, within its bounds."""
        dose = self.journal.intended(dose_id)
        if dose is None:
            raise errors.PlanError(f"dose {dose_id} is not in the journal {self.journal.path}.")
        if not 1 <= len(operator.encode()) <= 12:
            raise errors.PlanError(f"operator = {operator!r}: must be 1 to 12 letters.")
        self._pump.request(messages.Ack(dose.n, operator))
        result = results.measured(self._pump.request(messages.Query(bytes.fromhex(dose_id), dose.n)))
        self.journal.close_dose(self.uid, result)
        return result

    def resolve(self, dose_id: str) -> results.Result:
        """What has become of a dose: as the journal knows it for certain, else as the device says. Moves nothing."""
        dose = self.journal.intended(dose_id)
        if dose is None:
            raise errors.PlanError(f"dose {dose_id} is not in the journal {self.journal.path}.")
        under_way = self._under_way
        if under_way is not None and under_way.dose.dose_id == dose_id:
            raise errors.refusal(wire.S_WRONG_STATE, "resolve")
        return catching_up.resolve(self._pump, self.journal, self.uid, dose)

    def authenticate(self, key: Key) -> None:
        """Go on in another session, in the role of this key; what is prepared ends first. Nothing moves.

        Raises `AuthError` if the device does not have this key: this session then observes only. `DeviceBusy` while
        another thread waits for a dose.
        """
        with self._alone("Authenticate"):
            self.hello = opening.open_session(self._pump, key)
            self._key = key

    def provision(self, key: Key) -> None:
        """Set the key of a role; the service key first. From the next opening on it is asked for.

        Raises `AuthError` unless this session is service's, or the device has no keys yet; then the key passes the
        line uncovered, so that a line which is recorded is refused, with `RecordingError`.
        """
        opening.provision(self._pump, self.hello, self._key, key)

    # --- The transaction --------------------------------------------------------------------------------

    def _numbered(self) -> tuple[bytes, int]:
        return self.link.token(8), self._next_n

    def _now_us(self) -> int:
        return self.link.now_us()

    def _give(self, request: Request, kind: str, zone: str, point: int = 0) -> results.Result:
        with self._alone(kind):
            self.interrupted = None
            self._refuse_while_unknown()
            status = self.status()
            if status.latches:
                raise errors.latched(status.latches, kind)
            if isinstance(request, messages.PrepareRun):
                cartridges.admit(self._ask, self.journal, self.uid)
            dose = requests.intended(request, kind, self._treatment, zone, point)
            transaction = self._under_way = Transaction(self.journal, self.uid, dose)
            try:
                return self._see_through(transaction, request)
            finally:
                self._under_way = None

    def _see_through(self, transaction: Transaction, request: Request) -> results.Result:
        action = self._perform(transaction, transaction.begin(request, self.hello.boot_id))
        if not isinstance(action, Ended):
            action = self._follow(transaction, action)
        self.interrupted = action.result  # of whom Ctrl-C meets from here on
        if action.error:
            raise action.error
        if action.used is not None:
            self._check_growth(action.result, action.used)
        self.interrupted = None
        return action.result

    def _follow(self, transaction: Transaction, action: Action) -> Ended:
        """From COMMIT to the end, with heartbeats as long as somebody waits."""
        try:
            with self._pump.beating(bytes.fromhex(transaction.dose.dose_id)):
                while not isinstance(action, Ended):
                    action = self._perform(transaction, action)
                return action
        except BaseException:
            self._pump.recover()
            # Ctrl-C and whatever else: stop first, then find out what was delivered; if that fails the dose stays
            # open in the journal, and is asked for when the device is opened again
            with contextlib.suppress(errors.MesoError):
                action = transaction.give_up(self.link.now_us())
                while not isinstance(action, Ended):
                    action = self._perform(transaction, action)
                self.interrupted = action.result
            raise

    def _perform(self, transaction: Transaction, action: Action) -> Action:
        """Do what a transaction wants done, and tell it what came of it."""
        try:
            if isinstance(action, Ask):
                answer = self._pump.request(action.message)
                now_us = self.link.now_us()
                return transaction.answered(answer, now_us, self._pump.connection.device_tick(now_us))
            if isinstance(action, SendStop):
                self._pump.send_stop()
            if isinstance(action, SendStop | Wait):
                return self._listen(transaction, action.until_us)
        except (errors.LinkError, errors.DeviceError, errors.AuthError) as error:
            return transaction.failed(error, self.link.now_us())
        return action

    def _listen(self, transaction: Transaction, until_us: int) -> Action:
        """Wait for the event that ends a dose."""
        dose_id = bytes.fromhex(transaction.dose.dose_id)
        outcomes = self._pump.connection.outcomes
        self._pump.until(until_us, lambda: dose_id in outcomes or transaction.hurried)
        outcome = outcomes.pop(dose_id, None)
        if outcome is None:
            return transaction.due(self.link.now_us())
        return transaction.heard(outcome, self.link.now_us())

    def _check_growth(self, result: results.Result, used: bool) -> None:
        """The ledger must have grown by this dose alone. A line that broke just now is found out by the next call."""
        expected = result.n + 1 if used else result.n
        self._next_n = expected
        with contextlib.suppress(errors.LinkError):
            next_n = self._pump.request(messages.Status()).next_n
            if next_n != expected:
                raise errors.UnaccountedDose(
                    f"the device's ledger stands at {next_n} after dose number {result.n}, not at {expected}: "
                    "something else was given. Next: stop, open the device again, read its ledger."
                )

    def _send_stop(self) -> None:
        self._pump.send_stop()
        if self._under_way:
            self._under_way.hurry()

    def _refuse_while_unknown(self) -> None:
        if open_doses := self.journal.open_doses(self.uid):
            raise errors.DoseUncertain(
                f"dose {open_doses[0].dose_id} is not resolved: nobody knows yet what it delivered. Next: open the "
                "device again (it asks by the id), acknowledge it if it was interrupted, or settle it in the journal "
                "if the device is gone or has forgotten it."
            )

    def _ask(self, message: Any) -> Any:
        """The answer to a request that may be made for hours: in another session once this one is spent."""
        if self._pump.connection.is_spent and not self._pump.is_beating:
            self._open_another_session()
        return self._pump.request(message)

    def _open_another_session(self) -> None:
        """The numbers of this one run out."""
        boot_id = self.hello.boot_id
        self.hello = opening.open_session(self._pump, self._key)
        if self.hello.boot_id != boot_id or self.hello.next_n != self._next_n:
            raise errors.refusal(wire.S_NO_SESSION, "Hello")

    def _catch_up(self) -> list[results.Result]:
        """What has become of doses that were open; what was given without this journal is noted."""
        open_doses = self.journal.open_doses(self.uid)
        found = [catching_up.resolve(self._pump, self.journal, self.uid, dose) for dose in open_doses]
        corrected = catching_up.account_for(self._pump, self.journal, self.uid, self._next_n)
        known = {result.dose_id for result in corrected}
        return [*(result for result in found if result.dose_id not in known), *corrected]
