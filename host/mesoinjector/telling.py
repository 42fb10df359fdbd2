"""What a device tells unasked, to listeners and to iterators, and when that was: on its clock, and in UTC."""

from __future__ import annotations

import logging
import weakref
from collections import deque
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Self

from mesoinjector import errors, logs
from mesoinjector.arguments import in_range
from mesoinjector.clock import Estimate, UtcTime
from mesoinjector.connection import EVENTS_KEPT, Losses
from mesoinjector.links import Link
from mesoinjector.pump import LineLost, Pump
from mesoprotocol import messages

Event = (
    messages.OutcomeEvent
    | messages.PhaseEvent
    | messages.AlarmEvent
    | messages.StrokeRecordsEvent
    | messages.Telemetry
    | LineLost
)
LONGEST_S = 86_400
"""An iterator's longest time: a day."""
SLICE_US = 50_000
"""Longest wait at a time: in virtual time too another thread gets its turn, and sends the heartbeats of its dose."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Events(Iterator[Event]):
    """What the device tells from `Injector.events` on, in order; one thread's.

    Between two calls of `next` the newest 4096 wait; `dropped` counts older ones that nobody took, and a warning is
    logged at the first.
    """

    def __init__(self, pump: Pump, seconds: float) -> None:
        in_range("seconds", seconds, 0, LONGEST_S, "s")
        pump.refuse_if_closed()
        self.dropped: int = 0
        self._pump = pump
        self._until_us = pump.link.now_us() + round(seconds * 1e6)
        self._told: deque[Event] = deque(maxlen=EVENTS_KEPT)
        me = weakref.ref(self)

        def take(event: Event) -> None:
            events = me()
            if events is not None:
                events._take(event)

        self._unlisten = weakref.finalize(self, pump.listen(take))  # whoever leaves his loop has not to say so

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Event:
        self.wait()
        if not self._told:
            raise StopIteration
        event = self._told.popleft()
        if isinstance(event, LineLost):
            self.close()
        return event

    def close(self) -> None:
        """End it before its time. Idempotent."""
        self._unlisten()
        self._told.clear()

    def is_ready(self) -> bool:
        """Whether `next` would not wait."""
        return bool(self._told) or not self._is_listening()

    def wait(self) -> None:
        """Wait until `is_ready`."""
        while not self.is_ready():
            until_us = min(self._until_us, self._pump.link.now_us() + SLICE_US)
            try:
                self._pump.until(until_us, lambda: bool(self._told) or not self._unlisten.alive)
            except errors.LinkLost as error:
                self._unlisten()
                if not self._pump.is_closed:
                    self._told.append(LineLost(str(error)))

    def _is_listening(self) -> bool:
        if self._unlisten.alive and self._pump.link.now_us() >= self._until_us:
            self._unlisten()
        return self._unlisten.alive

    def _take(self, event: Event) -> None:
        if len(self._told) == EVENTS_KEPT:
            if not self.dropped:
                logs.note(logging.WARNING, "events dropped", url=self._pump.link.url, kept=EVENTS_KEPT)
            self.dropped += 1
        self._told.append(event)


class Telling:
    """Nothing here asks the device for anything."""

    link: Link
    _pump: Pump

    def listen(self, listener: Callable[[Any], None]) -> Callable[[], None]:
        """Call `listener` with every event and telemetry sample, one at a time, in whichever thread waits.

        That may be a thread of the driver's own, which also tells a `LineLost`. What a listener raises is logged and
        ends nothing. Returns what ends it.
        """
        return self._pump.listen(listener)

    def events(self, seconds: float) -> Events:
        """Every event and telemetry sample from now on, for 0 s to a day on the link's clock, as an iterator.

        It waits for the next one as `wait` does; what comes while the loop's body runs is not lost. It ends when the
        time is over or `close` was called; a line that breaks is told by a `LineLost`, the last one: after `reconnect`
        ask for another. Raises `PlanError` for another time, `LinkLost` once this device was closed.
        """
        return Events(self._pump, seconds)

    def wait(self, seconds: float) -> None:
        """Take what the device tells for a time, 0 s or longer on the link's clock, and ask for nothing."""
        self._pump.until(self.link.now_us() + round(max(seconds, 0.0) * 1e6), lambda: False)

    def losses(self) -> Losses:
        """What this host has not passed on since it opened the line; the device's counts are in `status()`."""
        return self._pump.connection.losses

    def device_time(self) -> Estimate:
        """The device's clock now, microseconds since its boot, with a bound of the error."""
        return self._pump.connection.clock.device_time(self.link.now_us())

    def dose_time_to_utc(self, time_us: int) -> UtcTime:
        """UTC at a time of the device's clock, as events and samples say it; a dose begins at its `PhaseEvent` RUNNING.

        By this computer's clock as it stands now: of its own error the bound knows nothing. The bound grows by 200 us
        with each second between `time_us` and the last probe. The device's clock begins anew at each boot: a time
        that is still to come is of an earlier one and refused, with `PlanError`; one that has been cannot be told from
        this boot's, so convert times before `reconnect`. In virtual time UTC is the simulator's; in a replay it goes
        on from the recording's beginning, and the bound does not cover what the computer's clock was corrected since.
        """
        link, clock = self.link, self._pump.connection.clock
        before_us = link.now_us()
        utc_us = link.utc_us()
        after_us = link.now_us()
        now = clock.device_time(after_us)
        if not 0 <= time_us <= now.time_us + now.error_us:
            raise errors.PlanError(
                f"time_us = {time_us}: the device's clock stands at {now.time_us} us since its start, so this is no "
                "time of it, or of before the device restarted. Next: convert a time before the device is opened anew."
            )
        then = clock.host_time(time_us)
        ahead_us = utc_us - (before_us + after_us) // 2
        # all three readings are whole microseconds, cut off
        read_us = (after_us - before_us + 1) // 2 + 1
        return UtcTime(_EPOCH + timedelta(microseconds=then.time_us + ahead_us), then.error_us + read_us)
