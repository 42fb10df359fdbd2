"""CRC-32/IEEE that never boxes its value: machine code where the board allows it, `binascii` elsewhere.

A CRC is written into a buffer and compared in a buffer, never handed around as an integer: on a 32-bit
board an integer of 2^30 or more is an allocation. Each use has its own seed, so that bytes made for one
purpose never pass for another.
"""

import binascii

try:
    from mesoprotocol.crc_viper import matches, put
except (ImportError, NameError, SyntaxError, ValueError):
    from mesoprotocol.crc_plain import matches, put

__all__ = ("matches", "put", "seed")


def seed(tag: bytes) -> bytes:
    """The seed for one use: the CRC of its `tag`, four bytes, little-endian. Allocates: call it at start."""
    return binascii.crc32(tag).to_bytes(4, "little")
