"""A host that notes each alarm with what the plant did when it was told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from mesofirmware.app import App
from mesoprotocol import messages, typed, wire
from mesosim.lab.enumeration.host import Dose, Host
from mesosim.lab.enumeration.workloads import BODY, CHEEK, PRIME, PROFILE, Witness
from mesosim.world.world import World

DOSE = messages.Prepare(b"", 0, 100_000, 1_500, wire.MODE_SINGLE, PROFILE, BODY, 0)
"""Is pressed 754 ms after COMMIT; dispenses from 0.9 s to 5.9 s after it."""
SMALL = DOSE._replace(volume_nl=20_000)
RUN = messages.PrepareRun(b"", 0, 40, 500, 600, CHEEK, 12, 100, 60)
"""40 strokes in 4 s, from 1 s after COMMIT on."""
IN_DOSE_US = 2_000_000


@dataclass
class Told:
    """An alarm as the host heard of it."""

    t_us: int
    event: Any
    account: dict[str, int]

    @property
    def name(self) -> str:
        """As in the schema."""
        return messages.ALARM_NAMES[self.event.alarm]


class Watch(Host):
    """See the module. `told` has all alarms since it was made."""

    def __init__(self, seed: int = 1) -> None:
        super().__init__(World(seed, Witness()))
        self.told: list[Told] = []
        self.lights: list[int] = []
        see = self.world.hand.see

        def seen(t_us: int, light: int) -> None:
            self.lights.append(light)
            see(t_us, light)

        self.world.hand.see = seen  # type: ignore[method-assign]
        self.began_us = 0

    def _keep(self, frames: list[typed.Frame]) -> None:
        for received in frames:
            if isinstance(received.message, messages.AlarmEvent):
                self.told.append(Told(self.t_us, received.message, self.account()))
        super()._keep(frames)

    @property
    def app(self) -> App:
        """The firmware of the present boot."""
        meddled = self.world.meddle()
        assert meddled._app
        return meddled._app

    def opened(self) -> Watch:
        """A treatment is begun."""
        self.open()
        self.do(messages.SetDate(9_497))
        self.do(messages.StartTreatment(1))
        return self

    def primed(self) -> Watch:
        """And the syringe is primed."""
        self.opened()
        self.dose(PRIME)
        self.rest(1_000_000)
        return self

    def try_dose(self, request: Any, after_us: int = 0, act: Callable[[], None] | None = None) -> Dose:
        """As `dose`; `began_us` is when `act` happened."""

        def now() -> None:
            self.began_us = self.t_us
            if act:
                act()

        return self.dose(request, after_us, now)

    def alarms(self) -> messages.AlarmsReply:
        """What the device says of its alarms."""
        reply: messages.AlarmsReply = self.do(messages.Alarms())
        return reply

    def clear(self) -> int:
        """CLEAR of all that stands, once the hand is away; what remains."""
        self.rest(1_000_000)
        status = self.do(messages.Status())
        return int(self.do(messages.Clear(status.latches, status.latch_count)).latches)
