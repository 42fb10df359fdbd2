"""Requests: in which order they are taken, and what those do that change something.

A seq above a session's last is executed, an equal one is answered from the cache, a lower one is dropped.
Who may ask is judged before the seq counts: what was not sent by the session's owner changes nothing.
"""

import gc

from mesofirmware import settings
from mesofirmware.records import StoreFailed
from mesoprotocol import codec, frame, limits, tick, wire

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mesofirmware.access import Access
    from mesofirmware.answers import Answers
    from mesofirmware.boards.port import Board
    from mesofirmware.latches import Latches
    from mesofirmware.ledger import Ledger
    from mesofirmware.link import Link
    from mesofirmware.log import Log
    from mesofirmware.peer import Peer
    from mesofirmware.selftest import SelfTest
    from mesofirmware.settings import Settings
    from mesofirmware.slots import Slots
    from mesofirmware.transaction import Transaction
    from mesofirmware.update import Update

_NO_FIELDS = ()
_NO_VALUES: list = []
_PREPARES = (wire.PREPARE, wire.PREPARE_RUN, wire.PREPARE_SERIES, wire.PREPARE_DRY, wire.PREPARE_HOME)
_TRANSACTIONAL = _PREPARES + (wire.COMMIT,)
"""Looked up by id before anything else, their state included."""
_UPDATES = (wire.UPDATE_BEGIN, wire.UPDATE_WRITE, wire.UPDATE_STAGE)
"""A refusal of one of these is said in the log."""
_HEARTBEAT_SIZE = codec.size(wire.HEARTBEAT_FIELDS)
_UNKNOWN = (None, 0, wire.ROLE_OBSERVER)


class Session:
    """Answers the requests that `link` has found."""

    def __init__(
        self,
        board: "Board",
        link: "Link",
        book: "Ledger",
        latches: "Latches",
        transaction: "Transaction",
        access: "Access",
        answers: "Answers",
        lasting: "Settings",
        log: "Log",
        selftest: "SelfTest",
        slots: "Slots",
    ) -> None:
        self._board = board
        self._link = link
        self._ledger = book
        self._latches = latches
        self._transaction = transaction
        self._access = access
        self._answers = answers
        self._settings = lasting
        self._log = log
        self._selftest = selftest
        self._slots = slots
        self._update: "Update | None" = None
        self._args = [0] * 11
        self._one = [0]
        self._two = [0, 0]

    # --- Order ----------------------------------------------------------------------------------------

    def handle(self, now: int) -> None:
        """Answer the request in the link."""
        link = self._link
        access = self._access
        if link.msg_id == wire.HELLO:
            access.take_hello(now)
            return
        if link.major != wire.MAJOR:
            return
        peer = access.peer(link.session)
        if peer is None:
            link.reply_uncached(self._transaction.state, wire.S_NO_SESSION, _NO_FIELDS, _NO_VALUES)
        elif link.msg_id == wire.HEARTBEAT:
            if access.judge(peer, wire.ROLE_OPERATOR) == wire.S_OK:
                self._take_heartbeat(now, peer)
        elif link.seq == peer.seq:
            link.repeat(peer)
        elif link.seq > peer.seq and not access.waits:
            self._take(now, peer)

    def _take(self, now: int, peer: "Peer") -> None:
        """The next request of a session."""
        link = self._link
        state = self._transaction.state
        fields, states, role = wire.REQUESTS.get(link.msg_id, _UNKNOWN)
        status = self._access.judge(peer, role)
        link.look()
        if status == wire.S_BAD_TAG:
            link.reply_uncached(state, status, _NO_FIELDS, _NO_VALUES)
            return
        peer.seq = link.seq
        peer.cached_n = 0
        if status != wire.S_OK:
            pass
        elif fields is None:
            status = wire.S_UNKNOWN_MESSAGE
        elif link.length != codec.size(fields):
            status = wire.S_BAD_LENGTH
        elif codec.read(fields, link.body, frame.HEADER, self._args) >= 0:
            status = wire.S_RANGE
        elif link.msg_id not in _TRANSACTIONAL and not states & 1 << state:
            status = wire.S_WRONG_STATE
        if status == wire.S_OK:
            self._execute(now, peer)
        else:
            self._refuse(peer, status)

    def _take_heartbeat(self, now: int, peer: "Peer") -> None:
        link = self._link
        fields = wire.HEARTBEAT_FIELDS
        a = self._args
        if link.length != _HEARTBEAT_SIZE or codec.read(fields, link.body, frame.HEADER, a) >= 0:
            return
        if a[wire.HEARTBEAT_COUNTER] <= peer.beat:
            return
        link.look()
        peer.beat = a[wire.HEARTBEAT_COUNTER]
        age = tick.diff(now, a[wire.HEARTBEAT_ECHO_TICK])
        if 0 <= age <= limits.HEARTBEAT_TIMEOUT_MS * 1000:
            self._transaction.heard(now, link.body, a[wire.HEARTBEAT_DOSE_ID])
        self._two[0] = peer.beat
        self._two[1] = now
        link.reply_uncached(self._transaction.state, wire.S_OK, wire.HEARTBEAT_REPLY_FIELDS, self._two)

    # --- Requests -------------------------------------------------------------------------------------

    def stop(self, now: int) -> None:
        """STOP: from any state, without a session."""
        self._latches.stop()
        self._transaction.abort(now, wire.REASON_STOP)
        self._link.look()
        self._one[0] = self._latches.stop_count
        self._link.reply_uncached(self._transaction.state, wire.S_OK, wire.STOP_REPLY_FIELDS, self._one)

    def _execute(self, now: int, peer: "Peer") -> None:
        msg_id = self._link.msg_id
        if msg_id in _PREPARES:
            self._prepare(now, peer, msg_id)
        elif msg_id == wire.COMMIT:
            self._commit(now, peer)
        elif msg_id == wire.START_TREATMENT:
            self._start_treatment(peer)
        elif msg_id == wire.CLEAR:
            self._clear(peer)
        elif msg_id == wire.ACK:
            self._acknowledge(peer)
        elif msg_id == wire.AUTH:
            status = self._access.take_auth(now, peer, self._args)
            if status != wire.S_OK:
                self._refuse(peer, status)
        elif msg_id == wire.PROVISION:
            self._provision(peer)
        elif msg_id == wire.SET_DATE:
            self._set_date(peer)
        elif msg_id == wire.NEW_SYRINGE:
            self._transaction.new_syringe()
            self._one[0] = limits.PROFILES[0][limits.PROFILE_CAPACITY_NL]
            self._accept(peer, wire.NEW_SYRINGE_REPLY_FIELDS, self._one)
        elif msg_id == wire.CONFIRM:
            self._confirm(peer)
        elif msg_id in _UPDATES:
            self._take_update(peer, msg_id)
        elif msg_id == wire.RESTART:
            self._restart(peer)
        elif msg_id == wire.CALIBRATE:
            self._calibrate(peer)
        elif msg_id == wire.SELF_TEST:
            self._selftest.run()
            self._two[0] = self._selftest.failed
            self._two[1] = self._selftest.count
            self._accept(peer, wire.SELF_TEST_REPLY_FIELDS, self._two)
        else:
            self._answers.answer(msg_id, self._args, self._link.body)
            self._accept(peer, self._answers.fields, self._answers.values)

    def _refuse(self, peer: "Peer", status: int, version: int = 0) -> None:
        """`version`: of the application, if it is known that an update would have brought it."""
        if self._link.msg_id in _UPDATES:
            self._log.refuse(wire.LOG_UPDATE, status, version)
        self._link.reply(peer, status, self._transaction.state, _NO_FIELDS, _NO_VALUES)

    def _accept(self, peer: "Peer", fields: tuple, values: list) -> None:
        self._link.reply(peer, wire.S_OK, self._transaction.state, fields, values)

    def _prepare(self, now: int, peer: "Peer", kind: int) -> None:
        link = self._link
        transaction = self._transaction
        status = transaction.prepare(now, link.body, frame.HEADER, link.length, self._args, kind)
        if status != wire.S_OK:
            self._log.refuse(wire.LOG_REFUSED, status, self._args[wire.PREPARE_N])
            self._refuse(peer, status)
        else:
            fields = wire.PREPARE_RUN_REPLY_FIELDS if transaction.plan.is_run else wire.PREPARE_REPLY_FIELDS
            self._accept(peer, fields, transaction.plan.values)

    def _commit(self, now: int, peer: "Peer") -> None:
        transaction = self._transaction
        status = transaction.commit(now, self._link.body, self._args)
        if status != wire.S_OK:
            self._log.refuse(wire.LOG_REFUSED, status, transaction.plan.n)
            self._refuse(peer, status)
            return
        self._one[0] = transaction.dose_state()
        self._accept(peer, wire.COMMIT_REPLY_FIELDS, self._one)

    def _start_treatment(self, peer: "Peer") -> None:
        book = self._ledger
        treatment = self._args[wire.START_TREATMENT_TREATMENT]
        if book.corrupt:
            self._refuse(peer, wire.S_LATCHED)
            return
        if treatment != book.treatment:
            try:
                book.start_treatment(treatment)
            except StoreFailed:
                self._latches.up(wire.LATCH_FAULT)
                self._refuse(peer, wire.S_STORE_FAILED)
                return
            self._transaction.new_treatment()
            self._log.add(wire.LOG_TREATMENT, treatment, 0)
        self._one[0] = book.treatment
        self._accept(peer, wire.START_TREATMENT_REPLY_FIELDS, self._one)

    def _set_date(self, peer: "Peer") -> None:
        book = self._ledger
        day = self._args[wire.SET_DATE_DAY]
        if day < book.day and peer.role < wire.ROLE_SERVICE:
            self._refuse(peer, wire.S_DATE_BACKWARDS)
            return
        try:
            book.set_day(day)
        except StoreFailed:
            self._latches.up(wire.LATCH_FAULT)
            self._refuse(peer, wire.S_STORE_FAILED)
            return
        self._one[0] = book.day
        self._accept(peer, wire.SET_DATE_REPLY_FIELDS, self._one)

    def _clear(self, peer: "Peer") -> None:
        inputs = self._board.inputs()
        held = wire.INPUT_TRIGGER_A | wire.INPUT_TRIGGER_B | wire.INPUT_ESTOP
        if self._args[wire.CLEAR_LATCH_COUNT] != self._latches.count:
            self._refuse(peer, wire.S_COUNT_MISMATCH)
        elif inputs & held:
            self._refuse(peer, wire.S_CAUSE_PRESENT)
        else:
            self._latches.clear(self._args[wire.CLEAR_LATCHES])
            self._one[0] = self._latches.bits
            self._accept(peer, wire.CLEAR_REPLY_FIELDS, self._one)

    def _acknowledge(self, peer: "Peer") -> None:
        try:
            acknowledged = self._ledger.acknowledge(self._args[wire.ACK_N])
        except StoreFailed:
            self._refuse(peer, wire.S_STORE_FAILED)
            return
        if acknowledged:
            self._latches.bits &= ~wire.LATCH_INTERRUPTED
        self._one[0] = self._latches.bits
        self._accept(peer, wire.ACK_REPLY_FIELDS, self._one)

    def _provision(self, peer: "Peer") -> None:
        role = self._args[wire.PROVISION_ROLE]
        try:
            status = self._access.provision(peer, role, self._args[wire.PROVISION_KEY])
        except StoreFailed:
            self._latches.up(wire.LATCH_FAULT)
            status = wire.S_STORE_FAILED
        if status != wire.S_OK:
            self._refuse(peer, status)
        else:
            self._one[0] = role
            self._accept(peer, wire.PROVISION_REPLY_FIELDS, self._one)

    def _calibrate(self, peer: "Peer") -> None:
        a = self._args
        board = self._board
        at = a[wire.CALIBRATE_NAME]
        name = bytes(self._link.body[at : at + settings.NAME])
        status = self._settings.change(
            self._is_at_rest(),
            name,
            a[wire.CALIBRATE_CARRIER_ZERO_UM],
            a[wire.CALIBRATE_PRESSURE_ZERO_PA],
            a[wire.CALIBRATE_ENCODER_GAIN_PPM],
        )
        if status != wire.S_OK:
            self._refuse(peer, status)
            return
        self._settings.calibrate(board.readings)
        self._log.add(wire.LOG_SETTINGS, 0, self._settings.generation)
        self._one[0] = self._settings.generation
        self._accept(peer, wire.CALIBRATE_REPLY_FIELDS, self._one)

    def _confirm(self, peer: "Peer") -> None:
        status = wire.S_WRONG_STATE
        if self._latches.bits & wire.LATCH_SAFE_APPLICATION:
            status = wire.S_SAFE_APPLICATION  # it is not what is on trial
        elif self._is_at_rest():
            status = self._slots.confirm()
        if status != wire.S_OK:
            self._refuse(peer, status)
            return
        self._one[0] = wire.UPDATE_CONFIRMED
        self._accept(peer, wire.CONFIRM_REPLY_FIELDS, self._one)

    def _take_update(self, peer: "Peer", msg_id: int) -> None:
        """UPDATE_BEGIN, UPDATE_WRITE, UPDATE_STAGE. What they need is loaded with the first UPDATE_BEGIN.

        The heap has no room to spare for what a device needs once in years; a restart ends each update. What finds no
        room ends it, too, and nothing else.
        """
        status = self._may_update()
        if status != wire.S_OK:
            self._refuse(peer, status)
            return
        try:
            status = self._updated(msg_id)
        except MemoryError:
            self._update = None
            gc.collect()
            status = wire.S_NO_MEMORY
        update = self._update
        if update is not None and status == wire.S_OK:
            self._accept(peer, update.fields, update.values)
        else:
            self._refuse(peer, status, update.version if update else 0)

    def _updated(self, msg_id: int) -> int:
        if msg_id != wire.UPDATE_WRITE:
            gc.collect()  # long buffers find room, and what stays its place beside what stays
        if self._update is None and msg_id == wire.UPDATE_BEGIN:
            from mesofirmware import update

            self._update = update.Update(self._board, self._slots, self._log)
        if self._update is None:
            return wire.S_NO_UPDATE
        return self._update.take(msg_id, self._args, self._link.body)

    def _may_update(self) -> int:
        """Whether the folder that does not run may be written; a status."""
        if not self._is_at_rest():
            return wire.S_WRONG_STATE
        if self._slots.is_on_trial:
            return wire.S_ON_TRIAL
        return wire.S_OK if self._board.battery_mv() >= limits.BATTERY_LOW_MV else wire.S_BATTERY

    def _restart(self, peer: "Peer") -> None:
        if not self._is_at_rest():
            self._refuse(peer, wire.S_WRONG_STATE)
            return
        self._one[0] = into = self._args[wire.RESTART_INTO]
        self._log.add(wire.LOG_RESTART, into, 0)
        self._accept(peer, wire.RESTART_REPLY_FIELDS, self._one)
        self._board.restart(into)

    def _is_at_rest(self) -> bool:
        """Whether flash may be written: that stops everything else."""
        board = self._board
        return not (board.drive.busy() or board.plunger.busy() or board.depth.busy())
