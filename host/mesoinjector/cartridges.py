"""The host's part of SR-32: what is mounted, and the journal's memory of every cartridge that it has seen used."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

from mesoinjector import errors
from mesoinjector.journal import Journal
from mesoprotocol import messages, wire

EPOCH = date(2000, 1, 1)
"""Day 0 of the protocol."""


def day_of(day: date) -> int:
    """A date as the protocol counts days."""
    return (day - EPOCH).days


def date_of(day: int) -> date:
    """The date of one of the protocol's days."""
    return EPOCH + timedelta(days=day)


def admit(ask: Callable[[Any], Any], journal: Journal, device: str) -> None:
    """Before a run: note what is mounted as used in the device's treatment.

    Raises `Fault` if the device would refuse it, or if the journal knows it from another treatment. Nothing was sent
    that could move.
    """
    found: messages.CartridgeReply = ask(messages.Cartridge())
    if found.judged:
        raise errors.refusal(found.judged, "Cartridge")
    treatment = ask(messages.Status()).treatment
    known = journal.cartridge(found.chip.hex())
    if known is None:
        journal.note_cartridge(device, found.chip.hex(), treatment)
    elif known != (device, treatment):
        raise errors.refusal(wire.S_CARTRIDGE_USED, "Cartridge")
