"""Named files in memory, as the port wants them."""


class Memory:
    """`content` outlives it."""

    def __init__(self, content: dict[str, bytes]) -> None:
        self.content = content

    def read(self, name: str, buf: bytearray) -> int:
        if name not in self.content:
            return -1
        data = self.content[name][: len(buf)]
        buf[: len(data)] = data
        return len(data)

    def write(self, name: str, buf: bytearray, n: int) -> None:
        self.content[name] = bytes(buf[:n])
