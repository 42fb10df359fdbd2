"""Finding a device by USB: what the system lists is data, behind each port is a pty with something on it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from serial.tools.list_ports_common import ListPortInfo
from typer.testing import CliRunner

from mesoinjector import (
    AsyncInjector,
    DeviceNotFound,
    FirmwareNotRunning,
    Injector,
    InsufficientSelector,
    PortBusy,
    finding,
)
from mesoinjector.cli import app
from mesoinjector.finding import UsbLink, Wanted
from mesoinjector.journal import Journal
from mesoinjector.machine import Machine
from mesosim.runtime import Paced
from tests.host.ports import PROMPT, Answering, listed


@pytest.fixture
def device() -> Iterator[Callable[[int], Paced]]:
    """Starts simulated devices; one of seed n has the uid 4d53494d0n000000."""
    with contextlib.ExitStack() as stack:
        yield lambda seed: stack.enter_context(contextlib.closing(Paced(seed, "cpython")))


@pytest.fixture
def prompt() -> Iterator[Answering]:
    with contextlib.closing(Answering(lambda data: PROMPT)) as board:
        yield board


def machine(root: Path, *ports: ListPortInfo) -> Machine:
    """A computer with these ports, on which no other program runs."""
    return Machine(root, lambda: ports)


def test_candidates_are_micropython_ports_and_of_macos_names_the_one_that_does_not_wait() -> None:
    ports = [
        listed("/dev/ttyACM1", "e66b"),
        listed("/dev/ttyACM0", None),
        listed("/dev/ttyACM2", "1", 0x2341, 0x0043),
        listed("/dev/ttyACM3", "1", 0x2E8A, 0x000A),
        listed("/dev/ttyS0", None, None, None),
        listed("/dev/tty.usbmodem101", "E66B"),
        listed("/dev/cu.usbmodem101", "E66B"),
    ]
    assert [each[:2] for each in finding.candidates(ports)] == [
        ("/dev/cu.usbmodem101", "E66B"),
        ("/dev/ttyACM0", ""),
        ("/dev/ttyACM1", "E66B"),
    ]


def test_the_only_one_is_opened_and_found_again_under_another_name(
    device: Callable[[int], Paced], tmp_path: Path
) -> None:
    one, other, renamed = device(1), device(2), tmp_path / "ttyACM7"
    renamed.symlink_to(one.path)
    there = [listed(one.path, "A1")]
    link = UsbLink("usb:", Machine(tmp_path, lambda: there))
    with Injector(link, Journal(tmp_path / "j.sqlite")) as injector:
        uid = injector.uid
        there[:] = [listed(other.path, "A2"), listed(str(renamed), "A1")]
        injector.reconnect(within_s=1)
        assert (link.url, injector.uid) == (str(renamed), uid)
        there[:] = [listed(other.path, "A2")]
        with pytest.raises(DeviceNotFound, match=f"no mesoinjector with serial A1 and uid {uid} is connected"):
            injector.reconnect(within_s=0)
        there[:] = [listed(other.path, "A1")]  # another device under its number
        with pytest.raises(DeviceNotFound, match=f"serial A1 and uid {uid} has answered.*: uid "):
            injector.reconnect(within_s=0)
        injector.journal.close()


def test_commands_and_asyncio_take_the_only_device(
    device: Callable[[int], Paced], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    only = machine(tmp_path, listed(device(1).path, "A1"))
    monkeypatch.setattr(finding, "Machine", lambda: only)
    done = CliRunner().invoke(app, ["info", "--json", "--journal", str(tmp_path / "j.sqlite")])
    assert done.exit_code == 0 and json.loads(done.stdout)["uid"] == "4d53494d01000000"

    async def look() -> str:
        async with await AsyncInjector.open("usb:serial=A1", tmp_path / "j.sqlite") as injector:
            return injector.uid

    assert asyncio.run(look()) == "4d53494d01000000"


def test_of_two_one_must_be_named_by_serial_or_uid(device: Callable[[int], Paced], tmp_path: Path) -> None:
    one, two = device(1), device(2)
    both = machine(tmp_path, listed(one.path, "A1"), listed(two.path, "A2"))
    with pytest.raises(InsufficientSelector, match=r"serial A1.* and .*serial A2.*Next.*usb:serial=A"):
        UsbLink("usb:", both)
    link = UsbLink("usb:serial=a2", both)
    link.close()
    assert link.url == two.path
    uid = finding.look(finding.candidates(both.ports())[0], both).answer
    assert uid and uid.uid
    link = UsbLink(f"usb:uid={uid.uid}", both)
    link.close()
    assert link.url == finding.candidates(both.ports())[0].port


def test_what_is_no_mesoinjector_is_passed_over(
    device: Callable[[int], Paced], prompt: Answering, tmp_path: Path
) -> None:
    one = device(1)
    there = machine(tmp_path, listed(one.path, "A1"), listed(prompt.path, "B1"))
    link = UsbLink("usb:", there)
    link.close()
    assert link.url == one.path
    assert not {3, 4, 5}.intersection(prompt.heard)
    with pytest.raises(FirmwareNotRunning, match="flash the firmware again"):
        UsbLink("usb:serial=B1", there)
    with pytest.raises(DeviceNotFound, match=r"no mesoinjector with uid 00.*the firmware does not run.*doctor"):
        UsbLink("usb:uid=00", there)


def test_one_that_is_held_might_be_meant(device: Callable[[int], Paced], tmp_path: Path) -> None:
    one, two = device(1), device(2)
    there = machine(tmp_path, listed(one.path, "A1"), listed(two.path, "A2"))
    holder = UsbLink("usb:serial=A1", there)
    with pytest.raises(InsufficientSelector):
        UsbLink("usb:", there)
    with pytest.raises(PortBusy, match=rf"{one.path} is held by another program: .*\(pid {os.getpid()}\)"):
        UsbLink("usb:serial=A1", there)
    with contextlib.closing(UsbLink("usb:serial=A2", there)) as link:
        assert link.url == two.path
    holder.close()


def test_a_held_port_gets_not_one_byte_and_says_who_holds_it(prompt: Answering, tmp_path: Path) -> None:
    held = f"import os,sys; os.open({prompt.path!r}, os.O_RDWR | os.O_NOCTTY); print(flush=True); sys.stdin.read()"
    line = [sys.executable, "-c", held, "monitor"]
    with subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout and process.stdout.readline()
        there = Machine(Path("/"), lambda: [listed(prompt.path, "B1")])
        holders = there.holders(prompt.path) or []
        assert [each.pid for each in holders if each.command.endswith("monitor")] == [process.pid]
        with pytest.raises(PortBusy, match=rf"monitor \(pid {process.pid}\).*Next: close"):
            UsbLink("usb:", there)
        process.communicate()
    assert prompt.heard == b""


def test_nothing_there_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(DeviceNotFound, match="plug it in by a cable that carries data; run `mesoinjector doctor`"):
        UsbLink("usb:", machine(tmp_path))
    with pytest.raises(DeviceNotFound, match="no mesoinjector with serial AB is connected"):
        UsbLink("usb:serial=ab", machine(tmp_path, listed("/dev/ttyACM0", "CD")))


@pytest.mark.parametrize("url", ["usb:A1", "usb:port=1", "usb:serial=", "usb://1"])
def test_another_selector_is_refused(url: str) -> None:
    with pytest.raises(DeviceNotFound, match="must be usb:, usb:serial=NUMBER or usb:uid=ID"):
        Wanted.read(url)
