"""A bench scale: Mettler Toledo's MT-SICS or Sartorius' SBI over a serial port, or values that somebody types in.

Masses are whole micrograms, as the scale shows them in air. MT-SICS: *MT-SICS Interface Commands, Reference Manual*
(Mettler Toledo 30014405, 11780711): commands in capitals, CR LF, answers `S S` stable, `S D` dynamic, `S I` not now,
`S +` and `S -` out of range, `ES`, `ET`, `EL` for what it did not understand. SBI: the interface chapter of Sartorius'
balances (Cubis MSE, Practum, Signum): ESC P prints one value of 16 characters, sign, ten of number, unit; or of 22,
with six of a name before it. The unit stands there only while the value is stable.

Nothing sleeps: whoever waits reads, until a deadline of the line's clock.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Protocol
from urllib.parse import parse_qs

import serial

from mesoinjector import errors, links

STABLE_S = 30.0
"""How long a scale may take to be stable; a five-place balance needs some 5 s."""
ANSWER_S = 2.0
"""How long any other answer may take: 22 characters at 1,200 baud need 0.2 s."""
TARED_UG = 10_000
"""What a scale may show once it is tared: less than any vessel, and more than what moves it; choice."""
LONGEST_LINE = 80
_UG = {"ug": 1, "µg": 1, "mg": 1_000, "g": 1_000_000, "kg": 1_000_000_000}
_VALUE = re.compile(r"([+-]?)\s*(\d+(?:[.,]\d*)?|[.,]\d+)\s*([^\d\s.,]*)")
_PARITIES = {"N", "E", "O"}


class Line(Protocol):
    """What a scale is reached by; a simulated one is of the same shape."""

    def now_us(self) -> int:
        """The line's clock, microseconds."""
        ...

    def write(self, data: bytes) -> None:
        """Send bytes."""

    def read(self, deadline_us: int) -> bytes:
        """Bytes received, or b"" once the clock has reached the deadline, or earlier."""
        ...

    def close(self) -> None:
        """Give the line up. Idempotent."""


class Scale(Protocol):
    """Something that says what lies on it."""

    name: str

    def identity(self) -> str:
        """Its serial number, as it says it; empty if it does not say."""
        ...

    def tare(self) -> None:
        """Let what lies on it be zero. Raises `ScaleError`."""

    def weigh(self) -> int:
        """The mass when it is stable, ug. Raises `ScaleError`."""
        ...

    def close(self) -> None:
        """Give it up. Idempotent."""


class SerialLine:
    """A serial port. Errors are `ScaleSilent`."""

    def __init__(self, port: str, baud: int = 9600, bits: int = 8, parity: str = "N") -> None:
        self._url = port
        try:
            self._port = serial.serial_for_url(port, do_not_open=True)
            self._port.baudrate, self._port.bytesize, self._port.parity = baud, bits, parity
            self._port.write_timeout = ANSWER_S
            self._port.open()
        except (OSError, ValueError, TypeError) as error:
            raise errors.ScaleSilent(
                f"scale at {port}: cannot be opened ({error}). Next: name its port, as in sics:/dev/ttyUSB0."
            ) from None

    def now_us(self) -> int:
        """See `Line`."""
        return time.monotonic_ns() // 1000

    def write(self, data: bytes) -> None:
        """See `Line`."""
        try:
            self._port.write(data)
        except links.GONE as error:
            raise self._gone(error) from None

    def read(self, deadline_us: int) -> bytes:
        """See `Line`."""
        try:
            self._port.timeout = max(deadline_us - self.now_us(), 0) / 1e6
            first: bytes = self._port.read(1)
            return first + self._port.read(self._port.in_waiting) if first else b""
        except links.GONE as error:
            raise self._gone(error) from None

    def close(self) -> None:
        """See `Line`."""
        self._port.close()

    def _gone(self, error: Exception) -> errors.ScaleSilent:
        return errors.ScaleSilent(f"scale at {self._url}: the line broke ({error}). Next: check its cable, then again.")


class _Asked:
    """Requests and lines of answers, each with a deadline."""

    def __init__(self, line: Line, name: str) -> None:
        self.name = name
        self._line = line
        self._begun = b""

    def close(self) -> None:
        """See `Scale`."""
        self._line.close()

    def _send(self, command: bytes) -> None:
        """Send a command; what came before it answers nothing any more."""
        while self._line.read(self._line.now_us()):
            pass
        self._begun = b""
        self._line.write(command + b"\r\n")

    def _answer(self, deadline_us: int) -> str | None:
        """The next line, without its end; None if none has come."""
        while b"\n" not in self._begun:
            if len(self._begun) > LONGEST_LINE:
                raise self._garbled(self._begun[:LONGEST_LINE].decode("latin-1"))
            came = self._line.read(deadline_us)
            if not came and self._line.now_us() >= deadline_us:
                return None
            self._begun += came
        line, _, self._begun = self._begun.partition(b"\n")
        return line.rstrip(b"\r").decode("latin-1")

    def _until(self, seconds: float) -> int:
        return self._line.now_us() + round(seconds * 1e6)

    def _silent(self) -> errors.ScaleSilent:
        return errors.ScaleSilent(
            f"{self.name}: no answer. Next: switch it on, check cable, protocol, and baud rate, bits and parity, "
            "as in sbi:/dev/ttyUSB0?baud=1200&bits=7&parity=O."
        )

    def _unstable(self) -> errors.ScaleUnstable:
        return errors.ScaleUnstable(
            f"{self.name}: not stable within {STABLE_S:g} s. Next: close its shield, keep hands off."
        )

    def _overload(self, how: str) -> errors.ScaleOverload:
        return errors.ScaleOverload(f"{self.name}: {how}. Next: a lighter vessel, or put pan and vessel back.")

    def _garbled(self, said: str) -> errors.ScaleGarbled:
        return errors.ScaleGarbled(
            f"{self.name}: said {said!r}, no answer of its protocol. Next: check protocol, baud, parity."
        )

    def _mass_ug(self, text: str) -> int:
        """A number with a unit. Raises `ScaleGarbled`, `ScaleUnit`."""
        found = _VALUE.fullmatch(text.strip())
        if not found:
            raise self._garbled(text)
        sign, number, unit = found.groups()
        return micrograms(f"{sign}{number}", unit, self.name)


class Sics(_Asked):
    """A Mettler Toledo balance."""

    def identity(self) -> str:
        """See `Scale`: I4."""
        self._send(b"I4")
        said = self._answer(self._until(ANSWER_S))
        if said is None:
            raise self._silent()
        quoted = re.fullmatch(r'I4 A "([^"]*)"', said)
        return quoted.group(1) if quoted else ""

    def tare(self) -> None:
        """See `Scale`: T, which waits until it is stable."""
        self._send(b"T")
        self._stable("T", self._answer(self._until(STABLE_S)))

    def weigh(self) -> int:
        """See `Scale`: S; where no answer comes, SI tells a scale that is not stable from one that is not there."""
        self._send(b"S")
        said = self._answer(self._until(STABLE_S))
        if said is None:
            self._send(b"SI")
            said = self._answer(self._until(ANSWER_S))
        return self._stable("S", said)

    def _stable(self, command: str, said: str | None) -> int:
        if said is None:
            raise self._silent()
        if said in ("ES", "ET", "EL"):
            raise errors.ScaleGarbled(
                f"{self.name}: did not understand {command} ({said}). Next: check that it is MT-SICS."
            )
        word, _, rest = said.partition(" ")
        state, _, value = rest.strip().partition(" ")
        if word != command or not state:
            raise self._garbled(said)
        if state in ("I", "D"):
            raise self._unstable()
        if state in ("+", "-"):
            raise self._overload("more than it can weigh" if state == "+" else "less than it can weigh")
        if state != "S":
            raise self._garbled(said)
        return self._mass_ug(value)


class Sbi(_Asked):
    """A Sartorius balance."""

    def identity(self) -> str:
        """See `Scale`: ESC x2_."""
        self._send(b"\x1bx2_")
        said = self._answer(self._until(ANSWER_S))
        return said.strip() if said else ""

    def tare(self) -> None:
        """See `Scale`: ESC T, which is not answered: it is done once the scale shows nearly nothing."""
        self.weigh()
        self._send(b"\x1bT")
        deadline_us = self._until(STABLE_S)
        while abs(self.weigh()) > TARED_UG:
            if self._line.now_us() >= deadline_us:
                raise self._unstable()

    def weigh(self) -> int:
        """See `Scale`: ESC P until the unit is there."""
        deadline_us = self._until(STABLE_S)
        while True:
            self._send(b"\x1bP")
            said = self._answer(min(self._until(ANSWER_S), deadline_us))
            if said is None:
                raise self._silent()
            mass_ug = self._printed(said)
            if mass_ug is not None:
                return mass_ug
            if self._line.now_us() >= deadline_us:
                raise self._unstable()

    def _printed(self, said: str) -> int | None:
        """The mass; None while it is not stable."""
        if len(said) not in (14, 20):
            raise self._garbled(said)
        value = said[-14:]
        word = value.strip()
        if word in ("H", "HH"):
            raise self._overload("more than it can weigh")
        if word in ("L", "LL"):
            raise self._overload("less than it can weigh")
        if word.startswith("Err"):
            raise errors.ScaleGarbled(f"{self.name}: reports {word}. Next: see its manual.")
        if word in ("", "--", "C", "Cal"):
            return None
        if not _VALUE.fullmatch(word):
            raise self._garbled(said)
        return self._mass_ug(word) if value[-3:].strip() else None


class Typed:
    """Somebody reads a scale, and types what it shows: `20.05`, which is mg, or `0.02005 g`."""

    name = "typed"

    def __init__(self, ask: Callable[[str], str]) -> None:
        self._ask = ask

    def identity(self) -> str:
        """See `Scale`."""
        return self._ask("Make and serial number of the scale")

    def tare(self) -> None:
        """See `Scale`."""
        self._ask("Tare the scale with the vessel on it, then press Enter")

    def weigh(self) -> int:
        """See `Scale`."""
        question = asked = "What does the scale show, once it is stable (mg, or with its unit)"
        while True:
            said = self._ask(asked)
            found = _VALUE.fullmatch(said.strip())
            if found and (found.group(3) or "mg") in _UG:
                sign, number, unit = found.groups()
                return micrograms(f"{sign}{number}", unit or "mg", self.name)
            # a slip of the hand costs no doses
            asked = f"{said!r} is no mass as in 20.05, which is mg, or 0.02005 g. {question}"

    def close(self) -> None:
        """See `Scale`."""


def micrograms(number: str, unit: str, name: str) -> int:
    """A decimal number of a unit as whole ug. Raises `ScaleUnit`: nothing is taken for grams that does not say so."""
    if unit not in _UG:
        raise errors.ScaleUnit(f"{name}: unit {unit!r} is not known, only {', '.join(_UG)}. Next: set it to g or mg.")
    return round(float(number.replace(",", ".")) * _UG[unit])


PROTOCOLS: dict[str, type[Sics] | type[Sbi]] = {"sics": Sics, "sbi": Sbi}


def open_scale(spec: str, ask: Callable[[str], str]) -> Scale:
    """The scale of `typed`, `sics:PORT` or `sbi:PORT`, `?baud=9600&bits=8&parity=N` behind it where it has others.

    Raises `PlanError` for another spec, `ScaleSilent` for a port that does not open.
    """
    if spec == "typed":
        return Typed(ask)
    protocol, _, rest = spec.partition(":")
    port, _, query = rest.partition("?")
    if protocol not in PROTOCOLS or not port:
        raise errors.PlanError(f"--scale {spec}: must be typed, sics:PORT or sbi:PORT, as in sics:/dev/ttyUSB0.")
    asked = {key: values[0] for key, values in parse_qs(query).items()}
    try:
        baud, bits = int(asked.pop("baud", "9600")), int(asked.pop("bits", "8"))
    except ValueError:
        baud = bits = 0
    parity = asked.pop("parity", "N")
    if asked or baud <= 0 or bits not in (7, 8) or parity not in _PARITIES:
        raise errors.PlanError(f"--scale {spec}: behind the ? may stand baud=9600, bits=7 or 8, parity=N, E or O.")
    return PROTOCOLS[protocol](SerialLine(port, baud, bits, parity), f"scale {spec}")
