"""The byte link: MicroPython's USB CDC serial port, both ways without waiting.

Writing there blocks for up to 500 ms when the host does not read, and `POLLOUT` promises room for one byte only. So a
frame is taken whole into a ring here, or not at all, and leaves byte by byte while there is room.
"""

import select
import sys

_RING = 1024
"""Bytes, a power of two."""
_AT_ONCE = 64
"""Bytes that one call sends or takes at most: about 5 ms."""


class Link:
    """See `port.Board.receive` and `send`."""

    def __init__(self) -> None:
        self._in = sys.stdin.buffer
        self._out = sys.stdout.buffer
        self._readable = select.poll()
        self._readable.register(self._in, select.POLLIN)
        self._writable = select.poll()
        self._writable.register(self._out, select.POLLOUT)
        self._byte = bytearray(1)
        self._ring = bytearray(_RING)
        self._head = 0
        self._waiting = 0

    def has_bytes(self) -> bool:
        """Whether `receive` would find any."""
        for _ in self._readable.ipoll(0):
            return True
        return False

    def receive(self, buf: bytearray) -> int:
        """See the port."""
        n = 0
        most = min(len(buf), _AT_ONCE)
        while n < most and self.has_bytes():
            self._in.readinto(self._byte)
            buf[n] = self._byte[0]
            n += 1
        return n

    def send(self, buf: bytearray, n: int) -> bool:
        """See the port."""
        if n > _RING - self._waiting:
            return False
        at = self._head + self._waiting
        for i in range(n):
            self._ring[(at + i) & (_RING - 1)] = buf[i]
        self._waiting += n
        self.flush()
        return True

    def flush(self) -> None:
        """Pass on what the port has room for."""
        n = min(self._waiting, _AT_ONCE)
        while n > 0 and self._has_room():
            self._byte[0] = self._ring[self._head]
            self._out.write(self._byte)
            self._head = (self._head + 1) & (_RING - 1)
            self._waiting -= 1
            n -= 1

    def _has_room(self) -> bool:
        for _ in self._writable.ipoll(0):
            return True
        return False
