"""A board from its reset on, in a process of MicroPython's unix port: what lies on its flash runs, boot.py and main.py.

Real are MicroPython with its prompt, littlefs, and every file on the flash, .mpy by .mpy; `machine`, `rp2`, `time`,
`select` and USB's streams are the twin's. Virtual time keeps step with the wall clock, or falls behind it, never ahead;
at the prompt it stands. FRAM and flash are files, and the watchdog's scratch registers survive a reset; the handpiece
begins anew with each start, and nobody holds it. The heap is no board's, for the twin lies in it too: when garbage is
collected is not the firmware's to say.
"""

import binascii
import gc
import os
import select
import sys
import termios
import time

import vfs

from mesosim.rp2 import chip as chip_
from mesosim.rp2 import load, machine, models, rp2, ticks, twin, usb
from mesosim.world import trace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from io import FileIO
    from typing import Any

MODELS = {"pico": models.RP2040, "pico2": models.RP2350}
_LOOK_MS = 1
"""MicroPython's `machine.idle` lasts no longer."""
_FRAM_AT = 0x50
_CTRL_C = 3
_ISIG = 1
_LOCAL = 3
"""Of a terminal's attributes; termios(3)."""
_OURS = ("mesofirmware", "mesoprotocol")


class Flash:
    """A file as the block device of a littlefs, in RP2's blocks."""

    BLOCK = 4096
    erased = written = 0
    """Blocks and bytes since the start, of all of them: what costs a real one time."""

    def __init__(self, path: str) -> None:
        self._count = os.stat(path)[6] // self.BLOCK
        self._file: "FileIO" = open(path, "r+b", buffering=0)

    def readblocks(self, block: int, buf: bytearray, at: int = 0) -> None:
        """See MicroPython's `vfs.AbstractBlockDev`."""
        self._file.seek(block * self.BLOCK + at)
        self._file.readinto(buf)

    def writeblocks(self, block: int, buf: bytearray, at: int = 0) -> None:
        """See `readblocks`."""
        Flash.written += len(buf)
        self._file.seek(block * self.BLOCK + at)
        self._file.write(buf)

    def ioctl(self, op: int, arg: int) -> "int | None":
        """See `readblocks`."""
        if op == 4:
            return self._count
        if op == 5:
            return self.BLOCK
        if op == 6:
            Flash.erased += 1
            return 0
        return None


class _Kept:
    """The FRAM on its bus, and in its file."""

    def __init__(self, chip: "Any", file: "FileIO") -> None:
        self._chip = chip
        self._file = file
        self.read = chip.read

    def write(self, data: bytes) -> None:
        self._chip.write(data)
        if len(data) > 2:
            self._file.seek(data[0] << 8 | data[1])
            self._file.write(data[2:])


class _Stream:
    """One direction of USB as `sys.stdin.buffer` or `sys.stdout.buffer`: the terminal, without waiting."""

    def __init__(self, file: "FileIO", event: int) -> None:
        self._event = event
        self._poll = select.poll()
        self._poll.register(file, event)
        self.readinto = file.readinto
        self.write = file.write

    def ready(self, events: int) -> int:
        """Which of the events has come."""
        return self._event if events & self._event and self._poll.poll(0) else 0

    def wait(self, ms: int) -> None:
        """Until there is something, at most this long."""
        self._poll.poll(ms)


class _Half:
    def __init__(self, stream: _Stream) -> None:
        self.buffer = stream


class _Like:
    """A module of MicroPython's with some of its names changed."""

    def __init__(self, module: "Any", **others: object) -> None:
        for name in dir(module):
            if name not in others and not name.startswith("__"):
                setattr(self, name, getattr(module, name))
        for name, value in others.items():
            setattr(self, name, value)


class StartedWorld(twin.TwinWorld):
    """One start of a board. `supervisor`: where its resets are said, a line each."""

    def __init__(self, model: models.Model, seed: int, cause: int, scratch: int, fram: "FileIO", supervisor: "FileIO"):
        self.model = model
        self._line_in = _Stream(open(0, "rb", buffering=0), select.POLLIN)
        self._line_out = _Stream(open(1, "wb", buffering=0), select.POLLOUT)
        self._fram_file = fram
        self._supervisor = supervisor
        self._began_ns = time.time_ns()
        super().__init__(seed, trace.Untraced())
        fram.seek(0)
        fram.readinto(self._fram)
        chip = chip_.chip
        chip.reset_cause = cause
        chip.scratch[0] = scratch

    def boot(self, reason: int) -> None:
        """Power: the program begins with `start`."""
        self.wire()
        chip = chip_.chip
        wires = chip.wires[0]
        wires[_FRAM_AT] = _Kept(wires[_FRAM_AT], self._fram_file)
        self._since = chip.t
        self.hand.see(self._us_now(), 0)
        self._watch_hand()

    def stand_in(self) -> None:
        """Put the twin in the place of MicroPython's own modules, for whatever is imported from now on."""
        import micropython

        known = sys.implementation
        seen = _Like(None, name=known.name, version=known.version, _mpy=known._mpy, _machine=self.model.machine)
        streams = {"stdin": _Half(self._line_in), "stdout": _Half(self._line_out)}
        stands: "dict[str, Any]" = {
            "gc": _Like(gc, threshold=_leave),
            "machine": machine,
            "rp2": rp2,
            "uctypes": load.Addresses,
            "select": usb,
            "time": _Like(ticks, sleep_ms=self._sleep_ms),
            "micropython": _Like(micropython, kbd_intr=kbd_intr),
            "sys": _Like(sys, implementation=seen, path=sys.path, **streams),
        }
        sys.modules.update(stands)
        machine.reset = self.reset
        machine.bootloader = self._bootloader
        machine.idle = self._idle

    def unheard(self, mark: bytes) -> bytes:
        """What the host said and no program has read, all that comes before `mark`."""
        heard = b""
        piece = bytearray(1)
        while not heard.endswith(mark):
            self._line_in.readinto(piece)
            heard += piece
        return heard[: -len(mark)]

    def reset(self) -> None:
        """The chip restarts, by its watchdog: the supervisor ends this process."""
        self._end(b"reset %d\n" % chip_.chip.scratch[0])

    def _bootloader(self) -> None:
        self._end(b"bootsel\n")

    def _end(self, said: bytes) -> None:
        self._supervisor.write(said)
        while True:
            self._supervisor.read(1)

    # --- Time -----------------------------------------------------------------------------------------

    def _idle(self) -> None:
        chip = chip_.chip
        behind = self._behind()
        if behind <= 0:
            self._line_in.wait(_LOOK_MS)
            behind = self._behind()
        chip.alarm = chip.t + min(max(behind, 1), 1000 * _LOOK_MS) * self.model.clocks_per_us
        try:
            chip.idle()
        except chip_.TimeUp:
            self.reset()

    def _sleep_ms(self, ms: int) -> None:
        try:
            ticks.sleep_ms(ms)
        except chip_.TimeUp:
            self.reset()
        behind = self._behind()
        if behind < 0:
            time.sleep(-behind / 1e6)

    def _behind(self) -> int:
        """How far virtual time is behind the wall clock, us."""
        wall = (time.time_ns() - self._began_ns) // 1000
        return int(wall - (chip_.chip.t - self._since) // self.model.clocks_per_us)

    def _at_idle(self) -> bool:
        """Nobody takes bytes from this world: they are on the line already."""
        return False


def _leave(n: int) -> None:
    """Collect garbage when the heap is full, as it is."""


def kbd_intr(character: int) -> None:
    """Whether Ctrl-C interrupts: it is the terminal's signal, or a byte."""
    attributes = termios.tcgetattr(0)
    attributes[_LOCAL] = attributes[_LOCAL] | _ISIG if character == _CTRL_C else attributes[_LOCAL] & ~_ISIG
    termios.tcsetattr(0, termios.TCSANOW, attributes)


def start(given: dict, names: dict) -> None:
    """Run what the flash starts with, in `names`, which the prompt has afterwards.

    given: `flash`, `fram`: paths; `model`: one of `MODELS`; `seed`; `cause`, `scratch`: of the reset; `runs_main`:
    whether main.py runs, which it does not after a soft reset from the raw prompt; `supervisor`: a file's number;
    `mark`: what it says on the line once it holds back what comes from the host.
    """
    supervisor: "FileIO" = open(given["supervisor"], "r+b", buffering=0)
    fram: "FileIO" = open(given["fram"], "r+b", buffering=0)
    flash = Flash(given["flash"])
    board = StartedWorld(MODELS[given["model"]], given["seed"], given["cause"], given["scratch"], fram, supervisor)
    vfs.umount("/")
    try:
        vfs.mount(vfs.VfsLfs2(flash, progsize=256), "/")
    except OSError:
        # a chip's first start: what MicroPython itself does (ports/rp2/modules/_boot.py)
        vfs.VfsLfs2.mkfs(flash, progsize=256)
        vfs.mount(vfs.VfsLfs2(flash, progsize=256), "/")
    os.chdir("/")
    for name in list(sys.modules):
        if name.split(".")[0] in _OURS:
            del sys.modules[name]
    sys.path[:] = ["", ".frozen", "/lib"]
    board.stand_in()
    names["__name__"] = "__main__"
    try:
        is_well = _run("boot.py", names)
        supervisor.write(b"up\n")
        if is_well and given["runs_main"]:
            _run("main.py", names)
        kbd_intr(-1)
        for _ in range(3):  # a Ctrl-C from before is raised here
            pass
    except KeyboardInterrupt:
        kbd_intr(-1)
    # from here to the prompt a Ctrl-C would end the process: what is on the line goes back, and then it is silent
    supervisor.write(b"prompt\n")
    supervisor.write(b"unheard " + binascii.hexlify(board.unheard(given["mark"])) + b"\n")
    kbd_intr(_CTRL_C)


def _run(file: str, names: dict) -> bool:
    """Run a file, if it is there; whether it has not failed."""
    try:
        with open(file) as source:
            program = source.read()
    except OSError:
        return True
    try:
        exec(compile(program, file, "exec"), names)
    except BaseException as error:
        sys.print_exception(error)  # type: ignore[attr-defined]
        return False
    return True
