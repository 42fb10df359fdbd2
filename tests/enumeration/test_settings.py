"""Settings on a real littlefs, cut at every block operation: the former ones or the new ones, never a mixture."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable

import pytest

from mesofirmware import settings, slots
from mesoprotocol import wire
from mesosim import micropython
from tests.summary import TOLD

littlefs = pytest.importorskip("littlefs", reason="littlefs-python is not installed: pip install 'mesoinjector[dev]'")
from mesosim.lab import flash  # noqa: E402

NAMES = [b"first device    ", b"second device   ", b"third device    ", b"fourth device   "]
LOCKED = (bytes(settings.NAME), 0, True)
ROUNDS = 15
"""As many updates as it takes for littlefs to erase and to move its directories."""


def saved(files: flash.LittleFiles, name: bytes) -> None:
    kept = settings.Settings(files)
    assert kept.change(True, name, 0, name[0], 1_000_000) == wire.S_OK


def found(image: bytes) -> tuple[bytes, int, bool]:
    kept = settings.Settings(flash.LittleFiles(flash.Flash(image)))
    return bytes(kept.values[settings.S_NAME]), kept.values[settings.S_PRESSURE_ZERO] - 50_000, kept.damaged


def test_a_cut_at_every_block_operation(record_property: Callable[[str, object], None]) -> None:
    device = flash.Flash()
    flash.LittleFiles(device, new=True)
    former = (bytes(settings.NAME), 0, False)
    images = 0
    for name in NAMES * ROUNDS:
        before = bytes(device.buffer)
        device.writes.clear()
        saved(flash.LittleFiles(device), name)
        new = (name, name[0], False)
        for story, image in flash.cut_images(before, device.writes):
            # a flash that makes writes in another order, which no board's does, may leave damage: that is said
            allowed = (former, new, LOCKED) if "missing" in story else (former, new)
            assert found(image) in allowed, story
            images += 1
        assert found(bytes(device.buffer)) == new
        former = new
    record_property(
        TOLD, ["enumeration: settings on littlefs", f"{images} images, each the former or the new settings"]
    )
    assert images > 300


def test_what_is_damaged_is_refused_and_never_written() -> None:
    device = flash.Flash()
    files = flash.LittleFiles(device, new=True)
    saved(files, NAMES[0])
    saved(files, NAMES[1])
    for name in ("settings.a", "settings.b"):
        files.write(name, bytearray(b"rubbish" * 6), 42)
    kept = settings.Settings(files)
    before = bytes(device.buffer)
    assert kept.damaged and kept.change(True, b"", 0, 0, 1_000_000) == wire.S_SETTINGS_DAMAGED
    assert bytes(device.buffer) == before


ON_MICROPYTHON = """
import sys
sys.path[:] = [%r, '.frozen']
import json, os
from mesofirmware import settings, slots
class Flash:
    def __init__(self, data, left):
        self.data, self.left = data, left
    def readblocks(self, n, buf, off=0):
        at = n * 512 + off
        buf[:] = self.data[at:at + len(buf)]
    def writeblocks(self, n, buf, off=0):
        self.change(n * 512 + off, buf)
    def change(self, at, data):
        if self.left < 0:
            return
        if self.left == 0:
            data = data[:len(data) // 2]
        self.left -= 1
        self.data[at:at + len(data)] = data
        if self.left < 0:
            raise OSError(5)
    def ioctl(self, op, arg):
        if op == 4: return 32
        if op == 5: return 512
        if op == 6:
            self.change(arg * 512, b'\\xff' * 512)
            return 0
class Files:
    def __init__(self, fs):
        self.fs = fs
    def read(self, name, buf):
        try:
            with self.fs.open(name, 'rb') as file:
                return file.readinto(buf)
        except OSError:
            return -1
    def write(self, name, buf, n):
        with self.fs.open(name, 'wb') as file:
            file.write(bytes(buf[:n]))
def save(fs, n):
    kept = settings.Settings(Files(fs))
    return kept.change(True, b'', 0, n, 1000000)
whole = Flash(bytearray(b'\\xff' * 512 * 32), 1 << 20)
os.VfsLfs2.mkfs(whole)
save(os.VfsLfs2(whole), 1)
save(os.VfsLfs2(whole), 2)
seen = []
cut = -1
while True:
    cut += 1
    flash = Flash(bytearray(whole.data), cut)
    try:
        save(os.VfsLfs2(flash), 3)
    except OSError:
        pass
    kept = settings.Settings(Files(os.VfsLfs2(Flash(flash.data, 1 << 20))))
    seen.append([kept.values[settings.S_PRESSURE_ZERO] - 50000, kept.damaged])
    if flash.left >= 0:
        break
print(json.dumps(seen))
"""


def test_littlefs_of_micropython_says_the_same() -> None:
    try:
        micropython.command([])
    except micropython.NoMicroPython as error:
        pytest.skip(str(error))
    program = ON_MICROPYTHON % str(micropython.compiled())
    command = [sys.executable, "-m", "micropython_unix", "-X", "heapsize=400K", "-c", program]
    said = subprocess.run(command, capture_output=True, text=True, check=False)
    assert said.returncode == 0, said.stderr
    seen = json.loads(said.stdout)
    assert [2, False] in seen and seen[-1] == [3, False]
    assert all(each in ([2, False], [3, False]) for each in seen)


def tried(files: flash.LittleFiles) -> str:
    return slots.Slots(files).choose(lambda folder: True)


def test_a_cut_at_every_write_of_what_is_started() -> None:
    """At each cut of a trial's way the next start finds an application, and no try is won by cutting the power."""
    device = flash.Flash()
    flash.LittleFiles(device, new=True)
    assert slots.Slots(flash.LittleFiles(device)).stage(lambda folder: True) == wire.S_OK
    images = 0
    for starts in (slots.FOLDERS[1],) * 3 + (slots.FOLDERS[0],) * 2:
        before = bytes(device.buffer)
        left = slots.Slots(flash.LittleFiles(flash.Flash(before))).values[4]
        device.writes.clear()
        assert tried(flash.LittleFiles(device)) == starts
        for story, image in flash.cut_images(before, device.writes):
            if "missing" in story:
                continue  # a flash that makes writes in another order, which no board's does
            record = slots.Slots(flash.LittleFiles(flash.Flash(image)))
            assert not record.damaged and record.values[4] in (left, max(0, left - 1)), story
            assert tried(flash.LittleFiles(flash.Flash(image))) in slots.FOLDERS, story
            images += 1
    assert images > 20
