"""The cartridge of a run (SR-32): one patient, one treatment, then never again.

Its chip says what it is and, once it was used, by which device and in which of its treatments; the device remembers the
last 64 cartridges by themselves. Each alone refuses. Both are written at COMMIT, before anything can move.

    27136 64 slots of 20 bytes: number, chip, occasion

A treatment is known by its occasion, which this device counts: a host's number may come again.
"""

from mesofirmware import records
from mesoprotocol import bulk, codec, limits, wire

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mesofirmware.boards.port import Board
    from mesofirmware.ledger import Ledger
    from mesofirmware.link import Watched

_AT = 27136
_SLOT = 20
_SLOTS = limits.CARTRIDGES_REMEMBERED
_AT_ONCE = 4
"""Slots that are read between two looks at the line."""
_LABEL_AT, _MARK_AT = 0, 32
_U8, _U16, _U24 = (0, 1, 0, 255), (0, 2, 0, 0xFFFF), (0, 3, 0, 0xFFFFFF)
_ID = (codec.BYTES, 8, 0, 0)
# version, kind, needles, gauge, lot, expiry day
_LABEL = (_U8, _U8, _U8, _U8, (codec.BYTES, 12, 0, 0), _U16)
_VERSION, _KIND, _NEEDLES, _GAUGE, _LOT, _EXPIRY = range(6)
# device, occasion
_MARK = (_ID, _U24)
_ENTRY = (_U24, _ID, _U24)


class Cartridge:
    """What is mounted, as it was last judged. Asked only while nothing is armed: one wire is slow."""

    def __init__(self, board: "Board", store: "Watched", ledger: "Ledger") -> None:
        self._board = board
        self._ledger = ledger
        self._chip = records.Records(board.chip, b"CARTRIDGE1")
        self._store = store
        self._ring = records.Records(store, b"RING1")
        self._serial = bytearray(8)
        self._again = bytearray(8)
        self._label: list = [0, 0, 0, 0, bytearray(12), 0]
        self._mark: list = [bytearray(8), 0]
        self._entry: list = [0, bytearray(8), 0]
        self._is_marked = False
        self._newest = 0

    def judge(self, needles: int) -> int:
        """Whether a run for at most so many needles may use what is mounted: a status."""
        label = self._label
        for i in range(len(label)):
            if i != _LOT:
                label[i] = 0
        if not self._board.chip.identity(self._serial):
            return wire.S_NO_CHIP
        if self._chip.read(_LABEL_AT, _LABEL, label) != records.VALID or label[_VERSION] != 1:
            return wire.S_CHIP_DAMAGED
        marked = self._chip.read(_MARK_AT, _MARK, self._mark)
        if marked > records.VALID:
            return wire.S_CHIP_DAMAGED
        self._is_marked = marked == records.VALID
        occasion = self._ledger.occasion
        if self._is_marked and (self._mark[1] != occasion or not bulk.same(self._mark[0], 0, self._board.uid, 0, 8)):
            return wire.S_CARTRIDGE_USED
        remembered = self._remembered()
        if remembered < 0:
            return wire.S_STORE_FAILED
        if remembered not in (0, occasion):
            return wire.S_CARTRIDGE_USED
        if label[_KIND] != wire.CARTRIDGE_PUNCTURE:
            return wire.S_CARTRIDGE_KIND
        if not limits.NEEDLES_MIN <= label[_NEEDLES] <= needles:
            return wire.S_CARTRIDGE_KIND
        if not self._ledger.day:
            return wire.S_DATE_UNKNOWN
        return wire.S_OK if self._ledger.day <= label[_EXPIRY] else wire.S_CARTRIDGE_EXPIRED

    def use(self) -> int:
        """Mark what was judged, in the device and on its chip: a status. Raises `StoreFailed`."""
        chip = self._board.chip
        if not chip.identity(self._again) or not bulk.same(self._again, 0, self._serial, 0, 8):
            return wire.S_CARTRIDGE_CHANGED
        occasion = self._ledger.occasion
        if self._remembered() != occasion:
            e = self._entry
            e[0] = self._newest + 1
            bulk.copy(self._serial, 0, e[1], 0, 8)
            e[2] = occasion
            self._ring.write(_AT + e[0] % _SLOTS * _SLOT, _ENTRY, e)
            self._newest += 1
        if not self._is_marked:
            bulk.copy(self._board.uid, 0, self._mark[0], 0, 8)
            self._mark[1] = occasion
            self._chip.write(_MARK_AT, _MARK, self._mark)
            self._is_marked = True
        return wire.S_OK

    def tell(self, status: int, values: list) -> None:
        """Fill the fields of CARTRIDGE's reply, after `judge` has given `status`."""
        label = self._label
        values[wire.CARTRIDGE_REPLY_JUDGED] = status
        values[wire.CARTRIDGE_REPLY_CHIP] = self._serial
        values[wire.CARTRIDGE_REPLY_CARTRIDGE] = label[_KIND]
        values[wire.CARTRIDGE_REPLY_NEEDLES] = label[_NEEDLES]
        values[wire.CARTRIDGE_REPLY_GAUGE] = label[_GAUGE]
        values[wire.CARTRIDGE_REPLY_LOT] = label[_LOT]
        values[wire.CARTRIDGE_REPLY_EXPIRY_DAY] = label[_EXPIRY]

    def _remembered(self) -> int:
        """In which occasion the device has used it last: 0 if it does not remember it, -1 if it cannot tell.

        One slot may be spoilt, that which is written next: the power went.
        """
        e = self._entry
        found = number = spoilt = spoilt_at = self._newest = 0
        for slot in range(_SLOTS):
            if slot % _AT_ONCE == 0:
                self._store.look()
            state = self._ring.read(_AT + slot * _SLOT, _ENTRY, e)
            if state > records.VALID:
                spoilt += 1
                spoilt_at = slot
            elif state == records.VALID:
                self._newest = max(self._newest, e[0])
                if e[0] > number and bulk.same(e[1], 0, self._serial, 0, 8):
                    number = e[0]
                    found = e[2]
        if spoilt > 1 or (spoilt and spoilt_at != (self._newest + 1) % _SLOTS):
            return -1
        return found
