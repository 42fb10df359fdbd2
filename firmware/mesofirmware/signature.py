"""Whether the signer has signed: RSASSA-PKCS1-v1_5 with SHA-256, 3,072 bits, e = 65537 (RFC 8017, 8.2.2).

Allocates, and takes 0.3 s on a board. Nothing here is secret.
"""

import hashlib

SIZE = 384
"""Bytes of a signature and of a modulus, big-endian."""
_E = 65537
_PREFIX = b"\x30\x31\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00\x04\x20"
"""What stands before a SHA-256, encoded: RFC 8017, 9.2, note 1."""


def is_modulus(data: bytes) -> bool:
    """Whether these bytes can be a signer's public modulus: all of its 3,072 bits."""
    return len(data) == SIZE and data[0] & 0x80 != 0 and data[-1] & 1 != 0


def is_signed(text: bytes, signature: "bytes | bytearray", modulus: bytes) -> bool:
    """Whether `signature` over `text` is by who has the secret half of `modulus`."""
    n = int.from_bytes(modulus, "big")
    s = int.from_bytes(signature, "big")
    if len(signature) != SIZE or s >= n:
        return False
    # what it must be is built whole and compared whole: nothing in it is skipped or searched for
    encoded = _PREFIX + hashlib.sha256(text).digest()
    padded = b"\x00\x01" + b"\xff" * (SIZE - len(encoded) - 3) + b"\x00" + encoded
    return pow(s, _E, n).to_bytes(SIZE, "big") == padded
