"""Bytes in bulk, and COBS: machine code where the board allows it, plain Python elsewhere.

On a board a loop over bytes in Python costs some 10 us a byte, which would make the longest answer take longer
than a motor's shortest batch.
"""

try:
    from mesoprotocol.bulk_viper import copy, find_zero, same, stuff, unstuff
except (ImportError, NameError, SyntaxError, ValueError):
    from mesoprotocol.bulk_plain import copy, find_zero, same, stuff, unstuff

__all__ = ("copy", "find_zero", "same", "stuff", "unstuff")
