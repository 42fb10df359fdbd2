"""The host's end of a simulated line, in a scenario: it acts at set times, and its host can be killed."""

from __future__ import annotations

from collections.abc import Callable

from mesoinjector.simulated import SimulatedLink


class Killed(BaseException):
    """The host process is gone: nothing after this line has run."""


class MortalLink(SimulatedLink):
    """A link whose host can be killed: every later call ends in `Killed`, also those of handlers."""

    dead = False
    _at_us = -1

    def at(self, us: int, act: Callable[[], None]) -> None:
        """Do something once, when the device's clock has come to `us`, whatever the host waits for."""
        self._at_us, self._act = us, act

    def write(self, data: bytes) -> None:
        """See `Link`."""
        if self.dead:
            raise Killed
        super().write(data)

    def read(self, deadline_us: int) -> bytes:
        """See `Link`."""
        if self.dead:
            raise Killed
        if 0 <= self._at_us <= deadline_us:
            data = super().read(self._at_us)
            if self.now_us() >= self._at_us:
                self._at_us = -1
                self._act()
            return data
        return super().read(deadline_us)
