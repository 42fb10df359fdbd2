"""The model Board: the port of `mesofirmware.boards.port` over a plant of which only the plunger takes steps.

The needle drive and the depth stop move at once, the pressure is constant, so that the needle leaves after 4 tau. The
plunger's batches end by `move`; what stops it, stops it in the middle of a batch. Time stands still within a call.
"""

from __future__ import annotations

from typing import Any

from mesofirmware.readings import Readings
from mesoprotocol import frame, wire

BOTH = wire.INPUT_TRIGGER_A | wire.INPUT_TRIGGER_B
STORE_BYTES = 768
ON_SKIN = BOTH | wire.INPUT_CONTACT


class Plunger:
    """At most two batches of steps; those that were made are counted."""

    def __init__(self, board: Board) -> None:
        self._board = board
        self.queue: tuple[int, ...] = ()
        self.steps = 0

    def feed(self, words: Any, n: int, cycles: int, hold: bool) -> None:
        if self._board.permitted:
            self._board.on_feed()
            self.queue = (*self.queue, words[0] // 2 + 1)

    def room(self) -> int:
        return 2 - len(self.queue)

    def busy(self) -> bool:
        return bool(self.queue)

    def position(self) -> int:
        return self.steps

    def stop(self) -> int:
        if self.queue:
            self._make(self.queue[0] // 2)
        self.queue = ()
        return self.steps

    def move(self) -> None:
        """The batch that runs comes to its end."""
        self._make(self.queue[0])
        self.queue = self.queue[1:]

    def _make(self, steps: int) -> None:
        self.steps += steps
        self._board.on_steps(steps)


class Drive:
    """The needle drive: what is fed is done, what is held is done when it is released."""

    def __init__(self) -> None:
        self.out = False
        """The needle stands at the bottom."""

    def feed(self, words: Any, n: int, cycles: int, hold: bool) -> None:
        if not hold:
            self.out = True

    def room(self) -> int:
        return 1

    def busy(self) -> bool:
        return False

    def position(self) -> int:
        return 0

    def release(self) -> None:
        self.out = False


class Depth:
    """The depth stop, 10 um a step."""

    def __init__(self) -> None:
        self.steps = 0

    def feed(self, words: Any, n: int, cycles: int, hold: bool) -> None:
        steps = words[0] // 2 + 1
        self.steps += steps if words[0] & 1 else -steps

    def busy(self) -> bool:
        return False

    def position(self) -> int:
        return self.steps

    def home(self) -> None:
        self.steps = 0


class Store:
    """Bytes that outlive a reset."""

    def __init__(self) -> None:
        self.data = bytearray(STORE_BYTES)

    def read(self, at: int, buf: bytearray, n: int) -> None:
        buf[:n] = self.data[at : at + n]

    def write(self, at: int, buf: bytearray, n: int) -> None:
        self.data[at : at + n] = buf[:n]


class Files:
    """No file was ever written."""

    def read(self, name: str, buf: bytearray) -> int:
        return -1


class Chip:
    """No cartridge is ever asked for."""


class Board:
    """One handpiece. `levels` are the inputs that a hand, the skin and the mount decide."""

    uid = b"explored"

    def __init__(self) -> None:
        self.plunger: Any = Plunger(self)
        self.drive: Any = Drive()
        self.depth: Any = Depth()
        self.store = Store()
        self.files = Files()
        self.chip = Chip()
        self.readings = Readings()
        self.reset_reason = wire.RESET_UNKNOWN
        self.boot = 1
        self.nonces = 0
        """How many were drawn; each is another, and the same in every run that draws as many."""
        self.time = 0
        self.levels = wire.INPUT_SYRINGE | wire.INPUT_CARTRIDGE
        self.permitted = False
        self.received: list[bytes] = []
        self.sent: list[bytes] = []
        self.on_feed: Any = None
        self.on_steps: Any = None

    @property
    def boot_id(self) -> bytes:
        return b"BT%02d" % self.boot

    def save(self) -> tuple:
        """Everything that changes, between two calls of the firmware."""
        return (
            (self.plunger.queue, self.plunger.steps, self.drive.out, self.depth.steps),
            bytes(self.store.data),
            (self.boot, self.nonces, self.levels, self.permitted),
        )

    def load(self, saved: tuple) -> None:
        """Become what was saved."""
        axes, data, rest = saved
        self.plunger.queue, self.plunger.steps, self.drive.out, self.depth.steps = axes
        self.store.data[:] = data
        self.boot, self.nonces, self.levels, self.permitted = rest

    def press(self, on: bool) -> None:
        """A hand sets the handpiece to the skin and presses, or lets go and lifts it."""
        self.levels = self.levels | ON_SKIN if on else self.levels & ~ON_SKIN
        if self.permitted and not on:
            self.permit(False, False)

    def reset(self) -> None:
        """Power returns: no permit, the spring has taken the needle home, RAM is another."""
        self.permit(False, False)
        self.boot += 1

    # --- The port ---------------------------------------------------------------------------------------

    def now(self) -> int:
        return self.time

    def nonce(self, buf: bytearray) -> None:
        self.nonces += 1
        for i in range(len(buf)):
            buf[i] = self.nonces

    def receive(self, buf: bytearray) -> int:
        if not self.received:
            return 0
        data = self.received.pop(0)
        n = min(len(data), len(buf))
        buf[:n] = data[:n]
        if data[n:]:
            self.received.insert(0, data[n:])
        return n

    def send(self, buf: bytearray, n: int) -> bool:
        self.sent.append(bytes(buf[:n]))
        return True

    def inputs(self) -> int:
        bits = self.levels
        if not self.drive.out:
            bits |= wire.INPUT_NEEDLE_HOME
        if self.permitted:
            bits |= wire.INPUT_PERMIT_PLUNGER
        return bits

    def needle_um(self) -> int:
        return self.depth.steps * 10 if self.drive.out else -1000

    def pressure_pa(self) -> int:
        return 0

    def encoder(self) -> int:
        return int(self.plunger.steps) * 5 // 8

    def battery_mv(self) -> int:
        return 4000

    def enable(self, on: bool) -> None:
        pass

    def permit(self, on: bool, away: bool) -> None:
        self.permitted = on and self.levels & ON_SKIN == ON_SKIN
        if not self.permitted:
            self.plunger.stop()
            self.drive.release()

    def feed_deadman(self) -> None:
        pass

    def index_count(self) -> int:
        return 0

    def program_intact(self) -> bool:
        return True

    def light(self, code: int) -> None:
        pass


def is_of_interest(data: bytes) -> bool:
    """Phases and samples are for screens; of them the host takes nothing but the device's time."""
    return not (data[3] == frame.STREAM or (data[3] == frame.EVENT and data[4] == wire.EVENT_PHASE))
