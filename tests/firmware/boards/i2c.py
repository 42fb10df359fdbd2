"""An I2C bus of chips, each as its datasheet has it: `receive(message)`, `answer(n)`; OSError where there is none."""

from typing import Protocol


class Chip(Protocol):
    def receive(self, message: bytes) -> None: ...

    def answer(self, n: int) -> bytes: ...


class Bus:
    """The calls of `machine.I2C` that drivers use; `log` has every message."""

    def __init__(self, chips: dict[int, Chip]) -> None:
        self._chips = chips
        self.log: list[tuple[int, bytes]] = []

    def writeto(self, address: int, buf: bytes | bytearray | memoryview) -> int:
        if address not in self._chips:
            raise OSError(5, "EIO")
        self.log.append((address, bytes(buf)))
        self._chips[address].receive(bytes(buf))
        return len(buf)

    def readfrom_into(self, address: int, buf: bytearray | memoryview) -> None:
        if address not in self._chips:
            raise OSError(5, "EIO")
        buf[:] = self._chips[address].answer(len(buf))

    def writeto_mem(self, address: int, at: int, buf: bytes | bytearray | memoryview, *, addrsize: int = 8) -> None:
        self.writeto(address, at.to_bytes(addrsize // 8, "big") + bytes(buf))

    def readfrom_mem_into(self, address: int, at: int, buf: bytearray | memoryview, *, addrsize: int = 8) -> None:
        self.writeto(address, at.to_bytes(addrsize // 8, "big"))
        self.readfrom_into(address, buf)


class Memory:
    """Bytes behind `width` address bytes, which run on and wrap."""

    def __init__(self, size: int, width: int) -> None:
        self.bytes = bytearray(size)
        self._width = width
        self._at = 0

    def receive(self, message: bytes) -> None:
        self._at = int.from_bytes(message[: self._width], "big")
        for byte in message[self._width :]:
            self.bytes[self._at % len(self.bytes)] = byte
            self._at += 1

    def answer(self, n: int) -> bytes:
        self._at += n
        return bytes(self.bytes[(self._at - n + i) % len(self.bytes)] for i in range(n))
