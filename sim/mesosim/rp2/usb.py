"""The USB serial port as MicroPython shows it: `sys.stdin.buffer`, `sys.stdout.buffer`, and `select` over them."""

POLLIN, POLLOUT = 1, 4
_FIFO_BYTES = 256


class Stream:
    """One direction; `held` are the bytes that are on their way."""

    def __init__(self, room: int) -> None:
        self.held = b""
        self._room = room

    def ready(self, events: int) -> int:
        """Which of the events has come."""
        if events & POLLIN and self.held:
            return POLLIN
        return events & POLLOUT if len(self.held) < self._room else 0

    def readinto(self, buf: bytearray) -> int:
        """Fill the buffer. Raises RuntimeError where the real one would wait for ever."""
        n = len(buf)
        if n > len(self.held):
            raise RuntimeError("stdin: readinto of %d bytes with %d there blocks" % (n, len(self.held)))
        buf[:] = self.held[:n]
        self.held = self.held[n:]
        return n

    def write(self, buf: bytes) -> int:
        """Send. Raises RuntimeError where the real one would block."""
        if len(self.held) + len(buf) > self._room:
            raise RuntimeError("stdout: %d bytes in a FIFO that has %d blocks" % (len(buf), len(self.held)))
        self.held += bytes(buf)
        return len(buf)


class _Half:
    def __init__(self, stream: Stream) -> None:
        self.buffer = stream


class Port:
    """Stands in for `sys`: the two streams."""

    def __init__(self) -> None:
        self.received = Stream(1 << 20)
        self.sent = Stream(_FIFO_BYTES)
        self.stdin = _Half(self.received)
        self.stdout = _Half(self.sent)


class poll:
    """See `select.poll`."""

    def __init__(self) -> None:
        self._watched: list = []

    def register(self, stream: Stream, events: int) -> None:
        """Watch it."""
        self._watched.append((stream, events))

    def ipoll(self, timeout_ms: int = -1, flags: int = 0) -> list:
        """What is ready now. Raises RuntimeError for a wait."""
        if timeout_ms != 0:
            raise RuntimeError("ipoll(%d) waits: the loop must go on" % timeout_ms)
        return [(stream, stream.ready(events)) for stream, events in self._watched if stream.ready(events)]

    poll = ipoll
