"""exp, log and cos from + - * / alone, and a small random generator in integers.

The math library's last bits differ between builds, and traces are hashed: the plant uses nothing else.
"""

_LN2 = 0.6931471805599453
_PI = 3.141592653589793


def exp(x: float) -> float:
    """e to the x, for x <= 0; 0 below -40."""
    if x < -40.0:
        return 0.0
    halvings = int(-x / _LN2) + 1
    r = x + halvings * _LN2
    term = 1.0
    total = 1.0
    n = 1
    while n < 18:
        term = term * r / n
        total += term
        n += 1
    while halvings > 0:
        total = total * 0.5
        halvings -= 1
    return total


def log(x: float) -> float:
    """The natural logarithm of x > 0."""
    doublings = 0
    while x > 1.5:
        x = x * 0.5
        doublings += 1
    while x < 0.75:
        x = x * 2.0
        doublings -= 1
    # log x = 2 artanh z
    z = (x - 1.0) / (x + 1.0)
    z2 = z * z
    power = z
    total = 0.0
    n = 1
    while n < 26:
        total += power / n
        power = power * z2
        n += 2
    return 2.0 * total + doublings * _LN2


def cos_turn(steps: int, per_turn: int) -> float:
    """cos(2 pi steps / per_turn)."""
    k = steps % per_turn
    if 2 * k > per_turn:
        k = per_turn - k
    sign = 1.0
    if 4 * k > per_turn:
        k = per_turn // 2 - k
        sign = -1.0
    x = 2.0 * _PI * k / per_turn
    x2 = x * x
    term = 1.0
    total = 1.0
    n = 0
    while n < 20:
        term = -term * x2 / ((n + 1) * (n + 2))
        total += term
        n += 2
    return sign * total


class Random:
    """xorshift in 30 bits: the same numbers on every interpreter. One stream a consumer."""

    def __init__(self, seed: int, stream: int) -> None:
        self._x = (seed * 2654435 + stream * 40503 + 12345) & 0x3FFFFFFF or 1
        for _ in range(8):
            self.next()

    def next(self) -> int:
        """The next number, 1 .. 2^30-1."""
        x = self._x
        x ^= (x << 13) & 0x3FFFFFFF
        x ^= x >> 17
        x ^= (x << 5) & 0x3FFFFFFF
        self._x = x
        return x

    def triangular(self, width: int) -> int:
        """An integer in -width .. width, the middle likelier; standard deviation about 0.41 width."""
        return (self.next() >> 8) % (width + 1) - (self.next() >> 8) % (width + 1)

    def fill(self, buf: bytearray) -> None:
        """Random bytes."""
        for i in range(len(buf)):
            buf[i] = (self.next() >> 7) & 255
