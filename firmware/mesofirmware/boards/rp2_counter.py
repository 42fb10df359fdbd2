"""A state machine that counts in hardware: DMA keeps its newest count in memory, whatever the processor does."""

from array import array

from rp2 import DMA, StateMachine

_ENDLESS = 0x0FFFFFFF
"""Transfers: 28 bits are a count on both chips. At 4,000 steps a second they last for 18 hours."""


def receive_request(number: int) -> int:
    """The DMA request of a state machine's RX FIFO; state machines are numbered as `StateMachine` does."""
    return (number >> 2 << 3) + (number & 3) + 4


class Counter:
    """`count[0]` is the count, signed. It begins at 0 and is never set back: whoever needs another origin keeps it."""

    def __init__(self, number: int, program: list, **wiring: object) -> None:
        self.count = array("i", [0])
        self.dma = DMA()
        self._number = number
        self._machine = StateMachine(number, program, **wiring)  # type: ignore[arg-type]

    def start(self, then: int = -1) -> None:
        """Count from now on. `then`: the channel that is triggered by each count, and triggers this one in turn."""
        dma = self.dma
        channel: int = dma.channel  # type: ignore[attr-defined]
        ctrl = dma.pack_ctrl(
            inc_read=False,
            inc_write=False,
            treq_sel=receive_request(self._number),
            chain_to=channel if then < 0 else then,
        )
        # the FIFO and the count are what this channel copies between, one word at a time
        dma.config(
            read=self._machine,  # type: ignore[arg-type]
            write=self.count,
            count=_ENDLESS if then < 0 else 1,
            ctrl=ctrl,
            trigger=True,
        )
        self._machine.active(1)
