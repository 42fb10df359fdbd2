"""Stands in for MicroPython's `machine` on an RP2040 or RP2350: what the board file uses of it, on `mesosim.rp2.chip`.

Anything else is an AttributeError. Calls take no time; see `mesosim.rp2.chip.Chip` for when time passes.
"""

import errno

from mesosim.rp2 import chip as _chip
from mesosim.rp2 import pads as _pads

PWRON_RESET = 1
WDT_RESET = 3


class Reset(BaseException):
    """The chip restarts; `args[0]` says by whom."""


def freq(hz: int = 0) -> int:
    """The system clock; it stays as MicroPython starts the chip."""
    ours = _chip.chip.model.hz
    if hz not in (0, ours):
        raise ValueError("freq %d: the twin runs at %d Hz" % (hz, ours))
    return ours


def unique_id() -> bytes:
    """The flash chip's id."""
    return _chip.chip.uid


def reset() -> None:
    """Restart by the watchdog, as the real one does."""
    _chip.chip.has_fallen = True
    raise Reset("reset")


def bootloader() -> None:
    """Restart into the boot ROM, which speaks another protocol."""
    _chip.chip.has_fallen = True
    raise Reset("bootloader")


def reset_cause() -> int:
    """Why the chip has started."""
    return _chip.chip.reset_cause


def idle() -> None:
    """Wait for anything to happen."""
    _chip.chip.idle()


class Pin:
    """See `machine.Pin`. An IRQ's handler is called some clocks after the edge."""

    IN = 0
    OUT = 1
    OPEN_DRAIN = 2
    ALT = 3
    PULL_UP = 1
    PULL_DOWN = 2
    IRQ_FALLING = 4
    IRQ_RISING = 8

    def __init__(self, number: int, mode: int = -1, pull: "int | None" = -1, value: "int | None" = None) -> None:
        if not 0 <= number < _pads.COUNT:
            raise ValueError("pin %r: GPIO 0 to %d" % (number, _pads.COUNT - 1))
        self.number = number
        self._mask = 1 << number
        if mode >= 0 or value is not None:
            self.init(mode, pull, value)
        elif pull != -1:
            self._pull(pull)

    def init(self, mode: int = -1, pull: "int | None" = -1, value: "int | None" = None) -> None:
        """The level first, then the direction: no glitch."""
        pads, mask = _chip.chip.pads, self._mask
        if pull != -1:
            self._pull(pull)
        drain = mode == Pin.OPEN_DRAIN
        _chip.chip.drains = _chip.chip.drains | mask if drain else _chip.chip.drains & ~mask
        if value is not None:
            self._set(value)
        elif drain:
            self._set(1)
        if mode == Pin.OUT:
            pads.sio_enabled |= mask
        elif mode == Pin.IN:
            pads.sio_enabled &= ~mask
        pads.give(mask, _pads.SIO)

    def _pull(self, pull: "int | None") -> None:
        pads, mask = _chip.chip.pads, self._mask
        pads.pulled_up = pads.pulled_up | mask if pull == Pin.PULL_UP else pads.pulled_up & ~mask
        pads.settle()

    def _set(self, value: int) -> None:
        pads, mask = _chip.chip.pads, self._mask
        if _chip.chip.drains & mask:
            pads.sio_out &= ~mask
            pads.sio_enabled = pads.sio_enabled & ~mask if value else pads.sio_enabled | mask
        else:
            pads.sio_out = pads.sio_out | mask if value else pads.sio_out & ~mask

    def value(self, value: "int | None" = None) -> "int | None":
        """The level, or set it."""
        chip = _chip.chip
        if value is None:
            return chip.pads.levels >> self.number & 1
        self._set(value)
        chip.pads.settle()
        chip.settle()
        return None

    __call__ = value

    def irq(self, handler: object = None, trigger: int = 12, hard: bool = False) -> object:
        """Call `handler(pin)` at edges; None: no more."""
        _chip.chip.interrupts.on_edge(self, self.number, trigger, handler)
        return self


class ADC:
    """See `machine.ADC`: what is wired to `chip.analogue` by GPIO number."""

    def __init__(self, pin: object) -> None:
        number = pin if isinstance(pin, int) else pin.number  # type: ignore[attr-defined]
        self._number = number + 26 if number < 5 else number
        if not 26 <= self._number <= 30:
            raise ValueError("ADC on GPIO %d: 26 to 29" % number)

    def read_u16(self) -> int:
        """Twelve bits, spread to sixteen as MicroPython does."""
        raw = _chip.chip.convert(self._number)
        return raw << 4 | raw >> 8


class I2C:
    """See `machine.I2C`: devices on `chip.wires[id]`, by address, with `write(bytes)` and `read(n)`."""

    def __init__(
        self, number: int, scl: object = None, sda: object = None, freq: int = 400000, timeout: int = 0
    ) -> None:
        self._devices = _chip.chip.wires[number]

    def _device(self, address: int) -> object:
        if address not in self._devices:
            raise OSError(errno.EIO, "no answer from 0x%02x" % address)
        return self._devices[address]

    def writeto(self, address: int, buf: bytes, stop: bool = True) -> int:
        """One message."""
        self._device(address).write(bytes(buf))  # type: ignore[attr-defined]
        return len(buf)

    def readfrom_into(self, address: int, buf: bytearray, stop: bool = True) -> None:
        """Fill the buffer."""
        buf[:] = self._device(address).read(len(buf))  # type: ignore[attr-defined]

    def readfrom_mem_into(self, address: int, at: int, buf: bytearray, *, addrsize: int = 8) -> None:
        """Fill the buffer from a register or memory address on."""
        self.writeto(address, at.to_bytes(addrsize // 8, "big"))
        self.readfrom_into(address, buf)

    def writeto_mem(self, address: int, at: int, buf: bytes, *, addrsize: int = 8) -> None:
        """Write from a register or memory address on."""
        self.writeto(address, at.to_bytes(addrsize // 8, "big") + bytes(buf))


class UART:
    """See `machine.UART`: what hangs on `chip.lines[id]` answers each write at once with bytes."""

    def __init__(self, number: int, baudrate: int = 9600, **wiring: object) -> None:
        self._line = _chip.chip.lines[number]
        self._rx = b""

    def write(self, buf: bytes) -> int:
        """Say it; the answer is there at once."""
        self._rx += self._line(bytes(buf))
        return len(buf)

    def any(self) -> int:
        """How many bytes are there."""
        return len(self._rx)

    def read(self, n: int = -1) -> "bytes | None":
        """At most n bytes."""
        n = len(self._rx) if n < 0 else n
        data, self._rx = self._rx[:n], self._rx[n:]
        return data or None

    def readinto(self, buf: bytearray, n: int = -1) -> "int | None":
        """At most n bytes, into the buffer."""
        data = self.read(len(buf) if n < 0 else n)
        if data is None:
            return None
        buf[: len(data)] = data
        return len(data)


class WDT:
    """See `machine.WDT`."""

    def __init__(self, id: int = 0, timeout: int = 5000) -> None:
        model = _chip.chip.model
        if not 1 <= timeout <= model.watchdog_ms:
            raise ValueError("WDT of %d ms: 1 to %d" % (timeout, model.watchdog_ms))
        self._clocks = timeout * 1000 * model.clocks_per_us
        self.feed()

    def feed(self) -> None:
        """Keep the chip from restarting for another while."""
        _chip.chip.watchdog_at = _chip.chip.t + self._clocks


class PWM:
    """See `machine.PWM`: sound and light; `chip.tones` has (hz, duty of 65535) by GPIO number."""

    def __init__(self, pin: Pin, freq: int = 0, duty_u16: int = 0, invert: bool = False) -> None:
        self._number = pin.number
        self._hz = freq
        self._duty = duty_u16
        self._tell()

    def freq(self, hz: int) -> None:
        """Set the frequency."""
        self._hz = hz
        self._tell()

    def duty_u16(self, duty: int) -> None:
        """Set the duty."""
        self._duty = duty
        self._tell()

    def _tell(self) -> None:
        _chip.chip.tones[self._number] = (self._hz, self._duty)


class _Words:
    """See `machine.mem32`."""

    def __init__(self, size: int) -> None:
        self._size = size

    def __getitem__(self, at: int) -> int:
        return _chip.chip.memory.load(at, self._size)

    def __setitem__(self, at: int, value: int) -> None:
        _chip.chip.memory.store(at, self._size, value)
        _chip.chip.settle()


mem32 = _Words(4)
