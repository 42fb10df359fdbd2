"""The board around the chip, as docs/hardware.md has it, between pads and plant: latches, gates, switches, sensors.

The permit circuit is parts, not firmware, and not the plant's own: PERMIT_PLUNGER is a latch that ARM_PLUNGER's rising
edge sets and that falls with ARM_PLUNGER, a trigger line, contact (or its absence, with AWAY), emergency stop and
DEADMAN; PERMIT_DRIVE is a gate of ARM_DRIVE, emergency stop, DEADMAN and the drivers' faults; MOTOR_ENABLE's rising
edge sets the latch of the motor power, which falls with it, or 150 ms after the emergency stop or DEADMAN.
"""

from mesofirmware.boards import pins
from mesoprotocol import wire
from mesosim.rp2 import devices, onewire, sense
from mesosim.world import plant

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mesosim.rp2 import chip as chip_

_CONTACT, _ESTOP, _SYRINGE, _CARTRIDGE, _FAULT, _POWER, _INGRESS, _TRIGGER_B = range(8)
_AWAY = 1 << 3
"""Bits of the expander's ports."""
_LOW_WHILE_ON = (
    (wire.INPUT_TRIGGER_B, _TRIGGER_B),
    (wire.INPUT_CONTACT, _CONTACT),
    (wire.INPUT_SYRINGE, _SYRINGE),
    (wire.INPUT_CARTRIDGE, _CARTRIDGE),
)
_HIGH_WHILE_ON = ((wire.INPUT_ESTOP, _ESTOP), (wire.INPUT_DRIVE_FAULT, _FAULT))
_QUADRATURE = (0, 1, 3, 2)
_COUNTS, _PA = 1024, 100
"""Of the bridge converter: as many counts are as many Pa."""


class Handpiece(plant.Plant):
    """The plant, which does here what pulses and power bring about, and nothing on the word of a firmware."""

    def check_permit(self, t: int) -> None:
        """The circuit is wired, in `Circuit`."""

    def park(self, t: int) -> None:
        """The step generator does it."""

    def line_counts(self, t: int) -> int:
        """What the encoder's lines have counted at time t; the fluid is not brought there for it."""
        return self._sensors.encoder(self._plunger_um(t))

    def starve(self, t: int, starved: bool) -> None:
        """DEADMAN has fallen, or risen."""
        self.starved = starved
        self.check_power(t)
        self._look_ahead()

    def set_powered(self, t: int, on: bool) -> None:
        """Motor power by its latch."""
        self.permitted = True  # every pulse reaches the motor: the step generators are the witnesses of the permit
        self.power(t, on)


class Circuit:
    """Wires between a chip and a handpiece."""

    def __init__(self, chip: "chip_.Chip", thing: Handpiece, fram: bytearray) -> None:
        self._chip = chip
        self._plant = thing
        self._pads = chip.pads
        self._armed = False
        self._enabled = False
        self._levels = -1
        self._outputs = 0
        self._indexes = thing.carriage.index_count
        self._counts = thing.line_counts(chip.ticks())
        self.on_output: object = None
        """Told of the expander's outputs: light and sound."""
        self.expander = sense.Expander(self._expander_drives, self._expander_interrupts)
        self.drivers = devices.Drivers((0, 1, 2))
        chip.wires[0] = {0x50: devices.Fram(fram)}
        chip.wires[1] = {
            0x20: self.expander,
            0x2A: sense.Bridge(self._pressure),
            0x36: sense.Gauge(self._battery_mv),
            0x18: onewire.Bridge(self._mounted),
        }
        chip.lines[0] = self.drivers.say
        chip.analogue[pins.CARRIER] = self._carrier
        gates = 1 << pins.ARM_PLUNGER | 1 << pins.ARM_DRIVE | 1 << pins.DEADMAN
        self._pads.watch(gates, self._gates_change)
        self._pads.watch(1 << pins.MOTOR_ENABLE, self._enable_changes)
        self._starve()
        self._wire(pins.EXPANDER_INT, True)
        self._wire_encoder()
        self.follow()

    # --- From the plant to the pads -------------------------------------------------------------------

    def follow(self) -> None:
        """The plant may have changed: bring every level to what it is now."""
        t = self._chip.ticks()
        thing = self._plant
        levels = thing.levels | thing.carriage.switches(t) | (wire.INPUT_DRIVE_FAULT if self.drivers.diag() else 0)
        if self._enabled and not thing.powered:
            self._enabled = False
        if levels != self._levels:
            self._levels = levels
            for bit, pin in _LOW_WHILE_ON:
                self.expander.level(pin, not levels & bit)
            for bit, pin in _HIGH_WHILE_ON:
                self.expander.level(pin, bool(levels & bit))
            self.expander.level(_INGRESS, True)
            self._wire(pins.TRIGGER_A, not levels & wire.INPUT_TRIGGER_A)
            self._wire(pins.DEPTH_HOME, not levels & wire.INPUT_DEPTH_HOME)
            self._gate()
        self.expander.level(_POWER, thing.powered)
        if self._indexes != thing.carriage.index_count:
            self._indexes = thing.carriage.index_count
            self._wire(pins.INDEX, True)  # one that is dead stays high; each that is seen is a falling edge
            self._wire(pins.INDEX, False)
        elif not levels & wire.INPUT_NEEDLE_HOME:
            self._wire(pins.INDEX, True)

    def plunger_moved(self) -> None:
        """A step of the plunger: the encoder's two lines follow, a count at a time."""
        counts = self._plant.line_counts(self._chip.ticks())
        while self._counts != counts:
            self._counts += 1 if counts > self._counts else -1
            self._wire_encoder()

    def _wire_encoder(self) -> None:
        phase = _QUADRATURE[self._counts & 3]
        mask = 1 << pins.ENCODER_A | 1 << pins.ENCODER_B
        self._pads.wire(mask, (phase & 1) << pins.ENCODER_A | phase >> 1 << pins.ENCODER_B)

    def _wire(self, pin: int, high: bool) -> None:
        self._pads.wire(1 << pin, 1 << pin if high else 0)

    # --- Latches and gates ----------------------------------------------------------------------------

    def _gates_change(self, changed: int) -> None:
        if changed & 1 << pins.ARM_PLUNGER and self._pads.levels >> pins.ARM_PLUNGER & 1:
            self._armed = True
        if changed & 1 << pins.DEADMAN:
            self._starve()
        self._gate()

    def _starve(self) -> None:
        self._plant.starve(self._chip.ticks(), not self._pads.levels >> pins.DEADMAN & 1)

    def _gate(self) -> None:
        high = self._pads.levels
        levels = self._levels
        alive = high >> pins.DEADMAN & 1 and not levels & wire.INPUT_ESTOP
        both = levels & wire.INPUT_TRIGGER_A and levels & wire.INPUT_TRIGGER_B
        away = bool(self._outputs & _AWAY)
        contact = bool(levels & wire.INPUT_CONTACT)
        if not (alive and both and contact != away and high >> pins.ARM_PLUNGER & 1):
            self._armed = False
        self._wire(pins.PERMIT_PLUNGER, self._armed)
        fault = levels & wire.INPUT_DRIVE_FAULT
        self._wire(pins.PERMIT_DRIVE, bool(alive and not fault and high >> pins.ARM_DRIVE & 1))

    def _enable_changes(self, _: int) -> None:
        self._enabled = bool(self._pads.levels >> pins.MOTOR_ENABLE & 1)
        self._plant.set_powered(self._chip.ticks(), self._enabled)
        self.follow()

    # --- Buses ----------------------------------------------------------------------------------------

    def _expander_drives(self, outputs: int) -> None:
        self._outputs = outputs
        self._gate()
        if self.on_output is not None:
            self.on_output(outputs)  # type: ignore[operator]

    def _expander_interrupts(self, low: bool) -> None:
        self._wire(pins.EXPANDER_INT, not low)

    def _pressure(self) -> int:
        return -(-self._plant.pressure_pa(self._chip.ticks()) * _COUNTS // _PA)

    def _mounted(self) -> object:
        thing = self._plant
        return thing.cartridge if thing.cartridge.chip and thing.levels & wire.INPUT_CARTRIDGE else None

    def _battery_mv(self) -> int:
        return self._plant.battery_mv(self._chip.ticks())

    def _carrier(self) -> int:
        """Conversions of the carrier's sensor: 8/25 a micrometre, 400 at -6,000 um."""
        um = self._plant.carriage.needle_at_um(self._chip.ticks())
        return 400 + (int(um) + 6000) * 8 // 25
