"""Safety variables: integers kept twice, as they are and inverted, so that one altered in memory is found (SR-13)."""


class Guarded:
    """`values` are read freely and written by `put` only."""

    def __init__(self, n: int) -> None:
        self.values = [0] * n
        self._inverse = [-1] * n

    def put(self, i: int, value: int) -> None:
        """Set one; -2^30 < value < 2^30."""
        self.values[i] = value
        self._inverse[i] = ~value

    def whole(self) -> bool:
        """Whether every value and its inverse agree."""
        inverse = self._inverse
        i = 0
        for value in self.values:
            if value != ~inverse[i]:
                return False
            i += 1
        return True
