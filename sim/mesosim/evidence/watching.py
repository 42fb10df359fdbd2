"""A device whose plant is looked at every so often, whoever drives it. A `Device` itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mesosim.runtime import Device

Look = Callable[[int, dict[str, Any]], None]
"""Gets the time in us and the plant's account."""


class Watched:
    """See `Device`. Nobody looks before `watch`."""

    def __init__(self, device: Device) -> None:
        self._device = device
        self._look: Look | None = None
        self._every_us = 0
        self._next_us = 0

    def watch(self, every_us: int, look: Look) -> None:
        """Look from now on."""
        self._every_us, self._look = every_us, look
        self._next_us = self._device.control("account")["t_us"]

    def run(self, until_us: int, rx: bytes) -> tuple[int, bytes]:
        """See `Device`."""
        if self._look is None:
            return self._device.run(until_us, rx)
        while True:
            t, tx = self._device.run(min(until_us, self._next_us), rx)
            rx = b""
            if t >= self._next_us:
                self._look(t, self._device.control("account"))
                self._next_us += self._every_us
            if tx or t >= until_us:
                return t, tx

    def control(self, name: str, value: Any = 0) -> Any:
        """See `Device`."""
        return self._device.control(name, value)

    def close(self) -> None:
        """See `Device`."""
        self._device.close()
