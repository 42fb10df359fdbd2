"""SHA-256 by `hashlib`: `sha256_viper`'s twin for CPython and boards without native code."""

import hashlib


def digest(buf: bytearray, n: int, out: bytearray) -> None:
    """Write the SHA-256 of buf[:n] into out[:32]."""
    out[:32] = hashlib.sha256(memoryview(buf)[:n]).digest()
