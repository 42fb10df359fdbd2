"""What moves: a prime, a dose, a run, each with somebody's hand, and STOP, release and silence in the middle."""

from __future__ import annotations

import pytest

from mesoinjector import Delivered
from mesoprotocol import messages
from mesosim.lab.conformance.host import Host

pytestmark = pytest.mark.operator

PRIME = "hold the handpiece away from the skin, and hold the trigger when the light shows ARMED, until it ends"
DOSE = "set the handpiece to the skin model, and hold the trigger when the light shows ARMED, until it ends"

LIFT_S = 0.5
"""For whoever has just given a dose to lift the handpiece."""


def primed(host: Host) -> None:
    """Fluid comes."""
    host.injector.wait(LIFT_S)
    host.person(PRIME)
    result = host.injector.prime(0.2)
    assert isinstance(result, Delivered) and result.complete and result.exact


@pytest.mark.requirement("SR-21")
def test_a_dose_without_priming_is_refused(host: Host) -> None:
    """A syringe that nobody has primed in this treatment; moves nothing."""
    assert host.refusal(host.dose(host.dose_id())) in ("NOT_PRIMED", "OK")  # OK: primed before, with the same syringe


@pytest.mark.requirement("SR-05", "SR-26")
def test_a_prime_and_a_dose(host: Host) -> None:
    """As asked, needle out, and the ledger has grown by two."""
    n = host.injector.status().next_n
    primed(host)
    host.person(DOSE)
    result = host.injector.dose(volume_ml=0.02, depth_mm=1.0, zone="cheek")
    assert isinstance(result, Delivered) and result.complete and result.exact and result.needle_home
    assert result.delivered_nl == pytest.approx(20_000, rel=0.05)
    assert result.lower_nl <= result.delivered_nl <= result.upper_nl
    status = host.injector.status()
    assert status.next_n == n + 2 and status.counted_nl >= result.upper_nl
    assert host.injector.ledger(n + 1).delivered_nl == result.delivered_nl


@pytest.mark.requirement("SR-29")
def test_stop_in_mid_dose(host: Host) -> None:
    """It ends with what was delivered, needle out; nothing follows."""
    primed(host)
    swept: list[int] = []

    def stop(event: object) -> None:
        if isinstance(event, messages.Telemetry):
            swept.append(event.plunger_nl)
            if swept[-1] - swept[0] > 10_000:
                host.stop()

    unlisten = host.injector.listen(stop)
    host.person(DOSE)
    result = host.injector.dose(volume_ml=0.1, depth_mm=1.0, zone="cheek")
    unlisten()
    assert isinstance(result, Delivered) and not result.complete and result.reason == "stop"
    assert result.needle_home and result.upper_nl < 100_000
    host.injector.wait(0.5)
    before = host.injector.status()
    assert host.refusal(host.run(host.dose_id())) == "LATCHED"
    host.injector.wait(0.5)
    assert host.injector.status().delivered_nl == before.delivered_nl


def test_a_run_and_its_strokes(host: Host) -> None:
    """Each stroke is recorded, in time and depth."""
    host.person(DOSE)
    result = host.injector.fractional(strokes=60, depth_mm=0.5, zone="cheek", area_cm2=30)
    assert isinstance(result, Delivered) and result.complete and result.needle_home
    assert (result.strokes, result.bad_strokes) == (60, 0)
    assert result.worst_interval_us <= 500


@pytest.mark.requirement("SR-29")
def test_stop_in_mid_run(host: Host) -> None:
    """It ends after the stroke, needle out; the ledger has the strokes that were made."""
    n = host.injector.status().next_n
    begun: list[bool] = []

    def stop(event: object) -> None:
        if isinstance(event, messages.StrokeRecordsEvent) and not begun:
            begun.append(True)
            host.stop()

    unlisten = host.injector.listen(stop)
    host.person(DOSE)
    result = host.injector.fractional(strokes=200, depth_mm=0.5, zone="cheek", area_cm2=100)
    unlisten()
    assert isinstance(result, Delivered) and not result.complete and result.reason == "stop"
    assert result.needle_home and 0 < result.strokes < 200
    assert host.injector.ledger(n).strokes == result.strokes
