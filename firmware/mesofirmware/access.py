"""Who may ask: HELLO, AUTH, roles and tags.

There are at most two sessions: the one in `command`, which may give doses, and the newest HELLO's while it is
an observer's, the `guest`. Without keys HELLO takes command at once, with keys AUTH does. Taking command ends
what was in hand, with its OUTCOME, before it is answered. A session that took command before there were keys ends
with the next HELLO. Session numbers are not used again before 65,535 others were.
"""

import sys

from mesofirmware import version
from mesofirmware.peer import Peer
from mesofirmware.records import StoreFailed
from mesoprotocol import bulk, codec, frame, limits, mac, tick, wire

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mesofirmware.boards.port import Board
    from mesofirmware.clock import Clock
    from mesofirmware.keys import Keys
    from mesofirmware.latches import Latches
    from mesofirmware.ledger import Ledger
    from mesofirmware.link import Link
    from mesofirmware.transaction import Transaction

_HOST, _DEVICE, _SESSION = b"meso1 host", b"meso1 device", b"meso1 session"
_PROOF = 16


def implementation() -> bytes:
    """What the firmware runs on, as `name version`."""
    v = sys.implementation.version
    return ("%s %d.%d.%d" % (sys.implementation.name, v[0], v[1], v[2])).encode()


class Access:
    """The sessions of one device. `waits` while somebody is to take command once what is in hand has ended."""

    def __init__(
        self,
        board: "Board",
        clock: "Clock",
        link: "Link",
        book: "Ledger",
        latches: "Latches",
        transaction: "Transaction",
        keys: "Keys",
    ) -> None:
        self._board = board
        self._clock = clock
        self._link = link
        self._ledger = book
        self._latches = latches
        self._transaction = transaction
        self._keys = keys
        self._command = Peer()
        self._guest = Peer()
        self._mac = mac.Mac(64)
        self._challenge = bytearray(64)
        self._nonce = bytearray(8)
        self._device_nonce = bytearray(8)
        self._greeted = 0
        """Number of the newest HELLO's session; 0 while it waits, and before the first."""
        self._hello_seq = 0
        self._role = wire.ROLE_OBSERVER
        self._failures = 0
        self._failed_ms = 0
        self.backing_off = False
        self.waits = False
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
        h[wire.HELLO_REPLY_WINDOW] = 1
        h[wire.HELLO_REPLY_DEVICE_NONCE] = self._device_nonce
        self._hello = h
        self._auth: list = [bytearray(_PROOF), 0, 0, 0, 0]

    # --- Who is who -----------------------------------------------------------------------------------

    def peer(self, number: int) -> "Peer | None":
        """The live session of this number."""
        if number == 0:
            return None
        if number == self._command.number:
            return self._command
        return self._guest if number == self._guest.number else None

    def listener(self) -> int:
        """The session that events are sent to: that of the newest HELLO."""
        return self._greeted

    def judge(self, who: "Peer", role: int) -> int:
        """Whether the request in the link may be made: S_OK, S_ROLE or S_BAD_TAG."""
        link = self._link
        if link.is_tagged or who.tagged:
            if not link.is_tagged or not who.genuine(link.body, frame.HEADER + link.length):
                return wire.S_BAD_TAG
        return wire.S_OK if who.role >= role else wire.S_ROLE

    # --- HELLO ----------------------------------------------------------------------------------------

    def take_hello(self, now: int) -> None:
        """HELLO, which is in the link."""
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
        if bulk.same(body, at, self._nonce, 0, 8) and (self._greeted or self.waits):
            if self._greeted:
                self._answer_hello(link.seq)
            return
        bulk.copy(body, at, self._nonce, 0, 8)
        self._hello_seq = link.seq
        self._guest.open(0, wire.ROLE_OBSERVER)
        self._greeted = 0
        if not self._command.tagged:
            # its owner has proven nothing: it ends, also if there are keys since
            self._command.open(0, wire.ROLE_OBSERVER)
            self._wait_for(now, wire.ROLE_SERVICE)
        if self._keys.any():
            self.waits = False
            self._greet(self._guest, wire.ROLE_OBSERVER)

    def _wait_for(self, now: int, role: int) -> None:
        """End what is in hand; then `step` lets the newcomer in."""
        self._role = role
        self.waits = True
        self._transaction.abort(now, wire.REASON_SESSION)

    def step(self) -> None:
        """Let in who waited for a dose to end."""
        if self.waits and self._transaction.state == wire.STATE_IDLE:
            self.waits = False
            if self._greeted:
                self._admit()
            else:
                self._greet(self._command, self._role)
        if self.backing_off:
            self._look_again()

    def _greet(self, who: "Peer", role: int) -> None:
        """A new session begins; its HELLO is answered."""
        try:
            number = self._ledger.begin_session()
            if number == self._command.number:
                number = self._ledger.begin_session()
        except StoreFailed:
            self._latches.up(wire.LATCH_FAULT)
            return
        who.open(number, role)
        self._greeted = number
        self._board.nonce(self._device_nonce)
        self._answer_hello(self._hello_seq)

    def _answer_hello(self, seq: int) -> None:
        h = self._hello
        capabilities = wire.CAPABILITY_METERED | wire.CAPABILITY_FRACTIONAL | wire.CAPABILITY_SERIES
        h[wire.HELLO_REPLY_CAPABILITIES] = capabilities | (wire.CAPABILITY_KEYED if self._keys.any() else 0)
        h[wire.HELLO_REPLY_SESSION] = self._greeted
        h[wire.HELLO_REPLY_NEXT_N] = self._ledger.next_n
        h[wire.HELLO_REPLY_LATCHES] = self._latches.bits
        h[wire.HELLO_REPLY_STOP_COUNT] = self._latches.stop_count
        h[wire.HELLO_REPLY_TREATMENT] = self._ledger.treatment
        self._link.msg_id = wire.HELLO
        self._link.seq = seq
        self._link.session = 0
        self._link.reply_uncached(self._transaction.state, wire.S_OK, wire.HELLO_REPLY_FIELDS, h)

    # --- AUTH -----------------------------------------------------------------------------------------

    def take_auth(self, now: int, who: "Peer", args: list) -> int:
        """AUTH: S_OK if the proof is right; it is answered once nothing is in hand any more."""
        role = args[wire.AUTH_ROLE]
        if self._keys.damaged:
            return wire.S_KEYS_DAMAGED
        if who is not self._guest:
            return wire.S_WRONG_STATE
        if not self._keys.has(role):
            return wire.S_NO_KEY
        if self.backing_off:
            self._look_again()
        if self.backing_off:
            return wire.S_AUTH_BACKOFF
        self._keys.lend(role, self._mac)
        if not mac.equal(self._code(_HOST, role), 0, self._link.body, args[wire.AUTH_PROOF], _PROOF):
            self._failures += 1
            self._failed_ms = self._clock.ms
            self.backing_off = self._failures >= limits.AUTH_FAILURES
            return wire.S_AUTH_FAILED
        self._failures = 0
        code = self._code(_DEVICE, role)
        proof = self._auth[wire.AUTH_REPLY_PROOF]
        bulk.copy(code, 0, proof, 0, _PROOF)
        who.mac.rekey(self._code(_SESSION, role))
        self._wait_for(now, role)
        return wire.S_OK

    def _code(self, label: bytes, role: int) -> bytearray:
        """The role's key over label, role, both nonces and the device's id."""
        self._link.look()
        c = self._challenge
        n = len(label)
        bulk.copy(label, 0, c, 0, n)
        c[n] = role
        bulk.copy(self._nonce, 0, c, n + 1, 8)
        bulk.copy(self._device_nonce, 0, c, n + 9, 8)
        bulk.copy(self._board.uid, 0, c, n + 17, 8)
        return self._mac.of(c, n + 25)

    def _admit(self) -> None:
        """The guest takes command, and AUTH is answered."""
        former = self._command
        self._command = self._guest
        self._guest = former
        former.open(0, wire.ROLE_OBSERVER)
        who = self._command
        who.role = self._role
        who.tagged = True
        a = self._auth
        a[wire.AUTH_REPLY_NEXT_N] = self._ledger.next_n
        a[wire.AUTH_REPLY_LATCHES] = self._latches.bits
        a[wire.AUTH_REPLY_STOP_COUNT] = self._latches.stop_count
        a[wire.AUTH_REPLY_TREATMENT] = self._ledger.treatment
        self._link.msg_id = wire.AUTH
        self._link.seq = who.seq
        self._link.reply(who, wire.S_OK, self._transaction.state, wire.AUTH_REPLY_FIELDS, a)

    def _look_again(self) -> None:
        """Wrong proofs are looked at again: a second after the fifth in a row, twice as long after each further."""
        doublings = min(self._failures - limits.AUTH_FAILURES, 10)
        away_ms = min(1 << doublings, limits.AUTH_BACKOFF_S) * 1000
        self.backing_off = tick.diff(self._clock.ms, self._failed_ms) < away_ms

    # --- Keys -----------------------------------------------------------------------------------------

    def provision(self, who: "Peer", role: int, at: int) -> int:
        """PROVISION, the key at body[at:] of the link: a status. Raises `StoreFailed`."""
        who.uncover(self._link.body, at)
        return self._keys.provision(role, self._link.body, at)
