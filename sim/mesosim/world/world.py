"""The whole device in a world: firmware, board, plant, hand and an integer clock.

`run(until, rx) -> (t, tx)` is all there is to time: it hands `rx` to the device, advances to `until` or to
the first bytes it sends, whichever comes first, and returns the time reached. Times are microseconds since
the world began.
"""

import gc

from mesofirmware import app, signals, slots
from mesofirmware.start import manifest
from mesoprotocol import wire
from mesosim.world import arithmetic, board, cartridge, faults, flash, hand, plant, symbols, targets, trace
from mesosim.world import parameters as p

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from mesosim.world import meddling

US = plant.TICKS_PER_US
RESTART_US = 100_000
"""From a reset to the firmware's first call; estimate."""
START_US = (1 << 30) - 3_000_000
"""The device's tick starts 3 s before it wraps, so that every scenario passes a wrap."""


class World:
    """One device, from its first boot on."""

    def __init__(self, seed: int, log: trace.Trace, values: "tuple | None" = None) -> None:
        """`values`: one specimen's, as `mesosim.handpiece` gives them; None: the nominal one's."""
        self.log = log
        self._fram = bytearray(p.FRAM_BYTES)
        self.files: dict = {}
        """Content of each file on the flash."""
        self.folders = flash.new()
        """Content of each file of the application folders, by its path."""
        self.plant = self._handpiece(seed, symbols.Symbols(values))
        self.hand = hand.Hand()
        self._hand_at = plant.NEVER
        self.targets = targets.Targets(self.plant, self._power)
        self.faults = faults.Faults(self.targets, log)
        self._latched_t = -1
        self._dark = False
        """Without supply: no firmware runs, what is sent is lost."""
        self._uid = b"MSIM" + bytes(((seed >> 8 * i) & 255 for i in range(4)))
        self._random = arithmetic.Random(seed, 2)
        self._t = START_US * US
        self.meddled: "meddling.Meddled | None" = None
        """Faults on single Board calls, once there were any."""
        self._restart_at = plant.NEVER
        self.boot(wire.RESET_POWER_ON)

    def _handpiece(self, seed: int, values: symbols.Symbols) -> plant.Plant:
        return plant.Plant(self.log, seed, values, START_US * US)

    def run(self, until_us: int, rx: bytes) -> tuple:
        """Advance to `until_us` or to the device's first bytes; returns (t_us, bytes)."""
        until = (until_us + START_US) * US
        if rx and not self._dark:
            self.board.deliver(rx)
            self._wake()
        while not self.board.has_sent and self._t < until:
            self._advance(until)
        return (self._t // US - START_US, self.board.collect())

    def next_us(self) -> int:
        """When something happens next if nothing comes from the host."""
        t = min(self._wake_at, self.plant.event_at, self._hand_at, self.faults.next_t)
        return t // US - START_US + 1

    def _advance(self, until: int) -> None:
        """To the next event, or to `until`."""
        thing = self.plant
        t = until
        if self._wake_at < t:
            t = self._wake_at
        if thing.event_at < t:
            t = thing.event_at
        if self._hand_at < t:
            t = self._hand_at
        if self.faults.next_t < t:
            t = self.faults.next_t
        if t < self._t:
            t = self._t
        self._t = t
        wake = t >= self._wake_at
        if t >= thing.event_at:
            wake = thing.due(t) or wake
            if thing.supply_lost:
                self._power(True)
        if t >= self._hand_at:
            _, bit, on = self.hand.take()
            self._watch_hand()
            self.targets.move(t, bit, on)
            wake = True
        if t >= self.faults.next_t:
            wake = self.faults.take(t) or wake
        if wake:
            self._wake()

    def _wake(self) -> None:
        """Call the firmware, now."""
        if self._dark:
            return
        t = self._t
        if self._restart_at != plant.NEVER:
            if t < self._restart_at:
                self._wake_at = self._restart_at
            else:
                self.boot(wire.RESET_ASKED)
            return
        us = t // US
        tick = us & 0x3FFFFFFF
        self.board.t = t
        self.log.add(t, trace.WAKE, tick, 0, 0)
        wait = self.app.step(tick)
        self._wake_at = (us + wait) * US if wait else t
        if self.board.restarts_into >= 0:
            self._leave(self.board.restarts_into)

    def _leave(self, into: int) -> None:
        """The firmware has asked for a restart. The boot ROM speaks another protocol: to us the device is dark."""
        self.plant.reset(self._t)
        if into:
            self._dark = True
            self._wake_at = plant.NEVER
        else:
            self._restart_at = self._wake_at = self._t + RESTART_US * US

    def boot(self, reason: int) -> None:
        """The board starts, for a reason of the schema's `reset_reason`; what was of its former boot is gone."""
        # the former boot's objects go first: the heap is a board's, and holds one firmware only
        self.app: "app.App | meddling.Meddled" = None  # type: ignore[assignment]
        self.board: board.SimulatedBoard = None  # type: ignore[assignment]
        gc.collect()
        self.board = board.SimulatedBoard(
            *(self.plant, self._fram, self.files, self.folders, self._uid),
            *(self._random, self._t, reason, self._on_light),
        )
        self._restart_at = plant.NEVER
        self.log.blob(self._t, trace.BOOT, 0, self.board.boot_id)
        if self.meddled is None:
            self.app = self.firmware()
        else:
            self.app = self.meddled.boot(self.board)
        self._wake_at = self._t
        self.hand.see(self._t // US, 0)
        self._watch_hand()

    def firmware(self) -> "app.App":
        """The application, started on this boot's board: the safe one unless the folder that is chosen is whole."""
        kept = flash.Shelf(self.folders)
        folder = slots.Slots(flash.Files(self.files)).choose(lambda folder: manifest.is_whole(kept, folder))
        return app.App(self.board, not folder)

    def _on_light(self, code: int) -> None:
        self.hand.see(self._t // US, code)
        self._watch_hand()
        self.plant.carriage.hollow = self.hand.hollow
        if code == signals.LIGHT_LATCHED:
            self._latched_t = self._t

    def _watch_hand(self) -> None:
        """Find when the hand does something next."""
        us = self.hand.next_us()
        self._hand_at = us * US if us >= 0 else plant.NEVER

    # --- Control: what a person or a fault does to the world --------------------------------------------

    def control(self, name: str, value: "Any") -> object:
        """One of the names below; an unknown one, or a value that does not fit, is a ValueError.

        `present`, `one_line`, `release_after_us`, `lift_after_us`, `press_again_us`: the hand's settings.
        `fault`: an object that says what goes wrong; see `faults.Fault`. `clear_fault`: the symbol whose faults end,
        "" for all. `faults`: the symbols under a fault. `get`: a symbol's value. `reset`: the board restarts.
        `mount`: another cartridge, new but for what the object says; see `Cartridge`.
        `set`: a symbol and thousandths of its unit, for good. `meddle`: a fault on Board calls, the arguments of
        `Meddled.add`; None takes all away. `account`: the plant's account. `trace`: records and hash; ends the trace.
        `blocked`, `estop`, `syringe`, `cartridge`, `drive_fault`, `index_dead`, `depth_offset_um`, `encoder_slip`: a
        symbol is set, for good.
        """
        if name == "account":
            return self._account()
        if name == "trace":
            return {"records": self.log.records, "sha256": self.log.digest()}
        if name == "faults":
            return self.faults.active()
        if name == "get":
            return self.targets.get(value)
        _check(name, value)
        said = "%s %d" % (name, value) if isinstance(value, int) else name
        self.log.blob(self._t, trace.CONTROL, 0, said.encode())
        if name == "mount":
            self._mount(value)
        elif name in _HAND:
            setattr(self.hand, name, value)
        elif name == "fault":
            self.faults.add(self._t, value, US, START_US * US)
            self._see(self.faults.take(self._t))
        elif name == "set":
            self.targets.set(self._t, value[0], value[1] / 1000)
        elif name == "clear_fault":
            if value:
                self.targets.get(value)
            self._see(self.faults.clear(self._t, value))
        elif name == "reset":
            self._power(True)
        elif name == "meddle":
            self._meddle(value)
        elif name in _SYMBOLS:
            self.targets.set(self._t, _SYMBOLS[name], value)
            self._see(self.targets.wakes)
        return None

    def _mount(self, value: dict) -> None:
        try:
            self.plant.cartridge = cartridge.Cartridge(**value)
        except TypeError:
            raise ValueError("mount takes serial, kind, needles, gauge, lot, expiry_day, used and chip, not %s" % value)

    def _see(self, changed: bool) -> None:
        """The firmware looks at its inputs now if one has changed."""
        if changed and not self._dark:
            self._wake_at = self._t

    def _power(self, on: bool) -> None:
        """The supply fails, or the board starts anew."""
        self.plant.reset(self._t)
        self._dark = not on
        if on:
            self.boot(wire.RESET_POWER_ON)
        else:
            self._wake_at = plant.NEVER

    def _meddle(self, fault: "dict | None") -> None:
        if fault is None:
            if self.meddled is not None:
                self.meddled.clear()
            return
        try:
            self.meddle().add(**fault)
        except TypeError:
            raise ValueError("meddle takes call, kind, first_call, count and value, not %s" % sorted(fault))

    def meddle(self) -> "meddling.Meddled":
        """What stands between Board and firmware from now on, to put faults in."""
        if self.meddled is None:
            from mesosim.world import meddling  # a board's heap has room for it only where it is wanted

            self.meddled = meddling.Meddled(self)
            self.app = self.meddled
        return self.meddled

    def _account(self) -> dict:
        """What the plant itself knows; volumes in nl."""
        self.plant.advance(self._t)
        drive = self.plant.drive
        return {
            "t_us": self._t // US - START_US,
            "tip_nl": int(self.plant.fluid.tip_ul * 1000.0),
            "skin_nl": int(self.plant.fluid.skin_ul * 1000.0),
            "pressure_pa": int(self.plant.fluid.pressure_kpa * 1000.0),
            "plunger_steps": self.plant.plunger.position(self._t),
            "punctures": self.plant.carriage.punctures,
            "needle_home": self.plant.carriage.is_home(self._t),
            "moving": drive.busy() or self.plant.plunger.busy() or self.plant.depth.busy(),
            "contact": bool(self.plant.levels & wire.INPUT_CONTACT),
            "latched_us": self._latched_t // US - START_US if self._latched_t >= 0 else -1,
        }


_LONGEST_US = 60_000_000
_HAND = {
    "present": (0, 1),
    "one_line": (0, 1),
    "release_after_us": (0, _LONGEST_US),
    "lift_after_us": (0, _LONGEST_US),
    "press_again_us": (0, _LONGEST_US),
}
"""Controls that set the hand, and what they take."""
_RANGES = {"depth_offset_um": (-4000, 4000), "encoder_slip": (-100_000, 100_000)}
"""What controls take that set a symbol other than to 0 or 1."""


_OTHERS = ("fault", "set", "clear_fault", "reset", "meddle", "mount")
_SYMBOLS = {
    "blocked": "needle.blocked",
    "estop": "input.estop",
    "syringe": "input.syringe",
    "cartridge": "input.cartridge",
    "drive_fault": "input.drive_fault",
    "index_dead": "index.dead",
    "depth_offset_um": "depth.offset_um",
    "encoder_slip": "encoder.slip_counts",
}
"""Controls that set a symbol for good."""


def _check(name: "Any", value: "Any") -> None:
    """ValueError for a control that there is not, or a value that it does not take."""
    if not isinstance(name, str) or not (name in _HAND or name in _SYMBOLS or name in _OTHERS):
        raise ValueError("unknown control %r" % (name,))
    if name in _HAND or name in _SYMBOLS:
        low, high = _HAND.get(name) or _RANGES.get(name) or (0, 1)
        if not isinstance(value, int) or not low <= value <= high:
            raise ValueError("%s %r: must be a whole number, %d to %d" % (name, value, low, high))
    elif name == "set":
        pair = isinstance(value, (list, tuple)) and len(value) == 2
        if not pair or not isinstance(value[0], str) or not isinstance(value[1], int):
            raise ValueError("set %r: must be a symbol and thousandths of its unit" % (value,))
    elif name == "clear_fault":
        if not isinstance(value, str):
            raise ValueError('clear_fault %r: must be a symbol, "" for all' % (value,))
    elif name == "mount" and not isinstance(value, dict):
        raise ValueError("mount %r: must be an object" % (value,))
    elif name == "meddle" and value is not None:
        if not isinstance(value, dict):
            raise ValueError("meddle %r: must be an object" % (value,))
        for figure in (value.get("first_call", 0), value.get("count", 0), value.get("value") or 0):
            if not isinstance(figure, int):
                raise ValueError("first_call, count and value are whole numbers, not %r" % (figure,))
