"""The stand-ins for `machine` and `rp2`: steps through DMA and PIO, to the clock; permit; rings; refusals."""

from __future__ import annotations

from array import array
from collections.abc import Iterator

import pytest

from mesofirmware.boards import rp2_programs
from mesosim.rp2 import chip, machine, models, rp2
from mesosim.rp2.memory import BusFault

STEP, DIR, PERMIT = 2, 3, 14


class Generator:
    """A step generator with its table on a DMA channel, and an odometer behind it."""

    def __init__(self, model: models.Model) -> None:
        self.chip = chip.chip
        self.chip.begin(0, b"8 bytes.", model)
        self.tick = model.clocks_per_tick
        self.chip.reset(1)
        self.rises: list[int] = []
        self.chip.pads.watch(1 << STEP, self._edge)
        self.permit(True)
        pins = {"sideset_base": machine.Pin(STEP), "out_base": machine.Pin(DIR), "jmp_pin": machine.Pin(PERMIT)}
        self.steps = rp2.StateMachine(0, fresh(rp2_programs.STEPPER), freq=25_000_000, **pins)
        counter = rp2.StateMachine(4, fresh(rp2_programs.ODOMETER), in_base=machine.Pin(STEP), jmp_pin=machine.Pin(DIR))
        self.count = array("i", [0])
        dma = rp2.DMA()
        ctrl = dma.pack_ctrl(inc_read=False, inc_write=False, treq_sel=12)
        dma.config(read=counter, write=self.count, count=1 << 20, ctrl=ctrl, trigger=True)
        counter.active(1)
        self.steps.active(1)
        self.feed = rp2.DMA()

    def _edge(self, _: int) -> None:
        if self.chip.pads.levels >> STEP & 1:
            self.rises.append(self.chip.t // self.tick)

    def permit(self, on: bool) -> None:
        self.chip.pads.wire(1 << PERMIT, 1 << PERMIT if on else 0)
        self.chip.settle()

    def send(self, segments: list[tuple[int, int]], cycles: int = 1, ring: int = 0) -> int:
        """Compile and send; the tick at which it began."""
        words = array("i", [word for steps, ticks in segments for word in ((steps - 1) << 1 | 1, ticks)])
        table = array("I", bytes(1024))
        at = (-self.chip.memory.address(table) % 512) // 4
        n = rp2_programs.compile_batch(words, len(words), cycles > 1, table, at)
        ctrl = self.feed.pack_ctrl(inc_write=False, treq_sel=0, ring_size=ring)
        start = self.chip.memory.address(table) + 4 * at
        self.feed.config(read=start, write=self.steps, count=n * cycles, ctrl=ctrl, trigger=True)
        return self.chip.t // self.tick

    def run(self, ticks: int) -> None:
        self.chip.run(self.chip.t + ticks * self.tick)


@pytest.fixture(params=[models.RP2040, models.RP2350])
def generator(request: pytest.FixtureRequest) -> Iterator[Generator]:
    """A chip of its own, of either kind."""
    yield Generator(request.param)
    chip.chip.begin(0, b"8 bytes.")
    chip.chip.reset(1)


def fresh(program: list) -> list:
    """A program that no block has loaded."""
    return [program[0], -1, -1, -1, *program[4:]]


def test_steps_come_at_the_ends_of_their_intervals(generator: Generator) -> None:
    t = generator.send([(3, 100), (2, 50), (1, 1000)])
    generator.run(3000)
    first = generator.rises[0]
    assert 0 <= t + 100 - first <= 7
    assert [rise - first for rise in generator.rises] == [0, 100, 200, 250, 300, 1300]
    assert generator.count[0] == 6
    assert not generator.feed.active()


def test_a_ring_repeats_a_cycle_so_often_and_no_more(generator: Generator) -> None:
    generator.send([(3, 100), (2, 50)], cycles=4, ring=4)
    generator.run(10_000)
    periods = [b - a for a, b in zip(generator.rises, generator.rises[1:], strict=False)]
    assert periods == ([100, 100, 50, 50, 100] * 4)[:-1]
    assert generator.count[0] == 20


def test_no_step_comes_without_permit(generator: Generator) -> None:
    generator.send([(1000, 100)])
    generator.run(555)
    generator.permit(False)
    before = generator.count[0]
    generator.run(50_000)
    assert before == 5 and generator.count[0] == 5
    generator.permit(True)
    generator.run(50_000)
    assert generator.count[0] == 5, "it stays halted"


def test_a_million_ticks_of_delay_cost_nothing(generator: Generator) -> None:
    t = generator.send([(2, 50_000_000)])
    generator.run(100_000_100)
    assert generator.rises[1] - generator.rises[0] == 50_000_000
    assert 0 <= t + 50_000_000 - generator.rises[0] <= 7


def test_what_would_block_the_processor_is_refused(generator: Generator) -> None:
    machine_ = rp2.StateMachine(2, fresh(rp2_programs.STEPPER), freq=25_000_000)
    for _ in range(4):
        machine_.put(1)
    with pytest.raises(RuntimeError, match="full"):
        machine_.put(1)
    with pytest.raises(RuntimeError, match="empty"):
        machine_.get()


def test_an_address_where_nothing_is_faults(generator: Generator) -> None:
    with pytest.raises(BusFault, match="0x20000000"):
        machine.mem32[0x20000000]
    with pytest.raises(BusFault, match="0x40000000"):
        machine.mem32[0x40000000] = 1


def test_a_channel_that_is_enabled_is_not_aborted(generator: Generator) -> None:
    """RP2040-E13, RP2350-E5."""
    generator.send([(9, 100)] * 4)
    with pytest.raises(ValueError, match="aborted while it is enabled"):
        generator.feed.active(0)
    generator.feed.ctrl = generator.feed.pack_ctrl(enable=False)
    generator.feed.active(0)
    assert not generator.feed.active()


def test_a_count_with_a_mode_is_refused(generator: Generator) -> None:
    with pytest.raises(ValueError, match="28 bits"):
        generator.feed.count = 1 << 28


def test_each_chip_has_its_own_addresses_and_channels(generator: Generator) -> None:
    model = generator.chip.model
    other = models.RP2350 if model is models.RP2040 else models.RP2040
    machine.mem32[model.watchdog + 0x0C] = 7
    assert generator.chip.scratch[0] == 7
    for base in (other.watchdog + 0x0C, other.adc):
        with pytest.raises(BusFault):
            machine.mem32[base]
    taken = [rp2.DMA() for _ in range(model.channels - 2)]
    assert taken[-1].channel == model.channels - 1
    with pytest.raises(OSError, match="in use"):
        rp2.DMA()
