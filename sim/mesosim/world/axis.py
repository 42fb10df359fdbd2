"""A step generator: batches of segments in hardware, positions in closed form at any instant.

Time is in ticks of 40 ns. A step comes at the end of its interval. Batches follow one another without a gap.
"""

NEVER = 1 << 60
"""A time that does not come."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from array import array
    from typing import Union

    Words = Union["array[int]", tuple[int, ...]]


class Batch:
    """Segments, repeated `cycles` times."""

    def __init__(self, words: "Words", n: int, cycles: int, hold: bool) -> None:
        self.segments: list[tuple[int, int]] = []
        self.steps = 0
        self.ticks = 0
        for i in range(0, n, 2):
            steps = (words[i] >> 1) + 1
            self.segments.append((steps, words[i + 1]))
            self.steps += steps
            self.ticks += steps * words[i + 1]
        self.sign = 1 if words[0] & 1 else -1
        self.cycles = cycles
        self.hold = hold


class Axis:
    """One motor's step generator. `on_change(t)` is called before its rate of steps changes."""

    def __init__(self) -> None:
        self._queue: list[Batch] = []
        self._base = 0
        self._t0 = 0
        self._running = False
        self._asked_at = -1
        self._answer = 0
        """The position at that time: it is asked for several times at each instant."""
        self.end_at = NEVER
        """When the running batch ends; NEVER if none runs."""
        self.on_change = _ignore

    def room(self) -> int:
        """Batches that can still be fed."""
        return 2 - len(self._queue)

    def busy(self) -> bool:
        """Whether a batch runs or waits."""
        return bool(self._queue)

    def running(self) -> "Union[Batch, None]":
        """The batch that is running, if one is."""
        return self._queue[0] if self._running else None

    def feed(self, t: int, batch: Batch) -> None:
        """Queue a batch; it starts at once if nothing runs and it is not held."""
        if len(self._queue) >= 2:
            raise ValueError("two batches are queued")
        self._queue.append(batch)
        if not self._running and len(self._queue) == 1 and not batch.hold:
            self._start(t)

    def release(self, t: int) -> None:
        """Let held batches start."""
        for batch in self._queue:
            batch.hold = False
        if not self._running and self._queue:
            self._start(t)

    def stop(self, t: int) -> int:
        """Stop now, drop everything, return the position."""
        position = self.position(t)
        self.on_change(t)
        self._base = position
        self._queue.clear()
        self._running = False
        self.end_at = NEVER
        return position

    def set_origin(self, position: int) -> None:
        """Call the present place `position`; only at rest."""
        self._base = position
        self._asked_at = -1

    def finish(self, t: int) -> None:
        """The running batch ends now, at `end_at`; the next one starts if it is not held."""
        self.on_change(t)
        batch = self._queue.pop(0)
        self._base += batch.sign * batch.cycles * batch.steps
        self._running = False
        self.end_at = NEVER
        if self._queue and not self._queue[0].hold:
            self._start(t)

    def position(self, t: int) -> int:
        """Steps since the origin at time t, which lies within the running batch."""
        if not self._running:
            return self._base
        if t == self._asked_at:
            return self._answer
        batch = self._queue[0]
        rest = t - self._t0
        cycle = rest // batch.ticks
        if cycle >= batch.cycles:
            cycle = batch.cycles - 1
        rest -= cycle * batch.ticks
        done = cycle * batch.steps
        for steps, interval in batch.segments:
            span = steps * interval
            if rest < span:
                done += rest // interval
                break
            done += steps
            rest -= span
        self._asked_at = t
        self._answer = self._base + batch.sign * done
        return self._answer

    def time_of(self, position: int) -> int:
        """When the running batch makes the step to `position`; NEVER if it does not."""
        if not self._running:
            return NEVER
        batch = self._queue[0]
        in_cycle = batch.steps
        k = (position - self._base) * batch.sign
        if k <= 0 or k > batch.cycles * in_cycle:
            return NEVER
        cycle = (k - 1) // in_cycle
        k -= cycle * in_cycle
        t = self._t0 + cycle * batch.ticks
        for steps, interval in batch.segments:
            if k <= steps:
                t += k * interval
                break
            t += steps * interval
            k -= steps
        return t

    def rate(self, t: int) -> float:
        """Steps a second at time t, signed; of the segment then running."""
        if not self._running:
            return 0.0
        batch = self._queue[0]
        passed = t - self._t0
        rest = passed - min(passed // batch.ticks, batch.cycles - 1) * batch.ticks
        for steps, interval in batch.segments:
            span = steps * interval
            if rest < span:
                return batch.sign * 25000000.0 / interval
            rest -= span
        return 0.0

    def _start(self, t: int) -> None:
        self.on_change(t)
        batch = self._queue[0]
        self._t0 = t
        self._running = True
        self.end_at = t + batch.cycles * batch.ticks


def _ignore(t: int) -> None:
    pass
