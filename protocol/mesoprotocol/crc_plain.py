"""CRC-32/IEEE over buffers, by `binascii`: `crc_viper`'s twin for CPython and boards without native code.

`seed` is the four little-endian bytes of the CRC to go on from.
"""

import binascii
from struct import pack_into


def put(buf: bytearray, n: int, seed: bytes) -> None:
    """Write the CRC of buf[:n], little-endian, at buf[n:n+4]."""
    pack_into("<I", buf, n, binascii.crc32(buf[:n], int.from_bytes(seed, "little")))


def matches(buf: bytearray, n: int, seed: bytes) -> bool:
    """Whether buf[n:n+4] is the CRC of buf[:n]."""
    c = binascii.crc32(buf[:n], int.from_bytes(seed, "little"))
    return int.from_bytes(buf[n : n + 4], "little") == c
