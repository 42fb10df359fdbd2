"""The board's application folders on a file system, and an application that comes over the line to the whole twin."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from mesofirmware import slots
from mesofirmware.boards import rp2_shelf
from mesoprotocol import messages, wire
from mesosim.lab.enumeration.host import Host, Unexpected
from mesosim.rp2.twin import TwinWorld, TwinWorld2350
from mesosim.world.trace import Untraced
from tests import signed

FED: list[int] = []
B = slots.FOLDERS[1]


@pytest.fixture
def shelf() -> rp2_shelf.Shelf:
    return rp2_shelf.Shelf(lambda: FED.append(1))


def test_a_file_is_made_with_its_folders_read_and_removed(shelf: rp2_shelf.Shelf, tmp_path: Path) -> None:
    root = str(tmp_path)
    assert shelf.names(root + "/app") == [] and shelf.read(root + "/app/a/b.mpy", 0, bytearray(4)) == -1
    for text in (b"former and longer", b"0123456789"):
        shelf.begin(root + "/app/a/b.mpy")
        shelf.write(b"--" + text + b"--", 2, 4)
        shelf.write(text, 4, len(text) - 4)
        shelf.end()
    shelf.end()
    buf = bytearray(4)
    assert [shelf.read(root + "/app/a/b.mpy", at, buf) for at in (0, 8, 10, 11)] == [4, 2, 0, 0]
    assert (tmp_path / "app" / "a" / "b.mpy").read_bytes() == b"0123456789"
    shelf.begin(root + "/app/c.mpy")
    shelf.begin(root + "/app/d.mpy")
    shelf.end()
    assert shelf.names(root + "/app") == ["a/", "c.mpy", "d.mpy"]
    with pytest.raises(OSError):
        shelf.remove(root + "/app/a/")
    FED.clear()
    shelf.remove(root + "/app/a/b.mpy")
    shelf.remove(root + "/app/a/")
    assert shelf.names(root + "/app") == ["c.mpy", "d.mpy"] and len(FED) == 3, "the watchdog hears of each"


def test_what_the_flash_says_otherwise_is_told(shelf: rp2_shelf.Shelf, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    for call in (
        lambda: shelf.names(str(tmp_path / "file")),
        lambda: shelf.read(str(tmp_path / "file" / "a"), 0, bytearray(1)),
        lambda: shelf.begin(str(tmp_path / "file" / "a" / "b")),
    ):
        with pytest.raises(OSError) as caught:
            call()
        assert caught.value.errno == errno.ENOTDIR


@pytest.mark.requirement("SR-33")
@pytest.mark.parametrize(("chip", "board"), [(TwinWorld, "pico"), (TwinWorld2350, "pico2")])
def test_the_whole_board_takes_an_application_and_restarts(chip: type[TwinWorld], board: str) -> None:
    world = chip(1, Untraced())
    world._disk.put("/settings/signer", signed.modulus("maker"))
    host = Host(world)
    host.rest(100_000)
    host.open()
    other = signed.application(boards="pico" if board == "pico2" else "pico2")
    assert signed.send(host.ask, other).status == wire.S_OTHER_BOARD
    new = signed.application(boards=board)
    for _ in range(2):
        assert signed.send(host.ask, new)[2:] == (5, 0)
    assert {path for path in world._disk.files if path.startswith(B)} == {
        *(B + "/manifest", B + "/signature"),
        *(f"{B}/{path}" for path, _ in signed.FILES),
    }
    newer = signed.application("0.3.0", boards=board, files=(("main.mpy", b"M\x06"),))
    assert signed.send(host.ask, newer)[2:] == (3, 0)
    assert world._disk.listdir(B) == ["manifest", "signature", "main.mpy"], "the former's files and folders are gone"
    host.do(messages.UpdateStage())
    host.do(messages.Restart(0))
    host.rest(100_000)
    hello = host.open()
    newest = host.do(messages.Log(1)).newest
    assert host.do(messages.Log(newest)).a == wire.RESET_ASKED and hello.latches == 0
    assert host.do(messages.Update())[2:4] == (1, wire.UPDATE_PENDING)
    host.do(messages.Restart(1))
    host.rest(1_000_000)
    with pytest.raises(Unexpected, match="no answer"):
        host.ask(messages.Status())
