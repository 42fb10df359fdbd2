"""CRC-32/IEEE over buffers, by `binascii`: `crc_viper`'s twin for CPython and boards without native code.

`seed` is the four little-endian bytes of the CRC to go on from.
"""

import binascii


def put(buf: bytearray, n: int, seed: bytes) -> None:
    """Write the CRC of buf[:n], little-endian, at buf[n:n+4]."""
    c = binascii.crc32(memoryview(buf)[:n], int.from_bytes(seed, "little"))
    buf[n] = c & 255
    buf[n + 1] = (c >> 8) & 255
    buf[n + 2] = (c >> 16) & 255
    buf[n + 3] = c >> 24


def matches(buf: bytearray, n: int, seed: bytes) -> bool:
    """Whether buf[n:n+4] is the CRC of buf[:n]."""
    c = binascii.crc32(memoryview(buf)[:n], int.from_bytes(seed, "little"))
    return buf[n] | buf[n + 1] << 8 | buf[n + 2] << 16 | buf[n + 3] << 24 == c
