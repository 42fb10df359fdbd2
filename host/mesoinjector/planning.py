"""The host's own computation of what the device plans, to be compared with the device's echo before COMMIT.

Written apart from the firmware on purpose: from the bore and the pitch, in floating point, not from the
firmware's picolitres.
"""

from __future__ import annotations

import math
import struct
import zlib

from mesoinjector import catalogue
from mesoinjector.errors import PlanError
from mesoprotocol import limits, messages, typed

STEP_UM = 0.3125
"""Plunger travel a step: 1 mm pitch, 200 x 16 microsteps; reference handpiece."""
TICKS_PER_MINUTE = 1_500_000_000
"""40 ns ticks a minute."""


def steps_for(volume_nl: int, bore_um: int) -> float:
    """Plunger steps of a volume, from geometry."""
    area_mm2 = math.pi / 4 * (bore_um / 1000) ** 2
    return volume_nl / 1000 / area_mm2 / (STEP_UM / 1000)


def check_dose(
    request: messages.Prepare | messages.PrepareSeries, plan: messages.PrepareReply | messages.PrepareSeriesReply
) -> None:
    """Compare the device's plan of a dose or a series with this side's. Raises `PlanError`; nothing was committed."""
    bore_um = next(profile.bore_um for profile in catalogue.PROFILES.values() if profile.id == request.profile)
    steps = steps_for(request.volume_nl, bore_um)
    # the device's picolitres a step are rounded to one in 5,608
    if abs(plan.steps - steps) > 1 + steps / 5000:
        raise _differs("plunger steps", plan.steps, round(steps))
    if plan.depth_um != request.depth_um // 10 * 10:
        raise _differs("depth in um", plan.depth_um, request.depth_um)
    reply = struct.pack("<I", plan.steps)[:3] + struct.pack("<IH", plan.dispense_ms, plan.depth_um)
    _check_crc(request, reply, plan.plan_crc)


def check_run(
    request: messages.PrepareRun | messages.PrepareDry, plan: messages.PrepareRunReply | messages.PrepareDryReply
) -> None:
    """Compare the device's plan of a run, dry or not, with this side's. Raises `PlanError`; nothing was committed."""
    ticks = plan.cycle_ticks * request.rate_per_min + plan.remainder
    if ticks != TICKS_PER_MINUTE or plan.remainder >= request.rate_per_min:
        raise _differs("ticks a minute", ticks, TICKS_PER_MINUTE)
    if plan.depth_um != request.depth_um // 10 * 10:
        raise _differs("depth in um", plan.depth_um, request.depth_um)
    reply = struct.pack("<IHH", plan.cycle_ticks, plan.remainder, plan.depth_um)
    _check_crc(request, reply, plan.plan_crc)


def check_home(request: messages.PrepareHome, plan: messages.PrepareHomeReply) -> None:
    """Compare the device's plan of homing with this side's. Raises `PlanError`; nothing was committed."""
    if plan.steps != round(limits.CARRIAGE_TRAVEL_UM / STEP_UM):
        raise _differs("plunger steps", plan.steps, round(limits.CARRIAGE_TRAVEL_UM / STEP_UM))
    if plan.depth_um:
        raise _differs("depth in um", plan.depth_um, 0)
    reply = struct.pack("<I", plan.steps)[:3] + struct.pack("<IH", plan.back_ms, plan.depth_um)
    _check_crc(request, reply, plan.plan_crc)


def _check_crc(
    request: messages.Prepare
    | messages.PrepareSeries
    | messages.PrepareRun
    | messages.PrepareDry
    | messages.PrepareHome,
    reply: bytes,
    plan_crc: bytes,
) -> None:
    _, layout = typed.LAYOUTS[type(request)]
    crc = zlib.crc32(layout.pack(request) + reply, zlib.crc32(b"PLAN"))
    if crc.to_bytes(4, "little") != plan_crc:
        raise _differs("the plan's check sum", int.from_bytes(plan_crc, "little"), crc)


def _differs(what: str, theirs: int, ours: int) -> PlanError:
    return PlanError(
        f"the device plans otherwise than this host: {what}: device {theirs}, host {ours}. Nothing was committed. "
        "Next: do not use this device; report both versions."
    )
