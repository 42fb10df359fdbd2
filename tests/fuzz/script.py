"""A fuzzer's bytes as something to do: numbers and bytes are taken from the front, zeros follow the end."""

from __future__ import annotations

from mesoprotocol import codec

Fields = tuple[tuple[int, int, int, int], ...]


class Script:
    """What is left of an input."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def __bool__(self) -> bool:
        """Whether something is left."""
        return self._at < len(self._data)

    def take(self, n: int) -> bytes:
        """The next n bytes."""
        piece = self._data[self._at : self._at + n]
        self._at += n
        return piece.ljust(n, b"\0")

    def number(self, n: int = 1) -> int:
        """The next n bytes as a number."""
        return int.from_bytes(self.take(n), "little")

    def values(self, fields: Fields) -> list[int | bytes | list[int]]:
        """Values of fields, in their ranges, as `codec.write` wants them."""
        found: list[int | bytes | list[int]] = []
        for kind, size, low, high in fields:
            if kind <= codec.INT:
                found.append(low + (self.number(size) - low) % (high - low + 1))
            elif kind == codec.TIME:
                found.append([self.number(2), self.number(3)])
            else:
                found.append(self.take(size or self.number()))
        return found
