"""The address space: buffers as the bus sees them, and peripherals' registers.

A buffer gets a 32-bit address the first time that somebody asks for it, keeps it, and is kept alive: DMA knows nothing
but addresses. Addresses are 4 past a multiple of 16, so that whoever needs more alignment has to see to it.
"""

try:
    import uctypes
except ImportError:
    uctypes = None
    import ctypes

_SRAM = 0x20000004
_NATURAL = {1: 0xFF, 2: 0xFFFF, 4: 0xFFFFFFFF}
_XOR, _SET, _CLEAR = 1, 2, 3


class BusFault(Exception):
    """An access to an address where there is nothing."""


class Memory:
    """`peripherals` maps the upper 20 bits of an address, aliases taken away, to an object with `read` and `write`."""

    def __init__(self) -> None:
        self._buffers: list = []  # base, its true address, length, view of its bytes, the buffer itself
        self._free = _SRAM
        self.peripherals: dict = {}

    def address(self, buf: object) -> int:
        """The address of a buffer, or of a view into one that has an address already."""
        whole = getattr(buf, "obj", None)
        if whole is not None:
            self.address(whole)
        true, n = _place(buf)
        for known, start, length, _, _ in self._buffers:
            if start <= true < start + length:
                return int(known + true - start)
        base = self._free
        self._buffers.append((base, true, n, _bytes(buf, true, n), buf))
        self._free = (base + n + 31) // 16 * 16 + 4
        return base

    def load(self, at: int, size: int) -> int:
        """Read `size` bytes, 1, 2 or 4, little-endian, unsigned. Raises BusFault."""
        if at >> 28 == 2:
            view, i = self._find(at, size)
            value: int = 0
            for k in range(size):
                value |= view[i + k] << 8 * k
            return value
        peripheral, offset, _ = self._peripheral(at)
        word: int = peripheral.read(offset)
        return (word >> 8 * (at & 3)) & _NATURAL[size]

    def store(self, at: int, size: int, value: int) -> None:
        """Write `size` bytes; registers have their aliases that set, clear and flip bits. Raises BusFault."""
        value &= _NATURAL[size]
        if at >> 28 == 2:
            view, i = self._find(at, size)
            for k in range(size):
                view[i + k] = (value >> 8 * k) & 0xFF
            return
        peripheral, offset, alias = self._peripheral(at)
        if alias:
            before = peripheral.read(offset)
            value = before ^ value if alias == _XOR else before | value if alias == _SET else before & ~value
        peripheral.write(offset, value)

    def _find(self, at: int, size: int) -> tuple:
        for base, _, length, view, _ in self._buffers:
            if base <= at and at + size <= base + length:
                return view, at - base
        raise BusFault("%d bytes at 0x%08x: no buffer there" % (size, at))

    def _peripheral(self, at: int) -> tuple:
        """The peripheral, the offset of the word, and which alias: AHB and APB peripherals have 4 kB times four."""
        base = at & ~0xFFF
        for alias in range(4):
            found = self.peripherals.get(base - (alias << 12))
            if found is not None:
                return found, at & 0xFFC, alias
        raise BusFault("0x%08x: no such register here" % at)


def _place(buf: object) -> tuple:
    if uctypes is not None:
        n = len(memoryview(buf)) * _item_bytes(buf)  # type: ignore[arg-type]
        return uctypes.addressof(buf), n
    view = memoryview(buf)  # type: ignore[arg-type]
    return ctypes.addressof(ctypes.c_char.from_buffer(view.cast("B"))), view.nbytes


def _item_bytes(buf: object) -> int:
    itemsize = getattr(memoryview(buf), "itemsize", 0)  # type: ignore[arg-type]
    return itemsize or len(bytes(buf)) // max(1, len(buf))  # type: ignore[arg-type,call-overload]


def _bytes(buf: object, true: int, n: int) -> object:
    if uctypes is not None:
        return uctypes.bytearray_at(true, n)
    return memoryview(buf).cast("B")  # type: ignore[arg-type]
