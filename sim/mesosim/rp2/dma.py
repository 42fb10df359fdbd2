"""The DMA controller: channels that move words between addresses as requests come, wrap in rings and chain.

A transfer takes no time here; on the chip it takes a few system clocks, fewer than any FIFO of four words needs.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mesosim.rp2 import models

BASE = 0x50000000
_STRIDE = 0x40
_ALWAYS = 0x3F
_COUNT_BITS = 28
"""RP2350 has a mode above them."""
_CTRL, _COUNT, _READ, _WRITE = 3, 2, 0, 1
_REGISTERS = (_READ, _WRITE, _COUNT, _CTRL, _CTRL, _READ, _WRITE, _COUNT)
_REGISTERS_2 = (_CTRL, _COUNT, _READ, _WRITE, _CTRL, _WRITE, _COUNT, _READ)
_ORDER = _REGISTERS + _REGISTERS_2
"""Which register stands at each of a channel's sixteen words; every fourth one triggers."""


class Channel:
    """One channel. Its control register is kept as its fields, by name."""

    def __init__(self, number: int, fields: tuple) -> None:
        self.number = number
        self.fields = fields
        self.read_at = 0
        self.write_at = 0
        self.count = 0
        self.reload = 0
        self.busy = False
        self.raised = False
        """Its interrupt is asked for."""
        self.now: dict = {}
        """Of the control register, what each field is."""
        self.control(pack(fields, 0, {"chain_to": number}))

    def control(self, word: int) -> None:
        """Write the control register. Raises ValueError for what is not modelled."""
        for name, low, bits in self.fields:
            self.now[name] = word >> low & (1 << bits) - 1
        if self.now.get("inc_read_rev") or self.now.get("inc_write_rev"):
            raise ValueError("DMA addresses that count down: not modelled")

    def word(self) -> int:
        """Read the control register."""
        self.now["busy"] = 1 if self.busy else 0
        return pack(self.fields, 0, self.now)

    def reloads(self, count: int) -> None:
        """Set how many transfers the next start is for. Raises ValueError for a mode, which RP2350 has."""
        if count >> _COUNT_BITS:
            raise ValueError("DMA count 0x%x: 28 bits are a count on both chips" % count)
        self.reload = count

    def abort(self) -> None:
        """Drop what is left. Raises ValueError for a channel at work that is enabled: RP2040-E13, RP2350-E5."""
        if self.busy and self.now["enable"]:
            raise ValueError("DMA channel %d is aborted while it is enabled: it may go on, and chain" % self.number)
        self.busy = False


def pack(fields: tuple, word: int, values: dict) -> int:
    """A control word with these fields in place of its own. Raises TypeError for a name that there is not."""
    for name, value in values.items():
        for known, low, bits in fields:
            if known == name:
                mask = (1 << bits) - 1
                word = word & ~(mask << low) | (int(value) & mask) << low
                break
        else:
            raise TypeError("DMA control has no field %r" % name)
    return word


class Dma:
    """All channels, as a peripheral of `memory`. `ready(treq)` says how many transfers a request allows now."""

    def __init__(self, memory: object, ready: object, model: "models.Model") -> None:
        self._memory = memory
        self._ready = ready
        self.channels = [Channel(i, model.fields) for i in range(model.channels)]
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
        return channel.word()

    def write(self, offset: int, value: int) -> None:
        """See `Memory`."""
        channel, which, trigger = self._at(offset)
        if which == _READ:
            channel.read_at = value
        elif which == _WRITE:
            channel.write_at = value
        elif which == _COUNT:
            channel.reloads(value)
        else:
            channel.control(value)
        if trigger and value:
            self.trigger(channel)

    def trigger(self, channel: Channel) -> None:
        """Start a channel with its count anew; one that is busy or not enabled takes no notice."""
        if channel.now["enable"] and not channel.busy:
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
                if channel.busy and channel.now["enable"]:
                    moved = self._move(channel) or moved
        self._running = False

    def _move(self, channel: Channel) -> bool:
        now = channel.now
        treq = now["treq_sel"]
        n = channel.count if treq == _ALWAYS else min(channel.count, self._ready(treq))  # type: ignore[operator]
        if n > 0:
            self._transfer(channel, n)
        if channel.count == 0:
            channel.busy = False
            channel.raised = channel.raised or not now["irq_quiet"]
            if now["chain_to"] != channel.number:
                self.trigger(self.channels[now["chain_to"]])
            return True
        return n > 0

    def _transfer(self, channel: Channel, n: int) -> None:
        now = channel.now
        size = 1 << now["size"]
        ring = now["ring_size"]
        memory = self._memory
        for _ in range(n):
            value = memory.load(channel.read_at, size)  # type: ignore[attr-defined]
            if now["bswap"]:
                value = int.from_bytes(value.to_bytes(size, "little"), "big")
            memory.store(channel.write_at, size, value)  # type: ignore[attr-defined]
            if now["inc_read"]:
                channel.read_at = _next(channel.read_at, size, 0 if now["ring_sel"] else ring)
            if now["inc_write"]:
                channel.write_at = _next(channel.write_at, size, ring if now["ring_sel"] else 0)
            channel.count -= 1

    def _at(self, offset: int) -> "tuple[Channel, int, bool]":
        number, word = offset // _STRIDE, offset % _STRIDE // 4
        if number >= len(self.channels):
            raise ValueError("DMA register 0x%x: not modelled" % offset)
        return self.channels[number], _ORDER[word], word % 4 == 3


def _next(at: int, size: int, ring: int) -> int:
    if not ring:
        return at + size
    mask = (1 << ring) - 1
    return at & ~mask | (at + size) & mask
