"""The RP2 board: `port.Board` on a Raspberry Pi Pico (RP2040) or Pico 2 (RP2350), wired as docs/hardware.md shows.

Uses of MicroPython, and no others: `machine` Pin (value, hard irq), ADC (read_u16, once), I2C (writeto,
readfrom_into, writeto_mem, readfrom_mem_into), UART, PWM (freq, duty_u16), WDT, mem32 (ADC control and result, a
scratch register of the watchdog, JMP_PIN and IN_BASE of one state machine each), freq, idle, unique_id, reset,
reset_cause, bootloader; `rp2` StateMachine (active, restart, exec with a number, put, tx_fifo), DMA (pack_ctrl, config,
active, ctrl, read, write, channel), bootsel_button; `time` ticks; `os` urandom and files; `select` ipoll; `uctypes`
addressof.

State machines: 0 to 2 step drive, depth and plunger, 3 is the dead-man, 4 to 6 their odometers, 7 the encoder.
Ten channels of DMA: two for each motor, one for each counter; the carrier's is the eleventh. Made once at the start;
after that nothing is allocated. Hard interrupts only store.
"""

import os
import time

import machine
from machine import I2C, PWM, UART, Pin

from mesofirmware import readings, signals
from mesofirmware.boards import (
    pins,
    rp2_axes,
    rp2_battery,
    rp2_bridge,
    rp2_carrier,
    rp2_cartridge,
    rp2_chip,
    rp2_deadman,
    rp2_expander,
    rp2_files,
    rp2_fram,
    rp2_inputs,
    rp2_lamp,
    rp2_link,
    rp2_onewire,
    rp2_programs,
    rp2_safe,
    rp2_shelf,
    rp2_tmc2209,
)
from mesofirmware.boards.rp2_counter import Counter
from mesofirmware.start import manifest
from mesoprotocol import wire

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mesofirmware.boards import port
    from mesofirmware.boards.rp2_watchdog import Watchdog

_PIO_HZ = 25_000_000
_TICK_MASK = 0x3FFFFFFF
_WIRE_BAUD = 115_200
_ASK_MS = 300
"""From one driver to the next."""
_FAREWELL_MS = 200
"""For the answer to leave before a restart: a host that does not read does not keep it from happening."""


class Pico:
    """See `port.Board`. Made once, after `rp2_safe.make_safe`.

    `folder`: where the application lies, with its manifest; "" if it has none, as the safe one.
    """

    def __init__(self, watchdog: "Watchdog", folder: str = "") -> None:
        if machine.freq() % _PIO_HZ:
            raise ValueError("system clock of %d Hz: a multiple of %d is needed" % (machine.freq(), _PIO_HZ))
        self._watchdog = watchdog
        self._folder = folder
        self.reset_reason = watchdog.reason
        self.readings = readings.Readings()
        self.model = rp2_chip.model()
        self.uid = machine.unique_id()
        self.boot_id = os.urandom(4)
        self._enable = Pin(pins.MOTOR_ENABLE, Pin.OUT, value=0)
        self._arm_plunger = Pin(pins.ARM_PLUNGER, Pin.OUT, value=0)
        self._permit_plunger = Pin(pins.PERMIT_PLUNGER, Pin.IN)
        self._permit_drive = Pin(pins.PERMIT_DRIVE, Pin.IN)
        self._index = Pin(pins.INDEX, Pin.IN)

        self._link = rp2_link.Link()
        self.store: "port.Store" = rp2_fram.Fram(I2C(0, sda=Pin(pins.FRAM_SDA), scl=Pin(pins.FRAM_SCL), freq=1_000_000))
        self.files: "port.Files" = rp2_files.Files("/settings")
        self.shelf: "port.Shelf" = rp2_shelf.Shelf(watchdog.feed)
        bus = I2C(1, sda=Pin(pins.SENSE_SDA), scl=Pin(pins.SENSE_SCL), freq=400_000)
        self._expander = rp2_expander.Expander(bus, Pin(pins.EXPANDER_INT, Pin.IN))
        self._inputs = rp2_inputs.Inputs(self._expander)
        self._lamp = rp2_lamp.Lamp(self._expander, PWM(Pin(pins.BUZZER), freq=1000, duty_u16=0), signals.PATTERNS)
        self._bridge = rp2_bridge.Bridge(bus)
        self._battery = rp2_battery.Battery(bus)
        self.chip: "port.Chip" = rp2_cartridge.Cartridge(rp2_onewire.OneWire(bus), time.sleep_ms)
        self._drivers = rp2_tmc2209.Drivers(
            UART(0, _WIRE_BAUD, tx=Pin(pins.TMC_TX), rx=Pin(pins.TMC_RX), timeout=5, timeout_char=1)
        )
        self._asked_ms = time.ticks_ms()

        self._carrier = rp2_carrier.Carrier(pins.CARRIER)
        odometers = (
            _odometer(4, pins.DRIVE_STEP, pins.DRIVE_DIR),
            _odometer(5, pins.DEPTH_STEP, pins.DEPTH_DIR),
            _odometer(6, pins.PLUNGER_STEP, pins.PLUNGER_DIR),
        )
        self._encoder = Counter(7, rp2_programs.ENCODER, in_base=Pin(pins.ENCODER_A), jmp_pin=Pin(pins.ENCODER_B))
        self._encoder.start()
        self._carrier.follow(odometers[0].dma.channel)  # type: ignore[attr-defined]
        odometers[0].start(then=self._carrier.dma.channel)  # type: ignore[attr-defined]
        odometers[1].start()
        odometers[2].start()
        self._drive = rp2_axes.Drive(odometers[0])
        self._depth = rp2_axes.Depth(odometers[1])
        self._plunger = rp2_axes.Plunger(odometers[2])
        # each lacks what the port gives to another one only
        self.drive: "port.Axis" = self._drive  # type: ignore[assignment]
        self.depth: "port.Axis" = self._depth  # type: ignore[assignment]
        self.plunger: "port.Axis" = self._plunger  # type: ignore[assignment]
        self._deadman = rp2_deadman.Deadman()

        self._index_count = 0
        self._index_tick = 0
        self._index_position = 0
        self._woken = False
        self._away = False
        self._index.irq(self._at_index, Pin.IRQ_FALLING, hard=True)
        self._permit_plunger.irq(self._permit_fell, Pin.IRQ_FALLING, hard=True)
        self._permit_drive.irq(self._drive_forbidden, Pin.IRQ_FALLING, hard=True)
        Pin(pins.DEPTH_HOME, Pin.IN).irq(self._depth_home, Pin.IRQ_FALLING, hard=True)

    # --- The loop --------------------------------------------------------------------------------------

    def woken(self) -> bool:
        """Whether the application is to be called: see the port's "Wakes"."""
        woken = self._woken
        self._woken = False
        # each is asked: what has ended is let go of, and the next may start
        woken = self._drive.settle() or woken
        woken = self._depth.settle() or woken
        woken = self._plunger.settle() or woken
        return woken or self._inputs.changed() or self._link.has_bytes()

    def wait(self, since: int, us: int) -> None:
        """Sleep until woken, or until `us` microseconds after the tick `since`."""
        self._attend()
        while not self.woken() and time.ticks_diff(time.ticks_us(), since) < us:  # type: ignore[arg-type]
            machine.idle()
            self._attend()

    def _attend(self) -> None:
        self._watchdog.feed()
        self._link.flush()
        now_ms = time.ticks_ms()
        self._lamp.play(now_ms)  # type: ignore[arg-type]
        if not self._drive.powered and time.ticks_diff(now_ms, self._asked_ms) >= _ASK_MS and self._drivers.good:
            self._asked_ms = now_ms
            self._drivers.ask()
            self._woken = self._woken or not self._drivers.good

    # --- The port --------------------------------------------------------------------------------------

    def now(self) -> int:
        """See the port."""
        return time.ticks_us()  # type: ignore[return-value]

    def nonce(self, buf: bytearray) -> None:
        """See the port."""
        buf[:] = os.urandom(len(buf))

    def receive(self, buf: bytearray) -> int:
        """See the port."""
        return self._link.receive(buf)

    def send(self, buf: bytearray, n: int) -> bool:
        """See the port."""
        return self._link.send(buf, n)

    def inputs(self) -> int:
        """See the port."""
        bits = self._inputs.read()
        if self._permit_plunger.value():
            bits |= wire.INPUT_PERMIT_PLUNGER
        if self._depth.lost or not self._drivers.good:
            bits |= wire.INPUT_DRIVE_FAULT
        if self._drive.powered and not self._expander.read() & rp2_expander.MOTOR_POWER:
            self.enable(False)  # by the emergency stop's monostable: it would come back with the latch
        return bits

    def index_count(self) -> int:
        """See the port."""
        return self._index_count

    def index_tick(self) -> int:
        """See the port."""
        return self._index_tick

    def index_position(self) -> int:
        """See the port."""
        return self._index_position

    def protrusion_um(self) -> int:
        """See the port."""
        return self.readings.carrier_um(self._carrier.bottom_um(self._drive.position()))

    def needle_um(self) -> int:
        """See the port."""
        return self.readings.carrier_um(self._carrier.now_um())

    def pressure_pa(self) -> int:
        """See the port."""
        return self.readings.pressure_pa(self._bridge.pressure_pa())

    def encoder(self) -> int:
        """See the port."""
        return self.readings.encoder(self._encoder.count[0])

    def battery_mv(self) -> int:
        """See the port."""
        return self._battery.mv()

    def enable(self, on: bool) -> None:
        """See the port."""
        if on and not self._deadman.is_alive():
            self._deadman.feed()  # motor power needs it: see docs/hardware.md
        self._enable.value(1 if on else 0)
        self._drive.powered = on
        self._depth.powered = on
        self._plunger.powered = on
        if not on:
            self._drive.park()
            self._drive.settle()
            self._depth.settle()
            self._plunger.settle()

    def permit(self, on: bool, away: bool) -> None:
        """See the port."""
        if on and self._permit_plunger.value() and away == self._away:
            return  # a latch that is set anew falls first, and the held needle would leave
        self._arm_plunger.value(0)
        if on:
            self._away = away
            self._plunger.clear()
            self._expander.write(rp2_expander.AWAY, rp2_expander.AWAY if away else 0)
            self._arm_plunger.value(1)

    def feed_deadman(self) -> None:
        """See the port."""
        if not self._deadman.is_alive():
            self._drive.park()
        self._deadman.feed()

    def program_intact(self) -> bool:
        """Whether the application's files are as its manifest says; True if it has none. Only at rest: 0.1 s."""
        return not self._folder or manifest.is_whole(self.shelf, self._folder)

    def light(self, code: int) -> None:
        """See the port."""
        self._lamp.show(code)

    def restart(self, into: int) -> None:
        """See the port."""
        began = time.ticks_ms()
        while self._link.is_sending() and time.ticks_diff(time.ticks_ms(), began) < _FAREWELL_MS:
            self._link.flush()
            machine.idle()
        rp2_safe.make_safe()
        self._watchdog.restart(wire.RESET_ASKED, into)

    # --- Hard interrupts: they only store ----------------------------------------------------------------

    def _at_index(self, _: Pin) -> None:
        if not self._drive.powered:
            self._drive.come_home()
        self._index_count = (self._index_count + 1) & _TICK_MASK
        self._index_tick = self.now()
        self._index_position = self._drive.position()
        self._woken = True

    def _permit_fell(self, _: Pin) -> None:
        if self._arm_plunger.value():
            self._woken = True

    def _depth_home(self, _: Pin) -> None:
        if self._depth.is_homing():
            self._woken = True

    def _drive_forbidden(self, _: Pin) -> None:
        if self._drive.is_armed():
            self._drive.park()
            self._woken = True


def _odometer(number: int, step: int, direction: int) -> Counter:
    return Counter(number, rp2_programs.ODOMETER, in_base=Pin(step), jmp_pin=Pin(direction))
