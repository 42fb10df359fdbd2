"""Faults on single Board calls: what an input, an output, a bus or a processor can do wrong.

A call is named as in `mesofirmware.boards.port` (`inputs`, `store.write`, `drive.feed`), its kind of fault is one of
`calls.KINDS`. `value` is the kind's own figure; None takes its default:

    stuck       a reading stays at `value`, or at what the first such call found; an output stays as it is
    dropped     a reading is 0, a buffer stays as it was, an output is not made
    spike       a reading is off by `value` (1000); a buffer's first byte is 0xFF; a level is shown inverted first
    late        a reading takes `value` us (50,000) and the processor waits; an output is made so much later
    exception   the call raises OSError
    flipped_bit bit `value` (0) of the reading, the buffer, the argument or the table is flipped
    duplicate   an output is made twice, received bytes come twice
    stale       what the former call of this name gave, or was given
    wrong_sign  a reading is negated, a batch goes the other way
    reset       the board restarts instead; a store's write is torn after `value` (0) bytes

What the firmware does not catch, and `reset`, restart the board: its pins fall to their safe level at once, and it
boots RESTART_US later, as a real board does whose main program has ended.
"""

from mesofirmware import app
from mesoprotocol import wire
from mesosim.world import calls, plant
from mesosim.world.world import RESTART_US

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Optional

    from mesosim.world import board as boards
    from mesosim.world import world as worlds


class BoardReset(BaseException):
    """The board restarts here: what the firmware was about to do is not done."""


class Meddled:
    """A world's Board with faults in it. It stands between Board and firmware in every boot from now on."""

    def __init__(self, world: "worlds.World") -> None:
        self._world = world
        self._counts: dict[str, int] = {}
        self._faults: list[Fault] = []
        self._late: list[tuple] = []
        self._busy_until = 0
        self._restart_at = -1
        self._app: "Optional[app.App]" = world.app if isinstance(world.app, app.App) else None
        self.restarts = 0
        self.watch: "Optional[Callable[[str, tuple], None]]" = None
        """Called before each Board call with its name and arguments."""
        self._attach(world.board)

    def add(self, call: str, kind: str, first_call: int = 0, count: int = 1, value: "Optional[int]" = None) -> None:
        """A fault of `kind` on `count` calls of `call` (0: on all that follow), the first after `first_call` others.

        ValueError if there is no such call or kind, or if they do not fit.
        """
        if not calls.fits(call, kind):
            raise ValueError("fault %r does not fit the call %r" % (kind, call))
        if first_call < 0 or count < 0:
            raise ValueError("first_call %d and count %d are at least 0" % (first_call, count))
        first = self._counts.get(call, 0) + first_call
        self._faults.append(Fault(call, kind, first, first + count if count else -1, value))

    def clear(self) -> None:
        """Take all faults away; what is late still comes."""
        self._faults.clear()

    def boot(self, board: "boards.SimulatedBoard") -> "Meddled":
        """Start the firmware on a new board; what to call in its place."""
        self._attach(board)
        self._late.clear()
        self._busy_until = 0
        self._restart_at = -1
        self._app = None
        try:
            self._app = self._world.firmware()
        except (Exception, BoardReset):
            self._fall()
        return self

    def step(self, now: int) -> int:
        """As `App.step`."""
        world = self._world
        t = world.board.t
        if self._restart_at >= 0:
            if t < self._restart_at:
                return _us_until(t, self._restart_at)
            world.boot(wire.RESET_WATCHDOG)
            return 0
        if t < self._busy_until:
            return _us_until(t, self._busy_until)
        try:
            while self._late and self._late[0][0] <= t:
                _, made, args = self._late.pop(0)
                made(*args)
            if self._app is None:
                raise ValueError("no firmware to call")
            wait = self._app.step(now)
        except (Exception, BoardReset):
            return self._fall()
        if t < self._busy_until:
            wait = max(wait, _us_until(t, self._busy_until))
        for due, _, _ in self._late:
            wait = min(wait, _us_until(t, due))
        return wait

    def _fall(self) -> int:
        """The firmware has ended: the board restarts."""
        t = self._world.board.t
        self.restarts += 1
        self._app = None
        self._late.clear()
        self._world.plant.reset(t)
        self._restart_at = t + RESTART_US * plant.TICKS_PER_US
        return RESTART_US

    def _attach(self, board: "boards.SimulatedBoard") -> None:
        for name, form in calls.CALLS:
            owner, _, method = name.rpartition(".")
            thing = getattr(board, owner) if owner else board
            call = Call(self, name, form, getattr(thing, method))
            setattr(thing, method, call.make)

    # --- For the calls --------------------------------------------------------------------------------

    def fault_of(self, name: str) -> "Optional[Fault]":
        """The fault that this call of `name` meets, which is counted."""
        n = self._counts.get(name, 0)
        self._counts[name] = n + 1
        for fault in self._faults:
            if fault.name == name and fault.first <= n and (fault.end < 0 or n < fault.end):
                return fault
        return None

    def wait(self, us: int) -> None:
        """The processor waits for a slow reading."""
        self._busy_until = self._world.board.t + us * plant.TICKS_PER_US

    def hear(self, data: bytes) -> None:
        """Bytes arrive from nowhere."""
        self._world.board.deliver(data)

    def later(self, us: int, made: "Callable[..., Any]", args: tuple) -> None:
        """Make an output later."""
        self._late.append((self._world.board.t + us * plant.TICKS_PER_US, made, args))
        self._late.sort(key=_due)


class Fault:
    """One fault on the calls `first` to `end` of a name, not included; -1: on all that follow."""

    def __init__(self, name: str, kind: str, first: int, end: int, value: "Optional[int]") -> None:
        self.name = name
        self.kind = kind
        self.first = first
        self.end = end
        self.value = value
        self.held: "Any" = None
        """What the first such call found."""

    def figure(self, default: int) -> int:
        """The kind's figure."""
        return default if self.value is None else self.value


class Call:
    """One method of the Board as the firmware calls it. `last`: what the former call gave, or was given."""

    def __init__(self, meddled: Meddled, name: str, form: int, made: "Callable[..., Any]") -> None:
        self._meddled = meddled
        self._name = name
        self._form = form
        self._made = made
        self.last: "Any" = None

    def make(self, *args: "Any") -> "Any":
        """The call, with the fault that it meets."""
        meddled = self._meddled
        if meddled.watch is not None:
            meddled.watch(self._name, args)
        fault = meddled.fault_of(self._name)
        if fault is None:
            return self._keep(args, self._made(*args))
        kind = fault.kind
        if kind == "exception":
            raise OSError(5)
        if kind == "reset":
            if self._name in ("store.write", "chip.write") and fault.value:
                self._made(args[0], args[1], min(fault.value, args[2]))
            raise BoardReset
        if self._form in (calls.NUMBER, calls.FLAG):
            return self._read(fault)
        if self._form == calls.TAKE:
            return self._take(fault, args)
        return self._give(fault, args)

    def _keep(self, args: tuple, answer: "Any") -> "Any":
        """Remember for `stale`."""
        if self._form in (calls.NUMBER, calls.FLAG):
            self.last = answer
        elif self._form == calls.TAKE:
            self.last = (bytes(self._buffer(args)), answer)
        elif self._form != calls.ACT:
            self.last = self._copy(args)
        return answer

    def _buffer(self, args: tuple) -> bytearray:
        buffer: bytearray = args[calls.BUFFER_AT[self._name]]
        return buffer

    def _copy(self, args: tuple) -> tuple:
        """Arguments that stay as they are when the firmware goes on."""
        if self._form == calls.FEED:
            return (args[0][: args[1]],) + args[1:]
        if self._form == calls.GIVE:
            at = calls.BUFFER_AT[self._name]
            return args[:at] + (bytearray(args[at]),) + args[at + 1 :]
        return args

    def _read(self, fault: Fault) -> "Any":
        found = self._made()
        last, self.last = self.last, found
        kind = fault.kind
        if kind == "stuck":
            if fault.held is None:
                fault.held = fault.figure(found)
            seen = fault.held
        elif kind == "dropped":
            seen = 0
        elif kind == "spike":
            seen = found + fault.figure(1000)
        elif kind == "flipped_bit":
            seen = found ^ (1 if self._form == calls.FLAG else 1 << fault.figure(0))
        elif kind == "stale":
            seen = found if last is None else last
        elif kind == "wrong_sign":
            seen = -found
        else:
            self._meddled.wait(fault.figure(50_000))
            seen = found
        return bool(seen) if self._form == calls.FLAG else seen

    def _take(self, fault: Fault, args: tuple) -> "Any":
        buf = self._buffer(args)
        kind = fault.kind
        last = self.last
        if kind == "late" and self._name == "receive":
            self._meddled.wait(fault.figure(50_000))
            return 0
        if kind in ("stuck", "dropped"):
            if kind == "dropped" or self._name != "receive":
                kept = bytes(buf)
                self._made(*args)
                buf[:] = kept
            if kind == "stuck" and self._name != "receive":
                for i in range(args[-1] if self._name in ("store.read", "chip.read") else len(buf)):
                    buf[i] = fault.figure(255)
            return 0
        answer = self._keep(args, self._made(*args))
        n = answer if self._name == "receive" else len(buf)
        if kind == "late":
            self._meddled.wait(fault.figure(50_000))
        elif kind == "stale" and last is not None:
            buf[: len(last[0])] = last[0][: len(buf)]
            return last[1]
        elif kind == "duplicate" and n:
            self._meddled.hear(bytes(buf[:n]))
        elif n and kind == "spike":
            buf[0] = 255
        elif n and kind == "flipped_bit":
            _flip(buf, fault.figure(0))
        return answer

    def _give(self, fault: Fault, args: tuple) -> "Any":
        kind = fault.kind
        if kind == "stuck":
            # the output stays as it is; a store that takes nothing, a line that is full
            return False
        if kind == "dropped":
            return True
        if kind == "late":
            self._meddled.later(fault.figure(50_000), self._made, self._copy(args))
            return True
        last, self.last = self.last, self._copy(args)
        if kind == "duplicate":
            self._made(*args)
        elif kind == "stale" and last is not None:
            args = last
        elif kind == "spike":
            args = self._spiked(args)
        elif kind == "wrong_sign":
            args = self._copy(args)
            for i in range(0, args[1], 2):
                args[0][i] ^= 1
        elif kind == "flipped_bit":
            args = self._flipped(args, fault.figure(0))
        return self._made(*args)

    def _spiked(self, args: tuple) -> tuple:
        if self._form == calls.GIVE:
            args = self._copy(args)
            args[calls.BUFFER_AT[self._name]][0] = 255
        else:
            self._made(*self._flipped(args, 0))
        return args

    def _flipped(self, args: tuple, bit: int) -> tuple:
        args = self._copy(args)
        if self._form == calls.GIVE:
            _flip(args[calls.BUFFER_AT[self._name]], bit)
        elif self._form == calls.FEED:
            args[0][bit // 30 % args[1]] ^= 1 << bit % 30
        elif self._name == "light":
            args = (args[0] ^ 1 << bit,)
        else:
            args = (not args[0],) + args[1:]
        return args


def _flip(buf: bytearray, bit: int) -> None:
    buf[bit // 8 % len(buf)] ^= 1 << bit % 8


def _due(item: tuple) -> int:
    due: int = item[0]
    return due


def _us_until(t: int, then: int) -> int:
    return max(0, (then - t + plant.TICKS_PER_US - 1) // plant.TICKS_PER_US)
