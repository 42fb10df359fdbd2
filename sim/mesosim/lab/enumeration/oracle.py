"""What must hold at the end of every branch, whatever was broken. The plant is the witness.

Time to hazard: a needle in skin longer than IN_SKIN_US of dispensing and settling, or longer than STOPPED_US after a
STOP that the device has taken. Amounts: more than a tenth, or 10 ul, above what was asked; bounds without the truth.
"""

from __future__ import annotations

from mesoprotocol import limits, wire
from mesosim.lab.enumeration.host import Dose, Host, Unexpected
from mesosim.lab.enumeration.workloads import Witness
from mesosim.world import trace
from mesosim.world.world import START_US

OVER_NL = 10_000
OVER_PERCENT = 10
OVERHEAD_NL = 250
"""What may pass the tip beside a dose: skin's own pressure into a needle at rest, and back."""
DOSE_US = 2_000_000
"""Longest dispensing of a workload off its prime, with way in and out."""
IN_SKIN_US = DOSE_US + limits.SETTLE_MAX_MS * 1000 + limits.DEADMAN_MS * 1000
STOPPED_US = (limits.DEADMAN_MS + limits.NEEDLE_HOME_MS) * 1000
STOPPED_STEPS = 90
"""Plunger steps within 50 ms of dispensing: STOP's way to the motor, and one late call."""
DEPTH_UM = limits.DEPTH_TOLERANCE_UM + 36
"""SR-31's tolerance, and the carrier sensor's noise."""
REST_US = 12_000_000

RULES = {
    "needle": "the needle is out at the end",
    "motion": "nothing moves at the end",
    "power": "no permit and no motor power at the end",
    "time": "the needle is out in time",
    "stop": "STOP ends the plunger",
    "over": "no over-dose",
    "under": "what is called done was given",
    "bounds": "the truth lies within the bounds that the device gives",
    "strokes": "no more punctures than asked, and as many as the device says, bad ones apart",
    "depth": "no dose or stroke too deep that is called complete",
    "again": "an id that has ended moves nothing",
    "memory": "the device forgets neither doses nor keys, or says so",
}


def judge(host: Host) -> list[str]:
    """The rules that this branch breaks, by name; call it once nothing more is asked."""
    broken = []
    plant = host.world.plant
    host.rest(REST_US)
    rested = host.account()
    if not rested["needle_home"] or plant.fluid.in_skin:
        broken.append("needle")
    if rested["moving"]:
        broken.append("motion")
    if plant.permitted or plant.powered:
        broken.append("power")
    broken += _times(host)
    if any(rested["plunger_steps"] > at + STOPPED_STEPS for _, at in host.stops):
        broken.append("stop")
    for dose in host.doses:
        broken += _amounts(host, dose, rested)
    return broken + _afterwards(host, rested)


def _times(host: Host) -> list[str]:
    """How long the needle was in skin, in all and after a STOP."""
    witness = host.world.log
    assert isinstance(witness, Witness)
    entered = -1
    stops = [sent + START_US for sent, _ in host.stops]
    for t, kind, inside in [*witness.seen, (host.t_us + START_US, trace.SKIN, 0)]:
        if kind != trace.SKIN:
            continue
        if inside:
            entered = t
        elif entered >= 0:
            late = any(entered <= sent < t - STOPPED_US for sent in stops)
            if t - entered > IN_SKIN_US or late:
                return ["time"]
            entered = -1
    return []


def _amounts(host: Host, dose: Dose, rested: dict[str, int]) -> list[str]:
    broken = []
    given_nl = rested["tip_nl"] - dose.before["tip_nl"]
    strokes = rested["punctures"] - dose.before["punctures"]
    moved = rested["plunger_steps"] != dose.before["plunger_steps"]
    end = dose.outcome
    if given_nl > dose.asked_nl + max(dose.asked_nl * OVER_PERCENT // 100, OVER_NL):
        broken.append("over")
    if dose.asked_strokes and strokes > dose.asked_strokes + 1:
        broken.append("strokes")
    if end is None or end.dose_state == wire.DOSE_FORGOTTEN:
        return broken  # a host calls this unknown, and counts all that was asked
    if end.dose_state in (wire.DOSE_NOT_FOUND, wire.DOSE_EXPIRED):
        if moved or abs(given_nl) > OVERHEAD_NL:
            broken.append("bounds")
        if dose.asked_strokes and strokes:
            broken.append("strokes")
        return broken
    done = end.dose_state == wire.DOSE_DONE
    if dose.asked_strokes:
        least = end.strokes - end.bad_strokes if end.flags & wire.FLAG_EXACT else 0
        if not least <= strokes <= end.strokes:
            broken.append("strokes")
        if done and strokes < dose.asked_strokes:
            broken.append("under")
    elif not end.lower_nl - OVERHEAD_NL <= given_nl <= end.upper_nl + OVERHEAD_NL:
        broken.append("bounds")
    elif done and end.mode != wire.MODE_PRIME and given_nl < dose.asked_nl - OVER_NL:
        broken.append("under")
    if done and _too_deep(host, dose):
        broken.append("depth")
    return broken


def _too_deep(host: Host, dose: Dose) -> bool:
    """Whether the needle went deeper than asked, more often than SR-31 lets pass."""
    witness = host.world.log
    assert isinstance(witness, Witness)
    since = dose.before["t_us"] + START_US
    deep: list[int] = [um for t, kind, um in witness.seen if kind == trace.BOTTOM and t >= since]
    asked_um: int = dose.request.depth_um
    wrong = sum(abs(um - asked_um) > DEPTH_UM for um in deep)
    return wrong >= (limits.BAD_STROKES_IN_A_ROW if dose.asked_strokes else 1)


def story(host: Host, dose: Dose) -> str:
    """A dose's end in a few words: what the device says, and what the plant gave."""
    now = host.account()
    given = f"{now['tip_nl'] - dose.before['tip_nl']} nl, {now['punctures'] - dose.before['punctures']} punctures"
    end = dose.outcome
    if end is None:
        return f"no outcome, given {given}"
    said = f"state {end.dose_state} reason {end.reason} flags {end.flags} {end.lower_nl}-{end.upper_nl} nl"
    return f"{said} {end.strokes} strokes ({end.bad_strokes} bad), given {given}"


def _afterwards(host: Host, rested: dict[str, int]) -> list[str]:
    """Another host comes, and asks for the same ids again: they are known, and nothing moves."""
    broken = []
    moves = "plunger_steps", "punctures"
    committed = [dose for dose in host.doses if dose.committed]
    ended = [d for d in committed if d.outcome and d.outcome.dose_state not in (wire.DOSE_NOT_FOUND, wire.DOSE_EXPIRED)]
    try:
        keyed = bool(host.hello and host.hello.capabilities & wire.CAPABILITY_KEYED)
        hello = host.open()
        corrupt = hello.latches & wire.LATCH_LEDGER_CORRUPT
        if not corrupt and any(dose.request.n >= hello.next_n for dose in ended):
            broken.append("memory")
        if host.key and keyed and not hello.capabilities & wire.CAPABILITY_KEYED:
            broken.append("memory")
        for dose in ended:
            host.commit(dose)
    except Unexpected:
        pass  # refused, as it must be, or mute
    host.rest(3_000_000)
    after = host.account()
    if any(after[name] != rested[name] for name in moves) or after["moving"]:
        broken.append("again")
    return broken
