"""The whole firmware fits a board: from .mpy files, on a heap of 180 KiB, the plant being elsewhere."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from mesofirmware import build
from mesosim import micropython, runtime
from tests.judges import elsewhere, session
from tests.summary import TOLD

HERE = Path(__file__).parent
HEAP = "180K"
"""Of an RP2040's 237 KiB; and here every object is twice as large."""
START = "import sys\nsys.path[:] = [%r, '.frozen']\n%s"


def unix_port(folder: Path, program: str) -> list[str]:
    """The command line of a program beside what a board is given, as the 64-bit port has it."""
    try:
        micropython.line("")
    except micropython.NoMicroPython as missing:
        pytest.skip(str(missing))
    build.compiled(folder, "x64", (("far_board", HERE / "far_board.py"),))
    start = START % (str(folder), program)
    return [sys.executable, "-m", "micropython_unix", "-X", f"heapsize={HEAP}", "-c", start]


def test_a_whole_session_fits(tmp_path: Path, record_property: pytest.RecordProperty) -> None:
    """Metered and fractional; and what is built for the board does on the plant what its sources do."""
    here = runtime.start("cpython", 1)
    expected = session.give(here, tmp_path / "here.sqlite")
    device = elsewhere.FarDevice(1, unix_port(tmp_path / "board", "import far_board\nfar_board.main()"))
    try:
        account = session.give(device, tmp_path / "far.sqlite")
        live = device.world.elsewhere.live_bytes
    finally:
        device.close()
    record_property(TOLD, ["firmware: a whole session on a heap of 180 KiB, 64 bits", f"{live:,} bytes live at start"])
    assert account == expected
    assert account["punctures"] >= 70 and account["skin_nl"] > 60_000
