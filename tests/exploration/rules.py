"""The ten rules of the dose transaction, each with switches that leave it out, in the test's build alone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, NamedTuple
from unittest.mock import patch

from mesofirmware import access, answers, gate, latches, ledger, safety, session, transaction
from mesoinjector import results
from mesoinjector import transaction as host_transaction
from mesoprotocol import wire
from tests.exploration.explore import Budget

RULES = {
    1: "id and COMMIT are journalled before they are sent",
    2: "the device looks the id up before anything else",
    3: "INTENT, START before the first step, OUTCOME",
    4: "NOT_FOUND and FORGOTTEN differ",
    5: "PREPARED and ARMED are not an answer",
    6: "HELLO, with keys AUTH, ends what is in hand; session, seq and tag are checked",
    7: "STOP ends and latches; stop() waits for a numbered answer",
    8: "a silent host ends what is armed",
    9: "the trigger is seen released, then pressed; releasing it ends the dose",
    10: "INTERRUPTED locks, and counts its upper bound",
}


class Switch(NamedTuple):
    """One way to leave a rule out."""

    rule: int
    without: str
    patches: tuple[tuple[Any, str, Any], ...]
    budget: Budget
    guarded: str = ""
    """What else may guard the same, by its `without`."""


# --- 1 --------------------------------------------------------------------------------------------------------

_prepared = host_transaction.Transaction._prepared
_committed = host_transaction.Transaction._committed


def _prepared_unnoted(self: Any, plan: Any, device_tick: int) -> Any:
    with patch.object(type(self.journal), "commit", lambda *_: None):
        return _prepared(self, plan, device_tick)


def _committed_noted(self: Any, now_us: int) -> Any:
    self.journal.commit(self.device, self.dose.dose_id)
    return _committed(self, now_us)


# --- 2 --------------------------------------------------------------------------------------------------------

_prepare = transaction.Transaction.prepare


def _prepare_anything(self: Any, now: int, body: Any, at: int, n: int, args: list, is_run: bool) -> int:
    book = self._ledger
    following = book.next_n
    book.next_n = args[wire.PREPARE_N]
    with patch.object(ledger.Ledger, "remembers", lambda *_: False):
        status = _prepare(self, now, body, at, n, args, is_run)
    book.next_n = self.plan.n = following
    return status


# --- 4, 5 -----------------------------------------------------------------------------------------------------

_tell_bare = answers.Answers._tell_bare
_from_outcome = results.from_outcome


def _forgets_nothing(self: Any, body: Any, at: int, n: int, dose_state: int) -> None:
    _tell_bare(self, body, at, n, wire.DOSE_NOT_FOUND if dose_state == wire.DOSE_FORGOTTEN else dose_state)


def _takes_armed_for_an_end(outcome: Any, asked_nl: int, asked_strokes: int) -> Any:
    if outcome.dose_state in (wire.DOSE_PREPARED, wire.DOSE_ARMED):
        return results.NotDelivered(outcome.dose_id.hex(), outcome.n, "nobody has pressed", asked_nl)
    return _from_outcome(outcome, asked_nl, asked_strokes)


# --- 6 --------------------------------------------------------------------------------------------------------

_abort = transaction.Transaction.abort
_access_step = access.Access.step
_take_hello = access.Access.take_hello
_handle = session.Session.handle


def _abort_but_for_hello(self: Any, now: int, reason: int) -> None:
    if reason != wire.REASON_SESSION:
        _abort(self, now, reason)


def _answers_hello_at_once(self: Any) -> None:
    state = self._transaction.state
    self._transaction.state = wire.STATE_IDLE
    _access_step(self)
    self._transaction.state = state


def _any_session(self: Any, now: int) -> None:
    command = self._access._command
    if self._link.msg_id != wire.HELLO and command.number:
        self._link.session = command.number
    _handle(self, now)


def _any_seq(self: Any, now: int) -> None:
    peer = self._access.peer(self._link.session)
    if self._link.msg_id != wire.HELLO and peer:
        peer.seq = min(peer.seq, self._link.seq - 1)
    _handle(self, now)


def _hello_takes_command(self: Any, now: int) -> None:
    self._transaction.abort(now, wire.REASON_SESSION)
    _take_hello(self, now)


def _judge_by_role(self: Any, who: Any, role: int) -> int:
    return wire.S_OK if who.role >= role else wire.S_ROLE


# --- 7 --------------------------------------------------------------------------------------------------------

_stop = session.Session.stop


def _stop_latches_only(self: Any, now: int) -> None:
    with patch.object(transaction.Transaction, "abort", lambda *_: None):
        _stop(self, now)


def _stop_does_not_latch(self: Any) -> None:
    self.stop_count = (self.stop_count + 1) & 0xFFFF


# --- 9, 10 ----------------------------------------------------------------------------------------------------

_arm = gate.Gate.arm
_stop_reason = transaction.Transaction._stop_reason
_up = latches.Latches.up
_write_outcome = ledger.Ledger.write_outcome


def _arm_by_level(self: Any, *args: Any) -> None:
    _arm(self, *args)
    self._released = True


def _release_ends_nothing(self: Any, inputs: int) -> int:
    reason = _stop_reason(self, inputs)
    ends_by_hand = (wire.REASON_TRIGGER, wire.REASON_CONTACT, wire.REASON_PERMIT)
    return wire.REASON_COMPLETE if reason in ends_by_hand else reason


def _up_but_interrupted(self: Any, bit: int) -> None:
    if bit != wire.LATCH_INTERRUPTED:
        _up(self, bit)


def _counts_the_estimate(self: Any, n: int) -> None:
    counted = self.counted_nl + self.outcome[ledger.O_DELIVERED]
    _write_outcome(self, n)
    self.counted_nl = counted


def _budget(*kinds: str, **more: int) -> Budget:
    return Budget(**{"faults": len(kinds), "toggles": 1, "repeats": 1, "beats": 0, **more}, kinds=frozenset(kinds))


SWITCHES = (
    Switch(
        1,
        "COMMIT is journalled when it is answered",
        (
            (host_transaction.Transaction, "_prepared", _prepared_unnoted),
            (host_transaction.Transaction, "_committed", _committed_noted),
        ),
        _budget("crash", repeats=0),
    ),
    Switch(
        2,
        "no id is looked up, any number is taken",
        ((transaction.Transaction, "prepare", _prepare_anything),),
        _budget("repeat", faults=2, toggles=3, repeats=0),
        "requests of any seq are executed",
    ),
    Switch(3, "START is not written", ((ledger.Ledger, "write_start", lambda *_: None),), _budget("reset", repeats=0)),
    Switch(
        4,
        "FORGOTTEN is answered as NOT_FOUND",
        ((answers.Answers, "_tell_bare", _forgets_nothing),),
        _budget("foreign"),
    ),
    Switch(
        5,
        "ARMED is taken for an end",
        ((results, "from_outcome", _takes_armed_for_an_end),),
        _budget("lose", faults=0),
    ),
    Switch(
        6,
        "HELLO ends nothing",
        (
            (transaction.Transaction, "abort", _abort_but_for_hello),
            (access.Access, "step", _answers_hello_at_once),
        ),
        _budget("crash", repeats=0),
    ),
    Switch(
        6,
        "AUTH ends nothing",
        (
            (transaction.Transaction, "abort", _abort_but_for_hello),
            (access.Access, "step", _answers_hello_at_once),
        ),
        _budget("crash", repeats=0, keyed=True),
    ),
    Switch(
        6,
        "HELLO ends a dose on a device with keys",
        ((access.Access, "take_hello", _hello_takes_command),),
        _budget("stranger", keyed=True),
    ),
    Switch(
        6,
        "tags are not checked",
        ((access.Access, "judge", _judge_by_role),),
        _budget("forge", keyed=True),
    ),
    Switch(
        6,
        "requests of any session are taken",
        ((session.Session, "handle", _any_session),),
        _budget("repeat", "crash", faults=3, repeats=0),
    ),
    Switch(
        6,
        "requests of any seq are executed",
        ((session.Session, "handle", _any_seq),),
        _budget("repeat", faults=2, toggles=3, repeats=0),
        "no id is looked up, any number is taken",
    ),
    Switch(
        7,
        "STOP latches and ends nothing",
        ((session.Session, "stop", _stop_latches_only), (safety.Safety, "halt", lambda *_: None)),
        _budget("stop"),
    ),
    Switch(
        7,
        "stop() returns with any numbered answer",
        ((host_transaction, "has_stopped", lambda *_: True),),
        _budget("stop", "lose", repeats=0),
    ),
    Switch(
        7,
        "STOP ends and does not latch",
        ((latches.Latches, "stop", _stop_does_not_latch),),
        _budget("stop", repeats=0),
    ),
    Switch(
        8,
        "nobody listens for heartbeats",
        ((transaction.Transaction, "_listen", lambda *_: 1 << 28),),
        _budget("silence", repeats=0),
    ),
    Switch(
        9,
        "a trigger that is held starts",
        ((gate.Gate, "arm", _arm_by_level),),
        _budget("lose", faults=0),
    ),
    Switch(
        9,
        "releasing the trigger ends nothing",
        ((transaction.Transaction, "_stop_reason", _release_ends_nothing),),
        _budget("lose", toggles=3, repeats=0),
    ),
    Switch(
        10,
        "INTERRUPTED does not lock",
        ((latches.Latches, "up", _up_but_interrupted),),
        _budget("reset", "foreign", repeats=0),
    ),
    Switch(
        10,
        "totals count the estimate",
        ((ledger.Ledger, "write_outcome", _counts_the_estimate),),
        _budget("reset", repeats=0),
    ),
)


@contextmanager
def left_out(*switches: Switch) -> Iterator[None]:
    """Within this block the rules do not hold."""
    with ExitStack() as stack:
        for switch in switches:
            for target, name, replacement in switch.patches:
                stack.enter_context(patch.object(target, name, replacement))
        yield
