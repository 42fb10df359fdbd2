"""Everything that can go wrong, as one tree. Each message ends with what to do next.

MesoError
+-- LinkError
|   +-- DeviceNotFound        no such port, or nothing on it that answers as a mesoinjector
|   +-- InsufficientSelector  several devices may be meant
|   +-- PortBusy              another program holds the port
|   +-- PermissionDenied      the port may not be opened by this user
|   +-- LinkLost              the line broke
|   +-- ReplyTimeout          no answer in time (also a TimeoutError)
|   +-- SessionLost           the device restarted, or another program has taken it over
+-- ProtocolError
|   +-- VersionMismatch       the sides speak different versions, or have different limits
|   +-- FirmwareNotRunning    a MicroPython prompt or a traceback answers instead
+-- AuthError                 the device does not accept who you are, or cannot prove who it is
+-- KeyFileError              a key file cannot be used
+-- DeviceError               the device said no; `status` and `name` are the schema's
|   +-- Refused               not now: state, latch, session
|   |   +-- DeviceBusy        a dose is under way
|   +-- LimitExceeded         never: a limit
|   +-- Fault                 hardware or storage
|   +-- UpdateRefused         an application is not taken
|       +-- NotSigned         its signature is not the device's signer's, or the device knows no signer
|       +-- OtherBoard        it was built for another board
|       +-- OlderVersion      it is older than what is on the device
|       +-- OnTrial           another one is on trial, and not confirmed
|       +-- NotWhole          it is not as its manifest says, or the flash did not take it
+-- DoseUncertain             a dose before this one is unknown; no other is given until it is resolved
|   +-- UnaccountedDose       the ledger has grown by something that this journal does not know
+-- ApplicationError          an application's folder, or the key it is signed with, cannot be used
+-- UpdateFailed              a new application was tried and not kept: what was there before runs
+-- LogAltered                the device's log is not what it was
+-- RecordingError            a recording cannot be made or read, or is not what this host does
+-- PlanError                 a plan, or an argument, is outside what is allowed
+-- JournalError              the journal cannot be opened, read or written
|   +-- JournalAltered        it is not what was written
|   +-- JournalHeld           another program has the device open with the same journal
|   +-- ResultNotKept         a dose has ended, and the journal does not take its result
+-- PromptError               a board at MicroPython's prompt is not there, or does not take what is written
+-- ProductionError           a board does not pass the production line, or what belongs to it is not kept
+-- ExportError               records cannot be exported: a package is missing, or the file
+-- ImageError                a file is not an image that the board can take
+-- FlashError                a board could not be written, or does not hold what was written; it can be repeated
+-- CalibrationError          a calibration cannot be made with this device as it is; it was left as it stood
+-- ScaleError                the bench scale
|   +-- ScaleSilent           it does not answer, or its port does not open
|   +-- ScaleUnstable         it does not come to rest
|   +-- ScaleOverload         more, or less, than it can weigh
|   +-- ScaleUnit             it speaks of a unit that is no mass
|   +-- ScaleGarbled          what it says is no answer of its protocol
"""

from __future__ import annotations

from typing import Any

from mesoprotocol import messages, wire


class MesoError(Exception):
    """Base of all errors of this package."""


class LinkError(MesoError):
    """The line to the device."""


class DeviceNotFound(LinkError):
    """No such port, or nothing on it that answers as a mesoinjector."""


class InsufficientSelector(LinkError):
    """Several devices may be meant."""


class PortBusy(LinkError):
    """Another program holds the port."""


class PermissionDenied(LinkError):
    """The port may not be opened by this user."""


class LinkLost(LinkError):
    """The line broke."""


class ReplyTimeout(LinkError, TimeoutError):
    """No answer in time."""


class SessionLost(LinkError):
    """The device restarted, or another program has taken it over."""


class ProtocolError(MesoError):
    """What was received does not fit the protocol."""


class VersionMismatch(ProtocolError):
    """The sides speak different versions, or have different limits."""


class FirmwareNotRunning(ProtocolError):
    """A MicroPython prompt or a traceback answers instead of the firmware."""


class AuthError(MesoError):
    """The device does not accept who you are, or cannot prove who it is."""


class KeyFileError(MesoError):
    """A key file cannot be used."""


class DeviceError(MesoError):
    """The device said no. `status` is the schema's code, `name` its name."""

    def __init__(self, status: int, request: str) -> None:
        self.status = status
        self.name: str = messages.STATUS_NAMES.get(status, str(status))
        _, cause, then = messages.STATUS_CAUSES.get(status, ("", "unknown status", "update the host"))
        super().__init__(f"{request} was refused, {self.name} ({status}): {cause}. Next: {then}.")


class Refused(DeviceError):
    """Not now: state, latch, session."""


class LimitExceeded(DeviceError):
    """Never: a limit."""


class Fault(DeviceError):
    """Hardware or storage."""


class UpdateRefused(DeviceError):
    """An application is not taken. What runs, runs on; what was sent is kept, as far as it is as listed."""


class NotSigned(UpdateRefused):
    """Its signature is not the device's signer's, or the device knows no signer."""


class OtherBoard(UpdateRefused):
    """It was built for another board."""


class OlderVersion(UpdateRefused):
    """It is older than what is on the device."""


class OnTrial(UpdateRefused):
    """Another application is on trial, and not confirmed."""


class NotWhole(UpdateRefused):
    """It is not as its manifest says, or the flash did not take it."""


class DeviceBusy(Refused):
    """A dose is under way."""


class ApplicationError(MesoError):
    """An application's folder, or the key it is signed with, cannot be used."""


class UpdateFailed(MesoError):
    """A new application was tried and not kept: what was there before runs. `entries`: what the device's log says."""

    def __init__(self, said: str, entries: tuple[messages.LogReply, ...]) -> None:
        self.entries = entries
        super().__init__(said)


class DoseUncertain(MesoError):
    """A dose before this one is unknown; nothing more is given before it is resolved."""


class UnaccountedDose(DoseUncertain):
    """The ledger has grown by something that this journal does not know."""


class PlanError(MesoError):
    """A plan, or an argument, is outside what is allowed."""


class RecordingError(MesoError):
    """A recording cannot be made or read, or is not what this host does."""


class JournalError(MesoError):
    """The journal cannot be opened, read or written."""


class JournalAltered(JournalError):
    """The journal is not what was written."""


class JournalHeld(JournalError):
    """Another program has the device open with the same journal."""


class ResultNotKept(JournalError):
    """A dose has ended, and the journal does not take its `result`: it is found again when the device is opened."""

    def __init__(self, result: Any, why: JournalError) -> None:
        self.result = result
        most = f", at most {result.upper_nl / 1e6:g} ml" if hasattr(result, "upper_nl") else ""
        super().__init__(f"dose {result.dose_id} has ended ({type(result).__name__}, {result.reason}{most}), but {why}")


class PromptError(MesoError):
    """Nobody is at a board's prompt, it is another board, or it does not take what is written."""


class ProductionError(MesoError):
    """A board does not pass the production line, or what belongs to it cannot be kept."""


class ExportError(MesoError):
    """Records cannot be exported: a package is missing, or the file."""


class ImageError(MesoError):
    """A file is not an image that the board can take."""


class FlashError(MesoError):
    """A board could not be written, or does not hold what was written; it can be repeated."""


class CalibrationError(MesoError):
    """A calibration cannot be made with this device as it is; it was left as it stood."""


class ScaleError(MesoError):
    """The bench scale."""


class ScaleSilent(ScaleError):
    """It does not answer, or its port does not open."""


class ScaleUnstable(ScaleError):
    """It does not come to rest."""


class ScaleOverload(ScaleError):
    """More, or less, than it can weigh."""


class ScaleUnit(ScaleError):
    """It speaks of a unit that is no mass."""


class ScaleGarbled(ScaleError):
    """What it says is no answer of its protocol."""


class LogAltered(MesoError):
    """The device's log is not what it was: somebody has altered its memory."""

    def __init__(self, said: str) -> None:
        super().__init__(f"{said} Next: do not use it; service.")


def refusal(status: int, request: str) -> MesoError:
    """The exception for a refused request."""
    if status == wire.S_NO_SESSION:
        return SessionLost(
            "the device restarted, or another program has taken it over. Next: look at the handpiece, then open it "
            "again: doses that were under way are asked for by their ids."
        )
    name = messages.STATUS_NAMES.get(status, "")
    family = messages.STATUS_CAUSES.get(status, ("", "", ""))[0]
    if status in _ABOUT_KEYS:
        return AuthError(str(DeviceError(status, request)))
    if status in _OF_UPDATES:
        return _OF_UPDATES[status](status, request)
    if name == "WRONG_STATE":
        return DeviceBusy(status, request)
    if family == "limit":
        return LimitExceeded(status, request)
    if family in ("actuator", "storage"):
        return Fault(status, request)
    return Refused(status, request)


def not_running(url: str, tail: str) -> FirmwareNotRunning | None:
    """The exception for what a line ends with if that is MicroPython's own: a traceback, a banner, a prompt."""
    if not any(sign in tail for sign in ("Traceback", ">>>", "MicroPython")):
        return None
    return FirmwareNotRunning(
        f"{url}: MicroPython answers, but the firmware does not run. It said: {tail.strip()[-200:]!r}. Next: "
        "restart the device; if it comes back, flash the firmware again. Doses that were under way are asked for by "
        "their ids."
    )


def another_device(url: str, there: str, uid: str) -> DeviceNotFound:
    """The exception for a line on which another device answers than before."""
    return DeviceNotFound(
        f"{url}: there is another device now, {there}, not {uid}. Next: plug that one in, or open this one by itself."
    )


def in_another_treatment(there: int, number: int) -> PlanError:
    """The exception for going on in a treatment that the device has left."""
    return PlanError(
        f"the device is in treatment {there}, not in {number}: another program has begun one since. Nothing was sent. "
        "Next: look at the patient, and begin a new treatment."
    )


def latched(latches: int, request: str) -> MesoError:
    """The exception for what latches forbid: some have a reason of their own."""
    for latch, status in _OF_THEIR_OWN:
        if latches & latch:
            return refusal(status, request)
    return refusal(wire.S_LATCHED, request)


_OF_THEIR_OWN = (
    (wire.LATCH_SAFE_APPLICATION, wire.S_SAFE_APPLICATION),
    (wire.LATCH_SETTINGS_DAMAGED, wire.S_SETTINGS_DAMAGED),
    (wire.LATCH_LOG_DAMAGED, wire.S_LOG_DAMAGED),
)

_ABOUT_KEYS = frozenset(
    (wire.S_ROLE, wire.S_AUTH_FAILED, wire.S_AUTH_BACKOFF, wire.S_BAD_TAG, wire.S_NO_KEY, wire.S_KEYS_DAMAGED)
)

_OF_UPDATES: dict[int, type[UpdateRefused]] = {
    wire.S_BAD_SIGNATURE: NotSigned,
    wire.S_NO_SIGNER: NotSigned,
    wire.S_OTHER_BOARD: OtherBoard,
    wire.S_OLDER_VERSION: OlderVersion,
    wire.S_ON_TRIAL: OnTrial,
    wire.S_BAD_MANIFEST: NotWhole,
    wire.S_NOT_WHOLE: NotWhole,
    wire.S_FLASH_FAILED: NotWhole,
    wire.S_NO_UPDATE: UpdateRefused,
    wire.S_NO_MEMORY: UpdateRefused,
}
