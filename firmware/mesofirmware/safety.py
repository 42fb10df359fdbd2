"""The safety channel: it alone raises the permit, gives motor power and feeds the dead-man; the control path asks.

It reads the board itself, takes its bounds from the committed request by formulas of its own, and keeps them with their
complements. What exceeds them it stops at once, raises the alarm, and gives the reason, with which the control path
ends the dose. Apart from that path by its logic alone: both run on one core, one after the other (A-31). What no
program on that core can prevent, hardware does: the permit circuit and the dead-man of the Board port.
"""

from mesofirmware import clock, guarded, motion
from mesoprotocol import limits, tick, wire

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mesofirmware.alarms import Alarms
    from mesofirmware.boards.port import Board

_OFF, _ASKED, _BIND, _PULSES, _LOAD, _ARMED, _DOSE, _RUN = range(8)

_MOST, _LEAST, _RATE, _SLACK, _DEEPEST, _OUT_US, _AWAY = range(7)
"""Bounds: most and least counts of the carriage (in a run: most strokes), counts a second, counts it may be ahead of
that, deepest needle in um, longest time out of the handpiece, whether away from skin. In homing least is negative."""

_BOTH = wire.INPUT_TRIGGER_A | wire.INPUT_TRIGGER_B
_ON_SKIN = _BOTH | wire.INPUT_CONTACT
_CIRCUIT = _ON_SKIN | wire.INPUT_ESTOP
"""What the permit's circuit looks at."""
_FEED_US = limits.DEADMAN_MS * 250
_LOOK_US = limits.SAFETY_LOOK_MS * 1000
_SOON_US = 30_000
"""A wake this long after a look is taken for the next one."""
_LOAD_US = limits.POWER_CHECK_MS * 1000
_PULSES_MADE, _PULSE_TICKS = 4, 12_500
_PULSES_US = 3_000
"""Four pulses of 0.5 ms each, and a ms more."""
_LOOSE = 3
"""Strokes in a row without trigger, or dry ones on skin, that the control path cannot have let pass."""
_SELDOM = 8
"""Every so many looks, or strokes, the battery is looked at, and in a run the plunger."""
_LONGEST_US = 400_000


class Safety:
    """`reason` is why it has stopped what was armed, COMPLETE if it has not."""

    def __init__(self, board: "Board", alarms: "Alarms") -> None:
        self._board = board
        self._alarms = alarms
        self.bounds = guarded.Guarded(7)
        self.reason = wire.REASON_COMPLETE
        self._phase = _OFF
        self._now = 0
        self._since = 0
        self._fed_at = 0
        self._looked_at = 0
        self._home_at = 0
        self._kind = 0
        self._args: list = []
        self._pulses = motion.Table(1)
        self._plunger_at = 0
        self._encoder_at = 0
        self._encoder = 0
        self._credit = 0
        self._grown = 0  # of the credit, what is less than a count: ten-thousandths of one
        self._index = 0
        self._index_at = 0
        self._looks = 0
        self._pressed = 0
        self._nonsense = 0
        self._raised = 0
        self._flat = 0
        self._granted = False
        self.rest()

    # --- What the control path asks for ---------------------------------------------------------------

    def arm(self, args: list, kind: int) -> None:
        """What was committed after a message `kind` becomes the bounds; permit and power are tried, then `ready`."""
        self.reason = wire.REASON_COMPLETE
        self._kind = kind
        self._args = args
        self._phase = _ASKED
        self._alarms.down(wire.ALARM_LOOP_OVERRUN)

    def ready(self) -> bool:
        """Whether permit and power were tried; `reason` says whether in vain."""
        return self._phase == _ARMED

    def power(self) -> None:
        """Motor power, for what was armed. The watch begins."""
        if self._phase != _ARMED or self.reason != wire.REASON_COMPLETE:
            return
        board = self._board
        self._encoder_at = self._encoder = board.encoder()
        self._credit = self.bounds.values[_SLACK]
        self._grown = 0
        self._index = self._index_at = board.index_count()
        self._home_at = self._looked_at = self._now
        self._looks = self._pressed = self._nonsense = self._raised = self._flat = 0
        self._phase = _RUN if self._is_run() else _DOSE
        self._feed()
        board.enable(True)

    def permit(self) -> None:
        """Plunger steps, in the dose that was armed and while nothing stands against it."""
        if self._phase != _DOSE or self.reason != wire.REASON_COMPLETE:
            return
        if self._board.inputs() & wire.INPUT_PERMIT_PLUNGER and not self._granted:
            self._stop(wire.REASON_PERMIT, 0)  # it is up, and nobody has raised it
            return
        self._granted = True
        self._board.permit(True, self.bounds.values[_AWAY] == 1)

    def forbid(self) -> None:
        """No plunger steps any more; the needle's way out starts."""
        self._granted = False
        self._board.permit(False, False)

    def rest(self) -> None:
        """Nothing is to move: no permit, no motor power."""
        if self._phase == _PULSES:
            self._board.plunger.stop()
        self._phase = _OFF
        self.forbid()
        self._board.enable(False)

    def halt(self) -> None:
        """STOP has come, and is answered in its turn: what moves stops now."""
        if self._phase != _OFF:
            self._phase = max(self._phase, _ARMED)  # nothing more is tried
            self._stop(wire.REASON_STOP, 0)

    def missing(self) -> int:
        """Counts that the carriage lacks for the dose that was armed, at its end; 0 if none."""
        lacks = self.bounds.values[_LEAST] - (self._board.encoder() - self._encoder_at)
        return lacks if lacks > 0 else 0

    # --- Time -----------------------------------------------------------------------------------------

    def step(self, now: int) -> int:
        """Look at what is due; return microseconds until the next look."""
        self._now = now
        phase = self._phase
        if phase == _OFF or phase == _ARMED:
            return clock.FOREVER
        if phase == _ASKED:
            self._phase = _BIND  # by itself: the wake that takes COMMIT is long enough
            return 0
        if phase == _BIND:
            return self._bind(now)
        if phase == _PULSES:
            return self._check_permit(now)
        if phase == _LOAD:
            return self._check_power(now)
        if (now - self._fed_at) & tick.MASK >= _FEED_US:
            self._feed()
        if phase == _RUN:
            count = self._board.index_count()
            if count != self._index:
                self._index = count
                self._home_at = now
                self._look_at_stroke()
            elif self._board.inputs() & wire.INPUT_NEEDLE_HOME:
                self._home_at = now
            else:
                self._look_at_time()
            return 2 * _FEED_US
        past = (now - self._looked_at) & tick.MASK
        if past >= _SOON_US:
            self._look_at_dose(past)
            self._looked_at = now
            past = 0
        return _LOOK_US - past

    # --- Bounds ---------------------------------------------------------------------------------------

    def _bound_dose(self, args: list) -> None:
        prime = args[wire.PREPARE_MODE] == wire.MODE_PRIME
        profile = _row(limits.PROFILES, args[wire.PREPARE_PROFILE])
        deepest = limits.METERED_DEPTH_MAX_UM
        if not prime:
            deepest = _row(limits.ZONES, args[wire.PREPARE_ZONE])[2]
        volume = args[wire.PREPARE_VOLUME_NL]
        flow = profile[limits.PROFILE_FLOW_NL_PER_S]
        if args[wire.PREPARE_MODE] == wire.MODE_PERFUSION:
            flow = args[wire.PREPARE_SERIES_FLOW_NL_PER_S]
        bore = profile[limits.PROFILE_BORE_UM]
        # area of the bore in 2,000 um2, that is nl per 1,000 counts of 0.5 um; pi as 355/113
        area = bore * bore // 400 * 355 // 113 // 20
        tolerance = max(volume * limits.OVER_PERCENT // 100, limits.OVER_NL)
        self.bounds.put(_MOST, (volume + tolerance) * 1000 // area)
        self.bounds.put(_LEAST, 0 if prime else max(0, volume - tolerance) * 1000 // area)
        self.bounds.put(_RATE, flow * 1000 // area * (100 + limits.OVER_PERCENT) // 100)
        self.bounds.put(_SLACK, limits.OVER_NL * 1000 // area)
        self.bounds.put(_DEEPEST, deepest + limits.DEPTH_OVER_UM)
        self.bounds.put(_OUT_US, (2 * (volume * 1000 // flow) + limits.SETTLE_MAX_MS + 1000) * 1000)
        self.bounds.put(_AWAY, 1 if prime else 0)

    def _bound_run(self, args: list) -> None:
        dry = self._kind == wire.PREPARE_DRY
        deepest = limits.FRACTIONAL_DEPTH_MAX_UM
        if not dry:
            deepest = _row(limits.ZONES, args[wire.PREPARE_RUN_ZONE])[3]
        # the index may be seen once more where the drive rests
        self.bounds.put(_MOST, args[wire.PREPARE_RUN_STROKES] + 1)
        self.bounds.put(_LEAST, 0)
        self.bounds.put(_RATE, 0)
        self.bounds.put(_SLACK, 0)
        self.bounds.put(_DEEPEST, deepest + limits.DEPTH_OVER_UM)
        # two strokes and the way home, and half of that again
        self.bounds.put(
            _OUT_US, (120_000_000 // args[wire.PREPARE_RUN_RATE_PER_MIN] + limits.NEEDLE_HOME_MS * 1000) * 3 // 2
        )
        self.bounds.put(_AWAY, 1 if dry else 0)

    def _bound_home(self) -> None:
        """The carriage back only, the needle behind the nose; all of it in time."""
        self.bounds.put(_MOST, _PLAY)
        self.bounds.put(_LEAST, -2 * limits.CARRIAGE_TRAVEL_UM - _PLAY)
        self.bounds.put(_RATE, 0)
        self.bounds.put(_SLACK, _PLAY)
        self.bounds.put(_DEEPEST, limits.DEPTH_OVER_UM)
        self.bounds.put(_OUT_US, (limits.CARRIAGE_TRAVEL_UM * 1000 // limits.HOMING_UM_PER_S + 3_000) * 1000)
        self.bounds.put(_AWAY, 1)

    def _is_run(self) -> bool:
        return self._kind == wire.PREPARE_RUN or self._kind == wire.PREPARE_DRY

    # --- Looks ----------------------------------------------------------------------------------------

    def _bind(self, now: int) -> int:
        run = self._is_run()
        if self._kind == wire.PREPARE_HOME:
            self._bound_home()
        elif run:
            self._bound_run(self._args)
        else:
            self._bound_dose(self._args)
        self._since = now
        if run:
            return self._load(now)
        # pulses without permit and without motor power: if any is made, the permit's circuit does not hold them
        axis = self._board.plunger
        self._plunger_at = axis.position()
        motion.straight(self._pulses, _PULSES_MADE, _PULSE_TICKS)
        axis.feed(self._pulses.words, self._pulses.n, 1, False)
        self._phase = _PULSES
        return _PULSES_US

    def _check_permit(self, now: int) -> int:
        left = _PULSES_US - ((now - self._since) & tick.MASK)
        if left > 0:
            return left
        axis = self._board.plunger
        axis.stop()
        made = axis.position() - self._plunger_at
        if made:
            self._phase = _ARMED
            self._stop(wire.REASON_PERMIT, made)
            return clock.FOREVER
        return self._load(now)

    def _load(self, now: int) -> int:
        self._since = now
        self._phase = _LOAD
        self._board.enable(True)
        return _LOAD_US

    def _check_power(self, now: int) -> int:
        left = _LOAD_US - ((now - self._since) & tick.MASK)
        if left > 0:
            return left
        mv = self._board.battery_mv()
        self._board.enable(False)
        self._phase = _ARMED
        if mv < limits.BATTERY_START_MV:
            self._stop(wire.REASON_BATTERY, mv)
        return clock.FOREVER

    def _look_at_dose(self, past: int) -> None:
        board = self._board
        inputs = board.inputs()
        b = self.bounds.values
        if not self.bounds.whole():
            self._stop(wire.REASON_SELF_TEST, wire.CHECK_MEMORY)
        # the carriage: how far in all, and how fast, as credit that grows with time and is spent by counts
        counts = board.encoder()
        over = counts - self._encoder_at - b[_MOST]
        if over > 0:
            self._stop(wire.REASON_OVER_DELIVERY, over)
        homes = self._kind == wire.PREPARE_HOME
        if homes and counts - self._encoder_at < b[_LEAST]:
            self._stop(wire.REASON_OVER_DELIVERY, b[_LEAST])
        moved = counts - self._encoder
        self._encoder = counts
        self._grown += min(past, _LONGEST_US) // 100 * b[_RATE]
        self._credit = min(b[_SLACK], self._credit + self._grown // 10_000)
        self._grown %= 10_000
        if moved > 0:
            self._credit -= moved
        if self._credit < 0:
            self._stop(wire.REASON_OVER_DELIVERY, -self._credit)
        # one wrong look at the pressure is none
        pa = board.pressure_pa()
        self._pressed = self._pressed + 1 if pa > limits.PRESSURE_MAX_PA else 0
        if self._pressed >= 2:
            self._stop(wire.REASON_PRESSURE, pa)
        self._nonsense = self._nonsense + 1 if pa < limits.PRESSURE_MIN_PA else 0
        if self._nonsense >= 2:
            self._stop(wire.REASON_SENSOR, pa)
        um = board.needle_um()
        if um > b[_DEEPEST]:
            self._stop(wire.REASON_DEPTH, um)
        if inputs & wire.INPUT_NEEDLE_HOME and not homes:
            self._home_at = self._now
        self._look_at_time()
        # the circuit's own condition, which hardware has kept a look ago
        held = inputs & _CIRCUIT == (_BOTH if b[_AWAY] else _ON_SKIN)
        self._raised = self._raised + 1 if inputs & wire.INPUT_PERMIT_PLUNGER and not held else 0
        if self._raised >= 2:
            self._stop(wire.REASON_PERMIT, 0)
        self._looks += 1
        if self._looks % _SELDOM == 0:
            self._look_at_battery()

    def _look_at_stroke(self) -> None:
        board = self._board
        strokes = (self._index - self._index_at) & tick.MASK
        if self.reason != wire.REASON_COMPLETE:
            if strokes > 1:
                board.enable(False)  # parked, and fed on
            return
        if not self.bounds.whole():
            self._stop(wire.REASON_SELF_TEST, wire.CHECK_MEMORY)
        um = board.protrusion_um()
        if um > self.bounds.values[_DEEPEST]:
            self._stop(wire.REASON_DEPTH, um)
        if strokes > self.bounds.values[_MOST]:
            self._stop(wire.REASON_STROKES, strokes)
        held = _ON_SKIN if self.bounds.values[_AWAY] else _BOTH
        self._raised = 0 if board.inputs() & held == _BOTH else self._raised + 1
        if self._raised >= _LOOSE:
            self._stop(wire.REASON_STROKES, strokes)
        self._looks += 1
        if self._looks % _SELDOM == 0:
            self._look_at_battery()
            over = abs(board.encoder() - self._encoder_at)
            if over > _PLAY:
                self._stop(wire.REASON_OVER_DELIVERY, over)

    def _look_at_time(self) -> None:
        """The needle's time out of the handpiece; in homing all of its time."""
        out_us = (self._now - self._home_at) & tick.MASK
        if out_us > self.bounds.values[_OUT_US]:
            self._stop(wire.REASON_TIME if self._kind == wire.PREPARE_HOME else wire.REASON_IN_SKIN, out_us // 1000)

    def _look_at_battery(self) -> None:
        """Flat is what is so twice in a row."""
        mv = self._board.battery_mv()
        self._flat = self._flat + 1 if mv < limits.BATTERY_CUTOFF_MV else 0
        if self._flat >= 2:
            self._stop(wire.REASON_BATTERY, mv)

    def _stop(self, reason: int, value: int) -> None:
        """Stop what moves, then say so. The first reason stands."""
        if self.reason != wire.REASON_COMPLETE:
            return
        board = self._board
        self.forbid()
        board.plunger.stop()
        if self._phase == _RUN:
            board.drive.park()
            self._index_at = self._index
        self.reason = reason
        self._alarms.of(reason, value)

    def _feed(self) -> None:
        self._fed_at = self._now
        self._board.feed_deadman()


_PLAY = 160
"""Counts that the carriage may show without a plunger step: the play of its screw (80 um)."""


def _row(table: tuple, key: int) -> tuple:
    """A zone's or profile's row."""
    for row in table:
        if row[0] == key:
            found: tuple = row
            return found
    raise ValueError("%d was prepared and is in no table" % key)
