"""What a device has done that a journal does not know yet: doses that were open, and what others have given."""

from __future__ import annotations

from mesoinjector import errors
from mesoinjector.journal import Intended, Journal
from mesoinjector.pump import Pump
from mesoinjector.results import NotDelivered, Result, from_outcome
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


def account_for(pump: Pump, journal: Journal, uid: str, next_n: int) -> list[Result]:
    """Note what the device has given without this journal, up to `next_n`.

    A journal that is an older copy of itself calls a dose not delivered whose COMMIT it does not know: the ledger
    corrects it, and what it says comes back. Raises `UnaccountedDose` if the device knows less than the journal.
    """
    corrected: list[Result] = []
    first = max(journal.last_n(uid) + 1, next_n - limits.LEDGER_DOSES + 1)
    for n in range(first, next_n):
        entry: messages.OutcomeReply = pump.request(messages.Ledger(n))
        dose_id = entry.dose_id.hex()
        if not journal.knows(uid, dose_id):
            data = {**entry._asdict(), "dose_id": dose_id, "boot_id": entry.boot_id.hex()}
            journal.note_foreign(uid, data)
        elif isinstance(journal.result(dose_id), NotDelivered):
            result = from_outcome(entry, entry.asked_nl, entry.asked_strokes)
            if result is not None and not isinstance(result, NotDelivered):
                journal.close_dose(uid, result)
                corrected.append(result)
    if next_n <= journal.last_n(uid):
        raise errors.UnaccountedDose(
            f"{pump.link.url}: the device's ledger stands at {next_n}, but this journal knows number "
            f"{journal.last_n(uid)}. Its memory was replaced or lost. Next: do not use it; service."
        )
    return corrected
