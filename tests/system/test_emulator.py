"""An emulated RP2040: an image is booted, and what does not answer as a device is an error. Skips without rp2040py."""

from __future__ import annotations

import importlib.util
import os
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from mesoinjector import DeviceNotFound
from mesoinjector.injector import Injector

RP2040 = 0xE48BFF56


def image(file: Path) -> Path:
    """Two blocks of flash that branch to themselves for ever."""
    idle = b"\xfe\xe7" * 128
    blocks = [
        struct.pack("<8I", 0x0A324655, 0x9E5D5157, 0x2000, 0x10000000 + 256 * i, 256, i, 2, RP2040)
        + idle.ljust(476, b"\0")
        + struct.pack("<I", 0x0AB16F30)
        for i in range(2)
    ]
    file.write_bytes(b"".join(blocks))
    return file


@pytest.fixture
def emulator() -> None:
    if importlib.util.find_spec("rp2040py") is None:
        pytest.skip("rp2040py is not installed: pip install 'mesoinjector[rp2040]'")


@pytest.mark.usefixtures("emulator")
def test_an_image_without_firmware_boots_and_is_no_device(tmp_path: Path) -> None:
    with pytest.raises(DeviceNotFound, match="does not answer as a mesoinjector"):
        Injector.open(f"uf2:{image(tmp_path / 'idle.uf2')}", ":memory:")


@pytest.mark.usefixtures("emulator")
def test_what_is_no_image_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DeviceNotFound, match="there is no file"):
        Injector.open(f"uf2:{tmp_path / 'nowhere.uf2'}", ":memory:")
    (tmp_path / "text.uf2").write_text("not an image")
    with pytest.raises(DeviceNotFound, match=r"rp2040py did not start|does not answer"):
        Injector.open(f"uf2:{tmp_path / 'text.uf2'}", ":memory:")


def test_without_the_emulator_it_says_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(DeviceNotFound, match=r"pip install 'mesoinjector\[rp2040\]'"):
        Injector.open(f"uf2:{tmp_path / 'any.uf2'}", ":memory:")


@pytest.mark.usefixtures("emulator")
def test_a_named_image_conforms(tmp_path: Path) -> None:
    named = os.environ.get("MESOINJECTOR_UF2")
    if not named:
        pytest.skip("no image was named: MESOINJECTOR_UF2=FILE")
    line = [sys.executable, "-m", "pytest", "-p", "mesosim.lab.plugin", "-q", "--pyargs", "mesosim.lab.conformance"]
    line += ["-m", "not operator", f"--mesoinjector=uf2:{Path(named).resolve()}"]
    done = subprocess.run(line, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
