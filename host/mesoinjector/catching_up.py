"""What a device has done that a journal does not know yet: doses that were open, and what others have given."""

from __future__ import annotations

from mesoinjector import errors
from mesoinjector.journal import Intended, Journal
from mesoinjector.pump import Pump
from mesoinjector.results import Result
from mesoinjector.transaction import Ask, Ended, Transaction
from mesoprotocol import limits, messages


def resolve(pump: Pump, journal: Journal, uid: str, dose: Intended) -> Result:
    """Ask for a dose by its id, unless the journal knows its end for certain; its result is written there."""
    transaction = Transaction(journal, uid, dose)
    action = transaction.resume()
    if isinstance(action, Ask):
        answer = pump.request(action.message)
        now_us = pump.link.now_us()
        action = transaction.answered(answer, now_us, pump.connection.device_tick(now_us))
    if not isinstance(action, Ended):
        raise RuntimeError("a dose of before is asked for once")
    if action.error:
        raise action.error
    return action.result


def account_for(pump: Pump, journal: Journal, uid: str, next_n: int) -> None:
    """Note what the device has given without this journal, up to `next_n`. Raises `UnaccountedDose` if it has less."""
    first = max(journal.last_n(uid) + 1, next_n - limits.LEDGER_DOSES + 1)
    for n in range(first, next_n):
        entry: messages.OutcomeReply = pump.request(messages.Ledger(n))
        if not journal.knows(uid, entry.dose_id.hex()):
            data = {**entry._asdict(), "dose_id": entry.dose_id.hex(), "boot_id": entry.boot_id.hex()}
            journal.note_foreign(uid, data)
    if next_n <= journal.last_n(uid):
        raise errors.UnaccountedDose(
            f"{pump.link.url}: the device's ledger stands at {next_n}, but this journal knows number "
            f"{journal.last_n(uid)}. Its memory was replaced or lost. Next: do not use it; service."
        )
