"""`mesoinjector flash`: a board in any state becomes an injector, and what cannot be done is refused before it begins.

The boot ROM is the simulated one, MicroPython, littlefs and mpremote are the real ones, the firmware is ours.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import shutil
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

pytest.importorskip("usb", reason="pyusb is not installed: pip install 'mesoinjector[flash]'")
pytest.importorskip("libusb_package", reason="libusb-package is not installed: pip install 'mesoinjector[flash]'")

from mesofirmware import build, version
from mesoinjector import Injector, Key, Service, application, boards, finding, flashing, signing
from mesoinjector.application import Application
from mesoinjector.cli import app
from mesoinjector.errors import AuthError, FlashError, KeyFileError
from mesoinjector.flashing import Flashing, Order
from mesoinjector.journal import Journal
from mesoinjector.uf2 import Image
from mesoprotocol import wire
from mesosim.bootsel import images, rom
from mesosim.bootsel.bus import Board, Fault
from tests.usb_bench import Bench, bench

pytestmark = [
    pytest.mark.skipif(importlib.util.find_spec("micropython_unix") is None, reason="MicroPython is not installed"),
    pytest.mark.skipif(importlib.util.find_spec("mpremote") is None, reason="mpremote is not installed"),
]
PAGES = 18


@pytest.fixture(scope="module")
def signer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The public half; the private one lies beside it."""
    return signing.new_key(tmp_path_factory.mktemp("keys") / "signer")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, signer: Path) -> Path:
    """The firmware without machine code, for whatever MicroPython there is, signed."""
    return made(tmp_path_factory.mktemp("built") / "app", signer, version.FIRMWARE)


def made(folder: Path, signer: Path, number: str) -> Path:
    build.compiled(folder, arch="")
    build.seal(folder, number=number)
    application.sign(folder, signer.with_suffix("").read_bytes())
    return folder


def image(folder: Path, chip: str = "RP2040", seed: int = 1) -> Path:
    file = folder / f"{chip}-{seed}.uf2"
    file.write_bytes(images.uf2(chip, images.image(chip, PAGES, seed)))
    return file


def done(one: Bench, order: Order) -> tuple[flashing.Done, list[str]]:
    """An order carried out, and the steps it told."""
    told: list[str] = []
    board = boards.choose("usb:", boards.find(one.machine))
    with closing(Journal(one.folder / "journal.sqlite")) as journal:
        flash = Flashing(one.machine, journal, lambda what, done, of: None if what in told else told.append(what))
        return flash.run(flashing.plan(board, order)), told


@pytest.fixture(scope="module")
def injector(
    tmp_path_factory: pytest.TempPathFactory, folder: Path, signer: Path
) -> tuple[Path, flashing.Done, list[str]]:
    """A blank board that has become one, with keys and a name; its folder, and how it went."""
    there = tmp_path_factory.mktemp("injector")
    order = Order(
        Image.load(image(there)),
        Application.load(folder),
        signing.modulus(signer.read_bytes()),
        new_keys=there / "keys",
        name="A-0001",
    )
    with bench(there) as one:
        found, told = done(one, order)
        assert one.board.flash.cells[: PAGES * 256] == images.image("RP2040", PAGES, 1)
    return there, found, told


@contextlib.contextmanager
def another(injector: tuple[Path, flashing.Done, list[str]], folder: Path, bootsel: bool = False) -> Iterator[Bench]:
    """That board once more, as it was."""
    for name in ("flash.bin", "fram.bin", "journal.sqlite"):
        shutil.copy(injector[0] / name, folder / name)
    one = Bench(folder)
    one.board.flash.cells[: PAGES * 256] = images.image("RP2040", PAGES, 1)
    one.load()
    one.plug(bootsel)
    with contextlib.closing(one):
        boards.wait(one.machine, boards.find(one.machine)[0], lambda each: each.state != "unknown")
        yield one


def ran(one: Bench, *words: str, typed: str = "") -> tuple[int, str]:
    """The command as it is typed, off a terminal."""
    found = CliRunner().invoke(app, ["flash", *words], obj=one.machine, input=typed)
    return (0 if found.exception is None else 1), found.output + (str(found.exception) if found.exception else "")


def test_a_blank_board_becomes_an_injector(injector: tuple[Path, flashing.Done, list[str]]) -> None:
    there, found, told = injector
    assert found.sectors == 2 and found.slot == "A"
    assert told == [
        "write MicroPython",
        "read MicroPython back",
        "start MicroPython",
        "install the application",
        "start the application",
        "self-test",
        "set new keys",
    ]
    assert found.files == (str(there / "keys" / "service.key"), str(there / "keys" / "operator.key"))


def test_a_blank_board_with_an_rp2350_becomes_one_too(tmp_path: Path, folder: Path) -> None:
    order = Order(Image.load(image(tmp_path, "RP2350")), Application.load(folder), name="B-0001")
    with bench(tmp_path, "pico2") as one:
        found, told = done(one, order)
        assert one.board.flash.cells[: PAGES * 256] == images.image("RP2350", PAGES, 1)
    assert (found.sectors, found.slot, told[-1]) == (2, "A", "self-test")


def test_new_keys_that_are_cut_off_are_not_lost_and_set_by_the_next(
    injector: tuple[Path, flashing.Done, list[str]], tmp_path: Path
) -> None:
    """Whether the device has them nobody knows: each is tried."""
    before = Key.load(injector[0] / "keys" / "service.key")
    order = Order(key=before, new_keys=tmp_path / "keys")
    with another(injector, tmp_path) as one, closing(Journal(one.folder / "journal.sqlite")) as journal:
        board = boards.choose("usb:", boards.find(one.machine))
        flash = Flashing(one.machine, journal, lambda what, *_: one.close() if what == "set new keys" else None)
        with pytest.raises(FlashError, match=r"nobody knows whether its new keys were set .*service\.key; if"):
            flash.run(flashing.plan(board, order))
        assert Key.load(tmp_path / "keys" / "service.key").role == wire.ROLE_SERVICE
        assert (tmp_path / "keys").stat().st_mode & 0o777 == 0o700
        one.plug(bootsel=False)
        boards.wait(one.machine, boards.find(one.machine)[0], lambda each: each.state != "unknown")
        with pytest.raises(KeyFileError, match=r"is there already, and stays\. Next: name another folder"):
            done(one, order)
        assert done(one, replace(order, new_keys=tmp_path / "others"))[0].files


def test_new_keys_need_a_folder_that_can_be_made(
    injector: tuple[Path, flashing.Done, list[str]], tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    order = Order(key=Key.load(injector[0] / "keys" / "service.key"), new_keys=tmp_path / "file" / "keys")
    with (
        another(injector, tmp_path) as one,
        pytest.raises(KeyFileError, match=r"cannot be made \(.*\): no key is set.*Next: name a folder"),
    ):
        done(one, order)


def test_another_signer_is_not_taken_from_a_device_that_runs(
    injector: tuple[Path, flashing.Done, list[str]], tmp_path: Path
) -> None:
    other = signing.new_key(tmp_path / "other")
    newer = Application.load(made(tmp_path / "newer", other, "9.0.0"))
    order = Order(
        application=newer,
        signer=signing.modulus(other.read_bytes()),
        key=Key.load(injector[0] / "keys" / "service.key"),
    )
    with another(injector, tmp_path) as one:
        with pytest.raises(FlashError, match=r"only at MicroPython's prompt\. Next: .*two seconds.*--signer"):
            done(one, order)
        with pytest.raises(FlashError, match=r"together with an application.*Next: name one"):
            done(one, replace(order, application=None))


def test_new_micropython_and_a_new_application_leave_keys_settings_and_name(
    injector: tuple[Path, flashing.Done, list[str]], tmp_path: Path, signer: Path
) -> None:
    newer = made(tmp_path / "newer", signer, "9.0.0")
    order = Order(
        Image.load(image(tmp_path, seed=2)), Application.load(newer), key=Key.load(injector[0] / "keys" / "service.key")
    )
    with another(injector, tmp_path) as one:
        before = bytes(one.board.flash.cells)
        with pytest.raises(AuthError, match=r"has keys, .* --key FILE"):
            done(one, replace(order, key=None))
        assert one.board.flash.erased == [] and one.board.flash.cells[: 4096 * 3] == before[: 4096 * 3]
        found, told = done(one, order)
        assert told[0] == "restart into the bootloader" and "update the application" in told
        assert (found.sectors, found.slot) == (2, "B")
        link = finding.UsbLink("usb:", one.machine)
        with closing(Journal(":memory:")) as journal, Injector(link, journal) as opened:
            assert Service(opened).settings().name == "A-0001"
            assert opened.hello.capabilities & wire.CAPABILITY_KEYED


def test_one_that_was_unplugged_while_it_was_written_goes_on(
    injector: tuple[Path, flashing.Done, list[str]], tmp_path: Path
) -> None:
    order = Order(Image.load(image(tmp_path, seed=2)), key=Key.load(injector[0] / "keys" / "service.key"))
    with another(injector, tmp_path, bootsel=True) as one:
        one.bus.fault = Fault("torn", 22)
        with pytest.raises(FlashError, match=r"written in part.* Next: plug"):
            done(one, order)
        one.plug(bootsel=False)
        assert [each.state for each in boards.find(one.machine)] == ["bootloader"], "it stays there by itself"
        assert done(one, order)[0].uid == injector[1].uid


def test_a_board_at_its_prompt_becomes_an_injector(tmp_path: Path, folder: Path) -> None:
    with bench(tmp_path) as one:
        one.board.flash.cells[: PAGES * 256] = images.image("RP2040", PAGES, 1)
        one.plug(bootsel=False)
        code, said = ran(one, "--application", str(folder), "--yes", "--json", "--journal", str(tmp_path / "journal"))
        assert code == 0, said
        told = json.loads(said.strip().splitlines()[-1])
    assert (told["state"], told["done"], told["slot"], told["sectors"]) == ("prompt", True, "A", 0)
    assert len(told["steps"]) == 2


def test_what_would_be_done_is_said_and_nothing_is_done(
    injector: tuple[Path, flashing.Done, list[str]], tmp_path: Path, folder: Path
) -> None:
    with another(injector, tmp_path, bootsel=True) as one:
        before = bytes(one.board.flash.cells)
        words = ["--micropython", str(image(tmp_path, seed=2)), "--application", str(folder)]
        code, said = ran(one, *words, "--dry-run", "--json")
        told = json.loads(said.strip().splitlines()[-1])
        assert code == 0 and not told["done"] and told["state"] == "bootloader" and len(told["steps"]) == 4
        code, said = ran(one, *words)
        assert code and "nobody can be asked here. Nothing was sent." in said
        code, said = ran(one, *words, "--erase-filesystem", "--yes", typed="yes\n")
        assert code and "that was not 'erase the filesystem': nothing was sent" in said
        code, said = ran(one, "--application", str(folder), "--yes")
        assert code and "no MicroPython was named. Nothing was sent. Next: download RPI_PICO's UF2" in said
        code, said = ran(one, "--micropython", str(image(tmp_path, "RP2350")), "--yes")
        assert code and "is for RP2350, the board is a pico. Nothing was changed." in said
        code, said = ran(one, "--micropython", str(image(tmp_path)), "--erase-filesystem", "--yes")
        assert code and "without another the board does nothing" in said
        code, said = ran(one, *words, "--yes", "--device", "usb:path=1-7")
        assert code and "no board is usb:path=1-7: RP2040 at USB 1-1 in its bootloader" in said
        assert one.board.flash.cells == before and one.bus.transfers == 0


def test_of_two_boards_none_is_guessed(tmp_path: Path) -> None:
    with bench(tmp_path) as one:
        second = Board(rom.RP2350, (2,))
        second.plug(bootsel=True)
        one.bus.boards.append(second)
        code, said = ran(one, "--micropython", str(image(tmp_path)), "--yes")
        assert code and "several boards may be meant" in said and "--device usb:path=1-1, or unplug" in said
        code, said = ran(one, "--micropython", str(image(tmp_path, "RP2350")), "--device", "usb:path=1-2", "--dry-run")
        assert code == 0, said


def test_a_filesystem_is_erased_when_it_was_said_twice(
    injector: tuple[Path, flashing.Done, list[str]], tmp_path: Path, folder: Path
) -> None:
    words = ["--micropython", str(image(tmp_path)), "--application", str(folder), "--erase-filesystem", "--yes"]
    words += ["--key", str(injector[0] / "keys" / "service.key"), "--journal", str(tmp_path / "journal.sqlite")]
    with another(injector, tmp_path, bootsel=True) as one:
        code, said = ran(one, *words, typed="erase the filesystem\n")
        assert code == 0, said
        link = finding.UsbLink("usb:", one.machine)
        with closing(Journal(":memory:")) as journal, Injector(link, journal) as opened:
            assert Service(opened).settings().name == ""
