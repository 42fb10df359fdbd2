"""Bad input: one clear message, an exit code, nothing moved, nothing lost."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import tty
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mesoinjector import DeviceNotFound, FirmwareNotRunning, Injector, PortBusy, VersionMismatch, cli
from mesoinjector.journal import Journal
from mesoinjector.record import TreatmentRecord
from mesoinjector.report import write_report
from mesoinjector.simulated import SimulatedLink
from mesosim.runtime import Paced, Piped
from tests.house import rooms

GOOD = (rooms.ROOT / "examples" / "plans" / "face-30-points.toml").read_text()
FRACTIONAL = (rooms.ROOT / "examples" / "plans" / "fractional-900.toml").read_text()
SHORT = """
[plan]
name = "One"
mode = "metered"
points = 1
profile = "1ml-30G4-aqueous"
prime_ml = 0.1

[[zone]]
name = "cheek"
depth_mm = 1.5
volume_ml = 0.05
points = 1
"""

BAD_PLANS = [
    ("depth", GOOD.replace("depth_mm = 1.0", "depth_mm = 3.0"), "zone[0].depth_mm = 3: must be 0.5 to 2 mm in zone forehead"),
    ("shallow", GOOD.replace("depth_mm = 1.0", "depth_mm = 0.1"), "zone[0].depth_mm = 0.1: must be 0.5 to 2 mm"),
    ("dose", GOOD.replace("volume_ml = 0.02\npoints = 8", "volume_ml = 0.2\npoints = 8", 1), "zone[0].volume_ml = 0.2: must be 0.02 to 0.05 ml"),
    ("small dose", GOOD.replace("volume_ml = 0.02\npoints = 4", "volume_ml = 0.01\npoints = 4", 1), "zone[1].volume_ml = 0.01: must be 0.02 to 0.02 ml"),
    ("negative", GOOD.replace("volume_ml = 0.02\npoints = 8", "volume_ml = -0.02\npoints = 8", 1), "zone[0].volume_ml = -0.02"),
    ("nan", GOOD.replace("depth_mm = 1.0", "depth_mm = nan"), "zone[0].depth_mm = nan: must be a finite number"),
    ("zone", GOOD.replace('"chin"', '"elbow"'), "zone[4].name = 'elbow': must be one of forehead, temple"),
    ("unknown key", GOOD.replace("points = 8", "points = 8\npionts = 9", 1), "zone[0].pionts = 9: unknown key"),
    ("missing key", GOOD.replace("points = 8", "", 1), "zone[0].points: missing"),
    ("type", GOOD.replace("points = 8", 'points = "8"', 1), "zone[0].points = '8': must be a valid integer"),
    ("mode", GOOD.replace('"metered"', '"both"'), "plan.mode = 'both': must be 'metered', 'test', 'repeat', 'perfusion' or 'fractional'"),
    ("profile", GOOD.replace("1ml-30G4", "9ml-30G4"), "plan.profile = '9ml-30G4-aqueous': must be one of 1ml-30G4-aqueous"),
    ("syringe", GOOD.replace("points = 8", "points = 40").replace("points = 30", "points = 94"), "must be at most 1 ml, the syringe of profile"),
    ("truncated", GOOD[: len(GOOD) // 2], "not a whole TOML file"),
    ("cut between two zones", GOOD[: GOOD.rindex("[[zone]]")], "plan.points = 30: must be 26, the sum over the zones"),
    ("cut in a string", GOOD[: GOOD.index('"metered') + 4], "not a whole TOML file"),
    ("empty", "", "plan: missing"),
    ("rate", FRACTIONAL.replace("= 900", "= 9000", 1), "plan.rate_per_min = 9000: must be 60 to 1800 a minute"),
    ("needles", FRACTIONAL.replace("= 16", "= 40"), "plan.needles = 40: must be 12 to 20"),
    ("coverage", FRACTIONAL.replace("area_cm2 = 80", "area_cm2 = 20"), "zone[2].strokes = 900: must be 1 to 510 on 20 cm2"),
    ("fractional depth", FRACTIONAL.replace("depth_mm = 0.5", "depth_mm = 0.3"), "zone[0].depth_mm = 0.3: must be 0.4 to 0.75 mm"),
]  # fmt: skip


def meso(*arguments: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """The command line, as a user runs it."""
    line = [sys.executable, "-m", "mesoinjector", *arguments]
    return subprocess.run(line, capture_output=True, text=True, check=False, timeout=60, env=env)


@pytest.mark.parametrize(("name", "text", "message"), BAD_PLANS, ids=[row[0] for row in BAD_PLANS])
def test_bad_plans(
    name: str,
    text: str,
    message: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    plan = tmp_path / "plan.toml"
    plan.write_text(text)
    # a device that does not exist: had anything been sent, the message would be about that
    arguments = [
        "mesoinjector",
        "run",
        str(plan),
        "--device",
        "/dev/none",
        "--journal",
        str(tmp_path / "j.sqlite"),
    ]
    monkeypatch.setattr(sys, "argv", arguments)
    with pytest.raises(SystemExit) as ended:
        cli.main()
    errors = capsys.readouterr().err
    assert ended.value.code == cli.BAD_INPUT
    assert message in errors and str(plan) in errors
    assert "Traceback" not in errors
    assert not (tmp_path / "j.sqlite").exists()


def test_absent_plan_and_device(tmp_path: Path) -> None:
    absent = meso("run", str(tmp_path / "none.toml"), "--device", "sim://")
    assert absent.returncode == cli.BAD_INPUT and "there is no such file" in absent.stderr
    journal = ("--journal", str(tmp_path / "j.sqlite"))
    device = meso("info", "--device", "/dev/ttyNONE7", *journal)
    assert device.returncode == cli.DEVICE and "/dev/ttyNONE7" in device.stderr and "Next:" in device.stderr
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    closed = meso("info", "--device", f"socket://127.0.0.1:{port}", *journal)
    assert closed.returncode == cli.DEVICE and "there is nothing there" in closed.stderr
    for done in (absent, device, closed):
        assert "Traceback" not in done.stderr and done.stdout == ""


def test_busy_port(tmp_path: Path) -> None:
    device = Paced(1, "cpython")
    try:
        with Injector.open(device.path, tmp_path / "a.sqlite"):
            with pytest.raises(PortBusy, match="held by another program"):
                Injector.open(device.path, tmp_path / "b.sqlite")
            done = meso("info", "--device", device.path, "--journal", str(tmp_path / "b.sqlite"))
            assert done.returncode == cli.DEVICE and "held by another program" in done.stderr
    finally:
        device.close()


@contextmanager
def something_else(says: bytes) -> Iterator[str]:
    """A pty on which something that is not ours answers every line."""
    master, slave = os.openpty()
    tty.setraw(slave)
    stop = threading.Event()

    def answer() -> None:
        while not stop.is_set():
            try:
                os.read(master, 1024)
                os.write(master, says)
            except OSError:
                return

    thread = threading.Thread(target=answer, daemon=True)
    thread.start()
    try:
        yield os.ttyname(slave)
    finally:
        stop.set()
        os.close(slave)
        os.close(master)


@pytest.mark.parametrize(
    ("says", "error", "words"),
    [
        (b">>> \r\nMicroPython v1.28\r\n>>> ", FirmwareNotRunning, "the firmware does not run"),
        (b"OK +CSQ: 20\r\n", DeviceNotFound, "does not answer as a mesoinjector"),
        (b"\0\x05abcd\0", DeviceNotFound, "does not answer as a mesoinjector"),
    ],
)
def test_not_ours(says: bytes, error: type[Exception], words: str, tmp_path: Path) -> None:
    with something_else(says) as path, pytest.raises(error, match=words):
        Injector.open(path, tmp_path / "j.sqlite")


def device_of_another_release(folder: Path, old: str, new: str, file: str, monkeypatch: pytest.MonkeyPatch) -> Piped:
    """The real device from a copy of its files in which one line is another."""
    for package in ("mesoprotocol", "mesofirmware", "mesosim"):
        shutil.copytree(rooms.ROOT / rooms.PACKAGES[package], folder / package)
    path = folder / file
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    monkeypatch.setenv("PYTHONPATH", str(folder))
    return Piped(1, "cpython")


@pytest.mark.requirement("SR-23")
@pytest.mark.parametrize(
    ("old", "new", "file", "words"),
    [
        ("MAJOR = 1", "MAJOR = 2", "mesoprotocol/wire.py", "speaks protocol version 2, this host version 1"),
        ("DOSE_MAX_NL = 200000", "DOSE_MAX_NL = 900000", "mesoprotocol/limits.py", "enforces other limits"),
    ],
)
def test_another_release(
    old: str, new: str, file: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    device = device_of_another_release(tmp_path, old, new, file, monkeypatch)
    try:
        link, journal = SimulatedLink("sim://other", device, 1), Journal(tmp_path / "j.sqlite")
        with pytest.raises(VersionMismatch, match=words) as raised:
            Injector(link, journal)
        assert "Next:" in str(raised.value)
        assert device.control("account")["plunger_steps"] == 0
    finally:
        device.close()


def test_a_report_that_cannot_be_written_is_said_before_anything_is_given(tmp_path: Path) -> None:
    plan = tmp_path / "plan.toml"
    plan.write_text(GOOD)
    done = meso("run", str(plan), "--device", "sim://", "--report", str(tmp_path / "none" / "report.html"))
    assert done.returncode == cli.BAD_INPUT and "cannot be written" in done.stderr


def test_a_journal_that_cannot_be_written(tmp_path: Path) -> None:
    plan = tmp_path / "plan.toml"
    plan.write_text(GOOD)
    (tmp_path / "j.sqlite").write_bytes(b"this is not a database, and longer than a header of one would have to be" * 4)
    arguments = ("--journal", str(tmp_path / "j.sqlite"), "--report", str(tmp_path / "r.html"))
    done = meso("run", str(plan), "--device", "sim://", *arguments)
    assert done.returncode == cli.DEVICE and "journal" in done.stderr and "Traceback" not in done.stderr


def test_a_report_replaces_nothing_but_a_file(tmp_path: Path) -> None:
    """A device node or a pipe that is named by mistake is left as it is."""
    plan, pipe = tmp_path / "plan.toml", tmp_path / "pipe"
    plan.write_text(GOOD)
    os.mkfifo(pipe)
    done = meso("run", str(plan), "--device", "sim://", "--report", str(pipe))
    assert done.returncode == cli.BAD_INPUT
    assert "is no file" in done.stderr
    assert pipe.is_fifo()
    with pytest.raises(OSError, match="is no file"):
        write_report(TreatmentRecord("plan", "uid", "0", "cpython", "now", True), pipe)
    assert pipe.is_fifo()


def test_a_treatment_that_fails_says_what_was_delivered(tmp_path: Path) -> None:
    (tmp_path / "plan.toml").write_text(SHORT)
    where = ["--device", "sim://cpython?seed=1&mounted=nothing", "--report", str(tmp_path / "r.html")]
    done = meso("run", str(tmp_path / "plan.toml"), *where)
    assert done.returncode == cli.DEVICE and "Prepare was refused" in done.stderr
    assert "Delivered 0.00 ul to 0.00 ul in 0 doses, 0 punctures." in done.stderr


@pytest.mark.skipif(os.name != "posix", reason="the size of files is limited on POSIX only")
def test_what_was_given_is_told_though_no_disk_takes_the_report(tmp_path: Path) -> None:
    (tmp_path / "plan.toml").write_text(SHORT)
    where = ["plan.toml", "--device", "sim://cpython?seed=1", "--report", "r.html", "--json"]
    small = "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (8192, 8192)); "
    small += "from mesoinjector import cli; sys.argv[0] = 'mesoinjector'; cli.main()"
    words = [sys.executable, "-c", small, "run", *where]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0 and "the report could not be written (File too large)" in done.stderr
    assert [dose["result"] for dose in json.loads(done.stdout)["doses"]] == ["Delivered"] * 2


@pytest.mark.parametrize("huge", [str(10**400), "[" * 5000])
def test_a_plan_that_is_too_much(huge: str, tmp_path: Path) -> None:
    plan = tmp_path / "plan.toml"
    plan.write_text(GOOD.replace("points = 8", f"points = {huge}", 1))
    done = meso("run", str(plan), "--device", "sim://")
    assert done.returncode == cli.BAD_INPUT
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "url", ["sim://[", "sim://?seed=x", "sim://?speed=1", "sim://pypy", "socket://nowhere", "socket://"]
)
def test_addresses_that_are_none(url: str, tmp_path: Path) -> None:
    with pytest.raises(DeviceNotFound):
        Injector.open(url, tmp_path / "j.sqlite")
