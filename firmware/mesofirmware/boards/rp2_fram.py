"""The store: an I2C FRAM of 32 KiB with two address bytes (MB85RC256V, FM24W256, or any alike), at 1 MHz.

A byte is written when its acknowledge has come; nothing waits, nothing wears. Raises OSError when it does not answer.
"""

from mesoprotocol import bulk

TYPE_CHECKING = False
if TYPE_CHECKING:
    from machine import I2C

SIZE = 32768
_ADDRESS = 0x50
_CHUNK = 32


class Fram:
    """See `port.Store`. Transfers go through 32 bytes of its own: their views exist from the start."""

    def __init__(self, bus: "I2C") -> None:
        self._bus = bus
        self._chunk = bytearray(_CHUNK)
        whole = memoryview(self._chunk)
        self._views = tuple([whole[:n] for n in range(_CHUNK + 1)])

    def read(self, at: int, buf: bytearray, n: int) -> None:
        """See the port. Raises IndexError outside the memory."""
        _check(at, n)
        done = 0
        while done < n:
            part = min(_CHUNK, n - done)
            self._bus.readfrom_mem_into(_ADDRESS, at + done, self._views[part], addrsize=16)
            bulk.copy(self._chunk, 0, buf, done, part)
            done += part

    def write(self, at: int, buf: bytearray, n: int) -> None:
        """See the port. Raises IndexError outside the memory."""
        _check(at, n)
        done = 0
        while done < n:
            part = min(_CHUNK, n - done)
            bulk.copy(buf, done, self._chunk, 0, part)
            self._bus.writeto_mem(_ADDRESS, at + done, self._views[part], addrsize=16)
            done += part


def _check(at: int, n: int) -> None:
    if at < 0 or n < 0 or at + n > SIZE:
        raise IndexError("bytes %d to %d of a store of %d" % (at, at + n, SIZE))
