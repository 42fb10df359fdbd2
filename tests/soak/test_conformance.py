"""The conformance suite over what takes long: 32 bits, and a device on CPython that is served in real time."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from mesosim import wasm
from mesosim.micropython import NoMicroPython

SUITE = [sys.executable, "-m", "pytest", "-p", "mesosim.lab.plugin", "-q", "--pyargs", "mesosim.lab.conformance"]


def conforms(device: str, folder: Path) -> None:
    done = subprocess.run([*SUITE, f"--mesoinjector={device}"], capture_output=True, text=True, cwd=folder, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_32_bits_conform(tmp_path: Path) -> None:
    try:
        wasm.line("")
    except NoMicroPython as missing:
        pytest.skip(str(missing))
    conforms("wasm", tmp_path)


def test_a_served_device_conforms_on_cpython(tmp_path: Path) -> None:
    """By both its doors; on MicroPython `make test` has it. A device each: their cartridge serves one treatment."""
    command = [sys.executable, "-m", "mesoinjector", "sim", "serve", "--runtime", "cpython", "--devices", "2"]
    command += ["--pty", "injector", "--tcp", "127.0.0.1:0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=tmp_path) as serve:
        try:
            assert serve.stdout
            _, second = (serve.stdout.readline() for _ in range(2))
            conforms(str(tmp_path / "injector"), tmp_path)
            conforms(second.split()[-1], tmp_path)
        finally:
            serve.terminate()
