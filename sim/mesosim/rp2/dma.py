"""The DMA controller: channels that move words between addresses as requests come, wrap in rings and chain.

A transfer takes no time here; on the chip it takes a few system clocks, fewer than any FIFO of four words needs.
Register layout: RP2040 datasheet 2.5.7.
"""

BASE = 0x50000000
COUNT = 12
_STRIDE = 0x40
_ALWAYS = 0x3F
FIELDS = (
    ("enable", 0, 1),
    ("high_pri", 1, 1),
    ("size", 2, 2),
    ("inc_read", 4, 1),
    ("inc_write", 5, 1),
    ("ring_size", 6, 4),
    ("ring_sel", 10, 1),
    ("chain_to", 11, 4),
    ("treq_sel", 15, 6),
    ("irq_quiet", 21, 1),
    ("bswap", 22, 1),
    ("sniff_en", 23, 1),
    ("busy", 24, 1),
    ("write_err", 29, 1),
    ("read_err", 30, 1),
    ("ahb_err", 31, 1),
)
"""Fields of a control register: name, lowest bit, bits."""
_EN, _BUSY = 1, 1 << 24
_CTRL, _COUNT, _READ, _WRITE = 3, 2, 0, 1
_REGISTERS = (_READ, _WRITE, _COUNT, _CTRL, _CTRL, _READ, _WRITE, _COUNT)
_REGISTERS_2 = (_CTRL, _COUNT, _READ, _WRITE, _CTRL, _WRITE, _COUNT, _READ)
_ORDER = _REGISTERS + _REGISTERS_2
"""Which register stands at each of a channel's sixteen words; every fourth one triggers."""


class Channel:
    """One channel."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.read_at = 0
        self.write_at = 0
        self.count = 0
        self.reload = 0
        self.ctrl = number << 11
        self.busy = False
        self.raised = False
        """Its interrupt is asked for."""

    def field(self, name: str) -> int:
        """A field of the control register."""
        for known, low, bits in FIELDS:
            if known == name:
                return self.ctrl >> low & (1 << bits) - 1
        raise ValueError("DMA control has no field %r" % name)

    def abort(self) -> None:
        """Drop what is left of the transfer."""
        self.busy = False


class Dma:
    """All channels, as a peripheral of `memory`. `ready(treq)` says how many transfers a request allows now."""

    def __init__(self, memory: object, ready: object) -> None:
        self._memory = memory
        self._ready = ready
        self.channels = [Channel(i) for i in range(COUNT)]
        self._busy: list = []
        """Channels that were busy when one was last started; in their order."""
        self._running = False
        memory.peripherals[BASE] = self  # type: ignore[attr-defined]

    def read(self, offset: int) -> int:
        """See `Memory`."""
        channel, which, _ = self._at(offset)
        if which == _READ:
            return channel.read_at
        if which == _WRITE:
            return channel.write_at
        if which == _COUNT:
            return channel.count
        return channel.ctrl | _BUSY if channel.busy else channel.ctrl

    def write(self, offset: int, value: int) -> None:
        """See `Memory`."""
        if offset == 0x444:  # CHAN_ABORT
            for channel in self.channels:
                if value >> channel.number & 1:
                    channel.abort()
            return
        channel, which, trigger = self._at(offset)
        if which == _READ:
            channel.read_at = value
        elif which == _WRITE:
            channel.write_at = value
        elif which == _COUNT:
            channel.reload = value
        else:
            channel.ctrl = value & ~_BUSY & 0x1FFFFFFF
        if trigger and value:
            self.trigger(channel)

    def trigger(self, channel: Channel) -> None:
        """Start a channel with its count anew; one that is busy or not enabled takes no notice."""
        if channel.ctrl & _EN and not channel.busy:
            channel.count = channel.reload
            channel.busy = True
            self._busy = [each for each in self.channels if each.busy]
        self.serve()

    def serve(self) -> None:
        """Move whatever can be moved now."""
        if self._running:
            return
        self._running = True
        moved = True
        while moved:
            moved = False
            for channel in self._busy:
                if channel.busy and channel.ctrl & _EN:
                    moved = self._move(channel) or moved
        self._running = False

    def _move(self, channel: Channel) -> bool:
        ctrl = channel.ctrl
        treq = ctrl >> 15 & 0x3F
        n = channel.count if treq == _ALWAYS else min(channel.count, self._ready(treq))  # type: ignore[operator]
        size = 1 << (ctrl >> 2 & 3)
        memory = self._memory
        for _ in range(n):
            value = memory.load(channel.read_at, size)  # type: ignore[attr-defined]
            if ctrl & 1 << 22:
                value = int.from_bytes(value.to_bytes(size, "little"), "big")
            memory.store(channel.write_at, size, value)  # type: ignore[attr-defined]
            if ctrl & 1 << 4:
                channel.read_at = _next(channel.read_at, size, 0 if ctrl & 1 << 10 else ctrl >> 6 & 15)
            if ctrl & 1 << 5:
                channel.write_at = _next(channel.write_at, size, ctrl >> 6 & 15 if ctrl & 1 << 10 else 0)
            channel.count -= 1
        if channel.count == 0:
            channel.busy = False
            channel.raised = channel.raised or not ctrl & 1 << 21
            chained = ctrl >> 11 & 15
            if chained != channel.number:
                self.trigger(self.channels[chained])
            return True
        return n > 0

    def _at(self, offset: int) -> "tuple[Channel, int, bool]":
        number, word = offset // _STRIDE, offset % _STRIDE // 4
        if number >= COUNT:
            raise ValueError("DMA register 0x%x: not modelled" % offset)
        return self.channels[number], _ORDER[word], word % 4 == 3


def _next(at: int, size: int, ring: int) -> int:
    if not ring:
        return at + size
    mask = (1 << ring) - 1
    return at & ~mask | (at + size) & mask
