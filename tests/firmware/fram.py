"""A non-volatile memory whose power goes at a chosen write, or that forgets one."""


class PowerCut(Exception):
    """The device is gone; what was written so far stays."""


class Fram:
    """`content` outlives it. Of write `cut_at`, from 0, `part` of the bytes land; then the power goes."""

    def __init__(self, content: bytearray, cut_at: int = -1, part: float = 0.0) -> None:
        self.content = content
        self.writes = 0
        self.forgets = -1
        """The write, if any, that is silently lost."""
        self._cut_at = cut_at
        self._part = part

    def read(self, at: int, buf: bytearray, n: int) -> None:
        buf[:n] = self.content[at : at + n]

    def write(self, at: int, buf: bytearray, n: int) -> None:
        number = self.writes
        self.writes += 1
        cut = number == self._cut_at
        landed = int(n * self._part) if cut else n
        if number != self.forgets:
            self.content[at : at + landed] = buf[:landed]
        if cut:
            raise PowerCut
