"""A pytest plugin: firmware with a plausible mistake, named by PLANTED, for the conformance suite to find."""

from __future__ import annotations

import os

import pytest

from mesofirmware import latches, rules, transaction
from mesoprotocol import bulk, wire

MISTAKES = {
    "hears any heartbeat": lambda m: m.setattr(
        transaction.Transaction, "heard", lambda self, now, body, at: setattr(self, "_heard_at", now)
    ),
    "never loses the line": lambda m: m.setattr(transaction, "_HEARD_US", 1 << 28),
    "any plan will do": lambda m: m.setattr(bulk, "same", lambda *_: True),
    "forgets a stop": lambda m: m.setattr(latches.Latches, "stop", lambda self: None),
    "clears all it knows": lambda m: m.setattr(latches.Latches, "clear", lambda self, bits: None),
    "limits are the host's matter": lambda m: m.setattr(rules, "run", lambda *_: wire.S_OK),
    "never expires": lambda m: m.setattr(transaction, "_PREPARED_US", 1 << 28),
}


@pytest.fixture(autouse=True)
def planted(monkeypatch: pytest.MonkeyPatch) -> None:
    name = os.environ["PLANTED"]
    if name:
        MISTAKES[name](monkeypatch)
