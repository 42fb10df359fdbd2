"""Peripherals that are looked at by address: PIO, ADC, watchdog. An access to what is not modelled is a ValueError."""

from mesosim.rp2 import memory

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mesosim.rp2 import chip as chip_

PIO_BASES = (0x50200000, 0x50300000, 0x50400000)


class PioRegisters:
    """One block: FIFOs, and the control of its state machines. RP2040 datasheet 3.7."""

    def __init__(self, chip: "chip_.Chip", number: int) -> None:
        self._chip = chip
        self._block = chip.blocks[number]

    def read(self, offset: int) -> int:
        """See `Memory`."""
        machines = self._block.machines
        if 0x20 <= offset < 0x30:
            machine = machines[(offset - 0x20) // 4]
            if not machine.rx:
                raise memory.BusFault("RX FIFO of state machine %d is empty" % machine.number)
            return int(machine.get(self._chip.t))
        if 0xC8 <= offset < 0x128:
            machine, register = machines[(offset - 0xC8) // 0x18], (offset - 0xC8) % 0x18
            if register == 0x00:
                return int(machine.clkdiv << 8)
            if register == 0x04:
                return int(machine.execctrl)
            if register == 0x08:
                return int(machine.shiftctrl)
            if register == 0x0C:
                return int(machine.pc)
            if register == 0x14:
                return int(machine.pinctrl)
        raise ValueError("PIO register 0x%x: not modelled for reading" % offset)

    def write(self, offset: int, value: int) -> None:
        """See `Memory`."""
        machines = self._block.machines
        if offset == 0:  # CTRL: enable, restart, restart of the clock dividers
            for machine in machines:
                if value >> 4 + machine.number & 1:
                    machine.restart()
            for machine in machines:
                self._chip.enable(machine, bool(value >> machine.number & 1))
        elif 0x10 <= offset < 0x20:
            machines[(offset - 0x10) // 4].put(value, self._chip.t)
        elif 0xC8 <= offset < 0x128:
            machine, register = machines[(offset - 0xC8) // 0x18], (offset - 0xC8) % 0x18
            if register == 0x04:
                machine.execctrl = value
            elif register == 0x08:
                machine.shiftctrl = value
            elif register == 0x10:
                self._chip.execute(machine, value)
            elif register == 0x14:
                machine.pinctrl = value
            else:
                raise ValueError("PIO register 0x%x: not modelled for writing" % offset)
            machine.look_again(self._chip.t)
        else:
            raise ValueError("PIO register 0x%x: not modelled for writing" % offset)


class AdcRegisters:
    """The converter, running freely: its result is what is wired to the chosen input, at the time of reading."""

    def __init__(self, chip: "chip_.Chip") -> None:
        self._chip = chip
        self.control = 0

    def read(self, offset: int) -> int:
        """See `Memory`."""
        if offset == 0x00:
            return self.control
        if offset == 0x04:
            if not self.control & 1 << 3:
                return 0
            return int(self._chip.convert(26 + (self.control >> 12 & 7)))
        raise ValueError("ADC register 0x%x: not modelled" % offset)

    def write(self, offset: int, value: int) -> None:
        """See `Memory`."""
        if offset != 0x00:
            raise ValueError("ADC register 0x%x: not modelled" % offset)
        self.control = value


class WatchdogRegisters:
    """The eight scratch registers, which outlive all but a loss of power. After a reset nobody writes them."""

    def __init__(self, chip: "chip_.Chip") -> None:
        self._chip = chip

    def read(self, offset: int) -> int:
        """See `Memory`."""
        return int(self._chip.scratch[_scratch(offset)])

    def write(self, offset: int, value: int) -> None:
        """See `Memory`."""
        if not self._chip.has_fallen:
            self._chip.scratch[_scratch(offset)] = value


def _scratch(offset: int) -> int:
    if not 0x0C <= offset < 0x2C:
        raise ValueError("watchdog register 0x%x: not modelled" % offset)
    return (offset - 0x0C) // 4
