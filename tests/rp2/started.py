"""The twin from its reset on: the real boot.py and main.py run, to their endless loop, and the host meets them by USB.

They run in a thread of their own, which has the turn or waits for it: within a call of `run`, until the chip is idle at
the time that was asked for, or has sent something. What runs is loaded from here; /app_a holds the same files, under a
manifest that `main` holds them against. A folder's app.py that is another one is loaded from there.
"""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import shutil
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

import mesofirmware.boards
from mesofirmware import build
from mesosim.rp2 import chip as chip_
from mesosim.rp2 import load, machine, models, rp2, ticks, usb
from mesosim.rp2.twin import TwinWorld
from mesosim.runtime import InProcess
from mesosim.world import world
from mesosim.world.trace import Untraced

LOOK_US = 1_000
"""MicroPython's `machine.idle` lasts no longer."""


class PowerCut(BaseException):
    """The supply is gone while the program waits for its turn."""


def imported(name: str, **stands: Any) -> Any:
    """A module that is imported anew, while these stand in for MicroPython's."""
    with pytest.MonkeyPatch.context() as patch:
        for stand, module in stands.items():
            patch.setitem(sys.modules, stand, module)
        patch.delitem(sys.modules, name, raising=False)
        return importlib.import_module(name)


def forget() -> None:
    """The board's modules that hold stand-ins: they are imported anew."""
    for name in [name for name in sys.modules if name.startswith("mesofirmware.boards.rp2_")]:
        del sys.modules[name]
        vars(mesofirmware.boards).pop(name.rpartition(".")[2], None)


def write_error(error: Exception, file: Any) -> None:
    """MicroPython's `sys.print_exception`, in short."""
    file.write(repr(error).encode())


class Folder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """The application of the folder that main.py puts before all others: its app.py, on the stand-ins."""

    NAME = "mesofirmware.app"

    def __init__(self, disk: Any) -> None:
        self._disk = disk
        self._here = importlib.import_module(self.NAME)
        self._text = b""

    def insert(self, at: int, folder: str) -> None:
        """See `list.insert`: as main.py calls it of `sys.path`."""
        assert at == 0
        self._text = self._disk.files[folder + "/mesofirmware/app.py"]
        assert self._here.__file__ is not None
        if self._text != Path(self._here.__file__).read_bytes():
            self._put(None)
            sys.meta_path.insert(0, self)

    def forget(self) -> None:
        """What is here is loaded again. Idempotent."""
        if self in sys.meta_path:
            sys.meta_path.remove(self)
            self._put(self._here)

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """See `MetaPathFinder`."""
        return importlib.util.spec_from_loader(fullname, self) if fullname == self.NAME else None

    def exec_module(self, module: ModuleType) -> None:
        """See `Loader`."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setitem(sys.modules, "machine", machine)
            exec(self._text, vars(module))

    def _put(self, module: ModuleType | None) -> None:
        sys.modules.pop(self.NAME, None)
        vars(mesofirmware).pop("app", None)
        if module is not None:
            sys.modules[self.NAME] = vars(mesofirmware)["app"] = module


class StartedWorld(TwinWorld):
    """One device, from its first power-on; see `World`."""

    def __init__(self, root: Path, model: models.Model) -> None:
        """`root`: a folder with what lies on the flash at first."""
        self.model = model
        self._root = root
        self._thread: threading.Thread | None = None
        self._folder: Folder | None = None
        self._program_may = threading.Semaphore(0)
        self._host_may = threading.Semaphore(0)
        self._cut = False
        self._ended: BaseException | None = None
        self.interrupt_characters: list[int] = []
        super().__init__(1, Untraced())

    def boot(self, reason: int) -> None:
        """Power: the program begins with the next `run`."""
        self.end()
        self.wire()
        self._cut = False
        self._ended = None
        self.hand.see(self._us_now(), 0)
        self._watch_hand()
        self._thread = threading.Thread(target=self._run_program, daemon=True)
        self._thread.start()

    def run(self, until_us: int, rx: bytes) -> tuple[int, bytes]:
        """See `World`."""
        chip = chip_.chip
        chip.limit = (until_us + world.START_US) * self.model.clocks_per_us
        self._port.received.held += rx
        if rx or chip.t < chip.limit:
            self._give_turn()
        if isinstance(self._ended, machine.Reset):
            self._cause = machine.WDT_RESET
            self._power(True)
        elif self._ended is not None:
            raise self._ended
        self._t = chip.ticks()
        tx, self._tx = self._tx, b""
        return chip.t // self.model.clocks_per_us - world.START_US, tx

    def end(self) -> None:
        """The supply goes. Idempotent."""
        if self._thread is not None and self._ended is None:
            self._cut = True
            self._give_turn()
        self._thread = None
        if self._folder is not None:
            self._folder.forget()

    # --- Turns ----------------------------------------------------------------------------------------

    def _give_turn(self) -> None:
        self._program_may.release()
        self._host_may.acquire()

    def _wait_for_turn(self) -> None:
        self._host_may.release()
        self._program_may.acquire()
        if self._cut:
            raise PowerCut

    def _at_idle(self) -> bool:
        """The host takes what was sent; whether there is room for more, or time has passed elsewhere."""
        chip = chip_.chip
        sent = self._port.sent
        if sent.held:
            self._tx += sent.held
            sent.held = b""
            return True
        if self._tx or chip.t >= chip.limit:
            self._wait_for_turn()
            return True
        chip.alarm = chip.t + LOOK_US * self.model.clocks_per_us
        return False

    def _sleep_ms(self, ms: int) -> None:
        ticks.sleep_ms(ms)
        if chip_.chip.t >= chip_.chip.limit:
            self._wait_for_turn()

    # --- The program ----------------------------------------------------------------------------------

    def _run_program(self) -> None:
        self._program_may.acquire()
        try:
            if not self._cut:
                self._start()
            self._ended = SystemExit("main.py has come back: there is a prompt now")
        except BaseException as error:
            self._ended = error
        self._host_may.release()

    def _start(self) -> None:
        forget()
        imported("mesofirmware.start.boot", machine=machine)
        if not self._disk.files:
            for file in sorted(each for each in self._root.rglob("*") if each.is_file()):
                self._disk.put("/" + file.relative_to(self._root).as_posix(), file.read_bytes())
        load.pico(self._port, load.Entropy(self._random.fill), self._disk)
        micropython = SimpleNamespace(kbd_intr=self.interrupt_characters.append)
        time = SimpleNamespace(ticks_ms=ticks.ticks_ms, ticks_diff=ticks.ticks_diff, sleep_ms=self._sleep_ms)
        window = imported("mesofirmware.boards.rp2_start", machine=machine, rp2=rp2, time=time, micropython=micropython)
        window.sys, window.select = self._port, usb
        main = imported("mesofirmware.start.main")
        main.gc = SimpleNamespace(threshold=lambda n: None)
        self._folder = Folder(self._disk)
        main.sys = SimpleNamespace(path=self._folder, modules={}, print_exception=write_error)
        main.open = self._disk.open
        self._let_see(sys.modules["mesofirmware.boards.rp2_pico"])
        main.main()

    def _let_see(self, pico: Any) -> None:
        """The hand sees the board's light."""
        here = self

        class Seen(pico.Pico):  # type: ignore[misc]
            def __init__(self, *given: Any) -> None:
                super().__init__(*given)
                here._pico = self

            def light(self, code: int) -> None:
                super().light(code)
                here._on_light(code)

        pico.Pico = Seen


class Started(InProcess):
    """A device that starts by itself."""

    def __init__(self, root: Path, model: models.Model = models.RP2040) -> None:
        install(root / "app_a")
        self.world: StartedWorld = StartedWorld(root, model)

    def close(self) -> None:
        """See `Device`."""
        self.world.end()
        forget()


def install(folder: Path) -> None:
    """An application's folder, whole: the firmware's files, as they are here."""
    for name, file in build.sources():
        to = folder / (name + ".py")
        to.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, to)
    build.seal(folder)
