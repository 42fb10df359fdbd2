"""A bench scale with a vessel of water on it, into which the handpiece doses: MT-SICS or SBI, on the world's own clock.

What it shows follows from the plant's volume by the density of water at 20 C (998.2067 kg/m3: Tanaka et al. 2001), in
air of 1.2 kg/m3, adjusted with weights of 8,000: this arithmetic is its own, so that it can judge the driver's. Beside
that it drifts, is noisy, and the water evaporates.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable

WATER, AIR, WEIGHTS = 998.2067, 1.2, 8_000.0
"""Densities, kg/m3."""
SETTLING_US = 2_500_000
"""How long it is not stable after the load has changed; a five-place balance needs 2 to 5 s."""
ANSWER_US = 60_000
"""Until an answer has come through: 20 characters at 9,600 baud, and a little thought."""
FULL_UG = 220_000_000
FAULTS = ("", "never_stable", "overload", "silent", "garbage", "unit")
PROTOCOLS = ("sics", "sbi")


class BenchScale:
    """The line to it: `write`, `read`, `now_us`, `close`.

    `now_us` is the world's clock, `wait` lets it go on to a time, `volume_nl` is what has left the needle so far.
    """

    def __init__(
        self, protocol: str, now_us: Callable[[], int], wait: Callable[[int], None], volume_nl: Callable[[], float]
    ) -> None:
        if protocol not in PROTOCOLS:
            raise ValueError(f"scale {protocol!r}: must be one of {', '.join(PROTOCOLS)}")
        self.fault = ""
        self.vessel_ug = 8_000_000.0
        self.noise_ug = 5.0
        """Standard deviation of a reading."""
        self.drift_ug_per_s = 0.05
        self.evaporation_ug_per_s = 0.4
        """A small vessel, half covered: 0.02 to 0.05 mg in 30 s are usual; estimate."""
        self.step_ug = 10
        """Resolution: five places of a gram."""
        self._protocol = protocol
        self._now_us = now_us
        self._wait = wait
        self._volume_nl = volume_nl
        self._random = random.Random(1)
        self._tare_ug = 0.0
        self._seen_nl = volume_nl()
        self._changed_us = now_us() - SETTLING_US
        self._taken = b""
        self._answers: list[tuple[int, bytes]] = []

    def now_us(self) -> int:
        """The world's clock."""
        return self._now_us()

    def write(self, data: bytes) -> None:
        """Commands, each ended by CR LF."""
        *lines, self._taken = (self._taken + data).split(b"\r\n")
        for line in lines:
            self._take(line)

    def read(self, deadline_us: int) -> bytes:
        """What has been answered by then."""
        due = self._answers[0][0] if self._answers else deadline_us
        if (until := min(due, deadline_us)) > self._now_us():
            self._wait(until)
        if self._answers and self._answers[0][0] <= self._now_us():
            return self._answers.pop(0)[1]
        return b""

    def close(self) -> None:
        """Nothing is held."""

    # --- The balance -----------------------------------------------------------------------------------

    def _shown_ug(self, t_us: int) -> int:
        volume_nl = self._volume_nl()
        in_air = (WATER - AIR) / (1.0 - AIR / WEIGHTS) / 1_000.0
        lost = (self.evaporation_ug_per_s - self.drift_ug_per_s) * t_us / 1e6
        load = self.vessel_ug + volume_nl * in_air - lost - self._tare_ug + self._random.gauss(0.0, self.noise_ug)
        return round(load / self.step_ug) * self.step_ug

    def _rests_at(self) -> int:
        """From when on it is stable; a dose that goes on keeps it from that."""
        volume_nl = self._volume_nl()
        if abs(volume_nl - self._seen_nl) > 1.0:
            self._seen_nl, self._changed_us = volume_nl, self._now_us()
        return self._changed_us + SETTLING_US

    def _take(self, command: bytes) -> None:
        if self.fault == "silent":
            return
        if self.fault == "garbage":
            self._answer(ANSWER_US, bytes(self._random.randrange(33, 126) for _ in range(14)))
        elif self._protocol == "sics":
            self._sics(command)
        else:
            self._sbi(command)

    def _answer(self, after_us: int, line: bytes) -> None:
        self._answers.append((self._now_us() + after_us, line + b"\r\n"))

    def _sics(self, command: bytes) -> None:
        if command == b"I4":
            self._answer(ANSWER_US, b'I4 A "SIM0000001"')
        elif command not in (b"S", b"SI", b"T", b"Z"):
            self._answer(ANSWER_US, b"ES")
        elif self.fault == "overload":
            self._answer(ANSWER_US, command[:1] + b" +")
        elif self.fault == "never_stable" and command != b"SI":
            return
        else:
            rests_us = max(self._rests_at() - self._now_us(), 0)
            stable = command != b"SI" or (rests_us == 0 and self.fault != "never_stable")
            after_us = ANSWER_US if command == b"SI" else rests_us + ANSWER_US
            if command in (b"T", b"Z"):
                self._tare_ug += self._shown_ug(self._now_us() + after_us)
            if command == b"Z":
                self._answer(after_us, b"Z A")
                return
            unit = b"ct" if self.fault == "unit" else b"g"
            value = b"%10.5f" % (self._shown_ug(self._now_us() + after_us) / 1e6)
            self._answer(after_us, b"%s %s %s %s" % (command[:1], b"S" if stable else b"D", value, unit))

    def _sbi(self, command: bytes) -> None:
        if command == b"\x1bT":
            self._tare_ug += self._shown_ug(self._now_us())
        elif command == b"\x1bx2_":
            self._answer(ANSWER_US, b"%14s" % b"0000000002")
        elif command == b"\x1bP":
            if self.fault == "overload":
                self._answer(ANSWER_US, b"      H       ")
                return
            stable = self._now_us() >= self._rests_at() and self.fault != "never_stable"
            shown = self._shown_ug(self._now_us()) / 1e6
            unit = b"   " if not stable else b"ct " if self.fault == "unit" else b"g  "
            sign = b"-" if math.copysign(1.0, shown) < 0 else b"+"
            self._answer(ANSWER_US, b"%s%9.5f %s" % (sign, abs(shown), unit))
