"""A device that is watched: what its plant did meanwhile, looked at every so often. A `Device` itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mesosim.runtime import Device

LOOK_US = 10_000
"""Between two looks, after a fault has begun: the figure by which `safe_us` may be late."""
NEVER = 1 << 62


class Witness:
    """See `Device`. From `watch(t)` on it notes when the device has come to rest: needle home, nothing pushed."""

    def __init__(self, device: Device) -> None:
        self._device = device
        self.t_us, self._early = device.run(0, b"")
        self._from_us, self._until_us = NEVER, NEVER
        self.safe_us: int | None = None
        """Since when, after the fault's onset, the needle is home and nothing is pushed; None while it is not so."""
        self._steps = 0
        self._acts: list[tuple[int, Callable[[], None]]] = []

    def at(self, us: int, act: Callable[[], None]) -> None:
        """Do something when the device's clock has come to `us`, whoever waits for what; at once if it has."""
        if us <= self.t_us:
            act()
            return
        self._acts.append((us, act))
        self._acts.sort(key=lambda item: item[0])

    def watch(self, from_us: int, for_us: int) -> None:
        """Look closely from an instant on, for a time."""
        self._from_us, self._until_us = from_us, from_us + for_us

    def run(self, until_us: int, rx: bytes) -> tuple[int, bytes]:
        """See `Device`."""
        while True:
            while self._acts and self._acts[0][0] <= self.t_us:
                self._acts.pop(0)[1]()
            stop_us = until_us
            if self._acts:
                stop_us = min(stop_us, self._acts[0][0])
            if self.t_us < self._from_us:
                stop_us = min(stop_us, self._from_us)
            elif self.t_us < self._until_us:
                stop_us = min(stop_us, self.t_us + LOOK_US)
            self.t_us, tx = self._device.run(stop_us, rx)
            tx, self._early = self._early + tx, b""
            rx = b""
            if self._from_us <= self.t_us <= self._until_us:
                self._look()
            if tx or self.t_us >= until_us:
                return self.t_us, tx

    def control(self, name: str, value: Any = 0) -> Any:
        """See `Device`."""
        return self._device.control(name, value)

    def account(self) -> dict[str, Any]:
        """The plant's."""
        account: dict[str, Any] = self._device.control("account")
        return account

    def rest(self, us: int) -> dict[str, Any]:
        """Nobody does anything for a time; the plant's account then."""
        end = self.t_us + us
        while self.t_us < end:
            self.run(end, b"")
        return self.account()

    def close(self) -> None:
        """See `Device`."""
        self._device.close()

    def _look(self) -> None:
        now = self.account()
        pushed, self._steps = now["plunger_steps"] > self._steps, now["plunger_steps"]
        if pushed or not now["needle_home"]:
            self.safe_us = None
        elif self.safe_us is None:
            self.safe_us = self.t_us
