"""Stands in for MicroPython's `time`: ticks wrap at 2^30 as on the board, sleeping passes virtual time."""

from mesosim.rp2 import chip as _chip

_MASK = (1 << 30) - 1
_HALF = 1 << 29


def ticks_us() -> int:
    """Microseconds."""
    return _chip.chip.ticks_us()


def ticks_ms() -> int:
    """Milliseconds."""
    return _chip.chip.ticks_ms()


def ticks_diff(end: int, start: int) -> int:
    """end - start, signed."""
    return ((end - start + _HALF) & _MASK) - _HALF


def sleep_us(us: int) -> None:
    """Wait."""
    _chip.chip.sleep(us * _chip.chip.model.clocks_per_us)


def sleep_ms(ms: int) -> None:
    """Wait."""
    _chip.chip.sleep(ms * 1000 * _chip.chip.model.clocks_per_us)
