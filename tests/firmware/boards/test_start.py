"""boot.py, the safe-mode window and main.py, on the model of the chip."""

import hashlib
import runpy
import sys
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from mesofirmware import app
from mesofirmware.boards import pins
from mesosim.rp2 import chip as chip_
from mesosim.rp2 import circuit, disk, load, machine, rp2, ticks, usb
from mesosim.rp2.twin import TwinWorld, TwinWorld2350
from mesosim.world.trace import Untraced
from tests.rp2.started import forget, imported, write_error

WATCHDOG_RESET = 3
LEFT_ON = 1 << pins.MOTOR_ENABLE | 1 << pins.ARM_PLUNGER | 1 << pins.DRIVE_STEP
NO_LOOP = 2
"""The schema's `reset` for a loop that ended or hung."""


class Start:
    """A board that starts: its modules on the stand-ins, and what a hand and a host do meanwhile."""

    def __init__(self, chip: type[TwinWorld]) -> None:
        self.chip = chip_.chip
        world = chip(1, Untraced())
        self.chip.reset(WATCHDOG_RESET)
        self.chip.scratch[0] = 0
        self.circuit = circuit.Circuit(self.chip, world.plant, bytearray(32768))
        self.chip.sources, self.chip.motors, self.chip.alarm = [], [], chip_.NEVER
        self.chip.limit = self.chip.t + 5 * chip_.chip.model.hz
        self.port = usb.Port()
        self.disk = disk.Disk()
        self.interrupt_characters: list[int] = []
        forget()
        load.pico(self.port, load.Entropy(world._random.fill), self.disk)
        micropython = SimpleNamespace(kbd_intr=self.interrupt_characters.append)
        self.rp2_start = imported(
            "mesofirmware.boards.rp2_start", machine=machine, rp2=rp2, time=ticks, micropython=micropython
        )
        self.rp2_start.sys, self.rp2_start.select = self.port, usb
        self.main = imported("mesofirmware.start.main")
        self.thresholds: list[int] = []
        self.main.gc = SimpleNamespace(threshold=self.thresholds.append)
        self.main.sys = SimpleNamespace(path=[""], modules=dict(sys.modules), print_exception=write_error)
        self.main.open = self.disk.open

    def install(self, folder: str) -> None:
        """An application of one file, with its manifest."""
        listed = "mesoinjector 0.1.0 pico,pico2\n" + hashlib.sha256(b"M\x06").hexdigest() + " 2 app.mpy\n"
        whole = listed + hashlib.sha256(listed.encode()).hexdigest() + "\n"
        self.disk.put(folder + "/app.mpy", b"M\x06")
        self.disk.put(folder + "/manifest", whole.encode())

    def is_whole(self, folder: str) -> bool:
        """As main.py asks it."""
        return bool(self.main.manifest.is_whole(self.main.rp2_shelf.Shelf(lambda: None), folder))

    def fail(self, watchdog: Any) -> None:
        """What runs has ended, and the chip is reset; what was wired to it is not there any more."""
        with pytest.raises(machine.Reset):
            watchdog.restart(NO_LOOP)
        self.chip.reset(WATCHDOG_RESET)

    def note(self) -> tuple[int, int]:
        """The reason and the failures that the next start finds."""
        return self.chip.scratch[0] & 0xFF, self.chip.scratch[0] >> 8 & 0xFF

    def level(self, gpio: int) -> int:
        """Of a pin."""
        return self.chip.pads.levels >> gpio & 1


class Typed:
    """Bytes that come from the host at a time, in clocks."""

    def __init__(self, start: Start, at: int, text: bytes) -> None:
        self._start = start
        self._text = text
        self.event_at = at

    def due(self) -> None:
        self.event_at = chip_.NEVER
        self._start.port.received.held += self._text


class LetGo:
    """The trigger is let go at a time, in clocks."""

    def __init__(self, start: Start, at: int) -> None:
        self._start = start
        self.event_at = at

    def due(self) -> None:
        self.event_at = chip_.NEVER
        self._start.chip.pads.wire(1 << pins.TRIGGER_A, 1 << pins.TRIGGER_A)


@pytest.fixture(params=[TwinWorld, TwinWorld2350])
def start(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    monkeypatch.setattr(rp2, "bootsel_button", lambda: 0, raising=False)
    yield Start(request.param)
    forget()


def test_boot_makes_every_pin_safe(start: Start):
    for name, gpio, use, _, _ in pins.TABLE:
        machine.Pin(gpio, machine.Pin.OUT, value=1)
        assert start.level(gpio) == 1, name
        if use != pins.OUT:
            machine.Pin(gpio, machine.Pin.IN, pull=machine.Pin.PULL_UP)
    # a soft reset leaves a pin to the PIO that drove it
    deadman = sys.modules["mesofirmware.boards.rp2_pico"].rp2_deadman.Deadman()
    deadman.feed()
    assert start.level(pins.DEADMAN) == 1
    imported("mesofirmware.start.boot")
    outputs = sum(1 << gpio for _, gpio, use, _, _ in pins.TABLE if use == pins.OUT)
    pads = start.chip.pads
    assert pads.driven() == outputs
    assert pads.levels & outputs == 0
    assert pads.pulled_up == 0
    deadman._machine.put(1000)
    start.chip.run(start.chip.t + 1000)
    assert start.level(pins.DEADMAN) == 0, "whatever the PIO does"


def test_nobody_asks_and_the_application_starts_after_two_seconds(start: Start):
    began = start.chip.t
    assert start.rp2_start.window() == start.rp2_start.APPLICATION
    assert 2.0 <= (start.chip.t - began) / chip_.chip.model.hz < 2.02
    assert start.interrupt_characters == [-1]


@pytest.mark.parametrize("asked", [b"\r\x03", b"\x00abc\x03\r\x03", b"\r\r\x03"])
def test_return_and_ctrl_c_ask_for_the_prompt(start: Start, asked: bytes):
    start.port.received.held = asked
    assert start.rp2_start.window() == start.rp2_start.PROMPT
    assert start.interrupt_characters == [-1, 3]


@pytest.mark.parametrize("said", [b"\x03", b"\x03\r", b"\r\x00\x03", b"\x05\x03\x00\x04"])
def test_ctrl_c_alone_is_a_byte(start: Start, said: bytes):
    start.port.received.held = said
    assert start.rp2_start.window() == start.rp2_start.APPLICATION
    assert start.interrupt_characters == [-1]


class Babble(usb.Stream):
    """A host that sends without end what nobody asked for, as fast as a board reads it."""

    BYTE_US = 88
    left = 60_000

    def ready(self, events: int) -> int:
        self.left -= 1
        assert self.left, "the window does not end"
        return events & usb.POLLIN

    def readinto(self, buf: bytearray) -> int:
        ticks.sleep_us(self.BYTE_US)
        buf[0] = 0x5A
        return 1


def test_a_host_that_babbles_does_not_keep_the_application_from_starting(start: Start):
    start.port.stdin.buffer = Babble(1)
    began = start.chip.t
    assert start.rp2_start.window() == start.rp2_start.APPLICATION
    assert 1.99 < (start.chip.t - began) / chip_.chip.model.hz < 2.02


def test_a_trigger_held_asks_for_the_safe_application(start: Start):
    start.chip.pads.wire(1 << pins.TRIGGER_A, 0)
    assert start.rp2_start.window() == start.rp2_start.SAFE


def test_a_trigger_that_is_let_go_asks_for_nothing(start: Start):
    """A reset in a dose finds it held."""
    start.chip.pads.wire(1 << pins.TRIGGER_A, 0)
    start.chip.sources.append(LetGo(start, start.chip.t + chip_.chip.model.hz))
    assert start.rp2_start.window() == start.rp2_start.APPLICATION


def test_bootsel_asks_for_the_safe_application(start: Start, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(rp2, "bootsel_button", lambda: 1)
    assert start.rp2_start.window() == start.rp2_start.SAFE


def test_at_the_prompt_nothing_runs(start: Start):
    start.port.received.held = b"\r\x03"
    start.main.main()
    assert start.chip.watchdog_at == chip_.NEVER
    assert start.note() == (0, 0)


def test_it_runs_as_the_main_program(start: Start, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delitem(sys.modules, "mesofirmware.start.main")
    start.port.received.held = b"\r\x03"
    runpy.run_module("mesofirmware.start.main", run_name="__main__")
    assert start.interrupt_characters == [-1, 3], "the window was asked once, and nothing else has run"
    assert start.chip.watchdog_at == chip_.NEVER


def test_the_application_runs_and_its_watchdog_is_fed(start: Start):
    start.install("/app_a")
    start.chip.limit = start.chip.t + 2 * chip_.chip.model.hz + chip_.chip.model.hz // 10
    with pytest.raises(machine.Reset):  # the time given to the test is over: to main.py the application has ended
        start.main.main()
    assert start.main.sys.path[0] == "/app_a"
    assert not [name for name in start.main.sys.modules if name.startswith(("mesofirmware", "mesoprotocol"))]
    assert start.chip.t >= start.chip.limit
    assert start.chip.watchdog_at > start.chip.t


def test_ctrl_c_does_not_stop_an_application_that_runs(start: Start):
    start.install("/app_a")
    start.chip.limit = start.chip.t + 2 * chip_.chip.model.hz + chip_.chip.model.hz // 10
    typed = Typed(start, start.chip.limit - chip_.chip.model.hz // 20, b"\r\x03\x03\x04")
    start.chip.sources = [typed]
    with pytest.raises(machine.Reset):
        start.main.main()
    assert start.chip.t >= start.chip.limit, "it ran on"
    assert typed.event_at == chip_.NEVER and start.port.received.held == b"", "it was read as bytes"
    assert start.interrupt_characters == [-1]


def test_a_failure_is_kept_everything_made_safe_and_the_board_restarted(start: Start):
    del start.chip.wires[0][0x50]  # no FRAM
    machine.Pin(pins.MOTOR_ENABLE, machine.Pin.OUT, value=1)
    with pytest.raises(machine.Reset):
        start.main.main()
    buf = bytearray(64)
    with start.disk.open("/failure.txt") as file:
        assert b"OSError(5" in bytes(buf[: file.readinto(buf)])
    assert [start.level(gpio) for _, gpio, use, _, _ in pins.TABLE if use == pins.OUT and start.level(gpio)] == []
    assert start.note() == (NO_LOOP, 0)


def test_a_failure_restarts_even_if_it_cannot_be_kept(start: Start):
    del start.chip.wires[0][0x50]
    start.main.open = start.disk.rename
    with pytest.raises(machine.Reset):
        start.main.main()
    assert start.note() == (NO_LOOP, 0)


@pytest.mark.parametrize(("failures", "folder"), [(0, "/app_a"), (1, "/app_a"), (2, "/lib"), (255, "/lib")])
def test_the_third_failure_brings_the_safe_application(start: Start, failures: int, folder: str):
    start.install("/app_a")
    start.chip.scratch[0] = 0x4D530000 | failures << 8 | NO_LOOP
    watchdog = start.main.rp2_watchdog.Watchdog()
    assert (watchdog.reason, watchdog.failures) == (NO_LOOP, min(failures + 1, 255))
    assert start.main.folder(watchdog, start.rp2_start.APPLICATION) == folder
    assert start.main.folder(watchdog, start.rp2_start.SAFE) == "/lib"


@pytest.mark.requirement("SR-13", "SR-34")
def test_one_on_trial_that_fails_at_each_start_is_given_up_for_the_one_before(start: Start):
    """That one may fail as often as any other before the safe one runs. Nobody switches anything off."""
    start.install("/app_a")
    start.install("/app_b")
    record = start.main.slots.Slots(start.main.rp2_files.Files("/settings"))
    assert record.stage(start.is_whole) == start.main.wire.S_OK
    started = []
    for _ in range(8):
        watchdog = start.main.rp2_watchdog.Watchdog()
        started.append(start.main.folder(watchdog, start.rp2_start.APPLICATION))
        start.fail(watchdog)
    assert started == ["/app_b"] * 3 + ["/app_a"] * 3 + ["/lib"] * 2


@pytest.mark.requirement("SR-13", "SR-34")
@pytest.mark.parametrize(("what", "error"), [("rp2_files", OSError(5)), ("rp2_shelf", MemoryError())])
def test_a_flash_that_does_not_read_brings_the_safe_application(
    start: Start, what: str, error: Exception, monkeypatch: pytest.MonkeyPatch
):
    """Not at once: the first failures leave their traceback. Nor is what is on trial tried for ever."""

    def unread(path: str, mode: str = "r") -> Any:
        raise error

    start.install("/app_a")
    start.install("/app_b")
    record = start.main.slots.Slots(start.main.rp2_files.Files("/settings"))
    assert record.stage(start.is_whole) == start.main.wire.S_OK
    started = []
    with monkeypatch.context() as patch:
        patch.setattr(getattr(start.main, what), "open", unread)
        for _ in range(4):
            watchdog = start.main.rp2_watchdog.Watchdog()
            try:
                started.append(start.main.folder(watchdog, start.rp2_start.APPLICATION))
            except type(error):
                started.append("")
            assert start.main.folder(watchdog, start.rp2_start.SAFE) == "/lib"
            start.fail(watchdog)
    assert started == ["", "", "", "/lib"]


@pytest.mark.requirement("SR-34")
def test_what_comes_to_the_safe_application_is_tried(start: Start):
    """Three failures have brought that; it is told to restart."""
    start.install("/app_a")
    start.install("/app_b")
    record = start.main.slots.Slots(start.main.rp2_files.Files("/settings"))
    assert record.stage(start.is_whole) == start.main.wire.S_OK
    start.chip.scratch[0] = 0x4D530300 | start.main.wire.RESET_ASKED
    watchdog = start.main.rp2_watchdog.Watchdog()
    assert start.main.folder(watchdog, start.rp2_start.APPLICATION) == "/app_b"
    assert start.note() == (0, 0)


def test_what_comes_by_the_prompt_has_not_failed_yet(start: Start):
    start.install("/app_a")
    start.chip.scratch[0] = 0x4D530300 | NO_LOOP
    start.port.received.held = b"\r\x03"
    start.main.main()
    start.chip.reset(WATCHDOG_RESET)
    watchdog = start.main.rp2_watchdog.Watchdog()
    assert (watchdog.reason, watchdog.failures) == (0, 0)
    assert start.main.folder(watchdog, start.rp2_start.APPLICATION) == "/app_a"


def test_without_a_whole_application_the_safe_one_runs(start: Start):
    watchdog = start.main.rp2_watchdog.Watchdog()
    assert start.main.folder(watchdog, start.rp2_start.APPLICATION) == "/lib"
    start.install("/app_a")
    start.disk.put("/app_a/app.mpy", b"M\x07")
    assert start.main.folder(watchdog, start.rp2_start.APPLICATION) == "/lib"


class PowerCut(BaseException):
    """The supply fails within a call of the files."""


@pytest.mark.parametrize("at", range(1, 6))
def test_a_power_cut_in_the_choice_of_a_folder_costs_no_folder(start: Start, at: int, monkeypatch: pytest.MonkeyPatch):
    start.install("/app_a")
    start.install("/app_b")
    watchdog = start.main.rp2_watchdog.Watchdog()
    record = start.main.slots.Slots(start.main.rp2_files.Files("/settings"))
    assert record.stage(start.is_whole) == start.main.wire.S_OK
    calls = 0

    def cut(call: Any) -> Any:
        def counted(*given: str) -> Any:
            nonlocal calls
            calls += 1
            if calls == at:
                raise PowerCut
            return call(*given)

        return counted

    with monkeypatch.context() as patch:
        patch.setattr(start.disk, "mkdir", cut(start.disk.mkdir))
        patch.setattr(start.disk, "rename", cut(start.disk.rename))
        patch.setattr(start.main.rp2_files, "open", cut(start.disk.open))
        with pytest.raises(PowerCut):
            start.main.folder(watchdog, start.rp2_start.APPLICATION)
    started = [start.main.folder(watchdog, start.rp2_start.APPLICATION) for _ in range(5)]
    assert started == ["/app_b"] * 3 + ["/app_a"] * 2, "nothing was started in the call that was cut short"


def test_the_board_knows_whether_its_program_is_intact(start: Start):
    """POST asks it; the safe application has no manifest to compare with."""
    start.install("/app_a")
    pico = sys.modules["mesofirmware.boards.rp2_pico"].Pico
    watchdog = start.main.rp2_watchdog.Watchdog()
    board = pico(watchdog, "/app_a")
    assert board.program_intact()
    start.disk.put("/app_a/app.mpy", b"M\x06\x00")
    assert not board.program_intact()
    board._folder = ""
    assert board.program_intact()


def test_an_application_asks_the_first_flash_for_nothing_else(start: Start):
    """/lib stays as it was flashed, and hands this to applications that come later: see docs/DESIGN.md."""
    fed: list[int] = []
    restarted: list[tuple[int, int]] = []
    watchdog = SimpleNamespace(
        reason=1, feed=lambda: fed.append(start.chip.t), restart=lambda *how: restarted.append(how)
    )
    start.install("/app_a")
    board = sys.modules["mesofirmware.boards.rp2_pico"].Pico(watchdog, "/app_a")
    application = app.App(board, False)

    def run() -> None:
        while True:
            now = board.now()
            board.wait(now, application.step(now))

    with pytest.raises(chip_.TimeUp):
        run()
    assert board.program_intact() and fed and board.reset_reason == 1
    board.restart(0)
    assert restarted == [(start.main.wire.RESET_ASKED, 0)]


@pytest.mark.parametrize(("into", "by"), [(0, "reset"), (1, "bootloader")])
def test_a_restart_that_is_asked_for_is_no_failure(start: Start, into: int, by: str):
    """Also into the boot ROM, which may leave the note."""
    watchdog = start.main.rp2_watchdog.Watchdog()
    watchdog.start(start.main.rp2_watchdog.LOOP_MS)
    board = sys.modules["mesofirmware.boards.rp2_pico"].Pico(watchdog)
    machine.Pin(pins.MOTOR_ENABLE, machine.Pin.OUT, value=1)
    with pytest.raises(machine.Reset, match=by):
        board.restart(into)
    assert start.note() == (start.main.wire.RESET_ASKED, 0) and start.level(pins.MOTOR_ENABLE) == 0


@pytest.mark.parametrize(
    ("cause", "note", "reason", "failures"),
    [
        (1, 0x4D530202, 1, 0),  # power-on: whatever the register holds
        (3, 0x00000000, 0, 0),  # no note of ours
        (3, 0x4D530203, 3, 2),  # asked for
        (3, 0x4D530202, 2, 3),
    ],
)
def test_why_it_started(start: Start, cause: int, note: int, reason: int, failures: int):
    start.chip.reset_cause = cause
    start.chip.scratch[0] = note
    watchdog = start.main.rp2_watchdog.Watchdog()
    assert (watchdog.reason, watchdog.failures) == (reason, failures)
    watchdog.feed()
    assert start.chip.watchdog_at == chip_.NEVER, "nothing is fed before it was started"
    watchdog.start(start.main.rp2_watchdog.LOOP_MS)
    assert start.note() == (NO_LOOP, failures)
    with pytest.raises(machine.Reset):
        watchdog.restart(start.main.wire.RESET_ASKED)
    assert start.note() == (3, failures)


def test_what_a_computer_asks_at_the_prompt(start: Start) -> None:
    start.install("/app_a")
    installing = imported("mesofirmware.start.installing")
    assert installing.folder() == "/app_a"
    assert installing.is_whole("/app_a") and not installing.is_whole("/app_b")
    start.disk.put("/app_a/app.mpy", b"M\x07")
    assert not installing.is_whole("/app_a")
    start.disk.put("/settings/slots.a", b"spoilt")
    start.disk.put("/settings/slots.b", b"spoilt")
    assert installing.folder() == ""
