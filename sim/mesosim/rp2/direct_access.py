"""`rp2.DMA`: a channel as MicroPython gives it; see `mesosim.rp2.dma` for what it does."""

import errno

from mesosim.rp2 import chip as _chip
from mesosim.rp2 import dma as _dma

_DEFAULT = {"enable": 1, "size": 2, "inc_read": 1, "inc_write": 1, "treq_sel": 0x3F, "irq_quiet": 1}
"""Words, both addresses counting up, no pacing, no interrupt, enabled."""


class Registers:
    """A channel's sixteen registers as words: a buffer that DMA, too, can be pointed at."""

    def __init__(self, base: int, n: int) -> None:
        self.dma_address = base
        self._n = n

    def __len__(self) -> int:
        return self._n

    def __getitem__(self, i: "int | slice") -> "int | Registers":
        if isinstance(i, slice):
            start = i.start or 0
            return Registers(self.dma_address + 4 * start, (self._n if i.stop is None else i.stop) - start)
        return _chip.chip.memory.load(self.dma_address + 4 * i, 4)

    def __setitem__(self, i: int, value: int) -> None:
        _chip.chip.memory.store(self.dma_address + 4 * i, 4, value)
        _chip.chip.settle()


class DMA:
    """See `rp2.DMA`."""

    def __init__(self) -> None:
        free = _chip.chip.free_channels
        if not free:
            raise OSError(errno.EBUSY, "all DMA channels are in use")
        self.channel = free.pop(0)
        self._channel = _chip.chip.dma.channels[self.channel]
        self._handler: object = None
        self.registers = Registers(_dma.BASE + 0x40 * self.channel, 16)
        _chip.chip.dma_handlers[self.channel] = self._call

    def pack_ctrl(self, default: "int | None" = None, **fields: int) -> int:
        """A control word from its fields by name."""
        known = self._channel.fields
        if default is None:
            default = _dma.pack(known, _dma.pack(known, 0, _DEFAULT), {"chain_to": self.channel})
        return _dma.pack(known, default, fields)

    def config(
        self,
        read: object = None,
        write: object = None,
        count: "int | None" = None,
        ctrl: "int | None" = None,
        trigger: bool = False,
    ) -> None:
        """Set what is given; start it if `trigger`."""
        channel = self._channel
        if read is not None:
            channel.read_at = _address(read, False)
        if write is not None:
            channel.write_at = _address(write, True)
        if count is not None:
            channel.reloads(count)
        if ctrl is not None:
            channel.control(ctrl)
        if trigger:
            _chip.chip.dma.trigger(channel)
        _chip.chip.settle()

    def active(self, on: "int | None" = None) -> bool:
        """Start or abort it; whether it is busy."""
        channel = self._channel
        if on:
            _chip.chip.dma.trigger(channel)
        elif on is not None:
            channel.abort()
        _chip.chip.settle()
        return channel.busy

    def irq(self, handler: object = None, hard: bool = False) -> object:
        """Call `handler(dma)` when it has ended; `irq_quiet=0` is needed, too."""
        self._handler = handler
        return self

    def close(self) -> None:
        """Give the channel back."""
        self._channel.control(0)
        self._channel.abort()
        _chip.chip.dma_handlers[self.channel] = None
        _chip.chip.free_channels.append(self.channel)

    def _call(self) -> None:
        if self._handler is not None:
            _chip.chip.interrupts.ask(self._handler, self)

    @property
    def count(self) -> int:
        """Transfers left."""
        return self._channel.count if self._channel.busy else 0

    @count.setter
    def count(self, n: int) -> None:
        self._channel.reloads(n)

    @property
    def ctrl(self) -> int:
        """The control register."""
        return self._channel.word()

    @ctrl.setter
    def ctrl(self, value: int) -> None:
        self._channel.control(value)
        _chip.chip.settle()

    @property
    def read(self) -> int:
        """Where the next word comes from."""
        return self._channel.read_at

    @read.setter
    def read(self, source: object) -> None:
        self._channel.read_at = _address(source, False)

    @property
    def write(self) -> int:
        """Where the next word goes."""
        return self._channel.write_at

    @write.setter
    def write(self, sink: object) -> None:
        self._channel.write_at = _address(sink, True)


def _address(where: object, to_write: bool) -> int:
    if isinstance(where, int):
        return where
    fifo = getattr(where, "fifo_address", None)
    at: int | None = getattr(where, "dma_address", None) if fifo is None else fifo(to_write)
    return _chip.chip.memory.address(where) if at is None else at
