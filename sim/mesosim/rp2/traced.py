"""A Board whose every call goes into a trace, in the form of the simulator's: `mesosim.world.trace`."""

from mesoprotocol import frame, wire
from mesosim.world import trace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from array import array
    from typing import Any, Callable

    from mesofirmware.boards import port


_HELLO_REPLY = bytes((0, 4, wire.MAJOR, frame.REPLY, wire.HELLO))


class TracedAxis:
    """One axis, number 0 to 2: drive, depth, plunger."""

    def __init__(self, log: trace.Trace, now: "Callable[[], int]", which: "port.Axis", number: int) -> None:
        self._log = log
        self._now = now
        self._axis = which
        self._number = number

    def feed(self, words: "array[int]", n: int, cycles: int, hold: bool) -> None:
        """See the port."""
        t = self._now()
        for i in range(0, n, 2):
            self._log.add(t, trace.FEED, self._number, words[i], words[i + 1])
        self._log.add(t, trace.FEED, self._number, cycles, 1 if hold else 0)
        self._axis.feed(words, n, cycles, hold)

    def room(self) -> int:
        """See the port."""
        return self._traced(trace.ROOM, self._axis.room())

    def busy(self) -> bool:
        """See the port."""
        return self._traced(trace.BUSY, 1 if self._axis.busy() else 0) == 1

    def position(self) -> int:
        """See the port."""
        return self._traced(trace.POSITION, self._axis.position())

    def stop(self) -> int:
        """See the port."""
        return self._traced(trace.STOP, self._axis.stop())

    def park(self) -> None:
        """See the port."""
        self._traced(trace.PARK, 0)
        self._axis.park()

    def release(self) -> None:
        """See the port."""
        self._traced(trace.RELEASE, 0)
        self._axis.release()

    def home(self) -> None:
        """See the port."""
        self._traced(trace.HOME, 0)
        self._axis.home()

    def _traced(self, kind: int, value: int) -> int:
        self._log.add(self._now(), kind, self._number, value, 0)
        return value


class TracedStore:
    """The ledger's memory."""

    def __init__(self, log: trace.Trace, now: "Callable[[], int]", store: "port.Store") -> None:
        self._log = log
        self._now = now
        self._store = store

    def read(self, at: int, buf: bytearray, n: int) -> None:
        """See the port."""
        self._store.read(at, buf, n)
        self._log.blob(self._now(), trace.STORE_READ, at, bytes(buf[:n]))

    def write(self, at: int, buf: bytearray, n: int) -> None:
        """See the port."""
        self._store.write(at, buf, n)
        self._log.blob(self._now(), trace.STORE_WRITE, at, bytes(buf[:n]))


class TracedFiles:
    """The files on flash."""

    def __init__(self, log: trace.Trace, now: "Callable[[], int]", files: "port.Files") -> None:
        self._log = log
        self._now = now
        self._files = files

    def read(self, name: str, buf: bytearray) -> int:
        """See the port."""
        n = self._files.read(name, buf)
        self._log.blob(self._now(), trace.FILE_READ, n, name.encode())
        return n

    def write(self, name: str, buf: bytearray, n: int) -> None:
        """See the port."""
        self._log.blob(self._now(), trace.FILE_WRITE, n, name.encode() + bytes(buf[:n]))
        self._files.write(name, buf, n)


class TracedShelf:
    """The application folders on flash."""

    def __init__(self, log: trace.Trace, now: "Callable[[], int]", shelf: "port.Shelf") -> None:
        self._log = log
        self._now = now
        self._shelf = shelf

    def names(self, folder: str) -> list:
        """See the port."""
        names = self._shelf.names(folder)
        self._traced(trace.SHELF_NAMES, len(names), folder)
        return names

    def read(self, path: str, at: int, buf: bytearray) -> int:
        """See the port."""
        n = self._shelf.read(path, at, buf)
        self._traced(trace.SHELF_READ, n, path)
        return n

    def begin(self, path: str) -> None:
        """See the port."""
        self._traced(trace.SHELF_BEGIN, 0, path)
        self._shelf.begin(path)

    def write(self, buf: "bytes | bytearray", at: int, n: int) -> None:
        """See the port."""
        self._log.blob(self._now(), trace.SHELF_WRITE, n, bytes(buf[at : at + n]))
        self._shelf.write(buf, at, n)

    def end(self) -> None:
        """See the port."""
        self._traced(trace.SHELF_END, 0, "")
        self._shelf.end()

    def remove(self, path: str) -> None:
        """See the port."""
        self._traced(trace.SHELF_REMOVE, 0, path)
        self._shelf.remove(path)

    def _traced(self, kind: int, a: int, path: str) -> None:
        self._log.blob(self._now(), kind, a, path.encode())


class TracedChip:
    """The identity chip of the cartridge."""

    def __init__(self, log: trace.Trace, now: "Callable[[], int]", chip: "port.Chip") -> None:
        self._log = log
        self._now = now
        self._chip = chip

    def identity(self, buf: bytearray) -> bool:
        """See the port."""
        found = self._chip.identity(buf)
        self._log.blob(self._now(), trace.CHIP_IDENTITY, 1 if found else 0, bytes(buf))
        return found

    def read(self, at: int, buf: bytearray, n: int) -> None:
        """See the port."""
        self._chip.read(at, buf, n)
        self._log.blob(self._now(), trace.CHIP_READ, at, bytes(buf[:n]))

    def write(self, at: int, buf: bytearray, n: int) -> None:
        """See the port."""
        self._log.blob(self._now(), trace.CHIP_WRITE, at, bytes(buf[:n]))
        self._chip.write(at, buf, n)


class TracedBoard:
    """A board behind the port. What is not of the port is the board's own."""

    def __init__(self, log: trace.Trace, now: "Callable[[], int]", board: "Any") -> None:
        """`now`: the time in ticks of 40 ns."""
        self._log = log
        self._now = now
        self._board = board
        self.uid = board.uid
        self.boot_id = board.boot_id
        self.drive: "port.Axis" = TracedAxis(log, now, board.drive, 0)
        self.depth: "port.Axis" = TracedAxis(log, now, board.depth, 1)
        self.plunger: "port.Axis" = TracedAxis(log, now, board.plunger, 2)
        self.store: "port.Store" = TracedStore(log, now, board.store)
        self.files: "port.Files" = TracedFiles(log, now, board.files)
        self.shelf: "port.Shelf" = TracedShelf(log, now, board.shelf)
        self.chip: "port.Chip" = TracedChip(log, now, board.chip)
        self.on_light: "Callable[[int], None]" = _ignore

    def __getattr__(self, name: str) -> "Any":
        return getattr(self._board, name)

    def now(self) -> int:
        """See the port."""
        return self._note(trace.NOW, self._board.now())

    def nonce(self, buf: bytearray) -> None:
        """See the port."""
        self._board.nonce(buf)
        self._log.blob(self._now(), trace.NONCE, 0, bytes(buf))

    def receive(self, buf: bytearray) -> int:
        """See the port."""
        n: int = self._board.receive(buf)
        if n:
            self._log.blob(self._now(), trace.RECEIVE, 0, bytes(buf[:n]))
            return n
        return self._note(trace.RECEIVE, 0)

    def send(self, buf: bytearray, n: int) -> bool:
        """See the port."""
        if self._board.send(buf, n):
            data = bytes(buf[:n])
            # names the interpreter, the one thing that may differ
            self._log.blob(self._now(), trace.SEND, 1, _HELLO_REPLY if data[:5] == _HELLO_REPLY else data)
            return True
        self._log.add(self._now(), trace.SEND, 0, n, 0)
        return False

    def inputs(self) -> int:
        """See the port."""
        return self._note(trace.INPUTS, self._board.inputs())

    def index_count(self) -> int:
        """See the port."""
        return self._note(trace.INDEX_COUNT, self._board.index_count())

    def index_tick(self) -> int:
        """See the port."""
        return self._note(trace.INDEX_TICK, self._board.index_tick())

    def index_position(self) -> int:
        """See the port."""
        return self._note(trace.INDEX_POSITION, self._board.index_position())

    def protrusion_um(self) -> int:
        """See the port."""
        return self._note(trace.PROTRUSION, self._board.protrusion_um())

    def needle_um(self) -> int:
        """See the port."""
        return self._note(trace.NEEDLE, self._board.needle_um())

    def pressure_pa(self) -> int:
        """See the port."""
        return self._note(trace.PRESSURE, self._board.pressure_pa())

    def encoder(self) -> int:
        """See the port."""
        return self._note(trace.ENCODER, self._board.encoder())

    def battery_mv(self) -> int:
        """See the port."""
        return self._note(trace.BATTERY, self._board.battery_mv())

    def enable(self, on: bool) -> None:
        """See the port."""
        self._note(trace.ENABLE, 1 if on else 0)
        self._board.enable(on)

    def permit(self, on: bool, away: bool) -> None:
        """See the port."""
        self._note(trace.PERMIT, (1 if on else 0) + (2 if away else 0))
        self._board.permit(on, away)

    def feed_deadman(self) -> None:
        """See the port."""
        self._note(trace.DEADMAN, 0)
        self._board.feed_deadman()

    def program_intact(self) -> bool:
        """See the port."""
        return self._note(trace.PROGRAM, 1 if self._board.program_intact() else 0) == 1

    def light(self, code: int) -> None:
        """See the port."""
        self._note(trace.LIGHT, code)
        self._board.light(code)
        self.on_light(code)

    def restart(self, into: int) -> None:
        """See the port."""
        self._note(trace.RESTART, into)
        self._board.restart(into)

    def _note(self, kind: int, value: int) -> int:
        return self._log.add(self._now(), kind, value, 0, 0)


def _ignore(code: int) -> None:
    pass
