"""The production line: many boards at once, and what goes wrong with one. Threads are real, time is virtual."""

from __future__ import annotations

import csv
import json
import logging
import os
import re
import stat
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from mesoinjector import Injector, LinkLost, PlanError, durable
from mesoinjector.cli import app
from mesoinjector.connection import STOP_BYTES
from mesoinjector.journal import Journal
from mesoinjector.key_keeping import Keeper, KeyCommand, KeyFolder
from mesoinjector.keys import Key
from mesoinjector.production import Line, Settings
from mesoinjector.production_record import Accuracy, Board, Made, Weighed
from mesoinjector.production_register import Register
from mesoinjector.production_tests import Dry
from mesoinjector.simulated import SimulatedLink
from mesoprotocol import wire
from mesosim import runtime as simulator
from tests.bench_of_one import REST_US

DRY = Dry(strokes=20)
PASSED = ["number", "self-test", "sensors", "axes", "accuracy", "keys"]


class Plugged(SimulatedLink):
    """A line whose end leaves the device running: it can be opened again."""

    def close(self) -> None:
        """The hand lets go of it, and somebody plugs it in elsewhere."""
        self.cut()
        t, until_us = self._t, self._t + REST_US
        while t < until_us:
            t, _ = self.device.run(until_us, b"")


@dataclass
class Factory:
    """Some boards, a line's folder, and a person with two hands."""

    folder: Path
    devices: dict[str, simulator.Device] = field(default_factory=dict)
    links: dict[str, Plugged] = field(default_factory=dict)
    hands: list[str] = field(default_factory=list)
    steps: list[tuple[str, str]] = field(default_factory=list)
    on_step: dict[tuple[str, str], Callable[[], object]] = field(default_factory=dict)
    sessions: int = 0
    keeper: Keeper | None = None
    again: frozenset[str] = frozenset()
    weigh: Any = None
    refuse: bool = False
    dry: Dry | None = DRY
    journal: str = "journal.sqlite"

    def plug(self, name: str, seed: int) -> None:
        device = self.devices[name] = simulator.start("cpython", seed)
        for mounted in ("syringe", "cartridge"):
            device.control(mounted, 0)

    def flash(self, board: Board) -> Injector:
        self.sessions += 1
        link = self.links[board.name] = Plugged(board.name, self.devices[board.name], 7 + self.sessions)
        return Injector(link, Journal(self.folder / self.journal))

    def hand(self, made: Made, what: str) -> bool:
        assert threading.current_thread() is threading.main_thread() and "trigger" in what
        self.hands.append(made.serial)
        return not self.refuse

    def told(self, made: Made, step: str) -> None:
        self.steps.append((made.board.name, step))
        self.on_step.get((made.board.name, step), lambda: None)()

    def line(self) -> Line:
        register = Register(self.folder / "serials.sqlite", "MI-####", 17)
        keeper = self.keeper or KeyFolder(self.folder / "keys")
        settings = Settings(self.folder, register, keeper, self.dry, self.again)
        return Line(settings, self.flash, self.hand, self.told, self.weigh)

    def make(self, *names: str) -> dict[str, Made]:
        made = self.line().make([Board(name, "pico2") for name in names or self.devices])
        return {each.board.name: each for each in made}

    def labels(self) -> list[dict[str, str]]:
        with (self.folder / "labels.csv").open(newline="") as file:
            return list(csv.DictReader(file))

    def is_keyed(self, name: str) -> bool:
        link = Plugged(name, self.devices[name], 999)
        return bool(Injector(link, Journal(":memory:")).hello.capabilities & wire.CAPABILITY_KEYED)

    def plant(self, name: str) -> dict[str, Any]:
        account: dict[str, Any] = self.devices[name].control("account")
        return account


@pytest.fixture
def factory(tmp_path: Path) -> Factory:
    made = Factory(tmp_path)
    for seed in range(1, 9):
        made.plug(f"port{seed}", seed)
    return made


@pytest.fixture
def few(tmp_path: Path) -> Factory:
    made = Factory(tmp_path)
    for seed in range(1, 4):
        made.plug(f"port{seed}", seed)
    return made


@pytest.fixture
def one(tmp_path: Path) -> Factory:
    made = Factory(tmp_path)
    made.plug("port1", 1)
    return made


# --- Well ------------------------------------------------------------------------------------------------


def test_eight_boards_at_once(factory: Factory) -> None:
    made = factory.make()
    assert [each.failure for each in made.values()] == [None] * 8
    assert all([step.name for step in each.steps] == PASSED for each in made.values())
    serials = sorted(each.serial for each in made.values())
    assert serials == [f"MI-{n:04}" for n in range(17, 25)] == sorted(factory.hands)
    rows = factory.labels()
    assert [row["serial"] for row in rows] == serials
    assert {(row["serial"], row["uid"]) for row in rows} == {(each.serial, each.uid) for each in made.values()}
    for each in made.values():
        service = Key.load(factory.folder / "keys" / f"{each.serial}.service.key")
        (row,) = [row for row in rows if row["serial"] == each.serial]
        assert (row["service_key"], row["board"], row["firmware"]) == (service.fingerprint, "pico2", "0.1.0")
        injector = Injector(Plugged("x", factory.devices[each.board.name], 5), Journal(":memory:"), service)
        assert injector.hello.capabilities & wire.CAPABILITY_KEYED
        (report,) = (factory.folder / "reports").glob(f"{each.serial}-*.html")
        page = report.read_text()
        assert each.uid in page and "Passed" in page and "<svg" in page
        assert "http" not in page.replace("http://www.w3.org", "")  # it asks no network for anything
        assert service.secret.hex() not in page
        assert factory.plant(each.board.name)["needle_home"]
        assert factory.plant(each.board.name)["tip_nl"] == 0
    assert stat.S_IMODE((factory.folder / "keys").stat().st_mode) == 0o700


def test_one_pair_of_hands(few: Factory) -> None:
    """From one board's hand to the end of what it does no other begins, though all are ready."""
    ready = threading.Barrier(3)
    inside: list[str] = []
    most: list[int] = []

    def weigh(injector: Injector, ask: Callable[[str], bool]) -> Accuracy:
        inside.append(injector.link.url)
        for _ in range(100):
            injector.status()
            most.append(len(inside))
        inside.remove(injector.link.url)
        return Accuracy(True, "", ())

    for name in few.devices:
        few.on_step[name, "accuracy"] = lambda: ready.wait(60)
    few.dry, few.weigh = None, weigh
    assert all(each.passed for each in few.make().values())
    assert len(most) == 300 and set(most) == {1}


def test_nothing_moves_without_a_hand(one: Factory) -> None:
    one.refuse = True
    before = one.plant("port1")
    made = one.make()["port1"]
    assert made.failure is not None and "nobody took it in hand: nothing moved" in made.failure.said
    after = one.plant("port1")
    assert {name: after[name] for name in ("plunger_steps", "punctures", "tip_nl")} == {
        name: before[name] for name in ("plunger_steps", "punctures", "tip_nl")
    }
    assert not one.is_keyed("port1") and not (one.folder / "labels.csv").exists()


def test_its_name_is_its_serial_number(one: Factory) -> None:
    made = one.make()["port1"]
    from mesoinjector import Service

    assert Service(Injector(Plugged("x", one.devices["port1"], 5), Journal(":memory:"))).settings().name == made.serial


@pytest.mark.parametrize("passed", [True, False])
def test_accuracy_on_the_scale_is_judged_by_whoever_weighs(one: Factory, passed: bool) -> None:
    doses = (Weighed(20_000, 20_100), Weighed(20_000, 19_950))
    one.weigh = lambda injector, ask: Accuracy(passed, "2 doses on a balance", doses)
    made = one.make()["port1"]
    assert made.passed is passed and len(one.hands) == 2 and one.is_keyed("port1") is passed
    (report,) = (one.folder / "reports").glob("*.html")
    assert "2 doses on a balance" in report.read_text() and "20.10 µl" in report.read_text()


# --- One of eight ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("at", ["self-test", "axes", "keys"])
def test_one_that_dies_is_made_again(few: Factory, at: str) -> None:
    few.on_step["port3", at] = lambda: few.links["port3"].cut()
    made = few.make()
    dead = made["port3"]
    assert dead.failure is not None and "the cable was pulled" in dead.failure.said
    assert [row["serial"] for row in few.labels()] == sorted({made["port1"].serial, made["port2"].serial})
    few.on_step.clear()
    again = few.make("port3")["port3"]  # plugged in again
    assert again.failure is None and again.serial == dead.serial
    assert len({row["serial"] for row in few.labels()}) == 3


def test_one_that_dies_in_motion_disturbs_no_other(factory: Factory) -> None:
    factory.on_step["port3", "moving"] = lambda: factory.links["port3"].cut()
    made = factory.make()
    dead = made.pop("port3")
    assert dead.failure is not None and "the cable was pulled" in dead.failure.said
    assert all(each.passed for each in made.values())
    assert dead.serial not in [row["serial"] for row in factory.labels()] and len(factory.labels()) == 7


def test_one_that_fails_its_self_test_gets_no_keys(few: Factory) -> None:
    few.devices["port2"].control("set", ("sensor.pressure.offset_pa", 300_000_000))
    made = few.make()
    ill = made.pop("port2")
    assert ill.failure is not None and (ill.failure.name, ill.failure.said[:9]) == ("self-test", "pressure.")
    assert all(each.passed for each in made.values()) and len(few.labels()) == 2
    assert not few.is_keyed("port2") and ill.serial not in few.hands
    (report,) = (few.folder / "reports").glob(f"{ill.serial}-*.html")
    assert "Failed: self-test" in report.read_text()


def test_one_whose_emergency_stop_is_pressed(one: Factory) -> None:
    one.devices["port1"].control("estop", 1)
    ill = one.make()["port1"]
    assert ill.failure is not None and ill.failure.name == "sensors"
    assert "the emergency stop is pressed, or its wire is broken" in ill.failure.said


def test_one_that_cannot_be_flashed_and_one_error_of_ours(few: Factory) -> None:
    def flash(board: Board) -> Injector:
        if board.name == "port1":
            raise LinkLost("port1: unplugged while it was written. Next: run it again.")
        if board.name == "port2":
            raise ZeroDivisionError
        return Factory.flash(few, board)

    few.flash = flash  # type: ignore[method-assign]
    made = few.make()
    assert made["port1"].failure is not None and "unplugged" in made["port1"].failure.said
    assert made["port2"].failure is not None and "an error of this program" in made["port2"].failure.said
    assert made["port3"].passed


def test_two_boards_with_one_uid(few: Factory) -> None:
    few.plug("twin", 2)
    made = few.make()
    refused = [each for each in (made["twin"], made["port2"]) if not each.passed]
    assert len(refused) == 1 and refused[0].failure is not None
    assert "has the same uid" in refused[0].failure.said and refused[0].serial == ""
    assert not few.is_keyed(refused[0].board.name)
    assert len({row["uid"] for row in few.labels()}) == len(few.labels()) == 3


# --- Keys ------------------------------------------------------------------------------------------------

VAULT = """
import json, os, sys
told = json.loads(sys.stdin.read())
path = {folder!r} + "/vault-" + told["uid"]
with open({folder!r} + "/argv", "a") as file:
    file.write(" ".join(sys.argv) + repr(dict(os.environ)))
if os.path.exists(path):
    print(open(path).read())
elif told["want"] == "recall":
    sys.exit("none of " + told["uid"])
else:
    {before}
    open(path, "w").write(json.dumps({{role: told[role] for role in ("service", "operator")}}))
    {after}
"""


def vault(folder: Path, before: str = "", after: str = "") -> KeyCommand:
    file = folder / "vault.py"
    file.write_text(VAULT.format(folder=str(folder), before=before or "pass", after=after or "pass"))
    return KeyCommand([sys.executable, str(file)])


def test_a_command_keeps_the_keys(one: Factory, caplog: pytest.LogCaptureFixture) -> None:
    one.keeper = vault(one.folder)
    with caplog.at_level(logging.DEBUG):
        made = one.make()["port1"]
    assert made.passed
    keys = one.keeper.recall(made.serial, made.uid)
    said = (one.folder / "argv").read_text() + caplog.text + repr([vars(record) for record in caplog.records])
    assert not any(key.secret.hex() in said or repr(key.secret) in said for key in keys)
    assert not any(repr(key.secret)[2:-1] in repr(made) for key in keys)
    again = one.make()["port1"]  # it opens with what the command gives back
    assert again.passed and again.label is not None and again.label.service_key == keys.service.fingerprint


@pytest.mark.parametrize("before", ["sys.exit(repr(told))", "os.abort()", "print('{}'); sys.exit(0)", "print(told)"])
def test_no_key_is_set_that_the_command_has_not_kept(one: Factory, before: str) -> None:
    one.keeper = vault(one.folder, before)
    made = one.make()["port1"]
    assert made.failure is not None and made.failure.name == "keys" and "No key was set" in made.failure.said
    assert not one.is_keyed("port1")
    assert re.search(r"[0-9A-Fa-f]{24}", made.failure.said) is None


def test_a_command_that_fails_after_it_has_kept_them(one: Factory) -> None:
    one.keeper = vault(one.folder, after="sys.exit(9)")
    made = one.make()["port1"]
    assert made.failure is not None and "ended with 9" in made.failure.said and not one.is_keyed("port1")
    kept = one.keeper.recall(made.serial, made.uid)
    again = one.make()["port1"]  # the first ones count, nothing is lost
    assert again.passed and again.label is not None and again.label.operator_key == kept.operator.fingerprint


def test_a_full_disk_at_the_key_folder(one: Factory, monkeypatch: pytest.MonkeyPatch) -> None:
    real, full = os.fsync, [True]

    def fsync(fd: int) -> None:
        name = os.readlink(f"/proc/self/fd/{fd}")
        if full and ".key." in name:
            raise OSError(28, "No space left on device")
        real(fd)

    monkeypatch.setattr(os, "fsync", fsync)
    made = one.make()["port1"]
    assert made.failure is not None and made.failure.name == "keys" and "No space left" in made.failure.said
    assert not one.is_keyed("port1") and not list((one.folder / "keys").glob("*.key*"))
    full.clear()
    assert one.make()["port1"].passed


@pytest.mark.parametrize("step", ["report", "label"])
def test_a_full_disk_at_report_or_label(one: Factory, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    name = "create" if step == "report" else "replace"
    real = getattr(durable, name)
    full = [True]

    def write(path: Path, *arguments: Any) -> None:
        if full and path.suffix in (".html", ".csv"):
            raise OSError(28, "No space left on device")
        real(path, *arguments)

    monkeypatch.setattr(durable, name, write)
    monkeypatch.setattr("mesoinjector.production_register.replace", write)
    made = one.make()["port1"]
    assert made.failure is not None and made.failure.name == step and "No space left" in made.failure.said
    assert not (one.folder / "labels.csv").exists()
    full.clear()
    again = one.make()["port1"]
    assert again.passed and again.serial == made.serial and [row["serial"] for row in one.labels()] == [made.serial]


# --- Crash and repeat ------------------------------------------------------------------------------------


class Crash(BaseException):
    """The line's program is gone."""


@pytest.mark.parametrize("at", ["self-test", "sensors", "axes", "accuracy", "keys", "report", "label"])
def test_after_a_crash_it_gets_the_same_number_and_keys(one: Factory, at: str) -> None:
    def crash() -> None:
        raise Crash

    one.on_step["port1", at] = crash
    with pytest.raises(Crash):
        one.make()
    one.on_step.clear()
    kept = {path.name: path.read_text() for path in (one.folder / "keys").glob("*")}
    made = one.make()["port1"]
    assert made.passed and made.serial == "MI-0017"
    assert {path.name: path.read_text() for path in (one.folder / "keys").glob("*")} == kept or not kept
    one.plug("port2", 2)
    assert one.make("port2")["port2"].serial == "MI-0018"


def test_a_crash_between_the_two_keys(one: Factory) -> None:
    """The device has the service key and no operator key yet."""
    injector = one.flash(Board("port1"))
    serial = Register(one.folder / "serials.sqlite", "MI-####", 17).claim(injector.uid)
    keys = KeyFolder(one.folder / "keys").keep(serial, injector.uid)
    injector.provision(keys.service)
    made = one.make()["port1"]
    assert made.passed and made.label is not None and made.label.service_key == keys.service.fingerprint
    link = Plugged("x", one.devices["port1"], 5)
    assert Injector(link, Journal(":memory:"), keys.operator).hello.capabilities & wire.CAPABILITY_KEYED


def test_a_board_of_somebody_else_s_keys_is_refused(one: Factory) -> None:
    one.flash(Board("port1")).provision(Key.new("service"))
    made = one.make()["port1"]
    assert made.failure is not None and "not those of this line" in made.failure.said and not one.hands


def test_a_board_that_has_lost_its_keys_is_made_anew_only_when_named(one: Factory) -> None:
    first = one.make()["port1"]
    one.plug("port1", 1)  # erased, or another one with its uid
    refused = one.make()["port1"]
    assert refused.failure is not None and "Its memory was replaced or lost" in refused.failure.said
    one.journal = "after service.sqlite"
    refused = one.make()["port1"]
    assert refused.failure is not None and f"--again {first.serial}" in refused.failure.said
    assert not one.is_keyed("port1")
    one.again = frozenset([first.serial])
    again = one.make()["port1"]
    assert again.passed and again.label is not None and again.label == first.label
    assert len(list((one.folder / "reports").glob("*.html"))) == 3


def test_a_register_that_is_older_than_the_labels_gives_no_number(one: Factory) -> None:
    one.make()
    (one.folder / "serials.sqlite").unlink()
    with pytest.raises(Exception, match=r"would give numbers a second time\. Next: bring back the newest register"):
        one.make()


def test_ctrl_c_stops_every_board_and_ends(few: Factory) -> None:
    calls: list[str] = []

    def hand(made: Made, what: str) -> bool:
        calls.append(made.serial)
        raise KeyboardInterrupt

    few.hand = hand  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        few.make()
    assert len(calls) == 1 and not (few.folder / "labels.csv").exists()
    assert not any(few.is_keyed(name) for name in few.devices)
    assert all(few.plant(name)["punctures"] == 0 for name in few.devices)


def test_another_ctrl_c_says_stop_to_all_again(few: Factory, monkeypatch: pytest.MonkeyPatch) -> None:
    """It comes while STOP is sent to the first of them."""
    stops: list[str] = []

    def write(link: Plugged, data: bytes) -> None:
        if STOP_BYTES in data:
            stops.append(link.url)
            if len(stops) == 1:
                raise KeyboardInterrupt
        SimulatedLink.write(link, data)

    def hand(made: Made, what: str) -> bool:
        raise KeyboardInterrupt

    monkeypatch.setattr(Plugged, "write", write)
    few.hand = hand  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        few.make()
    assert len(stops) > len(few.devices) and set(stops[1:]) == {link.url for link in few.links.values()}
    assert not any(few.is_keyed(name) for name in few.devices)


def test_no_boards_and_too_many(one: Factory) -> None:
    for count in (0, 65):
        with pytest.raises(PlanError, match="must be 1 to 64"):
            one.line().make([Board("x")] * count)


# --- The command -----------------------------------------------------------------------------------------


def test_the_command_line(tmp_path: Path) -> None:
    file = tmp_path / "line.toml"
    file.write_text('serial = "T-##"\nfolder = "out"\nkeys = "keys"\n[axes]\nstrokes = 10\n')
    words = ["provision", str(file), "--json"]
    words += ["--device", "sim://?seed=1&mounted=nothing", "--device", "sim://?seed=2"]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 3  # a syringe is mounted in the second
    bare, mounted = json.loads(done.stdout)["boards"]
    assert bare["passed"] and [step["name"] for step in bare["steps"]] == PASSED
    assert not mounted["passed"] and mounted["steps"][-1]["name"] == "axes"
    assert "INTERLOCK" in mounted["steps"][-1]["said"] and mounted["keys"] == {}
    names = {f"{bare['serial']}.{end}" for end in ("service.key", "operator.key", "uid")}
    assert {path.name for path in (tmp_path / "keys").iterdir()} == names


def test_a_line_of_real_boards_is_asked_for(tmp_path: Path) -> None:
    file = tmp_path / "line.toml"
    file.write_text('serial = "T-##"\nkeys = "keys"\n')
    done = CliRunner().invoke(app, ["provision", str(file), "--device", "/dev/nothing"], input="n\n")
    assert done.exit_code == 2 and "Nothing was sent" in done.stderr
    assert [each.name for each in tmp_path.iterdir()] == ["line.toml"]
