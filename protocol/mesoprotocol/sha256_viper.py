"""SHA-256 (FIPS 180-4) compiled to machine code; the twin of `sha256_plain`.

Words live in arrays and machine registers, never in Python integers: nothing is boxed. On a 64-bit machine a
register holds more than a word; what is rotated is masked first.
"""

from array import array

import micropython


def _primes(n: int) -> list:
    found: list = []
    at = 2
    while len(found) < n:
        if all(at % p for p in found):
            found.append(at)
        at += 1
    return found


def _root(value: int, power: int) -> int:
    """The integer root, by bisection."""
    low, high = 0, 1 << 48
    while high - low > 1:
        middle = (low + high) >> 1
        if middle**power <= value:
            low = middle
        else:
            high = middle
    return low


# the first 32 bits of the fractions of the cube roots of the first 64 primes, then a word of ones
_K = array("I", [_root(p << 96, 3) & 0xFFFFFFFF for p in _primes(64)] + [0xFFFFFFFF])
# likewise of the square roots of the first eight
_START = array("I", [_root(p << 64, 2) & 0xFFFFFFFF for p in _primes(8)])
_state = array("I", _START)
_words = array("I", [0] * 64)
_tail = bytearray(128)


@micropython.viper
def _compress(state: ptr32, words: ptr32, table: ptr32, block: ptr8, at: int):
    ones = uint(table[64])
    i = 0
    while i < 16:
        k = at + 4 * i
        words[i] = int(block[k]) << 24 | int(block[k + 1]) << 16 | int(block[k + 2]) << 8 | int(block[k + 3])
        i += 1
    while i < 64:
        x = uint(words[i - 15]) & ones
        y = uint(words[i - 2]) & ones
        p = ((x >> 7) | (x << 25)) ^ ((x >> 18) | (x << 14)) ^ (x >> 3)
        q = ((y >> 17) | (y << 15)) ^ ((y >> 19) | (y << 13)) ^ (y >> 10)
        words[i] = int(uint(words[i - 16]) + p + uint(words[i - 7]) + q)
        i += 1
    a = uint(state[0]) & ones
    b = uint(state[1]) & ones
    c = uint(state[2]) & ones
    d = uint(state[3]) & ones
    e = uint(state[4]) & ones
    f = uint(state[5]) & ones
    g = uint(state[6]) & ones
    h = uint(state[7]) & ones
    i = 0
    while i < 64:
        s = ((e >> 6) | (e << 26)) ^ ((e >> 11) | (e << 21)) ^ ((e >> 25) | (e << 7))
        x = h + s + ((e & f) ^ ((e ^ ones) & g)) + uint(table[i]) + uint(words[i])
        s = ((a >> 2) | (a << 30)) ^ ((a >> 13) | (a << 19)) ^ ((a >> 22) | (a << 10))
        y = s + ((a & b) ^ (a & c) ^ (b & c))
        h = g
        g = f
        f = e
        e = (d + x) & ones
        d = c
        c = b
        b = a
        a = (x + y) & ones
        i += 1
    state[0] = int(uint(state[0]) + a)
    state[1] = int(uint(state[1]) + b)
    state[2] = int(uint(state[2]) + c)
    state[3] = int(uint(state[3]) + d)
    state[4] = int(uint(state[4]) + e)
    state[5] = int(uint(state[5]) + f)
    state[6] = int(uint(state[6]) + g)
    state[7] = int(uint(state[7]) + h)


@micropython.viper
def _copy(source: ptr32, target: ptr32):
    i = 0
    while i < 8:
        target[i] = source[i]
        i += 1


@micropython.viper
def _put(state: ptr32, out: ptr8):
    i = 0
    while i < 8:
        word = uint(state[i])
        out[4 * i] = int(word >> 24) & 255
        out[4 * i + 1] = int(word >> 16) & 255
        out[4 * i + 2] = int(word >> 8) & 255
        out[4 * i + 3] = int(word) & 255
        i += 1


def digest(buf: bytearray, n: int, out: bytearray) -> None:
    """Write the SHA-256 of buf[:n] into out[:32]."""
    _copy(_START, _state)
    at = 0
    while at + 64 <= n:
        _compress(_state, _words, _K, buf, at)
        at += 64
    tail = _tail
    i = 0
    while i < 128:
        tail[i] = buf[at + i] if at + i < n else 0
        i += 1
    rest = n - at
    tail[rest] = 0x80
    end = 64 if rest < 56 else 128
    tail[end - 1] = (n << 3) & 255
    tail[end - 2] = (n >> 5) & 255
    tail[end - 3] = (n >> 13) & 255
    _compress(_state, _words, _K, tail, 0)
    if end == 128:
        _compress(_state, _words, _K, tail, 64)
    _put(_state, out)
