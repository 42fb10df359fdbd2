"""Integers that refuse to be more than a 32-bit board holds without allocating: -2^30 .. 2^30-1."""

from __future__ import annotations

from collections.abc import Callable

LOW, HIGH = -(1 << 30), (1 << 30) - 1


class Small(int):
    """An int that checks what it is combined with, and every result."""

    def __new__(cls, value: int) -> Small:
        if not LOW <= value <= HIGH:
            raise OverflowError(f"{value} would be allocated on the board")
        return super().__new__(cls, value)


def _checked(name: str) -> Callable[..., Small]:
    operation = getattr(int, name)

    def result(self: int, *others: int) -> Small:
        for operand in others:
            Small(operand)
        value = operation(self, *others)
        return value if value is NotImplemented else Small(value)

    return result


_BINARY = ("add", "sub", "mul", "floordiv", "mod", "lshift", "rshift", "and", "or", "xor")
for _name in (*_BINARY, *(f"r{name}" for name in _BINARY), "neg", "abs"):
    setattr(Small, f"__{_name}__", _checked(f"__{_name}__"))
