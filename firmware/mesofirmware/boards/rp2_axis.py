"""One motor: a PIO step generator fed by two DMA channels in turn, and its odometer.

A batch is compiled into the channel's own table. Repeated cycles are one cycle read in a ring, with the number of
words of all cycles as the channel's count: the hardware ends by itself after so many. The second batch is chained
behind the first, so that it follows without a gap and without the processor. What has been made is told by the
odometer alone: a channel that is done has still filled a FIFO.

To stop, a channel is disabled before it is aborted (RP2040-E13, RP2350-E5), and what the state machine has pulled
is drained by `out null, 32`.
"""

from array import array

import uctypes
from machine import Pin
from rp2 import DMA, StateMachine

from mesofirmware.boards import rp2_programs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mesofirmware.boards.rp2_counter import Counter

_HZ = 25_000_000
_WORDS = 128
"""Of a table: 64 segments."""
_OUT_NULL_32 = 0x6060
_RING_BITS = 10
"""Rings are of 2 to 2^9 bytes: 128 words."""


class Feed:
    """One DMA channel with a table of its own, aligned so that any cycle in it can be a ring."""

    def __init__(self, sink: StateMachine, request: int) -> None:
        self.table = array("I", bytes(8 * _WORDS - 4))
        self.dma = DMA()
        self._sink = sink
        self._request = request
        address = uctypes.addressof(self.table)
        self.first = (-address % (4 * _WORDS)) // 4
        self.start = address + 4 * self.first
        self._plain: list = []
        self._chained: list = []
        self._off = self.dma.pack_ctrl(enable=False)
        self._ring = 0

    def chain(self, other: "Feed") -> None:
        """Let `other` be the channel that may follow this one."""
        own: int = self.dma.channel  # type: ignore[attr-defined]
        then: int = other.dma.channel  # type: ignore[attr-defined]
        for bits in range(_RING_BITS):
            self._plain.append(self._control(bits, own))
            self._chained.append(self._control(bits, then))

    def load(self, words: int, cycles: int) -> None:
        """Be ready to send the table's first words, so many times; 2^k words if more than once."""
        ring = 0
        if cycles > 1:
            while 4 * words > 1 << ring:
                ring += 1
        self._ring = ring
        self.dma.config(
            read=self.start,
            write=self._sink,  # type: ignore[arg-type]
            count=words * cycles,
            ctrl=self._plain[ring],
        )

    def go(self) -> None:
        """Send now."""
        self.dma.active(1)

    def follow(self, other: "Feed") -> None:
        """Send when `other` is done, at once if it is."""
        if not other.dma.active():
            self.dma.active(1)
            return
        other.dma.ctrl = other._chained[other._ring]  # type: ignore[attr-defined]
        # it may have ended just before that: then its FIFO is full, and nothing of ours can have been sent unseen
        if not other.dma.active() and not self.dma.active() and self.dma.read == self.start:  # type: ignore[attr-defined]
            self.dma.active(1)

    def disable(self) -> None:
        """Before `abort`, of both channels of an axis."""
        self.dma.ctrl = self._off  # type: ignore[attr-defined]

    def abort(self) -> None:
        """Drop what is not sent."""
        self.dma.active(0)

    def _control(self, ring: int, then: int) -> int:
        return self.dma.pack_ctrl(inc_write=False, treq_sel=self._request, ring_size=ring, chain_to=then)


class Motor:
    """See `port.Axis`, but for what only one of the three can do."""

    def __init__(
        self,
        number: int,
        program: list,
        odometer: "Counter",
        step: int,
        direction: int,
        jmp_pin: Pin,
        in_base: "Pin | None" = None,
    ) -> None:
        self._machine = StateMachine(
            number,
            program,  # type: ignore[arg-type]
            freq=_HZ,
            sideset_base=Pin(step),
            out_base=Pin(direction),
            jmp_pin=jmp_pin,
            in_base=in_base,
        )
        self.powered = False
        """Whether there is motor power."""
        request = (number >> 2 << 3) + (number & 3)
        self._feeds = (Feed(self._machine, request), Feed(self._machine, request))
        self._feeds[0].chain(self._feeds[1])
        self._feeds[1].chain(self._feeds[0])
        self._next = 0
        self._odometer = odometer
        self._origin = 0
        self._queued = 0
        self._ends = array("i", [0, 0])
        """Where the batches in the queue end, by the odometer."""
        self._forward = True
        self._machine.active(1)

    def feed(self, words: "array", n: int, cycles: int, hold: bool) -> None:
        """See the port. Raises ValueError, too, for a batch that turns the other way than what is queued."""
        if self.room() == 0:
            raise ValueError("two batches are queued")
        if not self.may_step():
            return
        forward = words[0] & 1 == 1
        if self._queued and forward != self._forward:
            raise ValueError("a batch turns back before the one ahead of it has ended")
        feed = self._feeds[self._next]
        start = self._ends[self._queued - 1] if self._queued else self._odometer.count[0]
        feed.load(self._compile(feed, words, n, cycles, hold, start - self._origin), cycles)
        steps = 0
        i = 0
        while i < n:
            steps += (words[i] >> 1) + 1
            i += 2
        steps *= cycles
        self._forward = forward
        self._ends[self._queued] = start + (steps if forward else -steps)
        if self._queued:
            feed.follow(self._feeds[1 - self._next])
        else:
            feed.go()
        self._next = 1 - self._next
        self._queued += 1

    def room(self) -> int:
        """See the port."""
        self.settle()
        return 2 - self._queued

    def busy(self) -> bool:
        """See the port."""
        self.settle()
        return self._queued > 0

    def position(self) -> int:
        """See the port."""
        return self._odometer.count[0] - self._origin

    def stop(self) -> int:
        """See the port."""
        self._machine.active(0)
        self.clear()
        return self.position()

    def may_step(self) -> bool:
        """Whether the hardware lets it step now."""
        return self.powered

    def halted(self) -> bool:
        """Whether the hardware has halted it for good: what is queued is dropped."""
        return not self.may_step()

    def settle(self) -> bool:
        """Let go of the batches that have ended; whether any has."""
        before = self._queued
        if before and self.halted():
            self.clear()
        while self._queued:
            left = self._ends[0] - self._odometer.count[0]
            if left > 0 if self._forward else left < 0:
                break
            self._queued -= 1
            self._ends[0] = self._ends[1]
        return self._queued != before

    def clear(self) -> None:
        """Drop what is queued and pulled; the state machine waits at its beginning."""
        first, second = self._feeds
        first.disable()
        second.disable()
        first.abort()
        second.abort()
        machine = self._machine
        machine.active(0)
        while machine.tx_fifo():
            machine.exec(_OUT_NULL_32)
        machine.restart()
        machine.active(1)
        self._queued = 0

    def set_origin(self, position: int) -> None:
        """Call the present place `position`; only at rest."""
        self._origin = self._odometer.count[0] - position

    def _compile(self, feed: Feed, words: "array", n: int, cycles: int, hold: bool, start: int) -> int:
        return rp2_programs.compile_batch(words, n, cycles > 1, feed.table, feed.first)
