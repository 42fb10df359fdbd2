"""One simulated device, its journal, and what a test does to both. The plant is the witness."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from mesoinjector import Injector
from mesoinjector.journal import Journal
from mesoinjector.keys import Key
from mesoprotocol import messages
from mesosim.lab.link import MortalLink
from mesosim.lab.schedules import primed
from mesosim.runtime import Device, InProcess

REST_US = 20_000_000
"""Longer than any dose needs to end by itself."""

OPERATOR = primed.OPERATOR
SERVICE = primed.SERVICE


class Bench:
    """A device that outlives its hosts."""

    def __init__(self, device: Device, journal: Path) -> None:
        self.device = device
        self.journal = journal
        self._hosts = 0

    def connect(self, key: Key | None = None) -> Injector:
        """A fresh host: a new link, the same journal file."""
        self._hosts += 1
        return Injector(MortalLink("sim", self.device, 1000 + self._hosts), Journal(self.journal), key)

    def ready(self) -> Injector:
        """A host with a treatment begun and the syringe primed."""
        injector = self.connect()
        injector.begin_treatment()
        injector.prime(0.1)
        return injector

    def keyed(self) -> Injector:
        """As `ready`, and with keys, in an operator's hands."""
        injector = self.ready()
        injector.provision(SERVICE)
        injector.provision(OPERATOR)
        return self.connect(OPERATOR)

    def plant(self) -> dict[str, Any]:
        """The plant's account."""
        account: dict[str, Any] = self.device.control("account")
        return account

    def rest(self, us: int = REST_US) -> dict[str, Any]:
        """Run the abandoned device on; the plant's account then."""
        t = self.plant()["t_us"]
        end = t + us
        while t < end:
            t, _ = self.device.run(end, b"")
        return self.plant()

    def link(self, injector: Injector) -> MortalLink:
        """The link of a host made here."""
        assert isinstance(injector.link, MortalLink)
        return injector.link


def world(bench: Bench) -> Any:
    """The world of a device in this process, for what no control does."""
    assert isinstance(bench.device, InProcess)
    return bench.device.world


def after_flow(nl: int, act: Callable[[], None]) -> Callable[[Any], None]:
    """A listener that acts once, when the plunger has swept `nl` since its first sample."""
    first: list[int] = []
    done: list[bool] = []

    def listen(event: Any) -> None:
        if isinstance(event, messages.Telemetry) and not done:
            first.append(event.plunger_nl)
            if event.plunger_nl - first[0] >= nl:
                done.append(True)
                act()

    return listen


def after_strokes(n: int, act: Callable[[], None]) -> Callable[[Any], None]:
    """A listener that acts once, when n strokes were recorded."""
    done: list[bool] = []

    def listen(event: Any) -> None:
        if isinstance(event, messages.StrokeRecordsEvent) and event.first + event.count >= n and not done:
            done.append(True)
            act()

    return listen
