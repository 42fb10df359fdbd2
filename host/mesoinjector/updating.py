"""A new application comes to a device over its own line: sent, staged, tried, and kept if it works.

    with Injector.open("usb:", key="service.key") as injector:
        install(injector, Application.load("application"))

Nothing moves. The device takes it into the folder that does not run and verifies signer, board and version before it
takes a file. What is there already is not sent again, so that an update that was cut off goes on where it stood. Until
it is confirmed the device goes back to what ran before, by itself, after three starts.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable

from mesoinjector import device_log, errors
from mesoinjector.application import Application
from mesoinjector.injector import Injector
from mesoinjector.service import Service
from mesoprotocol import messages, wire

APPLICATION, BOOT_ROM = 0, 1
"""What RESTART goes into."""
CHUNK: int = wire.UPDATE_WRITE_FIELDS[wire.UPDATE_WRITE_DATA][1]
"""Bytes of a file in one request, at most."""
RESTART_S = 90.0
"""Wait for a device that was restarted: three starts of an application that fails, and then the one before."""
STARTS = 3
"""Of what is on trial; as many are left before the first one."""
_LOOK_S = 0.5
"""Between two looks whether it has restarted."""
Progress = Callable[[int, int], None]
"""Told how many bytes are on the device, and of how many."""


def silent(done: int, total: int) -> None:
    """A progress that nobody wants to see."""


def update(injector: Injector, application: Application, older: bool = False, progress: Progress = silent) -> None:
    """Send an application and stage it: it is tried from the next start on. What is on the device is not sent again.

    `older`: accept one that is older than what is on the device, which notes it in its log. A line that breaks is
    opened anew, as long as it gets further each time. Raises `ApplicationError` if it is not signed, `UpdateRefused`
    and what is below it, `AuthError` unless the session is service's, `DeviceError`, `LinkError`.
    """
    if application.signature is None:
        raise errors.ApplicationError(
            f"version {application.version} is not signed. Next: `mesoinjector application sign`, with its key."
        )
    transfer = _Transfer(injector, application, older, progress)
    furthest = -1
    while True:
        try:
            transfer.run()
            return
        except (errors.LinkLost, errors.ReplyTimeout):
            if transfer.done <= furthest:
                raise
            furthest = transfer.done
            injector.reconnect()


class _Transfer:
    """One application on its way. `done`: bytes that are on the device."""

    def __init__(self, injector: Injector, application: Application, older: bool, progress: Progress) -> None:
        assert application.signature is not None
        self._injector = injector
        # not for a program, which could commit past the journal by it
        self._ask = injector._ask  # pyright: ignore[reportPrivateUsage]
        self._begin = messages.UpdateBegin(
            len(application.manifest), hashlib.sha256(application.manifest).digest(), int(older)
        )
        self._pieces = (application.manifest, application.signature, *(data for _, data in application.files))
        self._total = application.size
        self._progress = progress
        self._is_staging = False
        self.done = 0

    def run(self) -> None:
        """From where the device stands to the end."""
        if self._is_staging and Service(self._injector).update().update == wire.UPDATE_PENDING:
            return  # the answer alone was lost
        self._is_staging = False
        place = self._at(self._ask(self._begin), (-1, 0))
        while place[0] < len(self._pieces):
            file, offset = place
            data = self._pieces[file][offset : offset + CHUNK]
            place = self._at(self._ask(messages.UpdateWrite(file, offset, len(data), data.ljust(CHUNK, b"\0"))), place)
        self._is_staging = True
        self._ask(messages.UpdateStage())

    def _at(
        self, reply: messages.UpdateBeginReply | messages.UpdateWriteReply, before: tuple[int, int]
    ) -> tuple[int, int]:
        """The place to go on: ahead of the one before, and within the application."""
        file, offset = place = reply.file, reply.offset
        is_end = file == len(self._pieces) and offset == 0
        if place <= before or not (is_end or (file < len(self._pieces) and offset < len(self._pieces[file]))):
            raise errors.ProtocolError(
                f"the device wants to go on at byte {offset} of file {file}, after {before}: it does not know this "
                "application. Next: restart the device, and update again."
            )
        self.done = sum(map(len, self._pieces[:file])) + offset
        self._progress(self.done, self._total)
        return place


def restart(injector: Injector, into: int = APPLICATION) -> None:
    """Have the device start anew, into its application or (`BOOT_ROM`) its chip's boot ROM. Ends the session.

    Only service's session may, and only at rest: `AuthError`, `DeviceError`. A line that breaks meanwhile is
    as it should be. Afterwards: `Injector.reconnect`.
    """
    try:
        injector._ask(messages.Restart(into))  # pyright: ignore[reportPrivateUsage]
    except errors.LinkError:
        return


def try_out(injector: Injector, within_s: float = RESTART_S) -> messages.UpdateReply:
    """Restart a device into what is staged, have it test itself, and keep it. How it stands then.

    Raises `UpdateFailed` if it does not start, does not answer or fails its test: then it is not kept. One that fails
    its test is restarted until the device has gone back.
    """
    _restarted(injector, within_s)
    failed = _tested(injector)
    if failed:
        for _ in range(STARTS):
            if Service(injector).update().update == wire.UPDATE_PENDING:
                _restarted(injector, within_s)
        found = Service(injector).update()
        raise _failed(injector, f"its self-test failed ({failed}), and the device has gone back: {_runs(found)}")
    return _keep(injector)


def confirm(injector: Injector) -> messages.UpdateReply:
    """Keep what is on trial, if it passes its self-test now. How it stands then. Raises `UpdateFailed`."""
    _pass(injector)
    return _keep(injector)


def install(
    injector: Injector, application: Application, older: bool = False, progress: Progress = silent
) -> messages.UpdateReply:
    """Send an application, try it and keep it. Raises what `update` and `try_out` do."""
    update(injector, application, older, progress)
    return try_out(injector)


def _restarted(injector: Injector, within_s: float) -> None:
    """Restart it, and wait until it answers from another boot."""
    boot_id = injector.hello.boot_id
    until_us = injector.link.now_us() + round(within_s * 1e6)
    restart(injector)
    try:
        injector.reconnect(within_s)
        while injector.hello.boot_id == boot_id:
            if injector.link.now_us() >= until_us:
                raise errors.ReplyTimeout(f"{injector.link.url}: the device has not restarted.")
            with contextlib.suppress(errors.LinkLost):  # which is what is waited for
                injector.wait(_LOOK_S)
            injector.reconnect(within_s)
    except (errors.LinkError, errors.ProtocolError, errors.AuthError) as error:
        raise errors.UpdateFailed(
            f"the new application does not answer as it should: {error} It is not kept yet. Next: if this host is the "
            "older side, update it, and `mesoinjector update --confirm`; else switch the device off and on: after "
            "three starts it goes back by itself.",
            (),
        ) from error


def _keep(injector: Injector) -> messages.UpdateReply:
    """Confirm it. If the line breaks meanwhile, or the device restarts: unless it was kept, test it anew, once."""
    try:
        return Service(injector).confirm()
    except errors.LinkError:
        injector.reconnect()
    found = Service(injector).update()
    if found.update == wire.UPDATE_CONFIRMED and not found.safe:
        return found
    _pass(injector)
    return Service(injector).confirm()


def _pass(injector: Injector) -> None:
    """Raises `UpdateFailed` unless what is on trial runs and passes its self-test."""
    failed = _tested(injector)
    if failed:
        raise _failed(injector, f"its self-test fails ({failed}), so that it is not kept.")


def _tested(injector: Injector) -> str:
    """Names of the self-test's checks that fail, or that it does not answer. Raises `UpdateFailed` if nothing is on
    trial. If the line breaks meanwhile, or the device restarts, it is tested anew, once.
    """
    for _ in range(2):
        _look(injector)
        try:
            failed = injector.self_test().failed_checks
        except errors.LinkError:
            injector.reconnect(RESTART_S)
        else:
            return ", ".join(name.lower() for bit, name in messages.CHECK_BITS.items() if failed & bit)
    return "no answer"


def _look(injector: Injector) -> None:
    """Raises `UpdateFailed` unless what runs is on trial."""
    found = Service(injector).update()
    if found.update == wire.UPDATE_ROLLED_BACK and not found.safe:
        raise _failed(injector, f"the new application did not start or stay, and the device went back: {_runs(found)}")
    if found.update == wire.UPDATE_PENDING and found.tries_left == STARTS and not found.safe:
        raise _failed(injector, "what is on trial was not started yet: restart the device, then confirm it.")
    if found.update == wire.UPDATE_CONFIRMED and not found.safe:
        raise errors.UpdateFailed(
            f"nothing is on trial: {_runs(found)} Next: nothing, if that is the version you want; else update it.", ()
        )
    if found.update != wire.UPDATE_PENDING or found.safe:
        raise _failed(injector, f"nothing that runs is on trial: {_runs(found)}")


def _runs(found: messages.UpdateReply) -> str:
    if found.safe:
        return "the safe application runs, which gives nothing."
    return f"{'AB'[found.slot]} runs, {messages.UPDATE_NAMES[found.update].lower()}, {found.tries_left} starts left."


def _failed(injector: Injector, said: str) -> errors.UpdateFailed:
    """With what the device's log says since the update was staged."""
    entries = device_log.read(injector._ask).entries  # pyright: ignore[reportPrivateUsage]
    staged = [i for i, entry in enumerate(entries) if entry.kind == wire.LOG_UPDATE]
    since = entries[staged[-1] if staged else len(entries) :]
    log = "; ".join(f"{messages.LOG_NAMES.get(each.kind, each.kind)} {device_log.said(each)}" for each in since)
    return errors.UpdateFailed(
        f"{said} Its log since: {log or 'nothing'}. Next: what an application failed with lies on the board in "
        "/failure.txt; take a mended one, and update again.",
        since,
    )
