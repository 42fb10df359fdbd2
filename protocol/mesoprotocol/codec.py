"""Payload fields to and from bytes, driven by the generated tables of `wire`.

A message's fields are a tuple of `(kind, size, low, high)`. Values live in a list that the caller owns, one
entry a field: an integer; for BYTES and TEXT, when reading, the field's offset in the buffer (so that
nothing is allocated), when writing, the bytes; for TIME a two-item list `[high, low]`, both below 2^30, time
being high * 2^30 + low microseconds; for TAIL, when writing, a three-item list `[buffer, offset, length]`.
"""

from struct import pack_into

from mesoprotocol import bulk

UINT, INT, BYTES, TEXT, TIME, TAIL = 0, 1, 2, 3, 4, 5


def size(fields: tuple) -> int:
    """Bytes of a payload with these fields; a TAIL counts nothing."""
    n = 0
    for field in fields:
        n += field[1]
    return n


def read(fields: tuple, buf: bytearray, at: int, out: list) -> int:
    """Read fields from buf[at:] into `out`; return the index of the first one out of range, or -1.

    The caller has checked that the payload is long enough.
    """
    i = 0
    for kind, n, low, high in fields:
        if kind <= INT:
            v = buf[at]
            if n > 1:
                v |= buf[at + 1] << 8
            if n > 2:
                v |= buf[at + 2] << 16
            top = buf[at + n - 1]
            if n > 3:
                if kind == INT and top >= 0xE0:
                    v += (top - 256) << 24
                elif top < (0x20 if kind == INT else 0x40):
                    v |= top << 24
                else:
                    return i  # beyond 30 bits: never an honest value, and not to be allocated
            elif kind == INT and top >= 0x80:
                v -= 1 << (8 * n)
            if v < low or v > high:
                return i
            out[i] = v
        elif kind == TIME:
            pair = out[i]
            pair[1] = buf[at] | buf[at + 1] << 8 | buf[at + 2] << 16 | (buf[at + 3] & 63) << 24
            pair[0] = buf[at + 3] >> 6 | buf[at + 4] << 2 | buf[at + 5] << 10 | (buf[at + 6] & 31) << 18
        else:
            out[i] = at
        at += n
        i += 1
    return -1


def write(fields: tuple, values: list, buf: bytearray, at: int) -> int:
    """Write fields into buf[at:]; return the offset behind them.

    Raises ValueError for a number outside its field's range: it would be truncated silently on the board.
    """
    i = 0
    for kind, n, low, high in fields:
        v = values[i]
        if kind <= INT:
            if v < low or v > high:
                raise ValueError("field %d: %d is not in %d..%d" % (i, v, low, high))
            if n > 3:
                pack_into("<i", buf, at, v)
            else:
                buf[at] = v & 255
                if n > 1:
                    buf[at + 1] = (v >> 8) & 255
                if n > 2:
                    buf[at + 2] = (v >> 16) & 255
        elif kind == TIME:
            high, low = v
            pack_into("<HHI", buf, at, low & 0xFFFF, low >> 16 | (high & 3) << 14, high >> 2 & 0x1FFFFF)
        elif kind == TAIL:
            source, start, n = v
            bulk.copy(source, start, buf, at, n)
        else:
            k = len(v)
            if k > n:
                raise ValueError("field %d: %d bytes, at most %d" % (i, k, n))
            bulk.copy(v, 0, buf, at, k)
            while k < n:
                buf[at + k] = 0
                k += 1
        at += n
        i += 1
    return at
