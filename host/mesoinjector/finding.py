"""Finding the device by USB: `usb:` is the only one there, `usb:serial=E6612483CB1A2B2F` and `usb:uid=...` name one.

What may be a mesoinjector is a port of MicroPython's USB id; that it is one, and which, it says itself (`probing`),
before anything else is sent. A device that was found once is found again, wherever it is plugged in then. Who might be
meant and cannot be asked counts as one that matches: which handpiece moves is never guessed.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from serial.tools.list_ports_common import ListPortInfo

from mesoinjector import errors, opening, probing
from mesoinjector.links import SerialLink
from mesoinjector.machine import Machine

RASPBERRY_PI = 0x2E8A
MICROPYTHON = 0x0005
"""MicroPython's serial port on RP2 boards: micropython/ports/rp2/mpconfigport.h. The firmware runs on it as it is."""
SCHEME = "usb:"


class Candidate(NamedTuple):
    """A port that may be a mesoinjector's."""

    port: str
    serial: str
    """The USB device's serial number, in capitals; an RP2 board's is its unique id, as its uid is."""
    product: str
    path: str = ""
    """The USB ports that lead to it, `1-2.3`; empty where the system does not say."""

    def __str__(self) -> str:
        return f"{self.port} (serial {self.serial or 'unknown'})"


class Wanted(NamedTuple):
    """Which device is meant; None: any."""

    serial: str | None = None
    uid: str | None = None

    @classmethod
    def read(cls, url: str) -> Wanted:
        """From an address. Raises `DeviceNotFound` with what may be said."""
        said = url.removeprefix(SCHEME)
        name, is_named, value = said.partition("=")
        if not said:
            return cls()
        if not is_named or name not in cls._fields or not value:
            raise errors.DeviceNotFound(
                f"{url}: must be usb:, usb:serial=NUMBER or usb:uid=ID; see `mesoinjector devices`."
            )
        return cls(serial=value.upper()) if name == "serial" else cls(uid=value.lower())

    def may_be_at(self, candidate: Candidate) -> bool:
        """Whether a port's serial number leaves it open."""
        return self.serial in (None, candidate.serial)


@dataclass(frozen=True, slots=True)
class Found:
    """A candidate, and what it has answered, or why it has not."""

    candidate: Candidate
    answer: probing.Answer | None = None
    error: errors.MesoError | None = None

    def may_be(self, wanted: Wanted) -> bool:
        """Whether this may be the device that is meant."""
        if self.answer is None:
            return wanted.uid is None and isinstance(self.error, errors.PortBusy | errors.PermissionDenied)
        return wanted.uid in (None, self.answer.uid)


def candidates(ports: Iterable[ListPortInfo]) -> list[Candidate]:
    """The ports that may be a mesoinjector's, in order. Of macOS's two names of a port the one that does not wait."""
    return sorted(
        Candidate(port.device, (port.serial_number or "").upper(), port.product or "", _path(port.location))
        for port in ports
        if (port.vid, port.pid) == (RASPBERRY_PI, MICROPYTHON) and not port.device.startswith("/dev/tty.")
    )


def _path(location: str | None) -> str:
    """Without the interface, which Linux and Windows name behind a colon."""
    return (location or "").partition(":")[0]


def held(candidate: Candidate, machine: Machine) -> errors.PortBusy | None:
    """The error for a port that somebody has open, by whom."""
    holders = machine.holders(candidate.port)
    if not holders:
        return None
    return errors.PortBusy(f"{candidate} is held by {', '.join(map(str, holders))}. Next: close that one.")


def look(candidate: Candidate, machine: Machine, patience_us: int = 0) -> Found:
    """Ask one candidate who it is. A port that somebody has open is not touched: not one byte is sent."""
    busy = held(candidate, machine)
    if busy is not None:
        return Found(candidate, None, busy)
    try:
        link = SerialLink(candidate.port)
    except errors.LinkError as error:
        return Found(candidate, None, error)
    try:
        return Found(candidate, probing.ask(link, patience_us))
    except (errors.LinkError, errors.ProtocolError) as error:
        return Found(candidate, None, error)
    finally:
        link.close()


def choose(wanted: Wanted, machine: Machine) -> Candidate:
    """The one candidate that is meant. Raises `DeviceNotFound`, `InsufficientSelector`, or what is in its way."""
    there = [each for each in candidates(machine.ports()) if wanted.may_be_at(each)]
    if len(there) == 1:
        return there[0]  # it is asked when it is opened
    found = [look(each, machine, _patience_us(wanted)) for each in there]
    matching = [each for each in found if each.may_be(wanted)]
    if not matching:
        raise _none(wanted, found)
    if len(matching) > 1:
        raise _several(matching)
    if matching[0].error is not None:
        raise matching[0].error
    return matching[0].candidate


class UsbLink(SerialLink):
    """The serial port of the device that is meant; opened anew it is that device's again, under whatever name."""

    def __init__(self, url: str, machine: Machine | None = None) -> None:
        self._wanted = Wanted.read(url)
        self._machine = machine or Machine()
        super().__init__(url)

    def _open(self) -> None:
        candidate = choose(self._wanted, self._machine)
        busy = held(candidate, self._machine)
        if busy is not None:
            raise busy
        self.url: str = candidate.port
        super()._open()
        try:
            answer = probing.ask(self, _patience_us(self._wanted))
            if self._wanted.uid not in (None, answer.uid):
                raise _none(self._wanted, [Found(candidate, answer)])
        except BaseException:
            self.close()
            raise
        self._wanted = Wanted(candidate.serial or None, answer.uid)


def _patience_us(wanted: Wanted) -> int:
    """Who is meant by its uid is waited for: while a dose is in hand it does not say who it is."""
    return opening.BUSY_US if wanted.uid else 0


def _none(wanted: Wanted, found: list[Found]) -> errors.DeviceNotFound:
    named = [f"{name} {value}" for name, value in wanted._asdict().items() if value]
    who = "no mesoinjector" + (f" with {' and '.join(named)}" if named else "")
    if not found:
        return errors.DeviceNotFound(
            f"{who} is connected by USB. Next: plug it in by a cable that carries data; run `mesoinjector doctor`."
        )
    passed_over = "; ".join(f"{each.candidate}: {_why(each)}" for each in found)
    return errors.DeviceNotFound(f"{who} has answered. {passed_over}. Next: run `mesoinjector doctor`.")


def _why(found: Found) -> str:
    if found.answer is not None:
        return f"uid {found.answer.uid}" if found.answer.uid else f"has a dose in hand ({found.answer.state})"
    return str(found.error).partition(" Next:")[0].rstrip(".")


def _several(matching: list[Found]) -> errors.InsufficientSelector:
    names = " and ".join(str(each.candidate) for each in matching)
    first = matching[0].candidate.serial or "NUMBER"
    return errors.InsufficientSelector(
        f"{names} may be meant. Next: say which, as in --device usb:serial={first}; see `mesoinjector devices`."
    )
