"""How long STOP waits in each mode, by counted calls: for what runs when it comes, and for its own bytes."""

from __future__ import annotations

from pathlib import Path

import pytest

from mesofirmware import link as link_
from mesosim.lab import scenario
from mesosim.lab.play import Play as Scenario
from mesosim.lab.schedules import cover
from mesosim.lab.schedules.play import Play
from mesosim.rp2.twin import TwinWorld
from tests.bench_of_one import Bench
from tests.judges import counted, session
from tests.rp2 import calls
from tests.summary import TOLD

STOP_US = 5_000
"""SR-27: from STOP's last byte to where its handling begins."""


ASKED = [message for message in cover.SCENES if message not in ("Stop", "Clear", "Ack", "AlarmEvent")]
"""Messages whose scenes follow each other; the others would end them, and the scenarios have them."""


def everything_asked(journal: Path) -> counted.TimedDevice:
    """A device with keys that was asked all that there is."""
    device = counted.TimedDevice(1)
    Bench(device, journal).keyed().journal.close()
    play = Play(device)
    done = set()
    for message in ASKED:
        for act in [*cover.SCENES[message][0], *cover.SCENES[message][1]]:
            if act not in done or act.what == "connect":
                play.do(act)
            done.add(act)
    return device


def homed(journal: Path) -> counted.TimedDevice:
    """A device with nothing mounted whose axes were brought to their origins."""
    device = counted.TimedDevice(1)
    for mounted in ("syringe", "cartridge"):
        device.control(mounted, 0)
    assert Bench(device, journal).connect().home().complete
    return device


def timed_over_all(folder: Path) -> tuple[dict[str, int], dict[str, int]]:
    """The longest that the line goes unseen by mode, and what STOP's own bytes take, over all that is packaged."""
    longest: dict[str, int] = {}
    stopped: dict[str, int] = {}
    device = counted.TimedDevice(1)
    session.give(device, folder / "timed.sqlite")
    devices = [device, everything_asked(folder / "asked.sqlite"), homed(folder / "homed.sqlite")]
    for name in scenario.names():
        devices.append(counted.TimedDevice(1))
        Scenario(scenario.load(name), 1, devices[-1]).run()
    for each in devices:
        for kept, found in ((longest, each.world.timed.longest_us), (stopped, each.world.timed.stopped_us)):
            for mode, us in found.items():
                kept[mode] = max(kept.get(mode, 0), us)
    return longest, stopped


def taken_by_link() -> dict[str, int]:
    """What the board file's link takes, by what it does: one byte a call of MicroPython's port, see docs/DESIGN.md."""
    world = calls.twin().world
    assert isinstance(world, TwinWorld)
    link, port = world._pico._link, world._port
    stop = link_.Link(world._pico, lambda: None)._stop
    buf = bytearray(64)
    us = {"a look that finds nothing": counted.link_us(lambda: link.receive(buf))}
    port.received.held = bytes([0, *stop, 0])
    us["STOP's own bytes"] = counted.link_us(lambda: link.receive(buf))
    assert buf[1 : len(stop) + 1] == stop
    port.received.held = bytes(64)
    us["64 bytes before it"] = counted.link_us(lambda: link.receive(buf))
    us["taking a frame to send"] = counted.link_us(lambda: link.send(bytearray(245), 245))
    assert not port.sent.held
    us["a turn of sending"] = counted.link_us(link.flush)
    assert port.sent.held
    return us


def stop_us(timed: tuple[dict[str, int], dict[str, int]], taken: dict[str, int]) -> dict[str, int]:
    """STOP's latency at worst, by mode."""
    longest, stopped = timed
    begun = max(stopped.values()) + taken["a look that finds nothing"] + taken["STOP's own bytes"]
    return {mode: us + begun for mode, us in longest.items()}


@pytest.fixture(scope="module")
def timed(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, int], dict[str, int]]:
    return timed_over_all(tmp_path_factory.mktemp("timed"))


@pytest.fixture(scope="module")
def taken() -> dict[str, int]:
    return taken_by_link()


@pytest.mark.requirement("SR-27")
def test_stop_is_handled_in_time(
    timed: tuple[dict[str, int], dict[str, int]], taken: dict[str, int], record_property: pytest.RecordProperty
) -> None:
    latency = stop_us(timed, taken)
    lines = [f"{mode:30} {us / 1000:6.1f} ms" for mode, us in sorted(latency.items())]
    record_property(TOLD, ["latency of STOP, at worst, by counted calls, doubled for silicon", *lines])
    assert {"dose: running", "prime: running", "run: running", "run: held", "home: running"} <= latency.keys()
    for mode, us in latency.items():
        assert us <= STOP_US, mode


@pytest.mark.requirement("SR-27")
def test_the_board_reads_a_byte_in_two_calls_and_sends_between_steps(
    taken: dict[str, int], record_property: pytest.RecordProperty
) -> None:
    lines = [f"{what:30} {us / 1000:6.1f} ms" for what, us in taken.items()]
    record_property(TOLD, ["what the board's link takes: a look and STOP's own bytes are in its latency", *lines])
    assert taken["64 bytes before it"] < 3000
    assert taken["taking a frame to send"] < 500 and taken["a turn of sending"] < 1000


def test_a_slower_firmware_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counted, "CALL_US", 3 * counted.CALL_US)
    device = counted.TimedDevice(1)
    Bench(device, tmp_path / "journal.sqlite").ready().dose(0.02, depth_mm=1.0, zone="cheek")
    assert device.world.timed.longest_us["dose: running"] > STOP_US
