"""A device with keys, a treatment begun and its syringe primed, made once and copied for every schedule.

A copy is the same device as one that was primed itself: its trace goes on from the same hash.
"""

from __future__ import annotations

import copy
import copyreg
import functools
import gc
import hashlib
from typing import Any

from mesoinjector import Injector
from mesoinjector.journal import Journal
from mesoinjector.keys import Key
from mesoprotocol import wire
from mesosim import runtime as simulator
from mesosim.lab.link import MortalLink
from mesosim.runtime import Device, InProcess
from mesosim.world.trace import Untraced

OPERATOR = Key(wire.ROLE_OPERATOR, bytes(range(1, 33)))
SERVICE = Key(wire.ROLE_SERVICE, bytes(range(101, 133)))
_HOST_SEED = 1001
"""Of the random bytes of the host that primes."""


def prime(runtime: str, seed: int) -> Device:
    """A device of its own, primed."""
    device = simulator.start(runtime, seed)
    journal = Journal(":memory:")
    host = Injector(MortalLink("sim", device, _HOST_SEED), journal)
    host.begin_treatment()
    host.prime(0.1)
    host.provision(SERVICE)
    host.provision(OPERATOR)
    Injector(MortalLink("sim", device, _HOST_SEED + 1), journal, OPERATOR)
    journal.close()
    return device


@functools.cache
def _original(seed: int) -> InProcess:
    device = prime("cpython", seed)
    assert isinstance(device, InProcess)
    # each boot of a simulated board collects garbage: what is here by now is none
    gc.freeze()
    return device


def copied(seed: int, traced: bool = False) -> Device:
    """A copy of a primed device in this process; without a trace it is faster."""
    device = _original(seed)
    return copy.deepcopy(device, {} if traced else {id(device.world.log): Untraced()})


class _Kept:
    """Goes through a copy as it is."""

    def __init__(self, thing: Any) -> None:
        self.thing = thing

    def __deepcopy__(self, memo: dict[int, Any]) -> _Kept:
        return self


def _view(buffer: bytearray, n: int) -> memoryview:
    return memoryview(buffer)[:n]


# `copy` asks here for what it does not know itself: views from a buffer's start, and hashes under way
copyreg.pickle(memoryview, lambda view: (_view, (view.obj, len(view))))
copyreg.pickle(type(hashlib.sha256()), lambda h: (getattr, (_Kept(h.copy()), "thing")))
