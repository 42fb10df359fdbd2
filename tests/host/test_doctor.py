"""What is in the way of a device, found: a folder is the computer, ptys are its ports, a pyusb backend is its USB."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from mesoinjector import (
    DeviceNotFound,
    FirmwareNotRunning,
    InsufficientSelector,
    LinkError,
    PortBusy,
    doctor,
    udev_rule,
)
from mesoinjector.cli import app, devices
from mesoinjector.doctor import Check
from mesoinjector.finding import UsbLink, candidates
from mesoinjector.machine import Machine
from mesoinjector.opening import mismatch
from mesoprotocol import messages
from mesosim.runtime import Paced
from tests.bench_of_one import Bench
from tests.host.ports import PROMPT, Answering, listed, reply

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
NOBODY = 65534


@pytest.fixture
def board() -> Iterator[Callable[[Callable[[bytes], bytes]], Answering]]:
    """Makes ptys that answer."""
    with contextlib.ExitStack() as stack:
        yield lambda answer: stack.enter_context(contextlib.closing(Answering(answer)))


@pytest.fixture
def device() -> Iterator[Paced]:
    with contextlib.closing(Paced(1, "cpython")) as paced:
        yield paced


def machine(root: Path, *ports: str, usb: Any = None) -> Machine:
    """A Linux computer with these ports; what runs on it is what lies in root/proc."""
    there = [listed(port, f"A{i}") for i, port in enumerate(ports, 1)]
    return Machine(root, lambda: there, is_linux=True, usb=usb)


def process(root: Path, pid: int, name: str, *files: str, words: str = "") -> None:
    """A running program as /proc shows it."""
    folder = root / "proc" / str(pid)
    (folder / "fd").mkdir(parents=True)
    (folder / "comm").write_text(f"{name}\n")
    (folder / "cmdline").write_text(words.replace(" ", "\0") + "\0")
    for i, file in enumerate(files):
        (folder / "fd" / str(i)).symlink_to(file)


def examined(computer: Machine, name: str, journal: Path | None = None, now: datetime = NOW) -> Check:
    (found,) = [
        each for each in doctor.examine(computer, journal or computer.root / "j.sqlite", now) if each.name == name
    ]
    return found


@pytest.mark.parametrize("year", [1970, 2025, 2100])
def test_a_clock_that_cannot_be_right(tmp_path: Path, year: int) -> None:
    found = examined(machine(tmp_path), "clock", now=NOW.replace(year=year))
    assert (found.verdict, found.said) == ("wrong", f"{year}-11-22 12:00 UTC cannot be")
    assert "set the computer's date" in found.cure


def test_a_clock_that_was_set_back_behind_the_journal(tmp_path: Path) -> None:
    journal = tmp_path / "j.sqlite"
    journal.touch()
    os.utime(journal, (NOW.timestamp(), NOW.timestamp()))
    assert examined(machine(tmp_path), "clock", now=NOW - timedelta(minutes=50)).verdict == "ok"
    found = examined(machine(tmp_path), "clock", now=NOW - timedelta(hours=2))
    assert (
        found.verdict == "wrong" and "2026-11-22 10:00 UTC, but the journal was written 2026-11-22 12:00" in found.said
    )


def test_a_journal_that_could_not_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    computer = machine(tmp_path)
    assert examined(computer, "journal", tmp_path / "not yet" / "there" / "j.sqlite").verdict == "ok"
    assert not (tmp_path / "not yet").exists()
    (tmp_path / "file").touch()
    found = examined(computer, "journal", tmp_path / "file" / "j.sqlite")
    assert (found.verdict, found.said) == ("wrong", f"{tmp_path / 'file'} cannot be written")
    found = examined(computer, "journal", tmp_path)
    assert found.verdict == "wrong" and "--journal" in found.cure
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=doctor.ROOM - 1))
    found = examined(computer, "journal")
    assert found.verdict == "wrong" and "free 100 MB there" in found.cure


def test_no_device_is_the_cables_matter(tmp_path: Path) -> None:
    found = examined(machine(tmp_path), "devices")
    assert found.verdict == "wrong" and "carries data" in found.cure


def test_the_rule_is_not_installed_an_old_one_or_this_one(tmp_path: Path, device: Paced) -> None:
    computer = machine(tmp_path, device.path)
    found = examined(computer, "udev rule")
    assert found.verdict == "note" and f"sudo cp {udev_rule.file()} /etc/udev/rules.d/" in found.cure
    old = tmp_path / "usr/lib/udev/rules.d" / udev_rule.NAME
    old.parent.mkdir(parents=True)
    old.write_text("# older")
    assert examined(computer, "udev rule").said == f"{old} is not this release's"
    new = tmp_path / "etc/udev/rules.d" / udev_rule.NAME
    new.parent.mkdir(parents=True)
    shutil.copy(udev_rule.file(), new)
    assert examined(computer, "udev rule") == Check("udev rule", "ok", str(new))


def test_the_rule_says_what_it_must() -> None:
    lines = [line for line in udev_rule.file().read_text().splitlines() if not line.startswith("#")]
    assert len(lines) == 2 and all('"2e8a"' in line for line in lines)
    assert all(line.endswith('TAG+="uaccess", ENV{ID_MM_DEVICE_IGNORE}="1"') for line in lines)
    assert udev_rule.NAME < "73-seat-late.rules"


def test_modem_manager_is_in_the_way_until_the_rule_keeps_it_away(tmp_path: Path, device: Paced) -> None:
    computer = machine(tmp_path, device.path)
    assert examined(computer, "ModemManager").verdict == "ok"
    process(tmp_path, 812, "ModemManager", words="/usr/sbin/ModemManager")
    found = examined(computer, "ModemManager")
    assert found.verdict == "wrong" and "/usr/sbin/ModemManager (pid 812)" in found.said
    rule = tmp_path / "etc/udev/rules.d" / udev_rule.NAME
    rule.parent.mkdir(parents=True)
    shutil.copy(udev_rule.file(), rule)
    assert examined(computer, "ModemManager").verdict == "ok"


def test_what_only_linux_has_is_not_asked_elsewhere(tmp_path: Path, device: Paced) -> None:
    process(tmp_path, 812, "ModemManager", device.path)
    computer = dataclasses.replace(machine(tmp_path, device.path), is_linux=False)
    checks = {each.name: each for each in doctor.examine(computer, tmp_path / "j.sqlite", NOW)}
    assert checks[device.path].verdict == "ok" and computer.holders(device.path) is None
    assert not {"udev rule", "ModemManager"} & set(checks)


def test_a_device_in_order_says_who_it_is(tmp_path: Path, device: Paced) -> None:
    found = examined(machine(tmp_path, device.path), device.path)
    assert found == Check(device.path, "ok", "mesoinjector 4d53494d01000000, firmware 0.1.0, idle")


def test_a_held_port_is_not_touched_and_its_holder_named(tmp_path: Path, board: Callable[..., Answering]) -> None:
    port = board(lambda data: PROMPT)
    process(tmp_path, 7, "python3", "/dev/null", words="python3 other.py")
    process(tmp_path, 41, "screen", "/dev/null", port.path, words=f"screen {port.path}")
    found = examined(machine(tmp_path, port.path), port.path)
    assert found.verdict == "wrong" and found.said.endswith(f"is held by screen {port.path} (pid 41).")
    assert found.cure == "close that one." and port.heard == b""


@pytest.mark.parametrize(
    ("answer", "said", "cure"),
    [
        (lambda data: PROMPT, "the firmware does not run", "restart the device"),
        (lambda data: b"Traceback (most recent call last):\r\nOSError: 5", "OSError: 5", "flash the firmware again"),
        (lambda data: b"", "does not answer as a mesoinjector", "right port"),
        (lambda data: data, "does not answer as a mesoinjector", "right port"),
    ],
)
def test_what_answers_instead_of_a_device(
    tmp_path: Path, board: Callable[..., Answering], answer: Callable[[bytes], bytes], said: str, cure: str
) -> None:
    port = board(answer)
    found = examined(machine(tmp_path, port.path), port.path)
    assert found.verdict == "wrong" and said in found.said and cure in found.cure


@pytest.mark.parametrize(("majors", "side"), [((2, 2), "update this host"), ((0, 0), "update the device's firmware")])
def test_versions_that_do_not_fit(
    tmp_path: Path, here: Bench, board: Callable[..., Answering], majors: tuple[int, int], side: str
) -> None:
    told = here.connect().hello._replace(major_min=majors[0], major_max=majors[1])
    port = board(lambda data: reply(data, told))
    found = examined(machine(tmp_path, port.path), port.path)
    assert found.verdict == "wrong" and side in found.cure
    assert mismatch("", told) and isinstance(told, messages.HelloReply)


def test_a_port_that_this_user_may_not_open(board: Callable[..., Answering]) -> None:
    port = board(lambda data: PROMPT)
    os.chmod(port.path, 0)
    computer = machine(Path("/nonexistent"), port.path)
    me = os.geteuid()
    if me == 0:  # root may open anything, and nobody may not load what lies in root's folders
        __import__("grp")
        os.seteuid(NOBODY)
    try:
        (found,) = [each for each in doctor.examine(computer, Path("/nonexistent/j"), NOW) if each.name == port.path]
    finally:
        os.seteuid(me)
    assert found.verdict == "wrong" and "may not be opened by this user" in found.said and ", mode 0." in found.said
    assert found.cure.startswith("install the udev rule (mesoinjector doctor --fix), or ") and "group" in found.cure


# --- Reset -------------------------------------------------------------------------------------------------


@pytest.fixture
def usb() -> Any:
    pytest.importorskip("usb", reason="pyusb is not installed: pip install 'mesoinjector[usb]'")
    pytest.importorskip("libusb_package", reason="libusb-package is not installed: pip install 'mesoinjector[usb]'")
    from tests.host import usb_backend

    return usb_backend.Bus([usb_backend.Board(0x0005, "A1"), usb_backend.Board(0x000F, "B1")])


def test_a_board_in_its_bootloader_is_seen(tmp_path: Path, usb: Any, device: Paced) -> None:
    found = examined(machine(tmp_path, usb=usb), "bootloader")
    assert (found.verdict, found.said) == ("wrong", "in the bootloader: RP2350 B1")
    found = examined(machine(tmp_path, device.path, usb=usb), "bootloader")
    assert found.verdict == "note"  # it may be somebody else's
    usb.boards.pop()
    assert examined(machine(tmp_path, usb=usb), "bootloader").verdict == "ok"


def test_a_line_that_stays_silent_is_reset(tmp_path: Path, usb: Any, board: Callable[..., Answering]) -> None:
    computer = machine(tmp_path, board(lambda data: b"").path, usb=usb)
    doctor.free(candidates(computer.ports())[0], computer, quiet_us=100_000)
    assert usb.was_reset == ["A1"]


def test_a_device_that_answers_is_not_reset(tmp_path: Path, usb: Any, device: Paced) -> None:
    computer = machine(tmp_path, device.path, usb=usb)
    (there,) = candidates(computer.ports())
    with pytest.raises(LinkError, match=r"answers \(idle\): its line is not stuck"):
        doctor.free(there, computer, quiet_us=0)
    with contextlib.closing(UsbLink("usb:", computer)), pytest.raises(PortBusy):
        doctor.free(there, computer, quiet_us=0)
    assert usb.was_reset == []


def test_nor_is_one_whose_firmware_does_not_run_or_that_answers_late(
    tmp_path: Path, usb: Any, board: Callable[..., Answering], here: Bench
) -> None:
    computer = machine(tmp_path, board(lambda data: PROMPT).path, usb=usb)
    with pytest.raises(FirmwareNotRunning):
        doctor.free(candidates(computer.ports())[0], computer, quiet_us=0)
    told, silence = here.connect().hello, [b""] * 4
    computer = machine(tmp_path, board(lambda data: silence.pop() if silence else reply(data, told)).path, usb=usb)
    with pytest.raises(LinkError, match="answers"):
        doctor.free(candidates(computer.ports())[0], computer, quiet_us=3_000_000)
    assert usb.was_reset == []


# --- The commands ------------------------------------------------------------------------------------------


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Runs a command on a computer with these ports."""

    def call(*words: str, ports: tuple[str, ...] = (), usb: Any = None) -> Any:
        computer = machine(tmp_path, *ports, usb=usb)
        monkeypatch.setattr(devices, "Machine", lambda: computer)
        return CliRunner().invoke(app, [*words])

    return call


def test_devices_lists_each_with_what_it_said(
    run: Callable[..., Any], usb: Any, device: Paced, board: Callable[..., Answering]
) -> None:
    prompt = board(lambda data: PROMPT)
    done = run("devices", "--json", ports=(device.path, prompt.path), usb=usb)
    rows = {row["serial"]: row for row in json.loads(done.stdout)["devices"]}
    assert {key: rows["A1"][key] for key in ("port", "mode", "uid", "firmware", "state", "held_by", "said")} == {
        "port": device.path,
        "mode": "firmware",
        "uid": "4d53494d01000000",
        "firmware": "0.1.0",
        "state": "idle",
        "held_by": [],
        "said": "",
    }
    assert rows["A2"]["mode"] == "micropython" and "does not run" in rows["A2"]["said"]
    assert (rows["B1"]["mode"], rows["B1"]["product"]) == ("bootloader", "RP2350")
    table = run("devices", ports=(device.path,), usb=usb).stdout
    assert "4d53494d01000000" in table and "bootloader" in table and "waits for firmware" in table


def test_doctor_ends_with_three_where_something_is_wrong(
    run: Callable[..., Any], tmp_path: Path, usb: Any, device: Paced
) -> None:
    usb.boards.pop()
    journal = ("--journal", str(tmp_path / "j.sqlite"))
    well = run("doctor", *journal, ports=(device.path,), usb=usb)
    assert well.exit_code == 0 and "mesoinjector 4d53494d01000000" in well.stdout
    assert udev_rule.file().read_text() in well.stdout  # it is not installed
    ill = run("doctor", "--json", *journal, usb=usb)
    checks = {each["name"]: each for each in json.loads(ill.stdout)["checks"]}
    assert ill.exit_code == 3 and checks["devices"]["verdict"] == "wrong" and checks["devices"]["cure"]


def test_reset_names_a_device_that_is_there(run: Callable[..., Any], usb: Any) -> None:
    done = run("doctor", "--reset", "C1", usb=usb)
    assert isinstance(done.exception, DeviceNotFound) and usb.was_reset == []
    assert not isinstance(done.exception, InsufficientSelector)
