"""The device with its real board file: `Pico` and `App` on the chip, the circuit and the handpiece, in virtual time.

`TwinWorld` is the simulator's `World` with another board in it: the same plant, hand, faults and clock. Its loop is
main.py's. There is one chip, and so one such world at a time.
"""

import gc

from mesofirmware import app
from mesofirmware.boards import pins
from mesosim.rp2 import chip as chip_
from mesosim.rp2 import circuit, disk, load, machine, models, motors, traced, usb
from mesosim.world import plant, symbols, trace, world

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_POWER_ON, _WATCHDOG = 1, 3
_MAY_STOP = 1 << pins.PERMIT_PLUNGER | 1 << pins.PERMIT_DRIVE | 1 << pins.DEPTH_HOME | 1 << pins.MOTOR_ENABLE


class TwinWorld(world.World):
    """One device, from its first boot on; see `World`."""

    model = models.RP2040

    def wire(self) -> None:
        """The chip comes out of reset, with the circuit and the handpiece around it, and nothing runs on it."""
        self.app = None  # type: ignore[assignment]
        self.board = None
        self._pico: "Any" = None
        gc.collect()
        chip = chip_.chip
        if self._t == world.START_US * plant.TICKS_PER_US:
            self._disk = disk.Disk()
            self._tx = b""
            self._cause = _POWER_ON
            chip.begin(world.START_US * self.model.clocks_per_us, self._uid, self.model)
        chip.reset(self._cause)
        self._cause = _POWER_ON
        chip.on_idle = self._at_idle
        self._port = usb.Port()
        self._hangs = False
        """The firmware has not come back: the hardware alone goes on."""
        thing: "Any" = self.plant
        self.circuit = circuit.Circuit(chip, thing, self._fram)
        follow = self.circuit.follow
        self.motors = (
            motors.Motor(chip, thing, thing.drive, pins.DRIVE_STEP, pins.DRIVE_DIR, follow),
            motors.Motor(chip, thing, thing.depth, pins.DEPTH_STEP, pins.DEPTH_DIR, follow),
            motors.Motor(chip, thing, thing.plunger, pins.PLUNGER_STEP, pins.PLUNGER_DIR, self.circuit.plunger_moved),
        )
        chip.motors = list(self.motors)
        chip.watched = _MAY_STOP
        chip.sources = [_Handpiece(self), _Hand(self)]

    def boot(self, reason: int) -> None:
        """The board starts; what was of its former boot is gone."""
        self.wire()
        chip = chip_.chip
        modules = load.pico(self._port, load.Entropy(self._random.fill), self._disk)
        modules.rp2_safe.make_safe()
        watchdog = modules.rp2_watchdog.Watchdog()
        self._pico = modules.rp2_pico.Pico(watchdog)
        self.board: "Any" = traced.TracedBoard(self.log, chip.ticks, self._pico)
        self.board.on_light = self._on_light
        self.app = self.firmware()
        watchdog.start(modules.rp2_watchdog.LOOP_MS)
        self._since = self._pico.now()
        self._us = 0
        chip.alarm = chip.t
        self.hand.see(self._us_now(), 0)
        self._watch_hand()

    def firmware(self) -> app.App:
        """The application: which one main.py would choose is another's question."""
        return app.App(self.board)

    def run(self, until_us: int, rx: bytes) -> tuple:
        """See `World`."""
        chip = chip_.chip
        chip.limit = (until_us + world.START_US) * self.model.clocks_per_us
        if rx and not self._dark:
            self._port.received.held += rx
        try:
            self._loop()
        except chip_.TimeUp as end:
            self._hangs = end.args == ("busy",)
            if end.args == ("watchdog",):
                self._t = chip.ticks()
                self._cause = _WATCHDOG
                self._power(True)
        except machine.Reset as end:
            self._t = chip.ticks()
            self._cause = _WATCHDOG
            self._power(end.args != ("bootloader",))
        self._t = chip.ticks()
        tx = self._tx
        self._tx = b""
        return (chip.t // self.model.clocks_per_us - world.START_US, tx)

    def _loop(self) -> None:
        """main.py's."""
        chip = chip_.chip
        if self._dark or self._hangs:
            chip.run(max(chip.t, chip.limit))
            return
        if chip.t >= chip.limit and not self._port.received.held:
            return
        while True:
            self.board.wait(self._since, self._us)
            self._t = chip.ticks()
            us = chip.t // self.model.clocks_per_us
            self._since = self._pico.now()
            self.log.add(self._t, trace.WAKE, self._since, 0, 0)
            self._us = self.app.step(self._since)
            chip.alarm = (us + self._us) * self.model.clocks_per_us
            self._pico._link.flush()
            while self._at_idle():
                self._pico._link.flush()

    def _at_idle(self) -> bool:
        """The host takes what was sent; whether it has: then there is room for more."""
        sent = self._port.sent
        if sent.held:
            self._tx += sent.held
            sent.held = b""
            return True
        if self._tx:
            raise chip_.TimeUp
        return False

    def _handpiece(self, seed: int, values: symbols.Symbols) -> plant.Plant:
        return circuit.Handpiece(self.log, seed, values, world.START_US * plant.TICKS_PER_US)

    def control(self, name: str, value: "Any") -> object:
        """See `World`."""
        self._t = chip_.chip.ticks()
        answer = super().control(name, value)
        self.circuit.follow()
        return answer

    def _see(self, changed: bool) -> None:
        """The firmware sees its pins."""

    def _us_now(self) -> int:
        return chip_.chip.t // self.model.clocks_per_us

    def _on_light(self, code: int) -> None:
        self._t = chip_.chip.ticks()
        super()._on_light(code)

    # --- What happens around the chip -------------------------------------------------------------------

    def plant_due(self) -> None:
        """Something happens in the plant."""
        self._t = chip_.chip.ticks()
        self.plant.due(self._t)
        self.circuit.follow()
        if self.plant.supply_lost:
            self._power(True)

    def hand_at(self) -> int:
        """When the hand or a fault does something next, in ticks."""
        return min(self._hand_at, self.faults.next_t)

    def hand_due(self) -> None:
        """The hand or a fault does something."""
        self._t = chip_.chip.ticks()
        if self._t >= self._hand_at:
            _, bit, on = self.hand.take()
            self._watch_hand()
            self.targets.move(self._t, bit, on)
            # the simulator's world wakes the firmware also at a move that changes no level
            if self._pico is not None:
                self._pico._woken = True
        if self._t >= self.faults.next_t:
            self.faults.take(self._t)
        self.circuit.follow()


class TwinWorld2350(TwinWorld):
    """The same on a Pico 2."""

    model = models.RP2350


class _Handpiece:
    """The plant as a source of events."""

    def __init__(self, twin: TwinWorld) -> None:
        self._twin = twin

    @property
    def event_at(self) -> int:
        """In clocks."""
        return self._twin.plant.event_at * self._twin.model.clocks_per_tick

    def due(self) -> None:
        """See `TwinWorld`."""
        self._twin.plant_due()


class _Hand:
    """The hand and the faults as a source of events."""

    def __init__(self, twin: TwinWorld) -> None:
        self._twin = twin

    @property
    def event_at(self) -> int:
        """In clocks."""
        return self._twin.hand_at() * self._twin.model.clocks_per_tick

    def due(self) -> None:
        """See `TwinWorld`."""
        self._twin.hand_due()
