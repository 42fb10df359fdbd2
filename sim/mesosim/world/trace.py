"""The trace: every Board call with arguments and result, every plant event, every frame's bytes, hashed.

A record is little-endian: time in 40 ns ticks (u64), kind (u8), three values (i32 each); a blob's record is
followed by its bytes. Kinds below 100 are Board calls, from 100 on plant events. Two runs are the same if
their SHA-256 is.
"""

import hashlib
from struct import pack_into

NOW, NONCE, RECEIVE, SEND, INPUTS = range(1, 6)
INDEX_COUNT, INDEX_TICK, INDEX_POSITION, PROTRUSION, NEEDLE = range(6, 11)
(PRESSURE, ENCODER, BATTERY, ENABLE, PERMIT, DEADMAN, LIGHT, STORE_READ, STORE_WRITE) = range(11, 20)
(FEED, ROOM, BUSY, POSITION, STOP, PARK, RELEASE, HOME) = range(20, 28)
(FILE_READ, FILE_WRITE, CHIP_IDENTITY, CHIP_READ, CHIP_WRITE, PROGRAM) = range(28, 34)
(SHELF_NAMES, SHELF_READ, SHELF_BEGIN, SHELF_WRITE, SHELF_END, SHELF_REMOVE, RESTART) = range(34, 41)

(BOOT, WAKE, BATCH_END, INDEX, BOTTOM, SKIN, PERMIT_FELL, HAND, CONTROL, FAULT) = range(100, 110)
(SLIP, LOST, STALL, SPRING, HEAT, SYMBOL) = range(110, 116)


_ROOM = 2000
_SIZE = 21
_LAST = _ROOM - _SIZE


class Trace:
    """Counts and hashes records; writes them to a file as well if one is given. Both happen a buffer at a time."""

    def __init__(self, path: str = "") -> None:
        self._records = 0
        self._sha = hashlib.sha256()
        self._buf = bytearray(_ROOM)
        self._at = 0
        self._bytes = 0
        """Bytes of blobs in the buffer."""
        self._file = open(path, "wb") if path else None
        self._digest = ""

    def add(self, t: int, kind: int, a: int, b: int, c: int) -> int:
        """Append one record; returns `a`, which is a call's result."""
        at = self._at
        if at > _LAST:
            self._flush()
            at = 0
        pack_into("<QBiii", self._buf, at, t, kind, a, b, c)
        self._at = at + _SIZE
        return a

    def blob(self, t: int, kind: int, a: int, data: bytes) -> None:
        """Append a record with bytes behind it."""
        n = len(data)
        self.add(t, kind, a, n, 0)
        at = self._at
        if at + n > _ROOM:
            self._flush()
            self._put(data)
        else:
            self._buf[at : at + n] = data
            self._at = at + n
            self._bytes += n

    @property
    def records(self) -> int:
        """How many there are."""
        return self._records + (self._at - self._bytes) // _SIZE

    def digest(self) -> str:
        """SHA-256 of all records, in hex. The trace is closed by this: nothing can be added."""
        if not self._digest:
            self._flush()
            self._digest = "".join(["%02x" % b for b in self._sha.digest()])
            if self._file:
                self._file.close()
        return self._digest

    def _flush(self) -> None:
        self._put(memoryview(self._buf)[: self._at])
        self._records = self.records
        self._at = self._bytes = 0

    def _put(self, data: "bytes | memoryview") -> None:
        self._sha.update(data)
        if self._file:
            self._file.write(data)


class Untraced(Trace):
    """Keeps nothing: for wall time, in which no two runs are the same, and for whoever needs no hash."""

    def add(self, t: int, kind: int, a: int, b: int, c: int) -> int:
        """See `Trace`."""
        return a

    def blob(self, t: int, kind: int, a: int, data: bytes) -> None:
        """See `Trace`."""

    def digest(self) -> str:
        """See `Trace`: there is none."""
        return ""
