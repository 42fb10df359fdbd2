"""The workloads whose every Board call is broken: each a small part of a day, from a world made ready for it.

`ready` brings host and device to where the part begins; nothing goes wrong there. `run` is the part itself.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from mesoprotocol import messages, wire
from mesosim.lab.enumeration.host import Host
from mesosim.world import trace
from mesosim.world.world import World

BODY, CHEEK = 11, 6
PROFILE = 1
PRIME_NL = 100_000
DOSE_NL = 20_000
DEPTH_UM = 1_500
OPERATOR = wire.ROLE_OPERATOR, bytes(range(1, 33))
SERVICE = wire.ROLE_SERVICE, bytes(range(101, 133))

PRIME = messages.Prepare(b"", 0, PRIME_NL, 0, wire.MODE_PRIME, PROFILE, 0, 0)
DOSE = messages.Prepare(b"", 0, DOSE_NL, DEPTH_UM, wire.MODE_SINGLE, PROFILE, BODY, 0)
RUN = messages.PrepareRun(b"", 0, 12, 500, 600, CHEEK, 12, 100, 60)

PRESS_US = 754_000
"""From the light that says armed to the second trigger line, by the simulated hand."""
DISPENSING_US = PRESS_US + 800_000
"""After COMMIT: the needle is in skin, and about half of a dose is dispensed."""


class Witness(trace.Untraced):
    """Of the trace only what the plant knows of the needle: (t_us, kind, value) when it enters, leaves, is deepest."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[int, int, int]] = []

    def add(self, t: int, kind: int, a: int, b: int, c: int) -> int:
        """See `Trace`."""
        if kind in (trace.SKIN, trace.BOTTOM):
            self.seen.append((t // 25, kind, a))
        return a


class Workload(NamedTuple):
    """One workload by name."""

    name: str
    says: str
    ready: Callable[[Host], None]
    run: Callable[[Host], None]


def begin(seed: int) -> Host:
    """A host at a new device."""
    return Host(World(seed, Witness()))


def _opened(host: Host) -> None:
    host.open()
    host.do(messages.SetDate(9_497))
    host.do(messages.StartTreatment(1))


def _primed(host: Host) -> None:
    _opened(host)
    host.dose(PRIME)
    host.doses.clear()
    host.rest(1_000_000)


def _blocked(host: Host) -> None:
    _primed(host)
    host.world.control("blocked", 1)


def _keyed(host: Host) -> None:
    _primed(host)
    host.do(messages.Provision(*SERVICE))
    host.do(messages.Provision(*OPERATOR))
    host.key = OPERATOR


def _interrupted(host: Host) -> None:
    _primed(host)
    host.give(DOSE, DISPENSING_US)


def _give(request: messages.Prepare | messages.PrepareRun) -> Callable[[Host], None]:
    def run(host: Host) -> None:
        host.dose(request)

    return run


def _hold(host: Host) -> None:
    host.world.control("release_after_us", 900_000)
    host.world.control("press_again_us", 400_000)
    host.dose(RUN)


def _release(host: Host) -> None:
    host.world.control("release_after_us", 800_000)
    host.dose(DOSE)


def _stop(host: Host) -> None:
    host.dose(DOSE, DISPENSING_US, host.stop)


def _estop(host: Host) -> None:
    def press() -> None:
        host.world.control("estop", 1)

    host.dose(DOSE, DISPENSING_US, press)


def _reopen(host: Host) -> None:
    """The board restarts; the host opens it again, asks for every dose, and looks at its latches and ledger."""
    host.world.control("reset", 1)
    hello = host.open()
    for dose in host.doses:
        host.query(dose)
    status = host.do(messages.Status())
    host.do(messages.Ledger(hello.next_n - 1))
    if status.latches & wire.LATCH_INTERRUPTED:
        host.do(messages.Ack(hello.next_n - 1, "enumeration"))


WORKLOADS = (
    Workload("prime", "100 ul off the skin", _opened, _give(PRIME)),
    Workload("dose", "20 ul at 1.5 mm", _primed, _give(DOSE)),
    Workload("occluded", "the same with a blocked needle", _blocked, _give(DOSE)),
    Workload("fractional", "12 strokes at 600/min", _opened, _give(RUN)),
    Workload("hold", "12 strokes, released and pressed again", _opened, _hold),
    Workload("released", "20 ul, the trigger released on the way", _primed, _release),
    Workload("stop", "20 ul, STOP on the way", _primed, _stop),
    Workload("estop", "20 ul, emergency stop on the way", _primed, _estop),
    Workload("keyed", "a restart with keys, AUTH", _keyed, _reopen),
    Workload("interrupted", "a restart within a dose", _interrupted, _reopen),
)
