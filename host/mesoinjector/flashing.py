"""From a board in whatever state to a working injector: what is to be done, and doing it.

`Order` is what somebody wants, `plan` says what would be done and refuses what cannot be, `Flashing.run` does it. It
ends with a session on the device, its self-test, and CONFIRM where something was on trial. Nothing moves. Calibration,
keys and /settings stay; a filesystem is erased only where the order says so. Whatever breaks it off can be repeated.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from mesoinjector import boards, errors, finding, updating
from mesoinjector.application import Application
from mesoinjector.boards import Board
from mesoinjector.injector import Injector
from mesoinjector.journal import Journal
from mesoinjector.key_keeping import make_folder
from mesoinjector.keys import ROLES, Key
from mesoinjector.machine import Machine
from mesoinjector.picoboot import Boot
from mesoinjector.prompt import Prompt
from mesoinjector.service import Service
from mesoinjector.uf2 import CHIPS, Image
from mesoprotocol import limits, messages, wire

NAMES = {"RP2040": "pico", "RP2350": "pico2"}
"""Boards by their chips, as applications are built for them."""
Tell = Callable[[str, int, int], None]
"""Told what is being done, how much of it is, and of how much: bytes, or 0 of 0."""
_TO_PROMPT = "open its port (`mpremote connect PORT`) and press Ctrl-C within two seconds of its start, for the prompt"
_RESTART_S = 30.0
"""Wait for a chip that is restarted to be on the bus again; choice."""


@dataclass(frozen=True, slots=True)
class Order:
    """What is wanted of one board; what is None is left as it is."""

    micropython: Image | None = None
    application: Application | None = None
    signer: bytes | None = None
    """Modulus of the key that updates must be signed with; written where the board is at its prompt."""
    key: Key | None = None
    """The service key, of a device that has keys."""
    new_keys: Path | None = None
    """Folder for the files of new keys, `service.key` and `operator.key`."""
    name: str | None = None
    """The device's name: its serial number."""
    older: bool = False
    """Accept an application that is older than the device's."""
    erases: bool = False
    """Erase the filesystem, with calibration and settings."""

    @property
    def needs_bootloader(self) -> bool:
        return self.micropython is not None or self.erases


@dataclass(frozen=True, slots=True)
class Plan:
    """What would be done, in order."""

    board: Board
    order: Order
    steps: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Done:
    """What is there now."""

    uid: str
    firmware: str
    slot: str
    sectors: int
    """Written of MicroPython; 0: it was there."""
    files: tuple[str, ...]
    """Of new keys."""


def order(micropython: Path | None, application: Path | None, signer: Path | None) -> Order:
    """The files of an order, read and held against each other. Raises `ImageError`, `ApplicationError`."""
    modulus = None
    if signer is not None:
        from mesoinjector import signing

        try:
            modulus = signing.modulus(signer.read_bytes())
        except OSError as error:
            raise errors.ApplicationError(f"{signer}: {error.strerror}. Next: name the public half, PEM.") from None
    loaded = None if application is None else Application.load(application)
    if loaded is not None and modulus is not None and not loaded.is_signed_by(modulus):
        raise errors.ApplicationError(
            f"{application} is not signed with {signer}: the device would take no update after it. Next: sign it with "
            "`mesoinjector application sign`, or name its signer."
        )
    return Order(None if micropython is None else Image.load(micropython), loaded, modulus)


def plan(board: Board, order: Order) -> Plan:
    """What an order means for a board, and whether it can be. Nothing is sent.

    Raises `FlashError`, `ImageError`, `ApplicationError`, `AuthError`, `KeyFileError`, or what is in the board's way.
    """
    _check(board, order)
    steps: list[str] = []
    if order.needs_bootloader and board.state != "bootloader":
        steps.append("restart the board into its bootloader")
    if order.erases:
        steps.append("ERASE ITS FILESYSTEM: application, calibration and settings are lost")
    if order.micropython is not None:
        image = order.micropython
        steps.append(
            f"write MicroPython where it differs, {len(image.data):,} bytes of {image.name} (SHA-256 "
            f"{image.sha256[:16]}), and read it back; files stay"
        )
    if order.needs_bootloader:
        steps.append("start MicroPython")
    if order.application is not None:
        version, size = order.application.version, order.application.size
        where = "at the prompt, or by an update if the firmware runs" if order.needs_bootloader else _way(board)
        steps.append(f"install application {version}, {size:,} bytes, {where}; calibration, keys and settings stay")
    steps.append("open the device, have it test itself, and confirm what is on trial")
    if order.name is not None:
        steps.append(f"name it {order.name!r}")
    if order.new_keys is not None:
        steps.append(f"set new keys, in {_files(order.new_keys)[0]} and {_files(order.new_keys)[1].name}")
    return Plan(board, order, tuple(steps))


class Flashing:
    """One computer that flashes boards. `journal`: of the sessions that it opens.

    `recall` gives the service key of a board with keys, by its uid, where the order has none; it raises `MesoError`.
    """

    def __init__(
        self,
        machine: Machine,
        journal: Journal,
        tell: Tell = lambda what, done, of: None,
        recall: Callable[[str], Key] | None = None,
    ) -> None:
        self._machine = machine
        self._journal = journal
        self._tell = tell
        self._recall = recall

    def run(self, wanted: Plan) -> Done:
        """Do it. Every error says what stands, and what next; the same again goes on where it was."""
        board, order = wanted.board, wanted.order
        sectors = 0
        if order.needs_bootloader:
            board, sectors = self._write(self._to_bootloader(board, order), order)
        if order.application is not None:
            board = self._install(board, order)
        if board.state != "firmware":
            raise errors.FlashError(
                f"{board} is {boards.STATES[board.state]}: it has no application. What was written stands. Next: "
                "the same with --application FOLDER."
            )
        return self._finish(board, order, sectors)

    def open(self, board: Board) -> Injector:
        """A session with a board that runs the firmware, or will; nobody has authenticated yet."""
        return self._session(boards.wait(self._machine, board, lambda each: each.state == "firmware"), None)

    # --- MicroPython ----------------------------------------------------------------------------------------

    def _to_bootloader(self, board: Board, order: Order) -> Board:
        if board.state == "bootloader":
            return board
        self._tell("restart into the bootloader", 0, 0)
        if board.state == "prompt":
            with Prompt(board.port) as prompt:
                _check_board(order, prompt.facts.board)
                prompt.enter_bootloader()
        else:
            with self._open(board, order) as injector:
                _check_ready(injector)
                updating.restart(injector, updating.BOOT_ROM)
        return boards.wait(self._machine, board, lambda each: each.state == "bootloader", _RESTART_S)

    def _write(self, board: Board, order: Order) -> tuple[Board, int]:
        assert board.bootloader is not None
        sectors = 0
        with Boot(board.bootloader, self._machine.usb) as boot:
            try:
                _check_board(order, NAMES[board.chip])
                if order.erases:
                    boot.erase_files(self._progress("erase the filesystem"))
                if order.micropython is not None:
                    sectors = boot.write(order.micropython, self._progress("write MicroPython"))
                    boot.verify(order.micropython, self._progress("read MicroPython back"))
            except (errors.ImageError, errors.ApplicationError):
                boot.reboot()  # into what it was: these come before MicroPython is touched
                raise
            boot.reboot()
        self._tell("start MicroPython", 0, 0)
        started = boards.wait(self._machine, board, lambda each: each.state in ("prompt", "firmware"))
        return started, sectors

    # --- The application ------------------------------------------------------------------------------------

    def _install(self, board: Board, order: Order) -> Board:
        assert order.application is not None
        if board.state == "prompt":
            with Prompt(board.port) as prompt:
                order.application.check_runs_on(prompt.facts.board, prompt.facts.mpy)
                prompt.install(order.application, order.signer, self._progress("install the application"))
                prompt.restart()
            self._tell("start the application", 0, 0)
            return boards.wait(self._machine, board, lambda each: each.state == "firmware")
        with self._open(board, order) as injector:
            _check_ready(injector)
            _check_record(board, Service(injector).update())
            try:
                updating.install(injector, order.application, order.older, self._progress("update the application"))
            except errors.NotSigned as error:
                raise errors.FlashError(
                    f"{board}: {error} Another signer's key is taken only at MicroPython's prompt. Next: {_TO_PROMPT}; "
                    "then run the same command again, with --signer."
                ) from error
        return boards.wait(self._machine, board, lambda each: each.state == "firmware")

    # --- The device -----------------------------------------------------------------------------------------

    def _finish(self, board: Board, order: Order, sectors: int) -> Done:
        self._tell("self-test", 0, 0)
        with self._open(board, order) as injector:
            service = Service(injector)
            found = service.update()
            _check_record(board, found)
            if found.safe:
                raise errors.FlashError(
                    f"{board} runs its safe application, which gives nothing: the one that was installed does not "
                    "start. Next: `mesoinjector log` says why; install a mended one."
                )
            if found.update == wire.UPDATE_PENDING:
                found = updating.confirm(injector)
            else:
                _check_self_test(board, injector)
            if order.name is not None:
                service.calibrate(name=order.name)
            uid, firmware = injector.uid, injector.hello.firmware
        files = self._provision(board, order) if order.new_keys is not None else ()
        return Done(uid, firmware, "AB"[found.slot], sectors, files)

    def _provision(self, board: Board, order: Order) -> tuple[str, ...]:
        """New keys: on disk first, then the service key, then by its session the operator's."""
        assert order.new_keys is not None
        self._tell("set new keys", 0, 0)
        keys = {role: Key.new(role) for role in ("service", "operator")}
        files = _files(order.new_keys)
        make_folder(order.new_keys)
        for file, key in zip(files, keys.values(), strict=True):
            key.save(file)
        try:
            with self._open(board, order) as injector:
                injector.provision(keys["service"])
            with self._open(board, replace(order, key=keys["service"])) as injector:
                injector.provision(keys["operator"])
        except errors.MesoError as error:
            # a lost answer leaves it open which of them the device has
            raise errors.FlashError(
                f"{board}: nobody knows whether its new keys were set ({error}) Both stay in {order.new_keys}. Next: "
                f"the same with --new-keys ANOTHER and --key {files[0]}; if the device refuses that key, with the "
                "--key of before, or without one if it had none."
            ) from error
        return tuple(map(str, files))

    @contextmanager
    def _open(self, board: Board, order: Order) -> Generator[Injector]:
        """A session with the board's firmware, service's where it has keys; the line is followed where it goes."""
        injector = self._session(board, None)
        if injector.hello.capabilities & wire.CAPABILITY_KEYED:
            uid = injector.uid
            injector.close()
            key = order.key
            if key is None and self._recall is not None:
                key = self._recall(uid)
            if key is None:
                raise errors.AuthError(
                    f"{board} has keys, and flashing is service's. Next: name its service key by --key FILE."
                )
            injector = self._session(board, key)
        with injector:
            yield injector

    def _session(self, board: Board, key: Key | None) -> Injector:
        link = finding.UsbLink(f"usb:serial={board.serial}" if board.serial else "usb:", self._machine)
        try:
            return Injector(link, self._journal, key)
        except BaseException:
            link.close()
            raise

    def _progress(self, what: str) -> Callable[[int, int], None]:
        return lambda done, of: self._tell(what, done, of)


# --- What is refused before anything is sent -----------------------------------------------------------------


def _check(board: Board, order: Order) -> None:
    if board.state == "unknown" and board.error is not None:
        raise board.error
    if board.state == "bootloader":
        if order.micropython is None:
            raise errors.FlashError(
                f"{board} is in its bootloader, and no MicroPython was named. Nothing was sent. Next: download "
                f"{CHIPS[board.chip].board}'s UF2 file from micropython.org and name it by --micropython FILE; or, "
                "if the board has it already, plug it in again with BOOTSEL not pressed."
            )
        _check_board(order, NAMES[board.chip])
    if order.erases and order.application is None:
        raise errors.FlashError(
            "the filesystem has the application in it: without another the board does nothing. Nothing was sent. Next: "
            "name one by --application FOLDER."
        )
    if board.state == "prompt" and order.application is None:
        raise errors.FlashError(
            f"{board} is at MicroPython's prompt and has no application. Nothing was sent. Next: name one by "
            "--application FOLDER; `mesoinjector application build` makes one."
        )
    if board.answer is not None and board.answer.state != "idle":
        raise errors.FlashError(
            f"{board} is not idle ({board.answer.state}). Nothing was sent. Next: wait, then repeat."
        )
    if order.signer is not None and order.application is None:
        raise errors.FlashError(
            "a signer's key is written together with an application. Nothing was sent. Next: name one by --application "
            "FOLDER."
        )
    if order.key is not None and order.key.role != wire.ROLE_SERVICE:
        raise errors.KeyFileError("flashing is service's. Next: name the file of the service key by --key.")
    for file in _files(order.new_keys) if order.new_keys is not None else ():
        if file.exists():
            raise errors.KeyFileError(f"{file} is there already, and stays. Next: name another folder by --new-keys.")


def _check_board(order: Order, name: str) -> None:
    """Whether what is to be written is for a board of this name."""
    if order.micropython is not None and NAMES[order.micropython.chip] != name:
        raise errors.ImageError(
            f"{order.micropython.name} is for {order.micropython.chip}, the board is a {name}. Nothing was changed. "
            "Next: name MicroPython for it: "
            + " or ".join(CHIPS[each].board for each in NAMES if NAMES[each] == name)
            + "."
        )
    if order.application is not None and name not in order.application.boards:
        raise errors.ApplicationError(
            f"the application is for {', '.join(order.application.boards)}, the board is a {name}. Nothing was "
            "changed. Next: take one that was built for it."
        )


def _check_ready(injector: Injector) -> None:
    """Idle, and charged enough: the device judges each request by the same."""
    status = injector.status()
    if status.state != wire.STATE_IDLE:
        state = messages.STATE_NAMES.get(status.state, str(status.state)).lower()
        raise errors.FlashError(f"the device is not idle ({state}). Nothing was changed. Next: wait, then repeat.")
    if status.battery_mv < limits.BATTERY_LOW_MV:
        raise errors.FlashError(
            f"the battery is low: {status.battery_mv} mV, at least {limits.BATTERY_LOW_MV} mV are wanted. Nothing was "
            "changed. Next: charge it, then repeat."
        )


def _check_record(board: Board, found: messages.UpdateReply) -> None:
    """Raises `FlashError` if the device's record of what starts does not read: it takes no update then."""
    if found.update == wire.UPDATE_DAMAGED:
        raise errors.FlashError(
            f"{board}: its record of what starts (/settings/slots.a, slots.b) is damaged: the safe application alone "
            f"ever starts, and no update is taken. Next: {_TO_PROMPT}, copy /settings to a safe place, remove both "
            "files, then run the same command again."
        )


def _check_self_test(board: Board, injector: Injector) -> None:
    failed = injector.self_test().failed_checks
    if failed:
        checks = ", ".join(name.lower() for bit, name in messages.CHECK_BITS.items() if failed & bit)
        raise errors.FlashError(
            f"{board}: what was written stands, but the self-test fails: {checks}. Next: see `mesoinjector selftest`; "
            "it gives nothing until it passes."
        )


def _way(board: Board) -> str:
    return "at the prompt" if board.state == "prompt" else "by an update: signed, tried, and given up if it fails"


def _files(folder: Path) -> tuple[Path, ...]:
    """Where new keys go: service's, the operator's."""
    return tuple(folder / f"{role}.key" for role in sorted(ROLES, reverse=True))
