"""What the tests share: one host, on a device that stands idle and unlatched, and is left so."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest

from mesoinjector import Injector, Refused
from mesoprotocol import wire
from mesosim.lab.conformance.host import Host

PERSONS = wire.LATCH_INTERRUPTED | wire.LATCH_LEDGER_CORRUPT | wire.LATCH_NEEDLE_NOT_HOME | wire.LATCH_FAULT
"""Latches that a test must not clear: somebody has to look first."""
SETTLE_S = 20.0


@pytest.fixture(scope="session")
def begun() -> dict[str, int]:
    """The treatment that these tests have begun, by device: all are in one, as a cartridge serves no other (SR-32)."""
    return {}


@pytest.fixture
def host(injector: Injector, begun: dict[str, int], request: pytest.FixtureRequest) -> Iterator[Host]:
    """A session in the tests' treatment."""
    standing = injector.status().latches
    if standing & PERSONS:
        pytest.fail(f"latches {standing:#x} stand: look at the device, then clear them")
    _settle(injector)
    if injector.status().treatment != begun.get(injector.uid):
        begun[injector.uid] = injector.begin_treatment("conformance")
    yield Host(injector, request.config)
    _settle(injector)


def _settle(injector: Injector) -> None:
    """End what is under way; clear the latches of a STOP and of a lost line."""
    deadline = injector.link.now_us() + round(SETTLE_S * 1e6)
    if injector.status().state != wire.STATE_IDLE:
        injector.stop()
    while injector.status().state != wire.STATE_IDLE or injector.status().latches:
        assert injector.link.now_us() < deadline, "the device does not come to rest unlatched"
        injector.wait(0.2)
        with contextlib.suppress(Refused):  # the trigger is still held
            injector.clear()
