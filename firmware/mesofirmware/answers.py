"""What the device tells whoever asks: how it stands, what became of a dose, what it remembers.

Every answer is made in lists that exist from the start. Nothing here changes anything.
"""

from mesofirmware import ledger, strokes
from mesoprotocol import bulk, codec, frame, limits, wire

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mesofirmware.alarms import Alarms
    from mesofirmware.boards.port import Board
    from mesofirmware.clock import Clock
    from mesofirmware.events import Events
    from mesofirmware.latches import Latches
    from mesofirmware.ledger import Ledger
    from mesofirmware.link import Link
    from mesofirmware.log import Log
    from mesofirmware.selftest import SelfTest
    from mesofirmware.settings import Settings
    from mesofirmware.slots import Slots
    from mesofirmware.transaction import Transaction

_STROKES_MAX = (frame.PAYLOAD_MAX - 6) // strokes.RECORD


class Answers:
    """Fills `values` for a query; `fields` says what they are."""

    def __init__(
        self,
        board: "Board",
        clock: "Clock",
        link: "Link",
        book: "Ledger",
        latches: "Latches",
        transaction: "Transaction",
        events: "Events",
        settings: "Settings",
        log: "Log",
        alarms: "Alarms",
        selftest: "SelfTest",
        slots: "Slots",
        is_safe: bool,
    ) -> None:
        self._board = board
        self._link = link
        self._ledger = book
        self._latches = latches
        self._transaction = transaction
        self._events = events
        self._settings = settings
        self._log = log
        self._alarms = alarms
        self._selftest = selftest
        self._slots = slots
        self._is_safe = is_safe
        self._update: list = [0, 0, 0, 0]
        self._no_id = bytes(8)
        self._status: list = [0] * len(wire.STATUS_REPLY_FIELDS)
        self._status[wire.STATUS_REPLY_TIME] = clock.pair
        self._outcome: list = [0] * len(wire.OUTCOME_FIELDS)
        self._asked_id = bytearray(8)
        self._records = bytearray(_STROKES_MAX * strokes.RECORD)
        self._strokes: list = [0, 0, [self._records, 0, 0]]
        self._standing: list = [0] * len(wire.ALARMS_REPLY_FIELDS)
        self._time: list = [clock.pair]
        self._event: list = [0, 0, 0, [self._records, 0, 0]]
        self._entry: list = [0] * len(wire.LOG_REPLY_FIELDS)
        self._entry[wire.LOG_REPLY_CHAIN] = bytearray(8)
        self._mounted: list = [0] * len(wire.CARTRIDGE_REPLY_FIELDS)
        self.fields: tuple = ()
        self.values: list = []

    def answer(self, msg_id: int, args: list, body: bytearray) -> None:
        """Answer the query `msg_id`, whose fields are `args`."""
        if msg_id == wire.STATUS:
            self._tell_status()
        elif msg_id == wire.QUERY:
            self._tell_dose(body, args[wire.QUERY_DOSE_ID], args[wire.QUERY_N])
        elif msg_id == wire.LEDGER:
            self._tell_entry(args[wire.LEDGER_N])
        elif msg_id == wire.STROKES:
            self._tell_strokes(args[wire.STROKES_FIRST])
        elif msg_id == wire.CARTRIDGE:
            mounted = self._transaction.cartridge
            mounted.tell(mounted.judge(limits.NEEDLES_MAX), self._mounted)
            self._are(wire.CARTRIDGE_REPLY_FIELDS, self._mounted)
        elif msg_id == wire.UPDATE:
            self._slots.tell(self._is_safe, self._update)
            self._are(wire.UPDATE_REPLY_FIELDS, self._update)
        elif msg_id == wire.LOG:
            self._log.read(args[wire.LOG_N], self._entry)
            self._are(wire.LOG_REPLY_FIELDS, self._entry)
        elif msg_id == wire.SETTINGS:
            self._are(wire.SETTINGS_REPLY_FIELDS, self._settings.told())
        elif msg_id == wire.ALARMS:
            self._tell_alarms()
        elif msg_id == wire.SYNC:
            self._are(wire.SYNC_REPLY_FIELDS, self._time)
        else:
            self._events.read(args[wire.READ_EVENT_INDEX], self._event)
            self._are(wire.READ_EVENT_REPLY_FIELDS, self._event)

    def _are(self, fields: tuple, values: list) -> None:
        self.fields = fields
        self.values = values

    def _tell_status(self) -> None:
        s = self._status
        board = self._board
        busy = self._transaction.state != wire.STATE_IDLE
        s[wire.STATUS_REPLY_LATCHES] = self._latches.bits
        s[wire.STATUS_REPLY_STOP_COUNT] = self._latches.stop_count
        s[wire.STATUS_REPLY_LATCH_COUNT] = self._latches.count
        s[wire.STATUS_REPLY_DOSE_ID] = self._transaction.plan.dose_id if busy else self._no_id
        s[wire.STATUS_REPLY_NEXT_N] = self._ledger.next_n
        s[wire.STATUS_REPLY_TREATMENT] = self._ledger.treatment
        s[wire.STATUS_REPLY_DELIVERED_NL] = self._ledger.delivered_nl
        s[wire.STATUS_REPLY_COUNTED_NL] = self._ledger.counted_nl
        s[wire.STATUS_REPLY_INPUTS] = board.inputs()
        s[wire.STATUS_REPLY_PRESSURE_PA] = board.pressure_pa()
        s[wire.STATUS_REPLY_BATTERY_MV] = min(max(0, board.battery_mv()), 0xFFFF)
        s[wire.STATUS_REPLY_RX_BAD] = self._link.bad
        s[wire.STATUS_REPLY_TX_DROPPED] = min(self._link.dropped, 0xFFFF)
        self._are(wire.STATUS_REPLY_FIELDS, s)

    def _tell_alarms(self) -> None:
        s = self._standing
        s[wire.ALARMS_REPLY_STANDING] = self._alarms.standing
        s[wire.ALARMS_REPLY_FAILED_CHECKS] = self._selftest.failed
        s[wire.ALARMS_REPLY_SELF_TESTS] = self._selftest.count
        s[wire.ALARMS_REPLY_OVERRUNS] = self._alarms.overruns
        self._are(wire.ALARMS_REPLY_FIELDS, s)

    def _tell_dose(self, body: bytearray, at: int, n: int) -> None:
        """What became of an id. The number it was given decides what can be proven."""
        transaction = self._transaction
        book = self._ledger
        named = transaction.plan.names(body, at)
        if named and transaction.state != wire.STATE_IDLE:
            self._tell_bare(body, at, n, transaction.dose_state())
        elif n >= book.next_n and not book.corrupt:
            # never armed under this number; an id that is known by another number proves nothing
            if not named:
                self._tell_bare(body, at, n, wire.DOSE_NOT_FOUND)
            else:
                self._tell_bare(body, at, n, wire.DOSE_EXPIRED if n == transaction.plan.n else wire.DOSE_FORGOTTEN)
        elif not book.remembers(n):
            self._tell_bare(body, at, n, wire.DOSE_FORGOTTEN)
        else:
            found = book.load(n)
            same = bulk.same(body, at, book.intent[ledger.I_ID], 0, 8)
            if found == ledger.CLOSED and same:
                self.fill_outcome()
            else:
                # what cannot be read, or has no end, proves nothing either
                proven = found != ledger.UNREADABLE and not same
                self._tell_bare(body, at, n, wire.DOSE_NOT_FOUND if proven else wire.DOSE_FORGOTTEN)

    def _tell_entry(self, n: int) -> None:
        transaction = self._transaction
        if transaction.state >= wire.STATE_ARMED and n == transaction.plan.n:
            self._tell_bare(transaction.plan.dose_id, 0, n, transaction.dose_state())
        elif self._ledger.remembers(n) and self._ledger.load(n) == ledger.CLOSED:
            self.fill_outcome()
        else:
            known = 0 < n < self._ledger.next_n or self._ledger.corrupt
            self._tell_bare(self._no_id, 0, n, wire.DOSE_FORGOTTEN if known else wire.DOSE_NOT_FOUND)

    def _tell_bare(self, body: "bytearray | bytes", at: int, n: int, dose_state: int) -> None:
        """An outcome of which nothing is known but its state."""
        o = self._outcome
        for i in range(len(o)):
            o[i] = 0
        bulk.copy(body, at, self._asked_id, 0, 8)
        o[wire.OUTCOME_DOSE_ID] = self._asked_id
        o[wire.OUTCOME_N] = n
        o[wire.OUTCOME_DOSE_STATE] = dose_state
        o[wire.OUTCOME_BOOT_ID] = self._board.boot_id
        self._are(wire.OUTCOME_FIELDS, o)

    def fill_outcome(self) -> None:
        """The ledger's loaded entry as the fields of an outcome."""
        o = self._outcome
        intent = self._ledger.intent
        end = self._ledger.outcome
        o[wire.OUTCOME_DOSE_ID] = intent[ledger.I_ID]
        o[wire.OUTCOME_N] = end[ledger.O_N]
        o[wire.OUTCOME_DOSE_STATE] = end[ledger.O_STATE]
        o[wire.OUTCOME_REASON] = end[ledger.O_REASON]
        o[wire.OUTCOME_MODE] = intent[ledger.I_MODE]
        o[wire.OUTCOME_FLAGS] = end[ledger.O_FLAGS]
        o[wire.OUTCOME_ASKED_NL] = intent[ledger.I_VOLUME]
        o[wire.OUTCOME_DELIVERED_NL] = end[ledger.O_DELIVERED]
        o[wire.OUTCOME_LOWER_NL] = end[ledger.O_LOWER]
        o[wire.OUTCOME_UPPER_NL] = end[ledger.O_UPPER]
        o[wire.OUTCOME_STEPS] = end[ledger.O_STEPS]
        o[wire.OUTCOME_ASKED_STROKES] = intent[ledger.I_STROKES]
        o[wire.OUTCOME_STROKES] = end[ledger.O_STROKES]
        o[wire.OUTCOME_BAD_STROKES] = end[ledger.O_BAD]
        o[wire.OUTCOME_WORST_INTERVAL_US] = end[ledger.O_INTERVAL]
        o[wire.OUTCOME_WORST_DEPTH_UM] = end[ledger.O_DEPTH]
        o[wire.OUTCOME_DURATION_MS] = end[ledger.O_DURATION]
        o[wire.OUTCOME_TOTAL_NL] = end[ledger.O_TOTAL]
        o[wire.OUTCOME_BOOT_ID] = intent[ledger.I_BOOT]
        self._are(wire.OUTCOME_FIELDS, o)

    def put_outcome(self, n: int, buf: bytearray, at: int) -> int:
        """Write the outcome of ledger entry n into buf[at:], as QUERY tells it; its end. Nothing if it has none."""
        if self._ledger.load(n) != ledger.CLOSED:
            return at
        self.fill_outcome()
        return codec.write(wire.OUTCOME_FIELDS, self._outcome, buf, at)

    def _tell_strokes(self, asked: int) -> None:
        ring = self._transaction.fractional.strokes
        first = max(asked, ring.oldest())
        n = max(0, min(_STROKES_MAX, ring.count - first))
        ring.copy(first, n, self._records)
        s = self._strokes
        s[wire.STROKES_REPLY_FIRST] = first
        s[wire.STROKES_REPLY_COUNT] = n
        s[wire.STROKES_REPLY_RECORDS][2] = n * strokes.RECORD
        self._are(wire.STROKES_REPLY_FIELDS, s)
