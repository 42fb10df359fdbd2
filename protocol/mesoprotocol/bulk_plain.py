"""`bulk_viper`'s twin for CPython and boards without native code. Allocates."""

_CODES = bytes(range(1, 255))


def copy(source: "bytes | bytearray", at: int, target: bytearray, to: int, n: int) -> None:
    """target[to:to+n] = source[at:at+n]."""
    target[to : to + n] = source[at : at + n]


def find_zero(data: "bytes | bytearray", at: int, end: int) -> int:
    """Where the first zero of data[at:end] is; `end` if there is none."""
    found = data.find(b"\0", at, end)
    return end if found < 0 else found


def stuff(body: bytearray, n: int, wire: bytearray) -> int:
    """Write `00 | COBS(body[:n]) | 00` into `wire`; the number of bytes. n is at most 253."""
    stuffed = b"".join([_CODES[len(part) : len(part) + 1] + part for part in bytes(body[:n]).split(b"\0")])
    wire[: n + 3] = b"\0" + stuffed + b"\0"
    return n + 3


def unstuff(raw: bytearray, n: int, body: bytearray) -> int:
    """Write what raw[:n], which has no zeros, is the COBS of into `body`; its length, -1 if it is not COBS."""
    if not n:
        return -1
    body[: n - 1] = raw[1:n]
    at = raw[0]
    while at < n:
        body[at - 1] = 0
        at += raw[at]
    return n - 1 if at == n else -1


def same(a: "bytearray | bytes", a_at: int, b: "bytearray | bytes", b_at: int, n: int) -> bool:
    """Whether a[a_at:a_at+n] equals b[b_at:b_at+n]."""
    return a[a_at : a_at + n] == b[b_at : b_at + n]
