"""Records in non-volatile memory: fields as in the protocol's codec and a CRC-32, read back when written."""

from mesoprotocol import bulk, codec, crc

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mesofirmware.boards.port import Store

BLANK, VALID, DAMAGED = 0, 1, 2


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
        """Read a record at offset `at` into `values`: BLANK (never written), VALID, or DAMAGED.

        Byte fields are copied into the bytearray that stands in their place in `values`, if one does.
        """
        n = codec.size(fields)
        buf = self._buf
        self._store.read(at, buf, n + 4)
        if not crc.matches(buf, n, self._seed):
            i = 0
            while i < n + 4:
                if buf[i] != buf[0] or (buf[i] != 0 and buf[i] != 255):
                    return DAMAGED
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

        DAMAGED only if neither reads and both were written; then, and if nothing was written, numbers are 0.
        """
        first = self.read(at, fields, values)
        generation = values[0] if first == VALID else -1
        second = self.read(at + size, fields, values)
        if second == VALID and values[0] > generation:
            return VALID
        if first == VALID:
            return self.read(at, fields, values)
        for i in range(len(values)):
            if fields[i][0] != codec.BYTES:
                values[i] = 0
        # a power cut within the very first write leaves one damaged copy and one blank: nothing had happened
        return DAMAGED if first == DAMAGED and second == DAMAGED else BLANK

    def write_newer(self, at: int, size: int, fields: tuple, values: list) -> None:
        """Write a new generation over the older of two copies. After `StoreFailed` the newer still stands, and the
        next call spares it too.
        """
        values[0] += 1
        try:
            self.write(at + (values[0] & 1) * size, fields, values)
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
