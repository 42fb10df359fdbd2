"""SHA-256 that allocates nothing: machine code where the board allows it, `hashlib` elsewhere.

`digest(buf, n, out)` writes the hash of buf[:n] into out[:32]. `hashlib` makes new objects with each use,
which is fine on a computer, and on a board only while nothing is armed.
"""

try:
    from mesoprotocol.sha256_viper import digest
except (ImportError, NameError, SyntaxError, ValueError):
    from mesoprotocol.sha256_plain import digest

__all__ = ("digest",)
