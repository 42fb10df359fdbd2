"""The whole state of an object graph as one tuple: the firmware's graph is fixed after boot, only its leaves change.

A walk from the root finds every attribute and list element that holds a plain value, and every bytearray. `save` reads
them all, `load` writes them back; a fresh boot's vector fits the first boot's graph, because both have the same shape.
"""

from __future__ import annotations

from operator import itemgetter
from typing import Any

PACKAGES = ("mesofirmware", "mesoprotocol")
PLAIN = (int, bool, str, bytes, type(None))


def is_plain(value: Any) -> bool:
    """A value that never changes by itself."""
    return isinstance(value, PLAIN) or (isinstance(value, tuple) and all(map(is_plain, value)))


class Fields:
    """Attributes of an object, or elements of a list, that hold plain values."""

    def __init__(self, holder: Any, keys: list) -> None:
        self.holder = holder
        self.keys = keys
        self.get = itemgetter(*keys) if len(keys) > 1 else lambda holder: (holder[keys[0]],)

    def save(self) -> tuple:
        return self.get(self.holder)

    def load(self, saved: tuple) -> None:
        holder = self.holder
        for key, value in zip(self.keys, saved, strict=True):
            holder[key] = value


class Buffer:
    """A bytearray, or its first `n` bytes."""

    def __init__(self, holder: bytearray, n: int) -> None:
        self.holder = holder
        self.n = n

    def save(self) -> bytes:
        return bytes(self.holder[: self.n])

    def load(self, saved: bytes) -> None:
        self.holder[: self.n] = saved


class Graph:
    """The leaves below a root, but for `scratch`: names `Class.attribute` of what is written before it is read.

    Of the bytearrays in `heads` only so many bytes count.
    """

    def __init__(self, root: Any, scratch: frozenset[str], heads: dict[str, int]) -> None:
        self._heads = heads
        self._scratch = scratch
        self._seen: set[int] = set()
        self.slots: list[Fields | Buffer] = []
        self.where: dict[str, tuple[int, int]] = {}
        """Slot and place of each attribute with a plain value, by `Class.attribute`."""
        self._visit(root)

    def save(self) -> tuple:
        """All leaves."""
        return tuple([slot.save() for slot in self.slots])

    def load(self, saved: tuple) -> None:
        """Write all leaves."""
        for slot, values in zip(self.slots, saved, strict=True):
            slot.load(values)

    def slot_of(self, holder: list | bytearray) -> int:
        """The slot of a list or bytearray."""
        return next(i for i, slot in enumerate(self.slots) if slot.holder is holder)

    def _visit(self, value: Any, name: str = "") -> None:
        if id(value) in self._seen or is_plain(value):
            return
        self._seen.add(id(value))
        if isinstance(value, bytearray):
            self.slots.append(Buffer(value, self._heads.get(name, len(value))))
        elif isinstance(value, list):
            self._take(value, [i for i, item in enumerate(value) if is_plain(item)], "")
            for item in value:
                self._visit(item)
        elif type(value).__module__.startswith(PACKAGES) and hasattr(value, "__dict__"):
            kept = {k: v for k, v in vars(value).items() if f"{type(value).__name__}.{k}" not in self._scratch}
            self._take(vars(value), [k for k, v in kept.items() if is_plain(v)], type(value).__name__)
            for key, item in kept.items():
                self._visit(item, f"{type(value).__name__}.{key}")

    def _take(self, holder: Any, keys: list, owner: str) -> None:
        if keys:
            for place, key in enumerate(keys):
                self.where[f"{owner}.{key}"] = len(self.slots), place
            self.slots.append(Fields(holder, keys))
