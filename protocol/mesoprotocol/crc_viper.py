"""CRC-32/IEEE over buffers in 16-bit halves, compiled to machine code; the twin of `crc_plain`.

No intermediate is boxed: on a 32-bit board an integer of 2^30 or more would be allocated. The table holds,
for each nibble, the low and the high half of the polynomial's remainder (reflected 0xEDB88320).
"""

from array import array

import micropython

_TABLE = array(
    "H",
    (
        0x0000, 0x0000, 0x1064, 0x1DB7, 0x20C8, 0x3B6E, 0x30AC, 0x26D9, 0x4190, 0x76DC, 0x51F4, 0x6B6B,
        0x6158, 0x4DB2, 0x713C, 0x5005, 0x8320, 0xEDB8, 0x9344, 0xF00F, 0xA3E8, 0xD6D6, 0xB38C, 0xCB61,
        0xC2B0, 0x9B64, 0xD2D4, 0x86D3, 0xE278, 0xA00A, 0xF21C, 0xBDBD,
    ),
)  # fmt: skip


@micropython.viper
def _crc(buf: ptr8, n: int, seed: ptr8, table: ptr16, out: ptr8):
    lo = (int(seed[0]) | int(seed[1]) << 8) ^ 0xFFFF
    hi = (int(seed[2]) | int(seed[3]) << 8) ^ 0xFFFF
    i = 0
    while i < n:
        lo ^= int(buf[i])
        k = 0
        while k < 2:
            t = (lo & 15) << 1
            lo = ((lo >> 4) | ((hi & 15) << 12)) ^ int(table[t])
            hi = (hi >> 4) ^ int(table[t + 1])
            k += 1
        i += 1
    lo ^= 0xFFFF
    hi ^= 0xFFFF
    out[0] = lo & 255
    out[1] = lo >> 8
    out[2] = hi & 255
    out[3] = hi >> 8


_out = bytearray(4)


def put(buf: bytearray, n: int, seed: bytes) -> None:
    """Write the CRC of buf[:n], little-endian, at buf[n:n+4]."""
    _crc(buf, n, seed, _TABLE, _out)
    i = 0
    while i < 4:
        buf[n + i] = _out[i]
        i += 1


def matches(buf: bytearray, n: int, seed: bytes) -> bool:
    """Whether buf[n:n+4] is the CRC of buf[:n]."""
    _crc(buf, n, seed, _TABLE, _out)
    return buf[n] == _out[0] and buf[n + 1] == _out[1] and buf[n + 2] == _out[2] and buf[n + 3] == _out[3]
