"""A dose as a state machine, told by hand what happened: no link, no clock."""

from __future__ import annotations

from pathlib import Path

import pytest

from mesoinjector import errors, transaction
from mesoinjector.journal import Intended, Journal
from mesoinjector.results import NotDelivered, Unknown
from mesoinjector.transaction import Ask, Ended, SendStop, Transaction, Wait
from mesoprotocol import messages, wire

DEVICE = "0011223344556677"
ID = b"dose0001"
REQUEST = messages.Prepare(ID, 1, 20_000, 1_000, wire.MODE_SINGLE, 1, 6, 0)


@pytest.fixture
def dose(tmp_path: Path) -> Transaction:
    return Transaction(
        Journal(tmp_path / "j.sqlite"), DEVICE, Intended(ID.hex(), 1, "dose", 1, "cheek", 0, 20_000, 1_000)
    )


def committing(dose: Transaction) -> Transaction:
    """COMMIT may have left."""
    dose.begin(REQUEST, b"BOOT")
    dose.journal.commit(DEVICE, ID.hex())
    dose.phase = transaction.COMMITTING
    return dose


def test_the_dose_is_noted_before_it_is_asked_for(dose: Transaction) -> None:
    assert dose.begin(REQUEST, b"BOOT") == Ask(REQUEST)
    assert dose.journal.open_doses(DEVICE) == [dose.dose]


def test_a_refused_prepare_has_given_nothing(dose: Transaction) -> None:
    dose.begin(REQUEST, b"BOOT")
    ended = dose.failed(errors.refusal(wire.S_LATCHED, "Prepare"), 0)
    assert isinstance(ended, Ended) and isinstance(ended.result, NotDelivered) and ended.error
    assert dose.journal.result(ID.hex()) == ended.result


@pytest.mark.parametrize("status", [wire.S_EXPIRED, wire.S_BAD_TAG])
def test_a_refused_commit_is_no_answer(status: int, dose: Transaction) -> None:
    waits = committing(dose).failed(errors.refusal(status, "Commit"), 1_000)
    assert waits == Wait(1_000 + transaction.QUERY_US)
    assert dose.due(waits.until_us) == Ask(messages.Query(ID, 1))
    assert dose.journal.result(ID.hex()) is None


def test_a_silent_device_leaves_a_committed_dose_unknown(dose: Transaction) -> None:
    ended = committing(dose).failed(errors.ReplyTimeout("nothing"), 0)
    assert isinstance(ended, Ended) and isinstance(ended.result, Unknown) and ended.used is None
    assert dose.journal.open_doses(DEVICE) == [dose.dose]


def test_giving_up_stops_first_and_asks_then(dose: Transaction) -> None:
    stop = committing(dose).give_up(5_000)
    assert stop == SendStop(5_000 + transaction.QUERY_US)
    assert dose.due(stop.until_us) == Ask(messages.Query(ID, 1))
