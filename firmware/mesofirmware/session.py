"""Requests: which session and order they belong to, and what each does.

One session at a time; its number is never used again. A seq above the last is executed, an equal one is
answered from the cache, a lower one is dropped. HELLO with a new nonce ends what was in hand, with its
OUTCOME, before it is answered; with the known nonce it is answered again.
"""

import sys

from mesofirmware import ledger, strokes, version
from mesofirmware.records import StoreFailed
from mesoprotocol import codec, frame, limits, tick, wire

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mesofirmware.boards.port import Board
    from mesofirmware.clock import Clock
    from mesofirmware.latches import Latches
    from mesofirmware.ledger import Ledger
    from mesofirmware.link import Link
    from mesofirmware.transaction import Transaction

_NO_FIELDS = ()
_NO_VALUES: list = []
_STROKES_MAX = (frame.PAYLOAD_MAX - 6) // strokes.RECORD


def implementation() -> bytes:
    """What the firmware runs on, as `name version`."""
    v = sys.implementation.version
    return ("%s %d.%d.%d" % (sys.implementation.name, v[0], v[1], v[2])).encode()


class Session:
    """Answers the requests that `link` has found."""

    def __init__(
        self,
        board: "Board",
        clock: "Clock",
        link: "Link",
        book: "Ledger",
        latches: "Latches",
        transaction: "Transaction",
    ) -> None:
        self._board = board
        self._link = link
        self._ledger = book
        self._latches = latches
        self._transaction = transaction
        self.number = 0
        self._last_seq = 0
        self._last_beat = 0
        self._nonce = bytearray(8)
        self._hello_waits = False
        self._hello_seq = 0
        self._device_nonce = bytearray(8)
        self._args = [0] * 9
        h: list = [0] * len(wire.HELLO_REPLY_FIELDS)
        h[wire.HELLO_REPLY_NONCE] = self._nonce
        h[wire.HELLO_REPLY_MAJOR_MIN] = wire.MAJOR
        h[wire.HELLO_REPLY_MAJOR_MAX] = wire.MAJOR
        h[wire.HELLO_REPLY_UID] = board.uid
        h[wire.HELLO_REPLY_FIRMWARE] = version.FIRMWARE.encode()
        h[wire.HELLO_REPLY_SCHEMA_HASH] = wire.SCHEMA_HASH
        h[wire.HELLO_REPLY_IMPLEMENTATION] = implementation()
        h[wire.HELLO_REPLY_BOOT_ID] = board.boot_id
        h[wire.HELLO_REPLY_TIME] = clock.pair
        h[wire.HELLO_REPLY_LIMITS_CRC] = limits.fingerprint()
        h[wire.HELLO_REPLY_CAPABILITIES] = wire.CAPABILITY_METERED | wire.CAPABILITY_FRACTIONAL
        h[wire.HELLO_REPLY_WINDOW] = 1
        h[wire.HELLO_REPLY_DEVICE_NONCE] = self._device_nonce
        self._hello = h
        self._no_id = bytes(8)
        self._status: list = [0] * len(wire.STATUS_REPLY_FIELDS)
        self._status[wire.STATUS_REPLY_TIME] = clock.pair
        self._outcome: list = [0] * len(wire.OUTCOME_FIELDS)
        self._records = bytearray(_STROKES_MAX * strokes.RECORD)
        self._views = [memoryview(self._records)[: i * strokes.RECORD] for i in range(_STROKES_MAX + 1)]
        self._strokes: list = [0, 0, None]
        self._one = [0]
        self._two = [0, 0]

    # --- Order ----------------------------------------------------------------------------------------

    def handle(self, now: int) -> None:
        """Answer the request in the link."""
        link = self._link
        if link.msg_id == wire.HELLO:
            self._take_hello(now)
        elif link.major != wire.MAJOR:
            return
        elif link.session != self.number or self.number == 0:
            link.reply_uncached(self._transaction.state, wire.S_NO_SESSION, _NO_FIELDS, _NO_VALUES)
        elif link.msg_id == wire.HEARTBEAT:
            self._take_heartbeat(now)
        elif link.seq == self._last_seq:
            link.repeat()
        elif link.seq > self._last_seq:
            self._last_seq = link.seq
            status = self._check()
            if status == wire.S_OK:
                self._execute(now)
            else:
                self._refuse(status)

    def step(self) -> None:
        """Answer a HELLO that waited for a dose to end."""
        if self._hello_waits and self._transaction.state == wire.STATE_IDLE:
            self._hello_waits = False
            try:
                self.number = self._ledger.begin_session()
            except StoreFailed:
                self._latches.up(wire.LATCH_FAULT)
                return
            self._last_seq = 0
            self._last_beat = 0
            self._link.forget()
            self._board.nonce(self._device_nonce)
            self._answer_hello(self._hello_seq)

    def _check(self) -> int:
        """Length, range and state of the request in the link, by the schema."""
        link = self._link
        known = wire.REQUESTS.get(link.msg_id)
        if known is None:
            return wire.S_UNKNOWN_MESSAGE
        fields, states = known
        if link.length != codec.size(fields):
            return wire.S_BAD_LENGTH
        if codec.read(fields, link.body, frame.HEADER, self._args) >= 0:
            return wire.S_RANGE
        transactional = link.msg_id in (wire.PREPARE, wire.PREPARE_RUN, wire.COMMIT)
        if not transactional and not states & 1 << self._transaction.state:
            return wire.S_WRONG_STATE
        return wire.S_OK

    def _take_hello(self, now: int) -> None:
        link = self._link
        if link.length != codec.size(wire.HELLO_FIELDS):
            return
        body = link.body
        at = frame.HEADER
        if link.major != wire.MAJOR or not body[at + 8] <= wire.MAJOR <= body[at + 9]:
            # another major: say so in its own words, and leave what is in hand alone
            if self._transaction.state == wire.STATE_IDLE:
                hello = list(self._hello)
                hello[wire.HELLO_REPLY_NONCE] = bytes(body[at : at + 8])
                hello[wire.HELLO_REPLY_SESSION] = 0
                link.reply_foreign(wire.S_VERSION, wire.STATE_IDLE, wire.HELLO_REPLY_FIELDS, hello)
            return
        if codec.same(body, at, self._nonce, 0, 8) and self.number:
            if not self._hello_waits:
                self._answer_hello(link.seq)
            return
        i = 0
        while i < 8:
            self._nonce[i] = body[at + i]
            i += 1
        self.number = 0
        self._hello_seq = link.seq
        self._hello_waits = True
        self._transaction.abort(now, wire.REASON_SESSION)

    def _answer_hello(self, seq: int) -> None:
        h = self._hello
        h[wire.HELLO_REPLY_SESSION] = self.number
        h[wire.HELLO_REPLY_NEXT_N] = self._ledger.next_n
        h[wire.HELLO_REPLY_LATCHES] = self._latches.bits
        h[wire.HELLO_REPLY_STOP_COUNT] = self._latches.stop_count
        h[wire.HELLO_REPLY_TREATMENT] = self._ledger.treatment
        self._link.msg_id = wire.HELLO
        self._link.seq = seq
        self._link.session = 0
        self._link.reply_uncached(self._transaction.state, wire.S_OK, wire.HELLO_REPLY_FIELDS, h)

    def _take_heartbeat(self, now: int) -> None:
        link = self._link
        fields = wire.HEARTBEAT_FIELDS
        a = self._args
        if link.length != codec.size(fields) or codec.read(fields, link.body, frame.HEADER, a) >= 0:
            return
        if a[wire.HEARTBEAT_COUNTER] <= self._last_beat:
            return
        self._last_beat = a[wire.HEARTBEAT_COUNTER]
        age = tick.diff(now, a[wire.HEARTBEAT_ECHO_TICK])
        if 0 <= age <= limits.HEARTBEAT_TIMEOUT_MS * 1000:
            self._transaction.heard(now, link.body, a[wire.HEARTBEAT_DOSE_ID])
        self._two[0] = self._last_beat
        self._two[1] = now
        link.reply_uncached(self._transaction.state, wire.S_OK, wire.HEARTBEAT_REPLY_FIELDS, self._two)

    # --- Requests -------------------------------------------------------------------------------------

    def stop(self, now: int) -> None:
        """STOP: from any state, without a session."""
        self._latches.stop()
        self._transaction.abort(now, wire.REASON_STOP)
        self._one[0] = self._latches.stop_count
        self._link.reply_uncached(self._transaction.state, wire.S_OK, wire.STOP_REPLY_FIELDS, self._one)

    def _execute(self, now: int) -> None:
        msg_id = self._link.msg_id
        if msg_id == wire.STATUS:
            self._tell_status()
        elif msg_id == wire.PREPARE or msg_id == wire.PREPARE_RUN:
            self._prepare(now, msg_id == wire.PREPARE_RUN)
        elif msg_id == wire.COMMIT:
            self._commit(now)
        elif msg_id == wire.QUERY:
            self._query()
        elif msg_id == wire.LEDGER:
            self._tell_entry(self._args[wire.LEDGER_N])
        elif msg_id == wire.STROKES:
            self._tell_strokes()
        elif msg_id == wire.START_TREATMENT:
            self._start_treatment()
        elif msg_id == wire.CLEAR:
            self._clear()
        elif msg_id == wire.ACK:
            self._acknowledge()
        else:
            self._refuse(wire.S_UNKNOWN_MESSAGE)

    def _refuse(self, status: int) -> None:
        self._link.reply(self.number, status, self._transaction.state, _NO_FIELDS, _NO_VALUES)

    def _accept(self, fields: tuple, values: list) -> None:
        self._link.reply(self.number, wire.S_OK, self._transaction.state, fields, values)

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
        s[wire.STATUS_REPLY_BATTERY_MV] = board.battery_mv()
        s[wire.STATUS_REPLY_RX_BAD] = self._link.bad
        s[wire.STATUS_REPLY_TX_DROPPED] = min(self._link.dropped, 0xFFFF)
        self._accept(wire.STATUS_REPLY_FIELDS, s)

    def _prepare(self, now: int, is_run: bool) -> None:
        link = self._link
        transaction = self._transaction
        status = transaction.prepare(now, link.body, frame.HEADER, link.length, self._args, is_run)
        if status != wire.S_OK:
            self._refuse(status)
        else:
            fields = wire.PREPARE_RUN_REPLY_FIELDS if is_run else wire.PREPARE_REPLY_FIELDS
            self._accept(fields, transaction.plan.values)

    def _commit(self, now: int) -> None:
        transaction = self._transaction
        status = transaction.commit(now, self._link.body, self._args)
        if status != wire.S_OK:
            self._refuse(status)
            return
        self._one[0] = transaction.dose_state()
        self._accept(wire.COMMIT_REPLY_FIELDS, self._one)

    def _query(self) -> None:
        """What became of an id. The number it was given decides what can be proven."""
        transaction = self._transaction
        book = self._ledger
        n = self._args[wire.QUERY_N]
        body = self._link.body
        at = self._args[wire.QUERY_DOSE_ID]
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
            same = codec.same(body, at, book.intent[ledger.I_ID], 0, 8)
            if found == ledger.CLOSED and same:
                self.fill_outcome()
                self._accept(wire.OUTCOME_FIELDS, self._outcome)
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
            self._accept(wire.OUTCOME_FIELDS, self._outcome)
        else:
            known = 0 < n < self._ledger.next_n or self._ledger.corrupt
            self._tell_bare(self._no_id, 0, n, wire.DOSE_FORGOTTEN if known else wire.DOSE_NOT_FOUND)

    def _tell_bare(self, body: "bytearray | bytes", at: int, n: int, dose_state: int) -> None:
        """An outcome of which nothing is known but its state. Nothing is armed by it; copies eight bytes."""
        o = self._outcome
        i = 0
        while i < len(o):
            o[i] = 0
            i += 1
        o[wire.OUTCOME_DOSE_ID] = bytes(body[at : at + 8])
        o[wire.OUTCOME_N] = n
        o[wire.OUTCOME_DOSE_STATE] = dose_state
        o[wire.OUTCOME_BOOT_ID] = self._board.boot_id
        self._accept(wire.OUTCOME_FIELDS, o)

    def fill_outcome(self) -> list:
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
        return o

    def _tell_strokes(self) -> None:
        ring = self._transaction.fractional.strokes
        first = max(self._args[wire.STROKES_FIRST], ring.oldest())
        n = max(0, min(_STROKES_MAX, ring.count - first))
        ring.copy(first, n, self._records)
        self._strokes[0] = first
        self._strokes[1] = n
        self._strokes[2] = self._views[n]
        self._accept(wire.STROKES_REPLY_FIELDS, self._strokes)

    def _start_treatment(self) -> None:
        book = self._ledger
        treatment = self._args[wire.START_TREATMENT_TREATMENT]
        if treatment != book.treatment:
            try:
                book.start_treatment(treatment)
            except StoreFailed:
                self._latches.up(wire.LATCH_FAULT)
                self._refuse(wire.S_STORE_FAILED)
                return
            self._transaction.new_treatment()
        self._one[0] = book.treatment
        self._accept(wire.START_TREATMENT_REPLY_FIELDS, self._one)

    def _clear(self) -> None:
        inputs = self._board.inputs()
        held = wire.INPUT_TRIGGER_A | wire.INPUT_TRIGGER_B | wire.INPUT_ESTOP
        if self._args[wire.CLEAR_LATCH_COUNT] != self._latches.count:
            self._refuse(wire.S_COUNT_MISMATCH)
        elif inputs & held:
            self._refuse(wire.S_CAUSE_PRESENT)
        else:
            self._latches.clear(self._args[wire.CLEAR_LATCHES])
            self._one[0] = self._latches.bits
            self._accept(wire.CLEAR_REPLY_FIELDS, self._one)

    def _acknowledge(self) -> None:
        try:
            acknowledged = self._ledger.acknowledge(self._args[wire.ACK_N])
        except StoreFailed:
            self._refuse(wire.S_STORE_FAILED)
            return
        if acknowledged:
            self._latches.bits &= ~wire.LATCH_INTERRUPTED
        self._one[0] = self._latches.bits
        self._accept(wire.ACK_REPLY_FIELDS, self._one)
