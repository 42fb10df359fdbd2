"""The request in hand, from PREPARE to the end of its dose, and the plan that follows from it.

Nothing moves or is written here: `take` copies a request that was found allowed, `fill_intent` hands it to
the ledger. Request and plan are bound together by a CRC, which COMMIT must bear. Nothing is allocated.
"""

from mesofirmware import ledger, motion, rules
from mesoprotocol import bulk, codec, crc, limits, wire


class Plan:
    """One request: `args` are its fields by their wire index, `values` the fields of PREPARE's reply."""

    def __init__(self) -> None:
        self._seed = crc.seed(b"PLAN")
        self._bound = bytearray(64)
        self._request_n = 0
        self._end = 0
        self._again = [0] * 11
        self.dose_id = bytearray(8)
        self.n = 0
        self.kind = 0
        """Which message asked for it."""
        self.mode = 0
        self.is_run = False
        """Strokes of the drive: a fractional run, or a dry one."""
        self.is_held = False
        """The released trigger holds it, and does not end it."""
        self.is_prime = False
        self.is_homing = False
        self.is_away = False
        """Pressed and held away from the skin."""
        self.duration_s = 0
        """Time limit of a run."""
        self.args = [0] * 11
        self.profile = limits.PROFILES[0]
        """What is mounted, as the last dose named it."""
        self.deepest_um = 0
        """How deep the zone allows a run to go."""
        self.end_um = 0
        """Depth at the last plunger step; that of the first, unless the needle is drawn back meanwhile."""
        self.stroke_steps = 0
        """Plunger steps each time that the needle is in: all of a single dose."""
        self.flow_nl_per_s = 0
        self.period_us = 0
        """From stroke to stroke, at least."""
        self.crc = bytearray(4)
        self.values: list = [0, 0, 0, self.crc]

    def names(self, body: bytearray, at: int) -> bool:
        """Whether body[at:] begins with the id in hand."""
        return bulk.same(body, at, self.dose_id, 0, 8)

    def repeats(self, body: bytearray, at: int, n: int, kind: int) -> bool:
        """Whether body[at:at+n], a message `kind`, is the request in hand once more."""
        return n == self._request_n and kind == self.kind and bulk.same(body, at, self._bound, 0, n)

    def take(self, body: bytearray, at: int, n: int, args: list, kind: int) -> None:
        """Take the request body[at:at+n], a message `kind` that `rules` allow, and plan it."""
        bulk.copy(body, at, self._bound, 0, n)
        self._request_n = n
        bulk.copy(body, at, self.dose_id, 0, 8)
        i = 0
        while i < len(self.args):
            self.args[i] = args[i]
            i += 1
        self.n = args[wire.PREPARE_N]
        self.kind = kind
        self.mode = mode(args, kind)
        self.is_run = self.mode == wire.MODE_FRACTIONAL or self.mode == wire.MODE_DRY
        self.is_prime = self.mode == wire.MODE_PRIME
        self.is_homing = self.mode == wire.MODE_HOME
        self.is_held = kind != wire.PREPARE and not self.is_homing
        self.is_away = rules.is_away(self.mode)
        if self.is_run:
            self._plan_run(n)
        elif self.is_homing:
            self.values[0] = motion.CARRIAGE_STEPS
            self.values[1] = limits.CARRIAGE_TRAVEL_UM * 1000 // limits.HOMING_UM_PER_S
            self._bind(n, 0, wire.PREPARE_REPLY_FIELDS)
        else:
            self._plan_dose(n)

    def asked_nl(self) -> int:
        """Volume each time that the needle is in, nl."""
        a = self.args
        repeat = self.kind == wire.PREPARE_SERIES and a[wire.PREPARE_SERIES_STROKE_NL]
        return repeat or a[wire.PREPARE_VOLUME_NL]

    def is_whole(self) -> bool:
        """Whether request and plan are still what their CRC was made of (SR-15)."""
        fields = wire.REQUESTS[self.kind][0]
        if not crc.matches(self._bound, self._end, self._seed):
            return False
        codec.read(fields, self._bound, 0, self._again)
        i = 1  # behind the id, of which a list has the place only
        while i < len(fields):
            if self._again[i] != self.args[i]:
                return False
            i += 1
        return True

    def fill_intent(self, intent: list) -> None:
        """Write the request into the ledger's `intent`."""
        bulk.copy(self.dose_id, 0, intent[ledger.I_ID], 0, 8)
        _describe(intent, self.args, self.kind)

    def _plan_run(self, n: int) -> None:
        if self.mode == wire.MODE_DRY:
            self.deepest_um = limits.FRACTIONAL_DEPTH_MAX_UM
            self.duration_s = self.args[wire.PREPARE_DRY_DURATION_S]
        else:
            zone = rules.zone(self.args[wire.PREPARE_RUN_ZONE])
            if zone is None:
                raise ValueError("a zone that the rules allowed")
            self.deepest_um = zone[3]
            self.duration_s = self.args[wire.PREPARE_RUN_DURATION_S]
        rate = self.args[wire.PREPARE_RUN_RATE_PER_MIN]
        self.values[0] = motion.cycle_ticks(rate)
        self.values[1] = motion.cycle_remainder(rate)
        self._bind(n, self.args[wire.PREPARE_RUN_DEPTH_UM], wire.PREPARE_RUN_REPLY_FIELDS)

    def _plan_dose(self, n: int) -> None:
        profile = rules.profile(self.args[wire.PREPARE_PROFILE])
        if profile is None:
            raise ValueError("a profile that the rules allowed")
        self.profile = profile
        steps = motion.plunger_steps(self.args[wire.PREPARE_VOLUME_NL], profile)
        self.values[0] = steps
        self.stroke_steps = steps
        depth_um = self.args[wire.PREPARE_DEPTH_UM]
        retrograde = self.args[wire.PREPARE_MODE] == wire.MODE_RETROGRADE
        self.end_um = max(depth_um // 2, limits.METERED_DEPTH_MIN_UM) if retrograde else depth_um
        self.flow_nl_per_s = profile[limits.PROFILE_FLOW_NL_PER_S]
        self.period_us = 0
        if self.kind == wire.PREPARE_SERIES:
            if self.args[wire.PREPARE_MODE] == wire.MODE_REPEAT:
                many = strokes(self.args)
                self.stroke_steps = (steps + many - 1) // many
                self.period_us = 60_000_000 // self.args[wire.PREPARE_SERIES_RATE_PER_MIN]
            else:
                self.flow_nl_per_s = self.args[wire.PREPARE_SERIES_FLOW_NL_PER_S]
        interval_us = motion.plunger_interval(profile, self.flow_nl_per_s) // motion.TICKS_PER_US
        self.values[1] = steps * interval_us // 1000
        self._bind(n, depth_um, wire.PREPARE_REPLY_FIELDS)

    def _bind(self, n: int, depth_um: int, fields: tuple) -> None:
        """The CRC of the request's n bytes with the plan's values behind them."""
        self.values[2] = depth_um // motion.UM_PER_DEPTH_STEP * motion.UM_PER_DEPTH_STEP
        end = codec.write(fields, self.values, self._bound, n) - 4
        crc.put(self._bound, end, self._seed)
        bulk.copy(self._bound, end, self.crc, 0, 4)
        self._end = end


def strokes(args: list) -> int:
    """Strokes of a repeat, all alike and none above what is asked for; a perfusion has none."""
    stroke_nl = args[wire.PREPARE_SERIES_STROKE_NL]
    return (args[wire.PREPARE_VOLUME_NL] + stroke_nl - 1) // stroke_nl if stroke_nl else 0


def mode(args: list, kind: int) -> int:
    """The mode of a request, a message `kind`."""
    if kind == wire.PREPARE or kind == wire.PREPARE_SERIES:
        return args[wire.PREPARE_MODE]
    if kind == wire.PREPARE_RUN:
        return wire.MODE_FRACTIONAL
    return wire.MODE_DRY if kind == wire.PREPARE_DRY else wire.MODE_HOME


_asked: list = [0] * (ledger.I_RATE + 1)


def is_recorded(intent: list, args: list, kind: int) -> bool:
    """Whether a request, a message `kind`, asks for what the ledger's `intent` says, ids apart."""
    _describe(_asked, args, kind)
    i = ledger.I_MODE
    while i <= ledger.I_RATE:
        if intent[i] != _asked[i]:
            return False
        i += 1
    return True


def _describe(intent: list, args: list, kind: int) -> None:
    """Write what a request asks for into an `intent`, from its mode to its rate."""
    i = ledger.I_MODE
    while i <= ledger.I_RATE:
        intent[i] = 0
        i += 1
    intent[ledger.I_MODE] = mode(args, kind)
    if kind == wire.PREPARE_RUN or kind == wire.PREPARE_DRY:
        intent[ledger.I_DEPTH] = args[wire.PREPARE_RUN_DEPTH_UM]
        intent[ledger.I_STROKES] = args[wire.PREPARE_RUN_STROKES]
        intent[ledger.I_RATE] = args[wire.PREPARE_RUN_RATE_PER_MIN]
        if kind == wire.PREPARE_RUN:
            intent[ledger.I_ZONE] = args[wire.PREPARE_RUN_ZONE]
        return
    if kind == wire.PREPARE_HOME:
        return
    intent[ledger.I_ZONE] = args[wire.PREPARE_ZONE]
    intent[ledger.I_PROFILE] = args[wire.PREPARE_PROFILE]
    intent[ledger.I_POINT] = args[wire.PREPARE_POINT]
    intent[ledger.I_DEPTH] = args[wire.PREPARE_DEPTH_UM]
    intent[ledger.I_VOLUME] = args[wire.PREPARE_VOLUME_NL]
    if kind == wire.PREPARE_SERIES:
        intent[ledger.I_STROKES] = strokes(args)
        intent[ledger.I_RATE] = args[wire.PREPARE_SERIES_RATE_PER_MIN] or args[wire.PREPARE_SERIES_FLOW_NL_PER_S]
