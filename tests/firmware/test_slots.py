"""Which application is started: none that is not whole, none for ever that nobody confirms; else the safe one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from mesofirmware import build, slots
from mesofirmware.boards.rp2_shelf import Shelf
from mesofirmware.start import manifest
from mesoprotocol import wire
from tests.firmware.files import Memory

A, B = slots.FOLDERS
SHELF = Shelf(lambda: None)
SAFE = ""


def whole(*folders: str) -> Callable[[str], bool]:
    return lambda folder: folder in folders


BOTH = whole(A, B)


def staged() -> dict[str, bytes]:
    """A runs and is confirmed, B is staged."""
    content: dict[str, bytes] = {}
    assert slots.Slots(Memory(content)).stage(BOTH) == wire.S_OK
    return content


def started(content: dict[str, bytes], is_whole: Callable[[str], bool] = BOTH) -> str:
    return slots.Slots(Memory(content)).choose(is_whole)


def told(content: dict[str, bytes], is_safe: bool = False) -> list[int]:
    values = [9, 9, 9, 9]
    slots.Slots(Memory(content)).tell(is_safe, values)
    return values


def test_what_starts_next_is_told_without_a_note_of_it() -> None:
    content = staged()
    for _ in range(6):
        before = dict(content)
        upcoming = slots.Slots(Memory(content)).upcoming()
        assert content == before
        assert started(content) == upcoming
    assert upcoming == A, "nobody has confirmed B"
    content["slots.a"] = b"?"
    assert slots.Slots(Memory(content)).upcoming() == SAFE


def test_the_record_is_what_the_first_flash_reads() -> None:
    """/lib chooses by it, and stays as it was flashed; applications that come later write it."""
    content = staged()
    assert content == {"slots.b": bytes.fromhex("010000000101010300dcffde58")}
    assert started(content) == B
    assert content["slots.a"] == bytes.fromhex("02000000010101020058f24878")


def test_a_new_device_starts_a() -> None:
    assert started({}) == A and told({}) == [0, wire.UPDATE_CONFIRMED, 0, 0]
    assert started({}, whole(B)) == SAFE
    assert told({}, True) == [0, wire.UPDATE_CONFIRMED, 0, 1]


def test_a_trial_that_is_confirmed() -> None:
    content = staged()
    assert told(content) == [1, wire.UPDATE_PENDING, 3, 0]
    assert started(content) == B and told(content) == [1, wire.UPDATE_PENDING, 2, 0]
    assert slots.Slots(Memory(content)).stage(BOTH) == wire.S_WRONG_STATE
    assert slots.Slots(Memory(content)).confirm() == wire.S_OK
    assert [started(content) for _ in range(5)] == [B] * 5
    assert told(content) == [1, wire.UPDATE_CONFIRMED, 0, 0]
    assert slots.Slots(Memory(content)).stage(BOTH) == wire.S_OK
    assert started(content) == A


@pytest.mark.requirement("SR-13")
def test_what_was_never_started_is_not_confirmed() -> None:
    content = staged()
    before = dict(content)
    assert slots.Slots(Memory(content)).confirm() == wire.S_WRONG_STATE and content == before
    assert started(content) == B and slots.Slots(Memory(content)).confirm() == wire.S_OK


def test_a_trial_that_nobody_confirms_is_given_up() -> None:
    content = staged()
    assert [started(content) for _ in range(6)] == [B, B, B, A, A, A]
    assert told(content) == [0, wire.UPDATE_ROLLED_BACK, 0, 0]
    assert slots.Slots(Memory(content)).confirm() == wire.S_OK
    assert started(content) == A


@pytest.mark.requirement("SR-13", "SR-34")
def test_what_is_not_whole_is_not_started() -> None:
    content = staged()
    assert started(content, whole(A)) == A and told(content) == [0, wire.UPDATE_ROLLED_BACK, 0, 0]
    assert started(staged(), whole()) == SAFE
    content = staged()
    assert started(content) == B
    assert slots.Slots(Memory(content)).confirm() == wire.S_OK
    assert started(content, whole(A)) == SAFE, "the confirmed one is damaged: the older one is not taken in silence"
    content = {}
    assert slots.Slots(Memory(content)).stage(whole(A)) == wire.S_NOT_WHOLE and content == {}


@pytest.mark.requirement("SR-34")
@pytest.mark.parametrize("how", [lambda byte: byte ^ 0xFF, lambda byte: 0], ids=["inverted", "zero"])
def test_each_byte_of_the_record(how: Callable[[int], int]) -> None:
    content = staged()
    started(content)
    for name, data in list(content.items()):
        for at in range(len(data)):
            altered = data[:at] + bytes((how(data[at]),)) + data[at + 1 :]
            if altered == data:
                continue
            broken = {**content, name: altered}
            before = dict(broken)
            assert started(broken) == SAFE, (name, at)
            assert told(broken, True)[1] == wire.UPDATE_DAMAGED
            assert slots.Slots(Memory(broken)).confirm() == wire.S_WRONG_STATE
            assert slots.Slots(Memory(broken)).stage(BOTH) == wire.S_WRONG_STATE
            assert broken == before, "what is damaged is not written"


def test_a_memory_that_takes_nothing_is_not_trusted_with_a_trial() -> None:
    class Forgetful(Memory):
        def write(self, name: str, buf: bytearray, n: int) -> None:
            pass

    content = staged()
    assert slots.Slots(Forgetful(content)).choose(BOTH) == SAFE
    assert started(content) == B
    assert slots.Slots(Forgetful(content)).confirm() == wire.S_STORE_FAILED


# --- Folders and their manifests ---------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "mesofirmware").mkdir()
    (tmp_path / "mesofirmware" / "app.mpy").write_bytes(bytes(range(256)) * 5)
    (tmp_path / "mesofirmware" / "empty.mpy").write_bytes(b"")
    (tmp_path / "main file.mpy").write_bytes(b"M")
    build.seal(tmp_path)
    return tmp_path


def test_a_folder_that_is_whole(folder: Path) -> None:
    assert manifest.is_whole(SHELF, str(folder))
    assert not manifest.is_whole(SHELF, str(folder / "nothing"))


@pytest.mark.requirement("SR-13", "SR-34")
@pytest.mark.parametrize("name", [manifest.MANIFEST, "mesofirmware/app.mpy", "main file.mpy"])
def test_each_byte_of_each_file(name: str, folder: Path) -> None:
    data = (folder / name).read_bytes()
    for at in range(0, len(data), 1 if len(data) < 400 else 7):
        for byte in {data[at] ^ 0xFF, data[at] ^ 1, 0} - {data[at]}:
            (folder / name).write_bytes(data[:at] + bytes((byte,)) + data[at + 1 :])
            assert not manifest.is_whole(SHELF, str(folder)), at
    for other in (data[:-1], data + b"\n", b""):
        (folder / name).write_bytes(other)
        assert not manifest.is_whole(SHELF, str(folder))
    (folder / name).write_bytes(data)
    assert manifest.is_whole(SHELF, str(folder))
    (folder / name).unlink()
    assert not manifest.is_whole(SHELF, str(folder))
