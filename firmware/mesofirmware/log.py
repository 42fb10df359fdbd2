"""The device's log: what happened, appended to non-volatile memory and never changed there, so that tampering shows.

    28672 head, two copies written in turn: newest entry, the newest that is chained, generation of the settings
    28736 144 slots of 28 bytes, entry n in slot n mod 144: the entry, its CRC-32, and its chain

An entry's chain is the first 8 bytes of SHA-256 over the chain before it (zero before the first), the entry, and, where
a dose ended, its OUTCOME as the protocol tells it: so the chain holds the ledger too. Entries are written as things
happen, chains once nothing is armed. What cannot be read, or has another chain than it must have, is never written
again: the log is `damaged` then. There is no secret in a chain: who can write the memory can make another, but not one
that ends as a host has seen it.
"""

from mesofirmware import records
from mesoprotocol import bulk, codec, limits, sha256, wire

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable

    from mesofirmware.boards.port import Store
    from mesofirmware.clock import Clock

_HEAD_AT = 28672
_COPY = 32
_SLOTS_AT = 28736
_SLOT = 28
_SLOTS = limits.LOG_ENTRIES + 1
"""One more than are kept: the one that is being replaced."""
_CHAIN = 8
_WAITING = 16
"""Refusals are said while fewer entries wait for their chain: nobody pushes the others out."""
_U16, _U24, _U30 = (0, 2, 0, 0xFFFF), (0, 3, 0, 0xFFFFFF), (0, 4, 0, 0x3FFFFFFF)
# generation, newest entry, newest that is chained, generation of the settings
_HEAD = (_U30, _U24, _U24, _U30)
# n, kind, boot, ms since boot, two figures of the kind
_ENTRY = (_U24, (0, 1, 0, 255), _U16, _U30, _U16, _U30)
E_N, E_KIND, E_BOOT, E_MS, E_A, E_B = range(6)
_SIZE = codec.size(_ENTRY)
_LONGEST = _CHAIN + _SIZE + codec.size(wire.OUTCOME_FIELDS)


class Log:
    """The log of one device. `damaged`: it does not read, or was altered."""

    def __init__(self, store: "Store", clock: "Clock") -> None:
        self._store = store
        self._clock = clock
        self.put_outcome: "Callable[[int, bytearray, int], int]"
        """`put_outcome(n, buf, at)` writes the outcome of ledger entry n into buf[at:] and returns its end. To be set
        by who makes the log.
        """
        self._records = records.Records(store, b"LOG1")
        self._head: list = [0, 0, 0, 0]
        self._entry: list = [0, 0, 0, 0, 0, 0]
        """The newest, once all are chained."""
        self._told: list = [0, 0, 0, 0, 0, 0]
        self._buf = bytearray(_LONGEST)
        self._chain = bytearray(_CHAIN)
        self._hash = bytearray(32)
        self._boot = 0
        self.newest = 0
        self.chained = 0
        self.ended_n = 0
        """Ledger number of the last dose whose end is in the log."""
        self.damaged = False

    # --- Writing --------------------------------------------------------------------------------------

    def add(self, kind: int, a: int, b: int) -> None:
        """Append an entry. Allocates nothing. A memory that fails makes the log damaged; see there."""
        if self.damaged:
            return
        n = self.newest + 1
        e = self._entry
        e[E_N] = n
        e[E_KIND] = kind
        e[E_BOOT] = self._boot
        e[E_MS] = self._clock.ms
        e[E_A] = a
        e[E_B] = b
        h = self._head
        h[1] = n
        if kind == wire.LOG_SETTINGS:
            h[3] = b
        elif kind == wire.LOG_ENDED:
            self.ended_n = b
        try:
            self._records.write(_slot(n), _ENTRY, e)
            self._records.write_newer(_HEAD_AT, _COPY, _HEAD, h)
            self.newest = n
        except records.StoreFailed:
            self.damaged = True

    def refuse(self, kind: int, status: int, n: int) -> None:
        """Therapy or an update was refused, for a status; the same again is said once, and few while one is armed."""
        if self.newest - self.chained >= _WAITING:
            return
        # as it is written: `_entry` may be an older one, on its way to a chain
        e = self._told
        found = self._records.read(_slot(self.newest), _ENTRY, e)
        if found != records.VALID or e[E_KIND] != kind or e[E_A] != status or e[E_B] != n:
            self.add(kind, status, n)

    def chain(self) -> bool:
        """Chain the oldest entry that is not; True if there was one. Nothing is armed: it takes its time."""
        if self.damaged or self.chained == self.newest:
            return False
        n = self.chained + 1
        try:
            if not self._link(n):
                raise records.StoreFailed("entry %d" % n)
            self._store.write(_slot(n) + _SIZE + 4, self._chain, _CHAIN)
            self._store.read(_slot(n) + _SIZE + 4, self._hash, _CHAIN)
            if not bulk.same(self._hash, 0, self._chain, 0, _CHAIN):
                raise records.StoreFailed("chain %d" % n)
            self._head[2] = n
            self._records.write_newer(_HEAD_AT, _COPY, _HEAD, self._head)
            self.chained = n
        except records.StoreFailed:
            self.damaged = True
        return True

    def _link(self, n: int) -> bool:
        """Put the chain of entry n into `_chain`, from that of the entry before; False if the entry does not read."""
        buf = self._buf
        if self._records.read(_slot(n), _ENTRY, self._entry) != records.VALID or self._entry[E_N] != n:
            return False
        bulk.copy(self._chain, 0, buf, 0, _CHAIN)
        end = codec.write(_ENTRY, self._entry, buf, _CHAIN)
        if self._entry[E_KIND] == wire.LOG_ENDED:
            end = self.put_outcome(self._entry[E_B], buf, end)
            self.ended_n = self._entry[E_B]
        sha256.digest(buf, end, self._hash)
        bulk.copy(self._hash, 0, self._chain, 0, _CHAIN)
        return True

    # --- Reading --------------------------------------------------------------------------------------

    def read(self, n: int, values: list) -> None:
        """Fill the fields of LOG's reply with entry n."""
        kept = 0 < n <= self.newest and n > self.newest - limits.LOG_ENTRIES
        e = self._told
        if not kept or self._records.read(_slot(n), _ENTRY, e) != records.VALID or e[E_N] != n:
            for i in range(len(e)):
                e[i] = 0
        values[wire.LOG_REPLY_NEWEST] = self.newest
        values[wire.LOG_REPLY_N] = n
        values[wire.LOG_REPLY_KIND] = e[E_KIND]
        values[wire.LOG_REPLY_BOOT] = e[E_BOOT]
        values[wire.LOG_REPLY_AT_MS] = e[E_MS]
        values[wire.LOG_REPLY_A] = e[E_A]
        values[wire.LOG_REPLY_B] = e[E_B]
        chain = values[wire.LOG_REPLY_CHAIN]
        if e[E_KIND] and n <= self.chained:
            self._store.read(_slot(n) + _SIZE + 4, chain, _CHAIN)
        else:
            for i in range(_CHAIN):
                chain[i] = 0

    # --- Recovery at boot -----------------------------------------------------------------------------

    def recover(self, is_new: bool, ledger_reads: bool) -> int:
        """Find the end of the log and look at every entry and chain; the generation of the settings that it knows.

        is_new: nothing was ever given or opened by this device, so that there may be no log. Chains are not judged
        while the ledger does not read.
        """
        h = self._head
        found = self._records.read_newer(_HEAD_AT, _COPY, _HEAD, h)
        if found == records.DAMAGED or (found == records.BLANK and not is_new):
            self.damaged = True
            return 0
        self.newest = h[1]
        self.chained = h[2]
        if self._reads(self.newest + 1):
            self.newest += 1  # the power went before the head was written
        first = max(1, self.newest - limits.LOG_ENTRIES + 1)
        n = first
        while n <= self.newest and not self.damaged:
            if n > self.chained:
                self.damaged = not self._reads(n)
            else:
                self._check(n, n == first > 1 or not ledger_reads)
            n += 1
        self._boot = (self._entry[E_BOOT] + 1) & 0xFFFF
        return int(h[3])

    def _reads(self, n: int) -> bool:
        return self._records.read(_slot(n), _ENTRY, self._entry) == records.VALID and self._entry[E_N] == n

    def _check(self, n: int, is_trusted: bool) -> None:
        """Entry n and its chain, which is what it must be unless `is_trusted`."""
        self.damaged = not self._link(n)
        self._store.read(_slot(n) + _SIZE + 4, self._hash, _CHAIN)
        if is_trusted:
            bulk.copy(self._hash, 0, self._chain, 0, _CHAIN)
        elif not bulk.same(self._hash, 0, self._chain, 0, _CHAIN):
            self.damaged = True


def _slot(n: int) -> int:
    return _SLOTS_AT + n % _SLOTS * _SLOT
