"""`mesoinjector sim serve`: two doors to one device, one client at a time, live faults, two devices, and an end."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from mesoinjector import Delivered, Injector, PortBusy
from mesosim.serve import Places

Serve = Callable[..., tuple[subprocess.Popen[str], list[str]]]


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """Start it in tmp_path; the process and its first line for each device."""
    running: list[subprocess.Popen[str]] = []

    def start(*options: str, devices: int = 1) -> tuple[subprocess.Popen[str], list[str]]:
        command = [sys.executable, "-m", "mesoinjector", "sim", "serve", "--runtime", "cpython", *options]
        if devices > 1:
            command += ["--devices", str(devices)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path)
        running.append(process)
        assert process.stdout
        lines = [process.stdout.readline() for _ in range(devices)]
        assert all(lines), process.communicate()
        return process, lines

    yield start
    for process in running:
        process.terminate()
        process.communicate(timeout=30)


class Control:
    """A client of the control socket."""

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(30)
        self._socket.connect(str(path))
        self._lines = self._socket.makefile("rw")

    def __enter__(self) -> Control:
        return self

    def __exit__(self, *_: object) -> None:
        self._lines.close()
        self._socket.close()

    def say(self, line: str) -> list[Any]:
        self._lines.write(line + "\n")
        self._lines.flush()
        answer: list[Any] = json.loads(self._lines.readline())
        return answer

    def __call__(self, name: str, value: int = 0) -> Any:
        error, result = self.say(json.dumps([name, value]))
        assert error is None
        return result


def address(line: str) -> str:
    return next(word for word in line.split() if word.startswith("socket://"))


def test_both_doors_lead_to_one_device_with_faults_while_a_client_is_connected(serve: Serve, tmp_path: Path) -> None:
    _, (line,) = serve("--pty", "injector", "--tcp", "127.0.0.1:0", "--control", "injector.ctl")
    with Injector.open(str(tmp_path / "injector"), tmp_path / "j.sqlite") as injector:
        injector.begin_treatment()
        primed = injector.prime(0.1)
    assert isinstance(primed, Delivered) and primed.complete
    with Injector.open(address(line), tmp_path / "j.sqlite") as injector, Control(tmp_path / "injector.ctl") as control:
        assert injector.hello.next_n == 2
        injector.begin_treatment()
        injector.prime(0.1)
        control("blocked", 1)
        occluded = injector.dose(volume_ml=0.02, depth_mm=1.0, zone="cheek")
        account = control("account")
        assert occluded.reason == "occlusion" and account["needle_home"]
    with Control(tmp_path / "injector.ctl") as control:  # the next one
        assert control("account")["tip_nl"] == account["tip_nl"]
        assert control.say("[1") == control.say("5") == ["must be a JSON list: [name, value]", None]
        assert control.say('["blocked"]') == ["must be a JSON list: [name, value]", None]
        assert control.say('["unheard of", 1]')[0] == "unknown control 'unheard of'"
        assert control.say('[7, "x"]')[0] == "unknown control 7"
        assert control.say("[" * 30_000) == ["nested too deeply", None]
        assert control.say('["set", 5]')[0].startswith("set 5: must be a symbol and thousandths")
        assert control.say('["blocked", "x"]')[0] == "blocked 'x': must be a whole number, 0 to 1"
        assert control.say('["release_after_us", -5]')[0].endswith("must be a whole number, 0 to 60000000")
        assert control("account")["tip_nl"] == account["tip_nl"]


def test_one_client_at_a_time_and_the_second_is_told(serve: Serve, tmp_path: Path) -> None:
    _, (line,) = serve("--pty", "injector", "--tcp", "127.0.0.1:0")
    url, pty = address(line), str(tmp_path / "injector")
    with Injector.open(url, tmp_path / "j.sqlite") as first:
        for _ in range(2):
            with pytest.raises(PortBusy, match="another client holds this device"):
                Injector.open(url, tmp_path / "other.sqlite")
        with pytest.raises(PortBusy):
            Injector.open(pty, tmp_path / "other.sqlite")
        assert first.status().next_n == 1
        assert first.losses() == (0, 0, 0, 0)
    with Injector.open(pty, tmp_path / "j.sqlite") as first:
        with pytest.raises(PortBusy, match="another client holds this device"):
            Injector.open(url, tmp_path / "other.sqlite")
        assert first.status().next_n == 1
    with Injector.open(url, tmp_path / "j.sqlite") as again:
        assert again.status().next_n == 1


def test_two_devices_have_places_and_ledgers_of_their_own(serve: Serve, tmp_path: Path) -> None:
    options = ("--pty", "injector", "--tcp", "127.0.0.1:0", "--control", "injector.ctl", "--seed", "7")
    process, lines = serve(*options, devices=2)
    assert [f"seed {seed})" in line for seed, line in zip((7, 8), lines, strict=True)] == [True, True]
    with (
        Injector.open(address(lines[0]), tmp_path / "j.sqlite") as one,
        Injector.open(str(tmp_path / "injector-2"), tmp_path / "j.sqlite") as two,
        Control(tmp_path / "injector.ctl") as first,
        Control(tmp_path / "injector-2.ctl") as second,
    ):
        assert one.uid != two.uid
        two.begin_treatment()
        two.prime(0.1)
        assert (one.status().next_n, two.status().next_n) == (1, 2)
        assert first("account")["tip_nl"] == 0 < second("account")["tip_nl"]
    process.terminate()
    assert process.wait(timeout=30) == 0
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_symlink() or path.is_socket()) == []


def test_the_places_of_another_device() -> None:
    places = Places(Path("a/injector"), "127.0.0.1:7000", Path("a/injector.ctl"))
    assert places.nth(0) == places
    assert places.nth(2) == Places(Path("a/injector-3"), "127.0.0.1:7002", Path("a/injector-3.ctl"))
    assert Places(tcp=":0").nth(1) == Places(tcp="127.0.0.1:0")


def test_a_device_that_was_killed_ends_it_with_an_error(serve: Serve) -> None:
    process, _ = serve("--pty", "injector", "--tcp", "127.0.0.1:0")
    (child,) = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    os.kill(int(child), signal.SIGKILL)
    _, said = process.communicate(timeout=30)
    assert process.returncode == 3
    assert "the simulated device died, exit code -9" in " ".join(said.split())


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ((), "name a --pty, a --tcp address, or both"),
        (("--tcp", "nowhere"), "--tcp nowhere: must be HOST:PORT, port 0 to 65535"),
        (("--tcp", "127.0.0.1:65535", "--devices", "2"), "port"),
        (("--pty", "injector", "--control", "taken"), "--control taken: exists, and is no socket"),
        (("--pty", "taken"), "File exists"),
        (("--pty", "injector", "--speed", "5"), "less than or equal to 2"),
        (("--pty", "injector", "--runtime", "wasm"), "in lock step over pipes only"),
    ],
)
def test_bad_input_serves_nothing(tmp_path: Path, options: tuple[str, ...], said: str) -> None:
    (tmp_path / "taken").write_text("mine")
    command = [sys.executable, "-m", "mesoinjector", "sim", "serve", *options]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False, timeout=60)
    assert done.returncode == 2 and said in " ".join(done.stderr.split())
    assert (tmp_path / "taken").read_text() == "mine"
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]
