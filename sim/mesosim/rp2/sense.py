"""What hangs on the second I2C: port expander, bridge converter, battery gauge and 1-Wire master, by their datasheets.

Each has `write(bytes)`, a message whose first byte is a register or command, and `read(n)`.
"""


class Expander:
    """MCP23017 with IOCON.BANK = 0. `on_output(levels)` is told of port B, `on_interrupt(low)` of the INT pin."""

    _IODIR, _IPOL, _GPINTEN, _IOCON, _INTF, _INTCAP, _GPIO, _OLAT = 0x00, 0x02, 0x04, 0x0A, 0x0E, 0x10, 0x12, 0x14

    def __init__(self, on_output: object, on_interrupt: object) -> None:
        self._registers = bytearray(22)
        self._registers[self._IODIR] = self._registers[self._IODIR + 1] = 0xFF
        self._at = 0
        self._levels = 0
        self._told = 0
        self._on_output = on_output
        self._on_interrupt = on_interrupt

    def level(self, bit: int, high: bool) -> None:
        """Something outside drives a pin of port A."""
        mask = 1 << bit
        before = self._levels
        self._levels = before | mask if high else before & ~mask
        if self._levels != before and self._registers[self._GPINTEN] & mask:
            registers = self._registers
            if not registers[self._INTF]:
                registers[self._INTF] = mask
                registers[self._INTCAP] = self._levels ^ registers[self._IPOL]
            self._on_interrupt(True)  # type: ignore[operator]

    def write(self, data: bytes) -> None:
        """A register, then what is written from there on."""
        self._at = data[0]
        for byte in data[1:]:
            if self._at in (self._IOCON, self._IOCON + 1) and byte & 0x80:
                raise ValueError("expander: IOCON.BANK = 1 is not modelled")
            if self._at in (self._GPIO, self._GPIO + 1):
                self._registers[self._at + 2] = byte
            elif self._at not in (self._INTF, self._INTF + 1, self._INTCAP, self._INTCAP + 1):
                self._registers[self._at] = byte
            self._next()
        driven = self._registers[self._OLAT + 1] & ~self._registers[self._IODIR + 1]
        if driven != self._told:
            self._told = driven
            self._on_output(driven)  # type: ignore[operator]

    def read(self, n: int) -> bytes:
        """Registers from the one last written to on."""
        data = bytearray(n)
        for i in range(n):
            at = self._at
            if at == self._GPIO:
                data[i] = self._levels ^ self._registers[self._IPOL]
            elif at == self._GPIO + 1:
                data[i] = self._registers[self._OLAT + 1] & ~self._registers[self._IODIR + 1]
            else:
                data[i] = self._registers[at]
            if at in (self._GPIO, self._INTCAP) and self._registers[self._INTF]:
                self._registers[self._INTF] = 0
                self._on_interrupt(False)  # type: ignore[operator]
            self._next()
        return bytes(data)

    def _next(self) -> None:
        self._at = (self._at + 1) % len(self._registers)


class Bridge:
    """NAU7802: `sample()` is the bridge's value, in counts of 24 bits, at the time of reading."""

    _PU_CTRL, _CTRL2, _ADC, _REVISION = 0x00, 0x02, 0x12, 0x1F
    _READY, _CONVERTED, _CALIBRATE = 0x08, 0x20, 0x04

    def __init__(self, sample: object) -> None:
        self._sample = sample
        self._registers = bytearray(32)
        self._registers[self._REVISION] = 0x0F
        self._at = 0

    def write(self, data: bytes) -> None:
        """A register, then what is written from there on."""
        self._at = data[0]
        for byte in data[1:]:
            self._registers[self._at] = byte
            self._at += 1
        power = self._registers[self._PU_CTRL]
        if power & 1:
            for i in range(self._REVISION):
                self._registers[i] = power & 1
        elif power & 2:
            self._registers[self._PU_CTRL] |= self._READY
        self._registers[self._CTRL2] &= ~self._CALIBRATE & 0xFF

    def read(self, n: int) -> bytes:
        """Registers from the one last written to on."""
        data = bytearray(n)
        for i in range(n):
            if self._at == self._ADC:
                value = max(-0x800000, min(self._sample(), 0x7FFFFF)) & 0xFFFFFF  # type: ignore[operator]
                for k in range(3):
                    self._registers[self._ADC + k] = value >> 16 - 8 * k & 0xFF
            if self._at == self._PU_CTRL and self._registers[0] & 0x12 == 0x12:
                self._registers[0] |= self._CONVERTED
            data[i] = self._registers[self._at]
            self._at += 1
        return bytes(data)


class Gauge:
    """MAX17048: `millivolts()` is the cell's voltage, given in 78.125 uV."""

    _VCELL, _VERSION = 0x02, 0x08

    def __init__(self, millivolts: object) -> None:
        self._millivolts = millivolts
        self._at = 0

    def write(self, data: bytes) -> None:
        """A register; what is written there changes nothing of the voltage."""
        self._at = data[0]

    def read(self, n: int) -> bytes:
        """Registers of two bytes from the one last written to on."""
        data = b""
        while len(data) < n:
            value = 0
            if self._at == self._VCELL:
                value = (self._millivolts() * 64 + 4) // 5  # type: ignore[operator]
            elif self._at == self._VERSION:
                value = 0x0012
            data += value.to_bytes(2, "big")
            self._at += 2
        return data[:n]
