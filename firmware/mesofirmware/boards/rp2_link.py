"""The byte link: MicroPython's USB CDC serial port, both ways without waiting.

`readinto` there waits for all that it is asked for, and nothing tells how much has come; `write` blocks for up to 500
ms when the host does not read, and `POLLOUT` promises room for one byte only. So each byte is asked for, in two calls.
A frame that is sent is taken whole into a ring here, or not at all, and leaves between the application's steps.
"""

import select
import sys

from mesoprotocol import bulk

_RING = 1024
"""Bytes, a power of two."""
_AT_ONCE = 16
"""Bytes that leave from one look at what has come to the next."""


class Link:
    """See `port.Board.receive` and `send`."""

    def __init__(self) -> None:
        readable = select.poll()
        readable.register(sys.stdin.buffer, select.POLLIN)
        writable = select.poll()
        writable.register(sys.stdout.buffer, select.POLLOUT)
        # each a bound method once: they are what a byte costs
        self._readable = readable.ipoll
        self._take = sys.stdin.buffer.readinto
        self._writable = writable.ipoll
        self._put = sys.stdout.buffer.write
        self._byte = bytearray(1)
        self._ring = bytearray(_RING)
        self._head = 0
        self._waiting = 0

    def has_bytes(self) -> bool:
        """Whether `receive` would find any."""
        for _ in self._readable(0):
            return True
        return False

    def receive(self, buf: bytearray) -> int:
        """See the port."""
        readable = self._readable
        take = self._take
        byte = self._byte
        for n in range(len(buf)):
            for _ in readable(0):
                take(byte)
                break
            else:
                return n
            buf[n] = byte[0]
        return len(buf)

    def send(self, buf: bytearray, n: int) -> bool:
        """See the port."""
        if n > _RING - self._waiting:
            return False
        at = (self._head + self._waiting) & (_RING - 1)
        first = min(n, _RING - at)
        bulk.copy(buf, 0, self._ring, at, first)
        bulk.copy(buf, first, self._ring, 0, n - first)
        self._waiting += n
        return True

    def is_sending(self) -> bool:
        """Whether something that was sent has not left yet."""
        return self._waiting > 0

    def flush(self) -> None:
        """Pass on what the port has room for."""
        byte = self._byte
        for _ in range(min(self._waiting, _AT_ONCE)):
            for _ in self._writable(0):
                break
            else:
                return
            byte[0] = self._ring[self._head]
            self._put(byte)
            self._head = (self._head + 1) & (_RING - 1)
            self._waiting -= 1
