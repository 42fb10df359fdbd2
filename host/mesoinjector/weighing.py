"""Doses into a vessel on a bench scale: the ordinary way of a dose, and a mass before and after it.

A treatment of its own says in the journal that nobody was treated. Nothing here writes to the device's settings.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import mean

from mesoinjector import catalogue, errors
from mesoinjector.arguments import in_range, whole
from mesoinjector.calibrating import FEWEST, Weighed, weighed_nl
from mesoinjector.injector import Injector
from mesoinjector.results import Delivered, Result, Unknown
from mesoinjector.scale import Scale
from mesoprotocol import limits, messages, wire

ZONE, DEPTH_MM = "body", 1.0
"""The zone that allows every dose, and a needle that reaches into the water."""
EVAPORATION_S = 30.0
"""Between two masses of a vessel into which nothing is dosed."""
PRIME_ML, PRIMES = 0.1, 3
TRIES = 3
"""How often a dose that nobody triggered is offered."""
REST_S = 2.0
"""Until the trigger is released and the last drop has fallen."""
RESERVE_NL = 60_000
"""What a prime takes of the syringe."""


@dataclass(frozen=True, slots=True)
class Hands:
    """Whoever stands at the device."""

    say: Callable[[str], None]
    """Tell what to do."""
    ready: Callable[[str], None]
    """Tell what to do, and wait until it is done."""
    agree: Callable[[str], bool]
    """Ask whether something may be written."""
    looked: Callable[[str], bool]
    """Ask whether somebody has looked at the handpiece, so that a latch may be cleared."""
    progress: Callable[[int, int], None]
    """So many of so many are done."""


@dataclass(frozen=True, slots=True)
class _Given:
    asked_nl: int
    result: Delivered
    steps: int
    counted_nl: int
    before_ug: int
    after_ug: int
    seconds: float


def check(volumes_ml: Sequence[float], doses: int, checks: int, profile: str) -> None:
    """Whether a syringe of this profile holds so many doses of each volume, and they are enough. Raises `PlanError`."""
    syringe = catalogue.profile(profile)
    for volume_ml in volumes_ml:
        in_range("volume_ml", volume_ml, limits.DOSE_MIN_NL / 1e6, limits.DOSE_MAX_NL / 1e6, "ml")
    if len(set(volumes_ml)) < 2:
        raise errors.PlanError("volume_ml: must be at least two volumes. Nothing was sent.")
    whole("doses", doses, FEWEST, 30)
    whole("checks", checks, 1, 30)
    needed_nl = round(sum(volumes_ml) * (doses + checks) * 1e6) + RESERVE_NL
    if needed_nl > syringe.capacity_nl:
        raise errors.PlanError(
            f"{doses} doses and {checks} checks of each volume, and a prime, take {needed_nl / 1e6:g} ml; syringe "
            f"{profile} holds {syringe.capacity_nl / 1e6:g} ml. Nothing was sent. Next: fewer doses, or smaller ones."
        )


class Weighing:
    """One treatment of doses on a scale. `z` as of `calibrating.z_ul_per_mg`."""

    def __init__(
        self,
        injector: Injector,
        scale: Scale,
        z: float,
        profile: str,
        hands: Hands,
    ) -> None:
        self._injector = injector
        self._scale = scale
        self._z = z
        self._profile = catalogue.profile(profile)
        self._hands = hands
        self._rates: list[float] = []
        self._point = 0
        self._samples: list[int] = []
        """The plunger's way by its encoder, of the dose under way."""
        self.treatment = 0
        """Its number in the journal."""

    def begin(self, about: dict[str, str]) -> None:
        """Begin the treatment and prime. Raises `CalibrationError` if that fails, and what `prime` raises."""
        self.treatment = self._injector.begin_treatment("", {"purpose": "calibration", **about})
        reason = ""
        for _ in range(PRIMES):
            asked = "Hold the handpiece over a waste vessel, away from everything, and press the trigger"
            result = self._told(asked, lambda: self._injector.prime(PRIME_ML, self._profile.name))
            if isinstance(result, Delivered) and result.complete:
                return
            reason = result.reason
            self._clear()
        hint = ""
        if reason == "encoder":
            hint = (
                " Encoder and steps of the plunger disagree by 3 % or more: no dose can be given, and so none weighed."
            )
        raise errors.CalibrationError(
            f"the syringe could not be primed: {reason}.{hint} Nothing was written. Next: look at syringe and plunger; "
            "then service."
        )

    def evaporation(self) -> float:
        """Let the vessel stand, and learn what evaporates: ug/s. Raises `ScaleError`."""
        before_us, before_ug = self._at(), self._scale.weigh()
        self._injector.wait(EVAPORATION_S)
        after_us, after_ug = self._at(), self._scale.weigh()
        self._rates.append((before_ug - after_ug) * 1e6 / (after_us - before_us))
        return self._rates[-1]

    def end(self, reason: str = "complete") -> None:
        """The treatment is over: as it was meant, or why not. Raises `JournalError`."""
        self._injector.journal.end_treatment(self._injector.uid, self.treatment, reason == "complete", reason)

    def give(self, volumes_ml: Sequence[float], doses: int) -> list[Weighed]:
        """So many doses of each volume in turn, weighed, between two measurements of what evaporates.

        A dose that ends early is weighed, and counts. Raises `CalibrationError` if nobody gives one, if one is unknown,
        or if its latch is not to be cleared; and what `dose` and the scale raise.
        """
        self._hands.ready("Put the vessel with some water on the scale, close the shield, and take the hands away")
        self._scale.tare()
        self.evaporation()
        given: list[_Given] = []
        for volume_ml in [volume_ml for _ in range(doses) for volume_ml in volumes_ml]:
            self._hands.progress(len(given), doses * len(volumes_ml))
            given.append(self._one(volume_ml))
        self.evaporation()
        rate = mean(self._rates)
        return [self._weighed(each, rate) for each in given]

    def _one(self, volume_ml: float) -> _Given:
        before_us, before_ug = self._at(), self._scale.weigh()
        asked = (
            f"{volume_ml:g} ml: set the nose to the vessel's contact ring, the needle into the water, press and hold "
            "the trigger until the light changes; then take the handpiece away"
        )
        for _ in range(TRIES):
            self._point = self._point % 0xFFFF + 1
            result = self._told(asked, lambda: self._dose(volume_ml))
            if isinstance(result, Unknown):
                raise errors.CalibrationError(
                    f"dose {result.dose_id} is unknown: {result.reason}. Nothing was written. Next: open the device "
                    "again, it is asked for."
                )
            if isinstance(result, Delivered):
                if len(self._samples) < 2:
                    raise errors.CalibrationError(
                        "no sample of the plunger has come. Nothing was written. Next: again."
                    )
                counted_nl = self._samples[-1] - self._samples[0]
                self._injector.wait(REST_S)
                steps = self._injector.ledger(result.n).steps
                after_us, after_ug = self._at(), self._scale.weigh()
                if not result.complete:
                    self._hands.say(f"It ended early: {result.reason}. It was weighed, and counts")
                    self._clear()
                seconds = (after_us - before_us) / 1e6
                return _Given(result.asked_nl, result, steps, counted_nl, before_ug, after_ug, seconds)
            self._hands.say(f"Nothing was given: {result.reason}. Again")
            self._clear()
        raise errors.CalibrationError(
            f"{TRIES} times nothing was given. Nothing was written. Next: look at the handpiece."
        )

    def _dose(self, volume_ml: float) -> Result:
        return self._injector.dose(volume_ml, DEPTH_MM, ZONE, self._point, self._profile.name)

    def _told(self, asked: str, give: Callable[[], Result]) -> Result:
        """Give something; once it is armed somebody is asked for the hand."""

        def ask(event: object) -> None:
            if isinstance(event, messages.PhaseEvent) and event.state == wire.STATE_ARMED:
                self._hands.say(asked)
            elif isinstance(event, messages.Telemetry):
                self._samples.append(event.plunger_nl)

        self._samples.clear()
        unlisten = self._injector.listen(ask)
        try:
            return give()
        finally:
            unlisten()

    def _clear(self) -> None:
        """Clear what latched, once somebody has looked. Raises `CalibrationError` if nobody wants to."""
        self._injector.wait(REST_S)
        latches = self._injector.status().latches
        if not latches:
            return
        names = ", ".join(name.lower() for bit, name in messages.LATCH_BITS.items() if latches & bit)
        if not self._hands.looked(f"{names} stands. Is the handpiece as it should be, so that this may be cleared?"):
            raise errors.CalibrationError(f"{names} stands. Nothing was written. Next: look at it, then clear.")
        self._injector.clear()

    def _at(self) -> int:
        return self._injector.link.now_us()

    def _weighed(self, given: _Given, rate: float) -> Weighed:
        lost_ug = rate * given.seconds
        return Weighed(
            given.result.dose_id,
            given.asked_nl,
            given.steps * self._profile.pl_per_step // 1000,
            given.counted_nl,
            given.result.delivered_nl,
            weighed_nl(given.before_ug, given.after_ug, lost_ug, self._z),
            given.result.reason,
        )
