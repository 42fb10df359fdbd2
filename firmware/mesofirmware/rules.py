"""What may be prepared: every limit of a dose or a run, checked before anything is written or moves; what may go on.

Those that judge return a status of the schema, `against` a reason. Values are the request's fields by their wire index.
"""

from mesoprotocol import limits, wire

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mesofirmware.cartridge import Cartridge
    from mesofirmware.ledger import Ledger

_DOSES = (wire.MODE_SINGLE, wire.MODE_TEST, wire.MODE_RETROGRADE)
_IN_AND_OUT_US = 100_000
"""Twice `motion.half_stroke`."""


def zone(zone_id: int) -> "tuple | None":
    """The zone's row of `limits.ZONES`, or None."""
    for row in limits.ZONES:
        if row[0] == zone_id:
            return row
    return None


def profile(profile_id: int) -> "tuple | None":
    """The profile's row of `limits.PROFILES`, or None."""
    for row in limits.PROFILES:
        if row[0] == profile_id:
            return row
    return None


def request(
    args: list,
    kind: int,
    inputs: int,
    ledger: "Ledger",
    mounted: "Cartridge",
    primed: bool,
    primed_nl: int,
    swept: int,
) -> int:
    """Whatever a message `kind` asks for. `primed_nl`: primed so far; `swept`: steps made with this syringe."""
    if kind == wire.PREPARE_RUN:
        return run(args, inputs, ledger, mounted)
    if kind == wire.PREPARE_SERIES:
        return series(args, inputs, ledger, primed, swept)
    if kind == wire.PREPARE:
        return dose(args, inputs, ledger, primed, primed_nl, swept)
    return service(args, inputs, kind)


def dose(args: list, inputs: int, ledger: "Ledger", primed: bool, primed_nl: int, swept: int) -> int:
    """One dose, single, retrograde or test, or a prime."""
    mode = args[wire.PREPARE_MODE]
    volume = args[wire.PREPARE_VOLUME_NL]
    depth = args[wire.PREPARE_DEPTH_UM]
    if mode == wire.MODE_PRIME:
        if depth != 0 or args[wire.PREPARE_ZONE] != 0:
            return wire.S_RANGE
        if primed_nl + volume > limits.PRIME_MAX_NL:
            return wire.S_PRIME_LIMIT
        if inputs & wire.INPUT_CONTACT:
            return wire.S_SKIN_CONTACT
    else:
        least = limits.TEST_MIN_NL if mode == wire.MODE_TEST else limits.DOSE_MIN_NL
        most = limits.TEST_MAX_NL if mode == wire.MODE_TEST else limits.DOSE_MAX_NL
        if mode not in _DOSES or volume < least or volume > most:
            return wire.S_RANGE
        status = _place(args, volume, ledger)
        if status != wire.S_OK:
            return status
    status = _syringe(args, inputs, ledger, swept)
    if status == wire.S_OK and not primed and mode != wire.MODE_PRIME:
        return wire.S_NOT_PRIMED
    return status


def series(args: list, inputs: int, ledger: "Ledger", primed: bool, swept: int) -> int:
    """A repeat or a perfusion."""
    volume = args[wire.PREPARE_VOLUME_NL]
    stroke = args[wire.PREPARE_SERIES_STROKE_NL]
    rate = args[wire.PREPARE_SERIES_RATE_PER_MIN]
    flow = args[wire.PREPARE_SERIES_FLOW_NL_PER_S]
    row = profile(args[wire.PREPARE_PROFILE])
    if row is None:
        return wire.S_RANGE
    if args[wire.PREPARE_MODE] == wire.MODE_REPEAT:
        if stroke < limits.STROKE_MIN_NL or stroke > volume or rate < limits.REPEAT_RATE_MIN_PER_MIN or flow:
            return wire.S_RANGE
        status = _place(args, stroke, ledger)
        # way in and out, dispensing, three time constants for what the compliance stores
        tau_us = row[limits.PROFILE_RESISTANCE_PA_S_PER_UL] * row[limits.PROFILE_COMPLIANCE_NL_PER_KPA]
        in_skin_us = stroke * 1000 // row[limits.PROFILE_FLOW_NL_PER_S] * 1000 + 3 * tau_us + _IN_AND_OUT_US
        if status == wire.S_OK and in_skin_us > 60_000_000 // rate:
            return wire.S_FLOW
    else:
        if stroke or rate or flow < limits.FLOW_MIN_NL_PER_S or volume < limits.DOSE_MIN_NL:
            return wire.S_RANGE
        status = _place(args, volume, ledger)
        # what is stored when an occlusion is found must lie below the profile's pressure limit
        stored_pa = limits.OCCLUSION_NL * 1000 // row[limits.PROFILE_COMPLIANCE_NL_PER_KPA]
        in_flow_pa = row[limits.PROFILE_RESISTANCE_PA_S_PER_UL] * flow // 1000
        if status == wire.S_OK and in_flow_pa + stored_pa > row[limits.PROFILE_PRESSURE_MAX_KPA] * 1000:
            return wire.S_FLOW
    if status == wire.S_OK:
        status = _syringe(args, inputs, ledger, swept)
    if status == wire.S_OK and not primed:
        return wire.S_NOT_PRIMED
    return status


def _place(args: list, volume: int, ledger: "Ledger") -> int:
    """Depth, and volume at one point, in their zone; and when it was dosed last."""
    depth = args[wire.PREPARE_DEPTH_UM]
    if depth < limits.METERED_DEPTH_MIN_UM or depth > limits.METERED_DEPTH_MAX_UM:
        return wire.S_RANGE
    area = zone(args[wire.PREPARE_ZONE])
    if area is None or depth > area[2] or volume > area[4]:
        return wire.S_ZONE_LIMIT
    return wire.S_POINT_WAIT if ledger.points.must_wait(args[wire.PREPARE_POINT]) else wire.S_OK


def _syringe(args: list, inputs: int, ledger: "Ledger", swept: int) -> int:
    """What holds for all that leaves the syringe."""
    if not ledger.treatment:
        return wire.S_NO_TREATMENT
    row = profile(args[wire.PREPARE_PROFILE])
    if row is None:
        return wire.S_RANGE
    volume = args[wire.PREPARE_VOLUME_NL]
    if swept * row[limits.PROFILE_PL_PER_STEP] // 1000 + volume > row[limits.PROFILE_CAPACITY_NL]:
        return wire.S_SYRINGE_EMPTY
    # the upper bound of a dose may exceed what is asked by the profile's tolerance
    most = volume + volume * row[limits.PROFILE_TOLERANCE_PERMILLE] // 1000
    if ledger.counted_nl + most > limits.TREATMENT_MAX_NL:
        return wire.S_TREATMENT_LIMIT
    return interlock(inputs, args[wire.PREPARE_MODE])


def nears_empty(asked_nl: int, row: tuple, swept: int) -> bool:
    """SR-08: whether less than two such doses, or 5 %, is left behind `swept` steps in a syringe of profile `row`."""
    left = row[limits.PROFILE_CAPACITY_NL] - swept * row[limits.PROFILE_PL_PER_STEP] // 1000
    return left < 2 * asked_nl or left < row[limits.PROFILE_CAPACITY_NL] // 20


def run(args: list, inputs: int, ledger: "Ledger", mounted: "Cartridge") -> int:
    """A fractional run with the cartridge that is mounted."""
    if not ledger.treatment:
        return wire.S_NO_TREATMENT
    depth = args[wire.PREPARE_RUN_DEPTH_UM]
    if depth < limits.FRACTIONAL_DEPTH_MIN_UM or depth > limits.FRACTIONAL_DEPTH_MAX_UM:
        return wire.S_RANGE
    area = zone(args[wire.PREPARE_RUN_ZONE])
    if area is None or depth > area[3]:
        return wire.S_ZONE_LIMIT
    rate = args[wire.PREPARE_RUN_RATE_PER_MIN]
    strokes = args[wire.PREPARE_RUN_STROKES]
    if rate < limits.RATE_MIN_PER_MIN or rate > limits.RATE_MAX_PER_MIN or strokes > limits.STROKES_MAX:
        return wire.S_RANGE
    needles = args[wire.PREPARE_RUN_NEEDLES]
    area_cm2 = args[wire.PREPARE_RUN_AREA_CM2]
    if needles < limits.NEEDLES_MIN or needles > limits.NEEDLES_MAX:
        return wire.S_RANGE
    if area_cm2 < limits.AREA_MIN_CM2 or area_cm2 > limits.AREA_MAX_CM2:
        return wire.S_RANGE
    if strokes * needles * limits.NEEDLE_AREA_X1000_MM2 > area_cm2 * 1000 * limits.COVERAGE_MAX_PERCENT:
        return wire.S_COVERAGE
    if args[wire.PREPARE_RUN_DURATION_S] > limits.RUN_MAX_S:
        return wire.S_RANGE
    if strokes * 60 > args[wire.PREPARE_RUN_DURATION_S] * rate:
        return wire.S_RUN_TIME
    status = interlock(inputs, wire.MODE_FRACTIONAL)
    return mounted.judge(needles) if status == wire.S_OK else status


def service(args: list, inputs: int, kind: int) -> int:
    """What moves with nothing mounted, asked for by a message `kind`; the schema holds the ranges of a dry run."""
    if kind == wire.PREPARE_DRY:
        most = args[wire.PREPARE_DRY_DURATION_S] * args[wire.PREPARE_DRY_RATE_PER_MIN]
        if args[wire.PREPARE_DRY_STROKES] * 60 > most:
            return wire.S_RUN_TIME
    return wire.S_SKIN_CONTACT if inputs & wire.INPUT_CONTACT else interlock(inputs, wire.MODE_DRY)


def is_away(mode: int) -> bool:
    """Whether a mode is pressed and held away from the skin."""
    return mode == wire.MODE_PRIME or _is_bare(mode)


def _is_bare(mode: int) -> bool:
    return mode == wire.MODE_DRY or mode == wire.MODE_HOME


def is_mounted(inputs: int, mode: int) -> bool:
    """Whether what a mode needs is mounted; in service: that nothing is."""
    if _is_bare(mode):
        return not inputs & (wire.INPUT_SYRINGE | wire.INPUT_CARTRIDGE)
    return bool(inputs & (wire.INPUT_CARTRIDGE if mode == wire.MODE_FRACTIONAL else wire.INPUT_SYRINGE))


def interlock(inputs: int, mode: int) -> int:
    """What must be so before a mode starts."""
    if not is_mounted(inputs, mode) or not inputs & wire.INPUT_NEEDLE_HOME:
        return wire.S_INTERLOCK
    if inputs & (wire.INPUT_ESTOP | wire.INPUT_DRIVE_FAULT):
        return wire.S_INTERLOCK
    return wire.S_OK


def against(inputs: int, mode: int) -> int:
    """The reason that the inputs give why a mode must not go on; COMPLETE if none."""
    if inputs & wire.INPUT_ESTOP:
        return wire.REASON_ESTOP
    if inputs & wire.INPUT_DRIVE_FAULT:
        return wire.REASON_DRIVE_FAULT
    if not is_mounted(inputs, mode):
        return wire.REASON_SYRINGE
    if inputs & _BOTH != _BOTH:
        return wire.REASON_TRIGGER
    if bool(inputs & wire.INPUT_CONTACT) == is_away(mode):
        return wire.REASON_CONTACT
    return wire.REASON_COMPLETE


_BOTH = wire.INPUT_TRIGGER_A | wire.INPUT_TRIGGER_B
