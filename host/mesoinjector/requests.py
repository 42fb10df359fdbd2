"""What is asked for, in ml and mm, as the message that prepares it. Ranges are the device's; it checks them once more.

Each function raises `PlanError` that names argument, value and range; nothing was sent then.
"""

from __future__ import annotations

from mesoinjector import catalogue
from mesoinjector.arguments import in_range, micrometres, nanolitres, whole
from mesoinjector.errors import PlanError
from mesoinjector.journal import Intended
from mesoprotocol import limits, messages, wire


def prime(dose_id: bytes, n: int, volume_ml: float, profile: str) -> messages.Prepare:
    """At most 0.5 ml, away from the skin."""
    volume_nl = nanolitres(volume_ml, "volume_ml", 1, limits.PRIME_MAX_NL)
    syringe = catalogue.profile(profile)
    return messages.Prepare(dose_id, n, volume_nl, 0, wire.MODE_PRIME, syringe.id, 0, 0)


def dose(
    dose_id: bytes, n: int, volume_ml: float, depth_mm: float, zone: str, point: int, profile: str, mode: int
) -> messages.Prepare:
    """A single dose of 0.02 to 0.2 ml, or (mode TEST) a test dose of 0.01 to 0.02 ml, and within the zone."""
    area = catalogue.zone(zone)
    test = mode == wire.MODE_TEST
    least, most = (limits.TEST_MIN_NL, limits.TEST_MAX_NL) if test else (limits.DOSE_MIN_NL, limits.DOSE_MAX_NL)
    volume_nl = nanolitres(volume_ml, "volume_ml", least, min(most, area.dose_nl), zone)
    whole("point", point, 0, 0xFFFF)
    syringe = catalogue.profile(profile)
    return messages.Prepare(dose_id, n, volume_nl, _metered_um(depth_mm, zone), mode, syringe.id, area.id, point)


def repeat(
    dose_id: bytes,
    n: int,
    volume_ml: float,
    stroke_ml: float,
    rate_per_min: int,
    depth_mm: float,
    zone: str,
    point: int,
    profile: str,
) -> messages.PrepareSeries:
    """Strokes of 0.005 to 0.05 ml and within the zone, 6 to 300 a minute at most, 0.5 ml in all at most."""
    area = catalogue.zone(zone)
    most = min(limits.STROKE_MAX_NL, area.dose_nl)
    stroke_nl = nanolitres(stroke_ml, "stroke_ml", limits.STROKE_MIN_NL, most, zone)
    volume_nl = nanolitres(volume_ml, "volume_ml", stroke_nl, limits.REPEAT_MAX_NL)
    whole("rate_per_min", rate_per_min, limits.REPEAT_RATE_MIN_PER_MIN, limits.REPEAT_RATE_MAX_PER_MIN)
    whole("point", point, 0, 0xFFFF)
    syringe = catalogue.profile(profile)
    depth_um = _metered_um(depth_mm, zone)
    request = (
        dose_id,
        n,
        volume_nl,
        depth_um,
        wire.MODE_REPEAT,
        syringe.id,
        area.id,
        point,
        stroke_nl,
        rate_per_min,
        0,
    )
    return messages.PrepareSeries(*request)


def perfusion(
    dose_id: bytes, n: int, volume_ml: float, flow_ul_per_s: float, depth_mm: float, zone: str, point: int, profile: str
) -> messages.PrepareSeries:
    """0.02 ml or more and within the zone, at 1 to 50 ul/s."""
    area = catalogue.zone(zone)
    most = min(limits.REPEAT_MAX_NL, area.dose_nl)
    volume_nl = nanolitres(volume_ml, "volume_ml", limits.DOSE_MIN_NL, most, zone)
    slowest, fastest = limits.FLOW_MIN_NL_PER_S / 1e3, limits.FLOW_MAX_NL_PER_S / 1e3
    in_range("flow_ul_per_s", flow_ul_per_s, slowest, fastest, "ul/s")
    whole("point", point, 0, 0xFFFF)
    syringe = catalogue.profile(profile)
    flow = round(flow_ul_per_s * 1e3)
    request = (dose_id, n, volume_nl, _metered_um(depth_mm, zone), wire.MODE_PERFUSION, syringe.id, area.id, point)
    return messages.PrepareSeries(*request, 0, 0, flow)


def fractional(
    dose_id: bytes,
    n: int,
    strokes: int,
    depth_mm: float,
    zone: str,
    area_cm2: int,
    rate_per_min: int,
    needles: int,
    duration_s: int | None,
) -> messages.PrepareRun:
    """Punctures of at most 20 % of an area; `duration_s` by default twice the time of the strokes and 30 s."""
    area = catalogue.zone(zone)
    deepest = min(limits.FRACTIONAL_DEPTH_MAX_UM, area.fractional_um)
    depth_um = micrometres(depth_mm, limits.FRACTIONAL_DEPTH_MIN_UM, deepest, zone)
    whole("strokes", strokes, 1, limits.STROKES_MAX)
    whole("rate_per_min", rate_per_min, limits.RATE_MIN_PER_MIN, limits.RATE_MAX_PER_MIN)
    whole("needles", needles, limits.NEEDLES_MIN, limits.NEEDLES_MAX)
    whole("area_cm2", area_cm2, limits.AREA_MIN_CM2, limits.AREA_MAX_CM2)
    covered = strokes * needles * limits.NEEDLE_AREA_X1000_MM2 / (area_cm2 * 100_000)
    if covered * 100 > limits.COVERAGE_MAX_PERCENT:
        raise PlanError(
            f"{strokes} strokes of {needles} needles puncture {covered:.1%} of {area_cm2} cm2; at most "
            f"{limits.COVERAGE_MAX_PERCENT} % is allowed. Fewer strokes, or a larger area."
        )
    seconds = _seconds(strokes, rate_per_min, duration_s)
    return messages.PrepareRun(dose_id, n, strokes, depth_um, rate_per_min, area.id, needles, area_cm2, seconds)


def dry_run(
    dose_id: bytes, n: int, strokes: int, depth_mm: float, rate_per_min: int, duration_s: int | None
) -> messages.PrepareDry:
    """Strokes with nothing mounted; `duration_s` as for `fractional`."""
    depth_um = micrometres(depth_mm, limits.FRACTIONAL_DEPTH_MIN_UM, limits.FRACTIONAL_DEPTH_MAX_UM)
    whole("strokes", strokes, 1, limits.STROKES_MAX)
    whole("rate_per_min", rate_per_min, limits.RATE_MIN_PER_MIN, limits.RATE_MAX_PER_MIN)
    seconds = _seconds(strokes, rate_per_min, duration_s)
    return messages.PrepareDry(dose_id, n, strokes, depth_um, rate_per_min, seconds)


def intended(
    request: messages.Prepare
    | messages.PrepareSeries
    | messages.PrepareRun
    | messages.PrepareDry
    | messages.PrepareHome,
    kind: str,
    treatment: int,
    zone: str,
    point: int = 0,
) -> Intended:
    """What the journal notes of a request; `point` is that of a run, of which the device does not know."""
    if isinstance(request, messages.PrepareHome):
        return Intended(request.dose_id.hex(), request.n, kind, treatment, zone, 0, 0, 0, 0, 0)
    dose_id, n, depth_um = request.dose_id.hex(), request.n, request.depth_um
    if isinstance(request, messages.PrepareRun | messages.PrepareDry):
        area = (request.needles, request.area_cm2) if isinstance(request, messages.PrepareRun) else ()
        series = request.strokes, request.rate_per_min, *area
        return Intended(dose_id, n, kind, treatment, zone, point, 0, depth_um, *series)
    strokes, rate = 0, 0
    if isinstance(request, messages.PrepareSeries) and request.stroke_nl:
        strokes, rate = -(-request.volume_nl // request.stroke_nl), request.rate_per_min
    asked = request.point, request.volume_nl
    return Intended(dose_id, n, kind, treatment, zone, *asked, depth_um, strokes, rate)


def _seconds(strokes: int, rate_per_min: int, duration_s: int | None) -> int:
    least_s = -(-strokes * 60 // rate_per_min)
    seconds = min(2 * least_s + 30, limits.RUN_MAX_S) if duration_s is None else duration_s
    whole("duration_s", seconds, least_s, limits.RUN_MAX_S)
    return seconds


def _metered_um(depth_mm: float, zone: str) -> int:
    deepest = min(limits.METERED_DEPTH_MAX_UM, catalogue.zone(zone).metered_um)
    return micrometres(depth_mm, limits.METERED_DEPTH_MIN_UM, deepest, zone)
