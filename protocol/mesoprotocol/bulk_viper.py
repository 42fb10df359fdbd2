"""Bulk bytes and COBS compiled to machine code; the twin of `bulk_plain`. Nothing is allocated.

Offsets are the caller's to keep: here nothing is checked against a buffer's end.
"""

import micropython


@micropython.viper
def _copy(source: ptr8, at: int, target: ptr8, to: int, n: int):
    i = 0
    while i < n:
        target[to + i] = source[at + i]
        i += 1


@micropython.viper
def _find_zero(data: ptr8, at: int, end: int) -> int:
    while at < end and data[at] != 0:
        at += 1
    return at


@micropython.viper
def _stuff(body: ptr8, n: int, wire: ptr8) -> int:
    wire[0] = 0
    code_at = 1
    at = 2
    i = 0
    while i < n:
        b = body[i]
        if b != 0:
            wire[at] = b
        else:
            wire[code_at] = at - code_at
            code_at = at
        at += 1
        i += 1
    wire[code_at] = at - code_at
    wire[at] = 0
    return at + 1


@micropython.viper
def _unstuff(raw: ptr8, n: int, body: ptr8) -> int:
    at = 0
    while at < n:
        code = int(raw[at])
        if at + code > n:
            return -1
        if at > 0:
            body[at - 1] = 0
        i = at
        at += code
        while i < at - 1:
            body[i] = raw[i + 1]
            i += 1
    return n - 1


@micropython.viper
def _same(a: ptr8, a_at: int, b: ptr8, b_at: int, n: int) -> bool:
    i = 0
    while i < n:
        if a[a_at + i] != b[b_at + i]:
            return False
        i += 1
    return True


def copy(source: "bytes | bytearray", at: int, target: bytearray, to: int, n: int) -> None:
    """target[to:to+n] = source[at:at+n]."""
    _copy(source, at, target, to, n)


def find_zero(data: "bytes | bytearray", at: int, end: int) -> int:
    """Where the first zero of data[at:end] is; `end` if there is none."""
    return _find_zero(data, at, end)


def stuff(body: bytearray, n: int, wire: bytearray) -> int:
    """Write `00 | COBS(body[:n]) | 00` into `wire`; the number of bytes. n is at most 253."""
    return _stuff(body, n, wire)


def unstuff(raw: bytearray, n: int, body: bytearray) -> int:
    """Write what raw[:n], which has no zeros, is the COBS of into `body`; its length, -1 if it is not COBS."""
    return _unstuff(raw, n, body)


def same(a: "bytearray | bytes", a_at: int, b: "bytearray | bytes", b_at: int, n: int) -> bool:
    """Whether a[a_at:a_at+n] equals b[b_at:b_at+n]."""
    return _same(a, a_at, b, b_at, n)
