"""Records in non-volatile memory: fields as in the protocol's codec and a CRC-32, read back when written.

What a power cut leaves is told from damage, as bytes land in order. A record that is written once, on zeros, lacks its
end then. Of two copies written in turn, each has its generation's low byte before and behind it: after a cut that
before is the new one, that behind still the one two before it.
"""

from mesoprotocol import bulk, codec, crc

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mesofirmware.boards.port import Store

BLANK, VALID, TORN, WIPED, DAMAGED = range(5)


class StoreFailed(Exception):
    """The memory did not read back what was written."""


class Records:
    """Reads and writes records of a store. Buffers exist from the start; nothing is allocated later."""

    def __init__(self, store: "Store", tag: bytes) -> None:
        self._store = store
        self._seed = crc.seed(tag)
        self._buf = bytearray(128)
        self._check = bytearray(128)

    def read(self, at: int, fields: tuple, values: list) -> int:
        """Read a record at offset `at` into `values`: BLANK (never written), VALID, or what does not read: TORN if its
        last byte is 0, as where its write was cut, WIPED if its first is, as where `blank` was, else DAMAGED.

        Byte fields are copied into the bytearray that stands in their place in `values`, if one does.
        """
        n = codec.size(fields)
        buf = self._buf
        self._store.read(at, buf, n + 4)
        if not crc.matches(buf, n, self._seed):
            i = 0
            while i < n + 4:
                if buf[i] != buf[0] or (buf[i] != 0 and buf[i] != 255):
                    return TORN if not buf[n + 3] else DAMAGED if buf[0] else WIPED
                i += 1
            return BLANK
        offset = 0
        i = 0
        for kind, size, _, _ in fields:
            if kind == codec.BYTES:
                k = 0
                while k < size:
                    values[i][k] = buf[offset + k]
                    k += 1
            else:
                v = 0
                k = size
                while k > 0:
                    k -= 1
                    v = v << 8 | buf[offset + k]
                values[i] = v
            offset += size
            i += 1
        return VALID

    def write(self, at: int, fields: tuple, values: list) -> None:
        """Write a record and read it back. Raises `StoreFailed` if it differs."""
        n = codec.write(fields, values, self._buf, 0)
        crc.put(self._buf, n, self._seed)
        self._put(at, n + 4)

    def read_newer(self, at: int, size: int, fields: tuple, values: list) -> int:
        """Read the newer of two copies, `size` bytes apart, into `values`, the first of which is a generation.

        BLANK if nothing was ever written, DAMAGED unless both are as the last two writes, or a cut within the last,
        have left them. Numbers are 0 then.
        """
        seen = []
        for place in (at, at + size):
            state = self.read(place, fields, values)
            first = self._buf[0]
            self._store.read(place + codec.size(fields) + 4, self._check, 1)
            seen.append((values[0] if state == VALID else 0, state, first, self._check[0]))
        new = 1 if seen[1][0] >= seen[0][0] else 0
        generation, state, first, mark = seen[new]
        former, former_state, former_first, former_mark = seen[1 - new]
        if generation:
            whole = mark == first or _is_cut(first, mark, generation)
        else:
            whole = state == BLANK or _is_cut(first, mark, 1)
        if former_state == VALID:
            cut = _is_cut(former_first, former_mark, former)
            whole = whole and former == generation - 1 and (former_mark == former_first or cut)
        elif former_state == BLANK:
            whole = whole and generation < 2
        else:
            whole = whole and generation > 0 and _is_cut(former_first, former_mark, generation + 1)
        if whole and generation:
            return self.read(at + new * size, fields, values)
        for i in range(len(values)):
            if fields[i][0] != codec.BYTES:
                values[i] = 0
        return BLANK if whole else DAMAGED

    def write_newer(self, at: int, size: int, fields: tuple, values: list) -> None:
        """Write a new generation over the older of two copies. After `StoreFailed` the newer still stands, and the
        next call spares it too.
        """
        values[0] += 1
        n = codec.write(fields, values, self._buf, 0)
        crc.put(self._buf, n, self._seed)
        self._buf[n + 4] = self._buf[0]
        try:
            self._put(at + (values[0] & 1) * size, n + 5)
        except StoreFailed:
            values[0] -= 1
            raise

    def blank(self, at: int, n: int) -> None:
        """Make n <= 128 bytes blank again."""
        i = 0
        while i < n:
            self._buf[i] = 0
            i += 1
        self._put(at, n)

    def _put(self, at: int, n: int) -> None:
        self._store.write(at, self._buf, n)
        self._store.read(at, self._check, n)
        if not bulk.same(self._buf, 0, self._check, 0, n):
            raise StoreFailed("at %d" % at)


def _is_cut(first: int, mark: int, generation: int) -> bool:
    """Whether the write of a generation was begun and not ended: over that two before it, or over a new memory."""
    return first == generation & 255 and (mark == generation - 2 & 255 or (generation < 3 and mark in (0, 255)))
