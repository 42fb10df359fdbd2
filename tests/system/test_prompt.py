"""Boards at MicroPython's prompt take the firmware: MicroPython, littlefs and mpremote are the real ones."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import threading
import tty
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from mesofirmware import build
from mesofirmware.slots import Slots
from mesoinjector import errors
from mesoinjector.application import Application
from mesoinjector.prompt import Prompt
from mesoinjector.service import Service
from mesoprotocol import wire
from mesosim.blank import Blank
from mesosim.runtime import Paced
from tests.blank_board import built, on_flash, opened, put_on_flash
from tests.firmware.files import Memory

pytestmark = [
    pytest.mark.skipif(importlib.util.find_spec("micropython_unix") is None, reason="MicroPython is not installed"),
    pytest.mark.skipif(importlib.util.find_spec("mpremote") is None, reason="mpremote is not installed"),
]
PATIENCE_S = 30.0
SIGNER = bytes(range(128)) * 3
OURS = {"/settings/motion.a": b"calibration", "/settings/motion.b": b"", "/settings/notes": b"\x00\xff" * 700}


@pytest.fixture(scope="module")
def application(tmp_path_factory: pytest.TempPathFactory) -> Application:
    return built(tmp_path_factory.mktemp("built") / "app")


@contextlib.contextmanager
def powered(folder: Path) -> Iterator[Blank]:
    with contextlib.closing(Blank(folder)) as board:
        yield board


def install(board: Blank, application: Application) -> str:
    with Prompt(board.path) as prompt:
        return prompt.install(application, SIGNER, lambda done, total: None)


def assert_works(board: Blank, folder: Path) -> int:
    """The session's number, which the FRAM keeps."""
    with opened(board.path, folder / "journal.sqlite") as injector:
        assert injector.self_test().failed_checks == 0
        assert Service(injector).update().safe == 0
        return injector.hello.session


def assert_installed(there: dict[str, bytes], application: Application, slot: str = "/app_a") -> None:
    for root in ("/lib", slot):
        assert {path: there.get(f"{root}/{path}") for path, _ in application.files} == dict(application.files)
        assert there[f"{root}/manifest"] == application.manifest
    assert there[f"{slot}/signature"] == application.signature
    assert there["/settings/signer"] == SIGNER


@pytest.mark.parametrize("model", ["pico", "pico2"])
def test_a_blank_board_takes_the_firmware_and_starts_it(model: str, application: Application, tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    with contextlib.closing(Blank(tmp_path, model)) as board:
        with Prompt(board.path) as prompt:
            assert prompt.facts.board == model and prompt.facts.has_filesystem and prompt.facts.mpy & 0xFF == 6
            assert prompt.facts.uid == (b"MSIM" + bytes((1, 0, 0, 0))).hex()
            assert prompt.facts.free_bytes > 1_400_000
            assert prompt.install(application, SIGNER, lambda done, total: told.append((done, total))) == "/app_a"
            prompt.restart()
        assert_works(board, tmp_path)
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    assert told[-1][0] == told[-1][1] and len({total for _, total in told}) == 1
    there = on_flash(tmp_path, model)
    assert_installed(there, application)
    assert sorted(path for path in there if path.count("/") == 1) == ["/boot.py", "/main.py"]
    assert [path for path in there if path.startswith("/settings/")] == ["/settings/signer"]


def test_settings_are_kept_and_the_folder_that_starts_is_the_one_written(
    application: Application, tmp_path: Path
) -> None:
    record = Memory({})
    slots = Slots(record)
    assert slots.upcoming() == "/app_a"
    assert slots.stage(lambda folder: True) == 0
    assert slots.upcoming() == "/app_b"
    settings = {f"/settings/{name}": data for name, data in record.content.items()} | OURS
    put_on_flash(tmp_path, settings)
    with powered(tmp_path) as board, Prompt(board.path) as prompt:
        assert prompt.install(application, SIGNER, lambda done, total: None) == "/app_b"
    there = on_flash(tmp_path)
    assert {path: there[path] for path in settings} == settings
    assert sorted(path for path in there if path.startswith("/settings/")) == sorted([*settings, "/settings/signer"])
    assert_installed(there, application, "/app_b")
    assert not [path for path in there if path.startswith("/app_a/")]


def test_without_a_signer_the_one_that_is_there_stays(application: Application, tmp_path: Path) -> None:
    put_on_flash(tmp_path, {"/settings/signer": b"another"})
    with powered(tmp_path) as board, Prompt(board.path) as prompt:
        prompt.install(application, None, lambda done, total: None)
    assert on_flash(tmp_path)["/settings/signer"] == b"another"


def test_with_a_damaged_record_the_application_is_not_written(application: Application, tmp_path: Path) -> None:
    put_on_flash(tmp_path, {"/settings/slots.a": b"\x01\x02\x03"})
    with powered(tmp_path) as board, pytest.raises(errors.PromptError, match=r"slots.b\) is damaged.*Next: copy"):
        install(board, application)
    there = on_flash(tmp_path)
    assert there["/settings/slots.a"] == b"\x01\x02\x03" and "/main.py" not in there


def test_another_version_replaces_what_was_there(application: Application, tmp_path: Path) -> None:
    put_on_flash(
        tmp_path,
        {
            "/main.py": b"import time\nwhile True:\n    pass\n",
            "/lib/mesofirmware/version.py": b"taken before its .mpy",
            "/app_a/mesoprotocol/old.mpy": b"M\x06\x00\x1f",
            "/notes.txt": b"mine",
        },
    )
    with powered(tmp_path) as board:
        install(board, application)
    there = on_flash(tmp_path)
    assert "/lib/mesofirmware/version.py" not in there and "/app_a/mesoprotocol/old.mpy" not in there
    assert there["/notes.txt"] == b"mine"
    assert_installed(on_flash(tmp_path), application)
    assert there["/main.py"].endswith(b"main.main()\n")


def test_a_board_that_runs_the_firmware_is_caught_after_a_start_only(application: Application, tmp_path: Path) -> None:
    with powered(tmp_path) as board:
        install(board, application)
        board.unplug()
        board.plug()
        session = assert_works(board, tmp_path)
        with pytest.raises(errors.PromptError, match=r"nobody is at MicroPython's prompt.*unplug the board"):
            Prompt(board.path)
        assert_works(board, tmp_path)
        board.unplug()
        board.plug()
        written: list[int] = []
        with Prompt(board.path) as prompt:
            prompt.install(application, SIGNER, lambda done, total: written.append(total))
            prompt.restart()
        assert written[-1] < sum(len(data) for _, data in application.files) + 10_000, "nothing was sent again"
        assert assert_works(board, tmp_path) > session + 1


@pytest.mark.requirement("SR-13", "SR-34")
@pytest.mark.parametrize("error", ["SystemExit", "KeyboardInterrupt"])
def test_an_application_on_trial_that_ends_as_it_is_loaded_is_given_up(
    error: str, application: Application, tmp_path: Path
) -> None:
    """By main.py as MicroPython runs it, which would leave at such an exception for its prompt."""
    with powered(tmp_path) as board:
        install(board, application)
        board.unplug()
        record: dict[str, bytes] = {}
        assert Slots(Memory(record)).stage(lambda folder: True) == wire.S_OK
        trial = tmp_path / "trial"
        (trial / "mesofirmware").mkdir(parents=True)
        (trial / "mesofirmware" / "app.py").write_text(f"raise {error}")
        build.seal(trial)
        files = {f"/settings/{name}": data for name, data in record.items()}
        for name in ("manifest", "mesofirmware/app.py"):
            files[f"/app_b/{name}"] = (trial / name).read_bytes()
        put_on_flash(tmp_path, files)
        board.plug()
        with opened(board.path, tmp_path / "journal.sqlite") as injector:
            found = Service(injector).update()
    assert (found.slot, found.update, found.safe) == (0, wire.UPDATE_ROLLED_BACK, 0)
    assert error.encode() in on_flash(tmp_path)["/failure.txt"]


# --- Broken off ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def sent(application: Application, tmp_path_factory: pytest.TempPathFactory) -> int:
    with powered(tmp_path_factory.mktemp("whole")) as board:
        board.unplug_after = 1 << 30
        install(board, application)
        return (1 << 30) - board.unplug_after


@pytest.mark.parametrize("tenth", [2, 5, 8])
def test_the_plug_is_pulled_in_the_middle(tenth: int, application: Application, sent: int, tmp_path: Path) -> None:
    """Of a board that had something to start: it may not start in between, on half of what it needs."""
    put_on_flash(tmp_path, {"/main.py": b"import mesofirmware.start.main\n"})
    broken_off(sent * tenth // 10, application, tmp_path)


@pytest.mark.parametrize("left", [1500, 900, 600, 300, 100, 10])
def test_the_plug_is_pulled_at_the_end(left: int, application: Application, sent: int, tmp_path: Path) -> None:
    broken_off(sent - left, application, tmp_path)


def broken_off(after: int, application: Application, folder: Path) -> None:
    with powered(folder) as board:
        board.unplug_after = after
        with contextlib.suppress(errors.LinkLost):  # the end of the last one is lost on nobody
            install(board, application)
        assert board.wait_unplugged(PATIENCE_S)
        there = on_flash(folder)
        if there.get("/main.py"):
            assert_installed(on_flash(folder), application)
        board.plug()
        assert install(board, application) == "/app_a"
        board.unplug()
        assert_installed(on_flash(folder), application)


def test_after_a_plug_was_pulled_and_all_was_written_again_it_works(
    application: Application, sent: int, tmp_path: Path
) -> None:
    broken_off(sent * 3 // 4, application, tmp_path)
    with powered(tmp_path) as board:
        assert_works(board, tmp_path)


# --- What cannot be -----------------------------------------------------------------------------------------


def test_a_full_filesystem_is_said_before_anything_is_written(application: Application, tmp_path: Path) -> None:
    put_on_flash(tmp_path, {"/holiday.mp4": bytes(1_000_000)})
    with powered(tmp_path) as board, pytest.raises(errors.PromptError, match=r"is full.*Nothing was written.*Next: "):
        install(board, application)
    assert [*on_flash(tmp_path)] == ["/holiday.mp4"]


def test_a_filesystem_that_fills_up_under_way_takes_it_again_once_there_is_room(
    application: Application, tmp_path: Path
) -> None:
    with powered(tmp_path) as board:
        with Prompt(board.path) as prompt:
            prompt.run("with open('/holiday.mp4', 'wb') as f:\n for i in range(300):\n  f.write(bytes(4096))")
            with pytest.raises(errors.PromptError, match=r"is full: it took no more. Next: "):
                prompt.install(application, SIGNER, lambda done, total: None)
            prompt.run("import os\nos.remove('/holiday.mp4')")
        install(board, application)
    assert_installed(on_flash(tmp_path), application)


@pytest.mark.parametrize("header", [b"M\x05\x00\x1f", b"M\x07\x00\x1f", b"M\x06\x13\x1f"])
def test_what_this_micropython_does_not_load_is_not_written(
    header: bytes, application: Application, tmp_path: Path
) -> None:
    bad = with_file(application, "mesofirmware/app.mpy", lambda data: header + data[4:])
    with powered(tmp_path) as board, pytest.raises(errors.ApplicationError, match=r".mpy files of.*Next: "):
        install(board, bad)
    assert on_flash(tmp_path) == {}


def test_an_application_for_another_board_is_not_written(application: Application, tmp_path: Path) -> None:
    other = replace(application, boards=("pico2",))
    with powered(tmp_path) as board, pytest.raises(errors.ApplicationError, match=r"for pico2, not for pico\b.*Next: "):
        install(board, other)
    assert on_flash(tmp_path) == {}


def test_a_file_that_is_not_as_its_manifest_says_is_found_on_the_board(
    application: Application, tmp_path: Path
) -> None:
    bad = with_file(application, "mesofirmware/app.mpy", lambda data: data + b"\x00")
    with powered(tmp_path) as board, pytest.raises(errors.PromptError, match=r"/lib is not what was written.*Next: "):
        install(board, bad)
    assert "/main.py" not in on_flash(tmp_path)


def with_file(application: Application, path: str, altered: Callable[[bytes], bytes]) -> Application:
    """The same with another content of one file, under the same manifest."""
    return replace(
        application, files=tuple((name, altered(data) if name == path else data) for name, data in application.files)
    )


def test_without_a_filesystem_nothing_is_formatted(application: Application, tmp_path: Path) -> None:
    put_on_flash(tmp_path, {"/boot.py": b"import os\nos.umount('/')\n", **OURS})
    with powered(tmp_path) as board, Prompt(board.path) as prompt:
        assert not prompt.facts.has_filesystem and prompt.facts.free_bytes == 0
        with pytest.raises(errors.PromptError, match=r"no filesystem.*nothing was formatted.*Next: "):
            prompt.install(application, SIGNER, lambda done, total: None)
    assert set(OURS) < set(on_flash(tmp_path))


def test_a_prompt_of_something_else(tmp_path: Path) -> None:
    put_on_flash(tmp_path, {"/boot.py": b"import sys\nsys.implementation.name = 'circuitpython'\n"})
    with powered(tmp_path) as board, pytest.raises(errors.PromptError, match=r"not MicroPython for a board.*Next: "):
        Prompt(board.path)


def test_a_boot_file_that_never_ends(tmp_path: Path) -> None:
    """From its second run on: the first ends, and the port comes up."""
    first = "import os\nif 'ran' not in os.listdir('/'):\n    open('/ran', 'w').close()\n"
    put_on_flash(tmp_path, {"/boot.py": (first + "else:\n    while True:\n        print('and on')\n").encode()})
    with powered(tmp_path) as board, pytest.raises(errors.PromptError, match=r"nobody is at MicroPython's.*Next: "):
        Prompt(board.path)


def test_our_firmware_takes_no_interrupt(runtime: str) -> None:
    device = Paced(1, runtime)
    with contextlib.closing(device), pytest.raises(errors.PromptError, match=r"takes no Ctrl-C.*Next: unplug the"):
        Prompt(device.path)


def test_a_board_that_goes_to_its_boot_rom_has_no_line(tmp_path: Path) -> None:
    with powered(tmp_path) as board:
        with pytest.raises(errors.LinkLost, match="Next: plug the board in"), Prompt(board.path) as prompt:
            prompt.run("import machine\nmachine.bootloader()")
        assert board.wait_unplugged(PATIENCE_S)


@pytest.mark.parametrize("noise", [b"", b"\x00\xff\x55", b">>> ", b"raw REPL; CTRL-B to exit\r\n>"])
def test_not_a_prompt_at_all(noise: bytes, capsys: pytest.CaptureFixture[str]) -> None:
    with babbling(noise) as path, pytest.raises(errors.PromptError, match=r"nobody is at MicroPython's.*Next: "):
        Prompt(path)
    assert capsys.readouterr().out == ""


def test_no_port_and_a_port_in_use(tmp_path: Path) -> None:
    with pytest.raises(errors.DeviceNotFound, match="Next: "):
        Prompt(str(tmp_path / "ttyACM7"))
    with powered(tmp_path) as board, Prompt(board.path), pytest.raises(errors.PortBusy, match="Next: "):
        Prompt(board.path)


@contextlib.contextmanager
def babbling(noise: bytes) -> Iterator[str]:
    """A port on which somebody says the same for ever, as fast as it is heard."""
    line, terminal = os.openpty()
    tty.setraw(terminal)

    def babble() -> None:
        with contextlib.suppress(OSError):
            while noise:
                os.write(line, noise)

    thread = threading.Thread(target=babble)
    thread.start()
    try:
        yield os.ttyname(terminal)
    finally:
        os.set_blocking(line, False)
        noise = b""
        with contextlib.suppress(OSError):
            import termios

            termios.tcflush(terminal, termios.TCIOFLUSH)
        thread.join()
        os.close(terminal)
        os.close(line)
