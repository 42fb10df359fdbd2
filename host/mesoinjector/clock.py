"""The device's time on the host's clock, from question and answer, with a bound of its error.

Each probe proves that the device's clock stood at its answer somewhere between sending and receiving. Between
probes the two crystals drift apart by at most DRIFT_PPM. The intersection of what is proven is all that is
claimed: nothing is averaged.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction

DRIFT_PPM = 200
"""Most that the clocks drift: 50 ppm for the device's crystal (amendment 25), 100 for a computer's, and reserve."""
PROBE_US = 3_989_000
"""Time between probes: drift adds less than a millisecond; no multiple of any period in the device."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A time and how far it may be wrong, both in microseconds."""

    time_us: int
    error_us: int


@dataclass(frozen=True, slots=True)
class UtcTime:
    """A time in UTC, and how far it may be wrong by this computer's clock, microseconds."""

    utc: datetime
    error_us: int


class DeviceClock:
    """Device time minus host time lies between two bounds that are narrowed by probes and widen with time."""

    def __init__(self) -> None:
        self._low = 0
        self._high = 0
        self._at: int | None = None
        self._first: tuple[int, int, int] | None = None
        self.restarts: int = 0
        """Probes that contradicted all before: the device's clock began anew."""

    def probe(self, sent_us: int, device_us: int, received_us: int) -> None:
        """The device's clock stood at `device_us` somewhere between sending and receiving, by the host's clock."""
        low, high = device_us - received_us, device_us - sent_us
        if self._at is not None:
            drift = self._drift(received_us)
            kept_low, kept_high = max(low, self._low - drift), min(high, self._high + drift)
            if kept_low <= kept_high:
                low, high = kept_low, kept_high
            else:
                self.restarts += 1
                self._first = None
        self._low, self._high, self._at = low, high, received_us
        if self._first is None:
            self._first = (low, high, received_us)

    def device_time(self, host_us: int) -> Estimate:
        """Device time when the host's clock stands at `host_us`. Raises ValueError before the first probe."""
        offset = self._offset(host_us)
        return Estimate(host_us + offset.time_us, offset.error_us)

    def host_time(self, device_us: int) -> Estimate:
        """Host time when the device's clock stands at `device_us`. Raises ValueError before the first probe."""
        offset = self._offset(device_us - (self._low + self._high) // 2)
        # the offset was taken at a host time that may itself be wrong by the error
        return Estimate(device_us - offset.time_us, offset.error_us + offset.error_us * DRIFT_PPM // 1_000_000 + 2)

    def drift_ppm(self) -> tuple[Fraction, Fraction] | None:
        """Bounds of how much faster the device's clock has run since the first probe, in ppm; None without two."""
        if self._at is None or self._first is None or self._at <= self._first[2]:
            return None
        low, high, at = self._first
        span = self._at - at
        most = Fraction(DRIFT_PPM)
        slowest = Fraction((self._low - high) * 1_000_000, span)
        fastest = Fraction((self._high - low) * 1_000_000, span)
        return max(-most, slowest), min(most, fastest)

    def _offset(self, host_us: int) -> Estimate:
        if self._at is None:
            raise ValueError("no device time was seen yet")
        drift = self._drift(host_us)
        low, high = self._low - drift, self._high + drift
        return Estimate((low + high) // 2, (high - low + 1) // 2 + 1)

    def _drift(self, host_us: int) -> int:
        """Most that the clocks drift apart between the last probe and another time, before or after."""
        assert self._at is not None
        return -(-abs(host_us - self._at) * DRIFT_PPM // 1_000_000)
