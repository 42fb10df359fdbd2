"""The conformance suite over what takes long: 32 bits, and a served device in real time, by both its doors."""

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


@pytest.mark.parametrize("runtime", ["cpython", "micropython"])
def test_a_served_device_conforms(runtime: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "mesoinjector", "sim", "serve", "--runtime", runtime]
    command += ["--pty", "injector", "--tcp", "127.0.0.1:0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=tmp_path) as serve:
        try:
            assert serve.stdout
            ready = serve.stdout.readline()
            conforms(str(tmp_path / "injector"), tmp_path)
            conforms(ready.split()[-1], tmp_path)
        finally:
            serve.terminate()
