"""The simulator's Board: the port of `mesofirmware.boards.port` over the plant. Every call is traced."""

from mesofirmware import readings
from mesoprotocol import bulk, codec, frame, wire
from mesosim.world import axis, flash, plant, trace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from array import array
    from typing import Callable

    from mesofirmware.boards import port
    from mesosim.world import arithmetic

_LINK_BYTES = 4096
_HELLO_REPLY = bytes((0, 4, wire.MAJOR, frame.REPLY, wire.HELLO))
_IMPLEMENTATION_AT = frame.HEADER + 3 + codec.size(wire.HELLO_REPLY_FIELDS[: wire.HELLO_REPLY_IMPLEMENTATION])
MODEL = b"pico"
"""For which board an application must be built to be taken here."""
_CALLS_DRIVE, _CALLS_DEPTH, _CALLS_PLUNGER = 0, 1, 2


class TracedAxis:
    """An axis as the firmware sees it."""

    def __init__(self, board: "SimulatedBoard", which: axis.Axis, number: int) -> None:
        self._board = board
        self._axis = which
        self._number = number

    def feed(self, words: "array[int]", n: int, cycles: int, hold: bool) -> None:
        """See the port."""
        board = self._board
        for i in range(0, n, 2):
            board.note(board.t, trace.FEED, self._number, words[i], words[i + 1])
        board.note(board.t, trace.FEED, self._number, cycles, 1 if hold else 0)
        board.plant.feed(board.t, self._axis, axis.Batch(words, n, cycles, hold))

    def room(self) -> int:
        """See the port."""
        board = self._board
        room = self._axis.room()
        board.note(board.t, trace.ROOM, self._number, room, 0)
        return room

    def busy(self) -> bool:
        """See the port."""
        return self._traced(trace.BUSY, 1 if self._axis.busy() else 0) == 1

    def position(self) -> int:
        """See the port."""
        return self._traced(trace.POSITION, self._axis.position(self._board.t))

    def stop(self) -> int:
        """See the port."""
        return self._traced(trace.STOP, self._board.plant.stop(self._board.t, self._axis))

    def park(self) -> None:
        """See the port."""
        self._traced(trace.PARK, 0)
        self._board.plant.park(self._board.t)

    def release(self) -> None:
        """See the port."""
        self._traced(trace.RELEASE, 0)
        self._board.plant.release(self._board.t)

    def home(self) -> None:
        """See the port."""
        self._traced(trace.HOME, 0)
        self._board.plant.home_depth(self._board.t)

    def _traced(self, kind: int, value: int) -> int:
        board = self._board
        board.note(board.t, kind, self._number, value, 0)
        return value


class TracedStore:
    """The FRAM. Its content outlives the board."""

    def __init__(self, board: "SimulatedBoard", content: bytearray) -> None:
        self._board = board
        self._content = content

    def read(self, at: int, buf: bytearray, n: int) -> None:
        """See the port."""
        self._check(at, n)
        bulk.copy(self._content, at, buf, 0, n)
        self._board.log.blob(self._board.t, trace.STORE_READ, at, bytes(buf[:n]))

    def write(self, at: int, buf: bytearray, n: int) -> None:
        """See the port."""
        self._check(at, n)
        bulk.copy(buf, 0, self._content, at, n)
        self._board.log.blob(self._board.t, trace.STORE_WRITE, at, bytes(buf[:n]))

    def _check(self, at: int, n: int) -> None:
        if at < 0 or at + n > len(self._content):
            raise IndexError("bytes %d to %d of a store of %d" % (at, at + n, len(self._content)))


class TracedFiles:
    """The files on flash. They outlive the board."""

    def __init__(self, board: "SimulatedBoard", kept: "flash.Files") -> None:
        self._board = board
        self._files = kept

    def read(self, name: str, buf: bytearray) -> int:
        """See the port."""
        n = self._files.read(name, buf)
        self._board.log.blob(self._board.t, trace.FILE_READ, n, name.encode())
        return n

    def write(self, name: str, buf: bytearray, n: int) -> None:
        """See the port."""
        self._files.write(name, buf, n)
        self._board.log.blob(self._board.t, trace.FILE_WRITE, n, name.encode() + bytes(buf[:n]))


class TracedShelf:
    """The application folders on flash. They outlive the board."""

    def __init__(self, board: "SimulatedBoard", kept: "flash.Shelf") -> None:
        self._board = board
        self._shelf = kept

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
        self._board.log.blob(self._board.t, trace.SHELF_WRITE, n, bytes(buf[at : at + n]))
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
        self._board.log.blob(self._board.t, kind, a, path.encode())


class TracedChip:
    """The identity chip of the cartridge, if one is mounted."""

    def __init__(self, board: "SimulatedBoard") -> None:
        self._board = board

    def identity(self, buf: bytearray) -> bool:
        """See the port."""
        found = self._mounted()
        if found:
            bulk.copy(self._board.plant.cartridge.serial, 0, buf, 0, 8)
        self._board.log.blob(self._board.t, trace.CHIP_IDENTITY, 1 if found else 0, bytes(buf))
        return found

    def read(self, at: int, buf: bytearray, n: int) -> None:
        """See the port."""
        found = self._mounted()
        for i in range(n):
            buf[i] = self._board.plant.cartridge.memory[at + i] if found else 255
        self._board.log.blob(self._board.t, trace.CHIP_READ, at, bytes(buf[:n]))

    def write(self, at: int, buf: bytearray, n: int) -> None:
        """See the port."""
        if self._mounted():
            bulk.copy(buf, 0, self._board.plant.cartridge.memory, at, n)
        self._board.log.blob(self._board.t, trace.CHIP_WRITE, at, bytes(buf[:n]))

    def _mounted(self) -> bool:
        thing = self._board.plant
        return thing.cartridge.chip and thing.levels & wire.INPUT_CARTRIDGE != 0


class SimulatedBoard:
    """One boot of the board. `t` is kept by the world."""

    def __init__(
        self,
        thing: plant.Plant,
        fram: bytearray,
        files: dict,
        folders: dict,
        uid: bytes,
        random: "arithmetic.Random",
        t: int,
        reset_reason: int,
        on_light: "Callable[[int], None]",
    ) -> None:
        self.plant = thing
        self.log = thing.log
        self.note = thing.log.add
        self.t = t
        self._random = random
        self._on_light = on_light
        self._rx = b""
        self._tx = b""
        self.has_sent = False
        """Whether there is something to collect."""
        self._hello = frame.Reader((wire.MAJOR,))
        self.model = MODEL
        self.uid = uid
        boot_id = bytearray(4)
        random.fill(boot_id)
        self.boot_id = bytes(boot_id)
        self.drive: "port.Axis" = TracedAxis(self, thing.drive, _CALLS_DRIVE)
        self.depth: "port.Axis" = TracedAxis(self, thing.depth, _CALLS_DEPTH)
        self.plunger: "port.Axis" = TracedAxis(self, thing.plunger, _CALLS_PLUNGER)
        self.store: "port.Store" = TracedStore(self, fram)
        self.files: "port.Files" = TracedFiles(self, flash.Files(files))
        self.shelf: "port.Shelf" = TracedShelf(self, flash.Shelf(folders))
        self.chip: "port.Chip" = TracedChip(self)
        self.readings = readings.Readings()
        self.reset_reason = reset_reason
        self.restarts_into = -1
        """What the firmware has asked to be restarted into: see `restart`; -1: it has not."""
        self._counts_at_boot = thing.encoder(t)

    # --- The world's side of the link -----------------------------------------------------------------

    def deliver(self, data: bytes) -> None:
        """Bytes have arrived from the host."""
        self._rx += data

    def collect(self) -> bytes:
        """What the firmware has sent since the last call."""
        data = self._tx
        self._tx = b""
        self.has_sent = False
        return data

    # --- The port -------------------------------------------------------------------------------------

    def now(self) -> int:
        """See the port."""
        return self.note(self.t, trace.NOW, (self.t // plant.TICKS_PER_US) & 0x3FFFFFFF, 0, 0)

    def nonce(self, buf: bytearray) -> None:
        """See the port."""
        self._random.fill(buf)
        self.log.blob(self.t, trace.NONCE, 0, bytes(buf))

    def receive(self, buf: bytearray) -> int:
        """See the port."""
        if not self._rx:
            return self.note(self.t, trace.RECEIVE, 0, 0, 0)
        data = self._rx[: len(buf)]
        n = len(data)
        buf[:n] = data
        self._rx = self._rx[n:]
        self.log.blob(self.t, trace.RECEIVE, 0, data)
        return n

    def send(self, buf: bytearray, n: int) -> bool:
        """See the port."""
        if len(self._tx) + n > _LINK_BYTES:
            self.note(self.t, trace.SEND, 0, n, 0)
            return False
        data = bytes(buf[:n])
        self._tx += data
        self.has_sent = True
        if data[:5] == _HELLO_REPLY:
            # names the interpreter, the one thing that may differ: hashed without that name and its CRC
            self._hello.feed(buf, 0, n)
            body = self._hello.body
            rest = bytes(body[_IMPLEMENTATION_AT + 32 : self._hello.length])
            data = bytes(body[:_IMPLEMENTATION_AT]) + rest
        self.log.blob(self.t, trace.SEND, 1, data)
        return True

    def inputs(self) -> int:
        """See the port."""
        return self.note(self.t, trace.INPUTS, self.plant.inputs(self.t), 0, 0)

    def index_count(self) -> int:
        """See the port."""
        return self.note(self.t, trace.INDEX_COUNT, self.plant.carriage.index_count, 0, 0)

    def index_tick(self) -> int:
        """See the port."""
        return self.note(
            self.t, trace.INDEX_TICK, (self.plant.carriage.index_t // plant.TICKS_PER_US) & 0x3FFFFFFF, 0, 0
        )

    def index_position(self) -> int:
        """See the port."""
        return self.note(self.t, trace.INDEX_POSITION, self.plant.carriage.index_position, 0, 0)

    def protrusion_um(self) -> int:
        """See the port."""
        return self.note(self.t, trace.PROTRUSION, self.readings.carrier_um(self.plant.carriage.protrusion_um), 0, 0)

    def needle_um(self) -> int:
        """See the port."""
        return self.note(
            self.t, trace.NEEDLE, self.readings.carrier_um(self.plant.carriage.needle_now_um(self.t)), 0, 0
        )

    def pressure_pa(self) -> int:
        """See the port."""
        return self.note(self.t, trace.PRESSURE, self.readings.pressure_pa(self.plant.pressure_pa(self.t)), 0, 0)

    def encoder(self) -> int:
        """See the port."""
        counts = self.plant.encoder(self.t) - self._counts_at_boot
        return self.note(self.t, trace.ENCODER, self.readings.encoder(counts), 0, 0)

    def battery_mv(self) -> int:
        """See the port."""
        return self.note(self.t, trace.BATTERY, self.plant.battery_mv(self.t), 0, 0)

    def enable(self, on: bool) -> None:
        """See the port."""
        self.note(self.t, trace.ENABLE, 1 if on else 0, 0, 0)
        self.plant.power(self.t, on)

    def permit(self, on: bool, away: bool) -> None:
        """See the port."""
        self.note(self.t, trace.PERMIT, (1 if on else 0) + (2 if away else 0), 0, 0)
        self.plant.permit(self.t, on, away)

    def feed_deadman(self) -> None:
        """See the port."""
        self.note(self.t, trace.DEADMAN, 0, 0, 0)
        self.plant.feed_deadman(self.t)

    def program_intact(self) -> bool:
        """See the port."""
        return self.note(self.t, trace.PROGRAM, 1, 0, 0) == 1

    def light(self, code: int) -> None:
        """See the port."""
        self.note(self.t, trace.LIGHT, code, 0, 0)
        self._on_light(code)

    def restart(self, into: int) -> None:
        """See the port: the world restarts it when the firmware has come back."""
        self.note(self.t, trace.RESTART, into, 0, 0)
        self.restarts_into = into
