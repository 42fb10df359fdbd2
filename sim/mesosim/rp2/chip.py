"""An RP2040 or RP2350 in virtual time: memory, pads, DMA, PIO blocks, interrupts; `chip` is the one there is.

Time is in system clocks since the world began. The processor takes none: it runs at an instant, and only sleeping, or
looking at the clock again and again, lets time pass. `run(until)` lets the hardware run that far, and tells `sources`
in time: whatever is around the chip. A source has `event_at`, in clocks, and `due()`.
"""

from mesosim.rp2 import dma, interrupts, memory, models, pads, pio, registers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable

    from mesosim.rp2 import motors

NEVER = pio.NEVER
_PATIENCE = 1000
"""Readings of the clock at one instant, after which each takes a microsecond."""


_NOTICES = 25
"""Clocks from an event to the processor's notice of it: less than a real one needs, more than a counter does."""


class TimeUp(BaseException):
    """The time that was given has passed; with "busy": in a firmware that does not come back; or with "watchdog"."""


class Chip:
    """One chip. What is wired to it: `wires` (I2C), `lines` (UART), `analogue` (by GPIO), `sources`, `motors`."""

    def __init__(self) -> None:
        self.begin(0, b"RP2 twin")
        self.reset(1)

    def begin(self, t: int, uid: bytes, model: models.Model = models.RP2040) -> None:
        """Another chip, at time t, with nothing around it."""
        self.model = model
        self.t = t
        self.uid = uid
        self.limit = NEVER
        """When the processor is taken away if it is busy that long."""
        self.alarm = NEVER
        """When the processor, idle, goes on in any case."""
        self.wires: list = [{}, {}]
        self.lines: list = [None, None]
        self.analogue: dict = {}
        self.tones: dict = {}
        self.sources: list = []
        self.motors: list[motors.Motor] = []
        self.scratch = [0] * 8
        self.reset_cause = 1
        self._readings = 0
        self._read_at = -1
        self._settling = False
        self.attention = False
        self._moved = False
        self.pad_changes = 0
        self.seen = False
        self.watched = 0
        """Pads that may stop a motor: a change makes `motors` look again."""
        self.on_idle: "Callable[[], bool]" = _nothing
        """Called when the processor is idle; whether it then has something to do."""

    def reset(self, cause: int) -> None:
        """Start anew, by power-on (1) or watchdog (3). What is wired to the pads is to be wired again."""
        self.reset_cause = cause
        if cause == 1:
            self.scratch = [0] * 8
        self.watchdog_at = NEVER
        self.has_fallen = False
        """A reset is under way: what still runs here runs on no processor."""
        self._interrupt_at = NEVER
        self.drains = 0
        self.free_channels = list(range(self.model.channels))
        self.dma_handlers: list = [None] * self.model.channels
        self.pads = pads.Pads()
        self.pads.watch(-1, self._pads_change)
        self.memory = memory.Memory()
        self.interrupts = interrupts.Interrupts(self.pads)
        self.blocks = [pio.Block(i, self.pads) for i in range(self.model.blocks)]
        self.machines = [machine for block in self.blocks for machine in block.machines]
        self.dma = dma.Dma(self.memory, self._ready, self.model)
        for i in range(self.model.blocks):
            self.memory.peripherals[registers.PIO_BASES[i]] = registers.PioRegisters(self, i)
        self.memory.peripherals[self.model.adc] = registers.AdcRegisters(self)
        self.memory.peripherals[self.model.watchdog] = registers.WatchdogRegisters(self)

    # --- Time -----------------------------------------------------------------------------------------

    def ticks(self) -> int:
        """Now, in the plant's ticks of 40 ns, rounded up: what a pulse does has been done once it has come."""
        return -(-self.t // self.model.clocks_per_tick)

    def ticks_us(self) -> int:
        """Now, as MicroPython tells it."""
        if self.t != self._read_at:
            self._read_at = self.t
            self._readings = 0
        self._readings += 1
        if self._readings > _PATIENCE:
            self.sleep(self.model.clocks_per_us)
        return self.t // self.model.clocks_per_us & 0x3FFFFFFF

    def ticks_ms(self) -> int:
        """Now, as MicroPython tells it."""
        self.ticks_us()
        return self.t // (1000 * self.model.clocks_per_us) & 0x3FFFFFFF

    def sleep(self, clocks: int) -> None:
        """The processor waits. Raises TimeUp when that takes it a second beyond `limit`."""
        self.run(self.t + clocks)
        if self.t > self.limit + self.model.hz:
            raise TimeUp("busy")

    def idle(self) -> None:
        """The processor waits for anything to happen, or for its `alarm`. Raises TimeUp at `limit`."""
        if self.on_idle():
            return
        if self.t >= self.limit:
            raise TimeUp
        until = min(self.limit, self.alarm)
        self.run_to_event(until)
        if self.seen and self._soonest(NEVER) > self.t:
            self.run(min(until, self.t + _NOTICES))

    def act(self, clocks: int) -> None:
        """The processor waits so short that only the state machines get on."""
        until = self.t + clocks
        while self.t < until:
            self._run_machines(until)
            self.settle()

    def run(self, until: int) -> None:
        """Let the hardware run up to a time, with whatever is around it. Raises TimeUp("watchdog") when that bites."""
        while True:
            self._step(until)
            if self.t >= until and not self.attention:
                return

    def run_to_event(self, until: int) -> None:
        """As `run`, but no further than to the next thing that the processor could see."""
        self.seen = False
        while self.t < until and not self.seen:
            self._step(until)

    def _step(self, until: int) -> None:
        """To the next thing that needs attention, or to `until`."""
        self._run_machines(max(self._soonest(until), self.t))
        self.settle()
        for source in self.sources:
            if source.event_at <= self.t:
                source.due()
                self.seen = True
        self.settle()
        if self.watchdog_at <= self.t:
            self.watchdog_at = NEVER
            self.has_fallen = True
            raise TimeUp("watchdog")

    def _soonest(self, at: int) -> int:
        """When something happens around the chip, or `at`."""
        at = min(at, self.watchdog_at, self._interrupt_at)
        for source in self.sources:
            if source.event_at < at:
                at = source.event_at
        return at

    def _run_machines(self, until: int) -> None:
        """The state machines, by their time, then by their number, up to `until` or to what needs attention."""
        while not self.attention:
            at = after = until
            first = None
            for machine in self.machines:
                due = machine.due
                if due < at or (first is None and due == at):
                    after = at
                    at = due
                    first = machine
                elif due < after:
                    after = due
            if first is None:
                self.t = max(self.t, until)
                return
            self._moved = False
            # the same one goes on for as long as nobody else comes before it, nor can have been woken by it
            while True:
                if first.due > self.t:
                    self.t = first.due
                first.step()
                if first.block.attention:
                    first.block.attention = False
                    self._serve()
                    break
                if first.due >= after or self._interrupted():
                    break

    def _interrupted(self) -> bool:
        return self._moved or self.attention

    def settle(self) -> None:
        """Something has been done to the hardware: let it have its effect at once."""
        if self._settling:
            return
        self._settling = True
        while True:
            self.attention = False
            self._serve()
            for motor in self.motors:
                if motor.look():
                    self.seen = True
            if self.interrupts.pending():
                if self._interrupt_at == NEVER:
                    self._interrupt_at = self.t + _NOTICES
                if self._interrupt_at <= self.t:
                    self._interrupt_at = NEVER
                    self.seen = True
                    self.interrupts.call()
            if not self.attention:
                break
        self._settling = False

    def _serve(self) -> None:
        self.dma.serve()
        for channel in self.dma.channels:
            if channel.raised:
                channel.raised = False
                if self.dma_handlers[channel.number] is not None:
                    self.dma_handlers[channel.number]()
                    self.attention = True

    # --- What the parts ask of one another --------------------------------------------------------------

    def enable(self, machine: pio.Machine, on: bool) -> None:
        """Start or stop a state machine now."""
        machine.enable(on, self.t)
        self.settle()

    def execute(self, machine: pio.Machine, word: int) -> None:
        """Let a state machine execute a word now."""
        machine.execute(word, self.t)
        self.settle()

    def convert(self, gpio: int) -> int:
        """What the ADC makes of a pad."""
        return max(0, min(int(self.analogue[gpio]()), 4095))

    def driver_of(self, gpio: int) -> "pio.Machine | None":
        """The state machine that drives a pad by side-set."""
        for machine in self.machines:
            if machine.drives(gpio):
                return machine
        return None

    def _ready(self, treq: int) -> int:
        """How many transfers a DMA request allows."""
        if treq >= 8 * len(self.blocks):
            raise ValueError("DMA request %d: not modelled" % treq)
        machine = self.blocks[treq >> 3].machines[treq & 3]
        if treq & 4:
            return len(machine.rx)
        return machine.tx_depth() - len(machine.tx)

    def _pads_change(self, changed: int) -> None:
        self._moved = True
        for machine in self.machines:
            machine.pads_change(changed, self.t)
        if changed & self.watched:
            self.pad_changes += 1
            self.attention = True


def _nothing() -> bool:
    return False


chip = Chip()
