"""The whole firmware fits a board: from .mpy files, on a heap of 180 KiB, the plant being elsewhere."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from mesofirmware import build
from mesoprotocol import messages, wire
from mesosim import micropython, runtime, wasm
from mesosim.lab.enumeration.host import Host
from mesosim.lab.enumeration.workloads import PRIME
from tests import signed
from tests.firmware.test_allocation import PLAIN
from tests.judges import elsewhere, replay, session
from tests.summary import TOLD

HERE = Path(__file__).parent
HEAP = "180K"
"""Of an RP2040's 237 KiB; and here every object is twice as large."""
START = "import sys\nsys.path[:] = [%r, '.frozen']\n%s"


def unix_port(folder: Path, program: str, heap: str = HEAP) -> list[str]:
    """The command line of a program beside what a board is given, as the 64-bit port has it."""
    try:
        micropython.line("")
    except micropython.NoMicroPython as missing:
        pytest.skip(str(missing))
    start = START % (str(folder), program)
    return [sys.executable, "-m", "micropython_unix", "-X", f"heapsize={heap}", "-c", start]


def test_a_whole_session_fits(tmp_path: Path, record_property: pytest.RecordProperty) -> None:
    """Metered and fractional; and what is built for the board does on the plant what its sources do."""
    here = runtime.start("cpython", 1)
    expected = session.give(here, tmp_path / "here.sqlite")
    build.compiled(tmp_path / "board", "x64", (("far_board", HERE / "far_board.py"),))
    device = elsewhere.FarDevice(1, unix_port(tmp_path / "board", "import far_board\nfar_board.main()"))
    try:
        account = session.give(device, tmp_path / "far.sqlite")
        live = device.world.elsewhere.live_bytes
    finally:
        device.close()
    record_property(TOLD, ["firmware: a whole session on a heap of 180 KiB, 64 bits", f"{live:,} bytes live at start"])
    assert account == expected
    assert account["punctures"] >= 70 and account["skin_nl"] > 60_000


BIG = signed.application(files=tuple((f"mesofirmware/{n:03}.mpy", b"M\x06" * 99) for n in range(43)))
"""Its manifest is as long as the real one."""


@pytest.mark.requirement("SR-33")
@pytest.mark.parametrize(
    ("heap", "ends"),
    [("400K", wire.S_OK), ("220K", None), ("190K", None), ("175K", wire.S_NO_MEMORY)],
)
def test_an_update_that_finds_no_room_is_refused_and_nothing_else_ends(
    heap: str, ends: int | None, tmp_path: Path
) -> None:
    """In between it depends on where there is room: the judges' own text takes more of it than an update does."""
    build.compiled(tmp_path, "x64", (("far_board", HERE / "far_board.py"),))
    device = elsewhere.FarDevice(1, unix_port(tmp_path, "import far_board\nfar_board.main()", heap))
    try:
        device.world.files["signer"] = signed.modulus("maker")
        host = Host(device.world)
        host.open()
        status = signed.send(host.ask, BIG).status or host.ask(messages.UpdateStage()).status
        assert status == ends or (ends is None and status in (wire.S_OK, wire.S_NO_MEMORY))
        if status == wire.S_NO_MEMORY:
            entry = host.do(messages.Log(host.do(messages.Log(1)).newest))
            assert (entry.kind, entry.a) == (wire.LOG_UPDATE, wire.S_NO_MEMORY)
            assert host.ask(messages.UpdateStage()).status == wire.S_NO_UPDATE
            assert host.do(messages.Update())[2:] == (0, wire.UPDATE_CONFIRMED, 0, 0)
        host.do(messages.StartTreatment(1))
        assert host.dose(PRIME).outcome.dose_state == wire.DOSE_DONE
    finally:
        device.close()


MOST_LIVE = 100_000
"""Bytes of heap on 32 bits, once the application has started."""
MOST_LOADED = 8_000
"""And for an update, once it is loaded."""


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> replay.RecordedDevice:
    """A whole session, recorded."""
    device = replay.RecordedDevice(1)
    session.give(device, tmp_path_factory.mktemp("recorded") / "journal.sqlite")
    return device


PARTS = (
    "import replay_board\nreplay_board.load(%r)\n",
    "import gc\ngc.collect()\nbefore = gc.mem_alloc()\n"
    "from mesofirmware import app\ndevice = app.App(replay_board.board)\n",
    "gc.collect()\nlive = gc.mem_alloc() - before\nfrom mesofirmware import update\n",
    "gc.collect()\nloaded = gc.mem_alloc() - before - live\n"
    "import replay_session\nreplay_session.replay(device, live, loaded, %r)\n",
)
"""Load the recording, start the application, load what an update needs, replay.

On 32 bits garbage is collected between the parts only.
"""


def replayed(recorded: replay.RecordedDevice, folder: Path, port: str) -> dict[str, int]:
    """What the replay says on one of MicroPython's ports."""
    recorded.write(folder)
    extra = (("replay_board", folder / "replay_board.py"), ("replay_session", HERE / "replay_session.py"))
    load, start, update, play = PARTS
    if port == "64 bits":
        program = load % str(folder / "recording.bin") + start + update + play % ""
        command = unix_port(folder, program, "2M")  # room for the recording
    else:
        command = wasm_port(folder, "\f".join((load % "/device/recording.bin", start, update, play % PLAIN)))
    build.compiled(folder, "x64" if port == "64 bits" else "", extra)
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    line = (done.stdout or done.stderr).splitlines()[-1:]
    assert line and line[0].startswith("{"), done.stdout + done.stderr
    found: dict[str, int] = json.loads(line[0])
    return found


def wasm_port(folder: Path, program: str) -> list[str]:
    """As `unix_port`, on 32 bits."""
    try:
        command = wasm.line("import sys\nsys.path[:] = ['/device', '.frozen']\n" + program)
    except micropython.NoMicroPython as missing:
        pytest.skip(str(missing))
    command[-2] = str(folder)
    return command


def test_nothing_is_allocated_while_armed(recorded: replay.RecordedDevice, tmp_path: Path) -> None:
    found = replayed(recorded, tmp_path, "64 bits")
    assert found["allocated"] == 0
    assert found["locked_steps"] > 300


def loaded(folder: Path) -> int:
    """Bytes of .mpy that the replay loads: neither the board's own, nor what starts it, nor the judges'."""
    files = [*(folder / "mesofirmware").glob("*.mpy"), *(folder / "mesoprotocol").glob("*.mpy")]
    return sum(file.stat().st_size for file in files)


def test_little_is_live_on_32_bits(
    recorded: replay.RecordedDevice, tmp_path: Path, record_property: pytest.RecordProperty
) -> None:
    """And nothing is allocated there while armed, where every integer from 2^30 on would be."""
    found = replayed(recorded, tmp_path, "32 bits")
    beyond = build.compiled(tmp_path / "board") - loaded(tmp_path)
    lines = [
        f"{found['live']:,} bytes of at most {MOST_LIVE:,}, without the board's own files and machine code",
        f"which are {beyond:,} bytes of .mpy: some {beyond * 4 // 3:,} more",
        f"and {found['loaded']:,} of at most {MOST_LOADED:,} from the first UPDATE_BEGIN on",
    ]
    record_property(TOLD, ["firmware: live heap on 32 bits", *lines])
    assert found["locked_steps"] > 300
    assert found["live"] <= MOST_LIVE
    assert 0 < found["loaded"] <= MOST_LOADED
