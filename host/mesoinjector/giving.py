"""What a device gives: prime, dose, test dose, repeat, perfusion, fractional, and its motion for service; ml, mm."""

from __future__ import annotations

from abc import ABC, abstractmethod

from mesoinjector import errors, requests, results
from mesoinjector.transaction import Request
from mesoprotocol import limits, messages, wire


class Giving(ABC):
    """Each method returns when the dose has ended, with its result."""

    _tested_us: int | None = None
    """When a test dose was given, on the link's clock."""

    @abstractmethod
    def _numbered(self) -> tuple[bytes, int]:
        """A fresh id, and the ledger's next number."""

    @abstractmethod
    def _now_us(self) -> int:
        """The link's clock."""

    @abstractmethod
    def _give(self, request: Request, kind: str, zone: str, point: int = 0) -> results.Result:
        """From PREPARE to the end."""

    def prime(self, volume_ml: float, profile: str = "1ml-30G4-aqueous") -> results.Result:
        """Push at most `volume_ml` (to 0.5 ml a treatment) away from the skin, until fluid is seen to flow."""
        return self._give(requests.prime(*self._numbered(), volume_ml, profile), "prime", "")

    def dose(
        self,
        volume_ml: float,
        depth_mm: float,
        zone: str,
        point: int = 0,
        profile: str = "1ml-30G4-aqueous",
        retract: bool = False,
    ) -> results.Result:
        """Give one dose, when the operator sets the handpiece to the skin and presses the trigger.

        volume_ml: 0.02 .. 0.2 and within the zone; depth_mm: 0.5 .. 4.0 and within the zone; point: 0 .. 65535.
        retract: the needle is drawn back evenly while it flows, to half of its depth, at least to 0.5 mm.
        Raises `PlanError`, `DeviceError`, `LinkError`, `DoseUncertain`: then nothing was committed.
        """
        mode = wire.MODE_RETROGRADE if retract else wire.MODE_SINGLE
        request = requests.dose(*self._numbered(), volume_ml, depth_mm, zone, point, profile, mode)
        return self._give_tested(request, "retrograde" if retract else "dose", zone)

    def test_dose(
        self, volume_ml: float, depth_mm: float, zone: str, profile: str = "1ml-30G4-aqueous"
    ) -> results.Result:
        """Give the allergy test's dose, 0.01 .. 0.02 ml; this program then gives nothing for 20 minutes but primes.

        Raises as `dose` does. The time is this `Injector`'s: another program does not know of it.
        """
        mode = wire.MODE_TEST
        request = requests.dose(*self._numbered(), volume_ml, depth_mm, zone, 0, profile, mode)
        result = self._give(request, "test", zone)
        if not isinstance(result, results.NotDelivered):
            self._tested_us = self._now_us()
        return result

    def repeat(
        self,
        volume_ml: float,
        stroke_ml: float,
        rate_per_min: int,
        depth_mm: float,
        zone: str,
        point: int = 0,
        profile: str = "1ml-30G4-aqueous",
    ) -> results.Result:
        """Nappage: a small dose each stroke while the trigger is held; released holds, pressed again goes on.

        volume_ml in all: to 0.5; stroke_ml: 0.005 .. 0.05 and within the zone; rate_per_min: 6 .. 300, and as the
        profile allows (`DeviceError` FLOW); depth_mm: 0.5 .. 4.0 and within the zone. Raises as `dose` does.
        """
        made = self._numbered()
        request = requests.repeat(*made, volume_ml, stroke_ml, rate_per_min, depth_mm, zone, point, profile)
        return self._give_tested(request, "repeat", zone)

    def perfusion(
        self,
        volume_ml: float,
        flow_ul_per_s: float,
        depth_mm: float,
        zone: str,
        point: int = 0,
        profile: str = "1ml-30G4-aqueous",
    ) -> results.Result:
        """Needle in, steady flow while the trigger is held; released holds, pressed again goes on.

        volume_ml in all: 0.02 and more, within the zone; flow_ul_per_s: 1 .. 50, and as needle and pressure limit of
        the profile allow (`DeviceError` FLOW); depth_mm: 0.5 .. 4.0 and within the zone. Raises as `dose` does.
        """
        made = self._numbered()
        request = requests.perfusion(*made, volume_ml, flow_ul_per_s, depth_mm, zone, point, profile)
        return self._give_tested(request, "perfusion", zone)

    def fractional(
        self,
        strokes: int,
        depth_mm: float,
        zone: str,
        area_cm2: int,
        rate_per_min: int = 900,
        needles: int = 16,
        duration_s: int | None = None,
        point: int = 0,
    ) -> results.Result:
        """Puncture an area; the trigger held drives, released holds, pressed again within 10 s goes on.

        strokes: 1 .. 27000; depth_mm: 0.4 .. 4.0 and within the zone; rate_per_min: 60 .. 1800; needles: 12 .. 20;
        area_cm2: whole, 1 .. 1500, of which at most 20 % may be punctured;
        duration_s: at most 1800, by default twice the time of the strokes and 30 s; point: kept in the journal only.
        Raises as `dose` does.
        """
        made = self._numbered()
        request = requests.fractional(*made, strokes, depth_mm, zone, area_cm2, rate_per_min, needles, duration_s)
        return self._give_tested(request, "fractional", zone, point)

    def home(self) -> results.Result:
        """Bring all three axes to their origins, with neither syringe nor cartridge, while the trigger is held.

        Away from the skin, for up to 30 s. Depth stop and needle drive come first, then the carriage goes back to its
        end: a full syringe is mounted next, and primed. Complete, it is `Delivered` of 0 ml; ended early,
        `NotDelivered`. Raises as `dose` does.
        """
        return self._give(messages.PrepareHome(*self._numbered()), "home", "")

    def dry_run(
        self, strokes: int, depth_mm: float, rate_per_min: int = 900, duration_s: int | None = None
    ) -> results.Result:
        """For service: move the needle drive with neither cartridge nor syringe, away from the skin; held as a run.

        strokes: 1 .. 27000; depth_mm: 0.4 .. 4.0; rate_per_min: 60 .. 1800; duration_s: as for `fractional`. Each
        stroke is checked and recorded. Wants the service key, on a device that has keys. Raises as `dose` does.
        """
        request = requests.dry_run(*self._numbered(), strokes, depth_mm, rate_per_min, duration_s)
        return self._give(request, "dry", "")

    def _give_tested(self, request: Request, kind: str, zone: str, point: int = 0) -> results.Result:
        """Give what must wait after a test dose."""
        left_s = 0.0
        if self._tested_us is not None:
            left_s = limits.TEST_WAIT_S - (self._now_us() - self._tested_us) / 1e6
        if left_s > 0:
            raise errors.PlanError(
                f"a test dose was given: {left_s / 60:.0f} of {limits.TEST_WAIT_S // 60} minutes are left in which it "
                "may show a reaction. Nothing was sent. Next: wait, and look at the skin."
            )
        return self._give(request, kind, zone, point)
