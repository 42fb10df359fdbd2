"""The device's wrapping clock: 30-bit microseconds, as MicroPython's `ticks_us` on 32-bit boards.

A tick lies in 0 .. 2^30-1 and wraps every 17.9 minutes. Differences hold for +-8.9 minutes. Nothing here
exceeds a 31-bit small integer, so nothing is allocated on the board.
"""

MASK = 0x3FFFFFFF
HALF = 0x20000000


def diff(a: int, b: int) -> int:
    """Microseconds from tick `b` to tick `a`, negative if `a` is earlier."""
    d = (a - b) & MASK
    if d >= HALF:
        d = d - HALF - HALF
    return d


def add(tick: int, us: int) -> int:
    """The tick `us` microseconds later; -2^29 <= us < 2^29."""
    return ((tick - HALF + us) & MASK) ^ HALF
