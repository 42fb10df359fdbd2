"""HMAC-SHA256 (RFC 2104) in buffers that exist from the start: MicroPython has no `hmac`."""

from mesoprotocol import bulk, sha256

_BLOCK = 64
SIZE = 32


class Mac:
    """Authentication codes with one key at a time, of messages up to `longest` bytes."""

    def __init__(self, longest: int) -> None:
        self._inner = bytearray(_BLOCK + longest)
        self._outer = bytearray(_BLOCK + SIZE)
        self._hash = bytearray(SIZE)
        self.value = bytearray(SIZE)
        """The last code."""
        self.rekey(b"")

    def rekey(self, key: "bytes | bytearray") -> None:
        """Take another key. Longer ones than a block are hashed first, which only tests do."""
        n = len(key)
        if n > _BLOCK:
            sha256.digest(bytearray(key), n, self._hash)
            key = self._hash
            n = SIZE
        i = 0
        while i < _BLOCK:
            b = key[i] if i < n else 0
            self._inner[i] = b ^ 0x36
            self._outer[i] = b ^ 0x5C
            i += 1

    def of(self, buf: bytearray, n: int) -> bytearray:
        """The code of buf[:n]: `value`, which the next call overwrites."""
        bulk.copy(buf, 0, self._inner, _BLOCK, n)
        sha256.digest(self._inner, _BLOCK + n, self._hash)
        bulk.copy(self._hash, 0, self._outer, _BLOCK, SIZE)
        sha256.digest(self._outer, _BLOCK + SIZE, self.value)
        return self.value


def equal(a: "bytes | bytearray", a_at: int, b: "bytes | bytearray", b_at: int, n: int) -> bool:
    """Whether a[a_at:a_at+n] equals b[b_at:b_at+n]; always looks at every byte, wherever they differ."""
    different = 0
    i = 0
    while i < n:
        different |= a[a_at + i] ^ b[b_at + i]
        i += 1
    return different == 0
