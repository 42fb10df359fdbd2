"""The dose ledger: what the device remembers of every dose, across resets and power cuts.

Layout of the non-volatile memory (all records end with a CRC-32 of their own):

    0     header, two copies written in turn: generation, session counter, treatment
    64    progress, two copies written in turn: how far the dose in hand may have got
    128   257 slots of 104 bytes, dose n in slot n mod 257: INTENT | START | OUTCOME | ACK, each written once
    26880 keys, two copies (see `keys`)
    27136 cartridges (see `cartridge`)
    28672 log (see `log`)

A record is read back before anything depends on it; `records.StoreFailed` is raised if it differs. What
cannot be read is never reformatted: the ledger is `corrupt` then, and stays so. Reservation comes before
motion: progress says "up to X" before X is fed to a motor.
"""

from mesofirmware import points, records
from mesoprotocol import bulk, limits, tick, wire

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mesofirmware.boards.port import Store

_HEADER_AT = 0
_PROGRESS_AT = 64
_COPY = 32
_SLOTS_AT = 128
_SLOT = 104
_SLOTS = limits.LEDGER_DOSES + 1
"""One more than is remembered: the one that is being replaced."""
_INTENT, _START, _OUTCOME, _ACK = 0, 36, 44, 92

UNREADABLE, OPEN, CLOSED = range(3)

_U8, _U16, _U24, _U30 = (0, 1, 0, 255), (0, 2, 0, 0xFFFF), (0, 3, 0, 0xFFFFFF), (0, 4, 0, 0x3FFFFFFF)
_ID, _BOOT = (2, 8, 0, 0), (2, 4, 0, 0)

# generation, session, treatment, latches, occasion, day
_HEADER = (_U30, _U16, _U16, _U16, _U24, _U16)
# generation, n, lower_nl, upper_nl, lower_strokes, upper_strokes
_PROGRESS = (_U30, _U24, _U24, _U24, _U16, _U16)
INTENT = (_ID, _U24, _U8, _U8, _U8, _U16, _U16, _U24, _U16, _U16, _U16, _BOOT)
I_ID, I_N, I_MODE, I_ZONE, I_PROFILE, I_POINT, I_DEPTH, I_VOLUME = range(8)
I_STROKES, I_RATE, I_TREATMENT, I_BOOT = range(8, 12)
_MARK = (_U24,)
OUTCOME = (_U24, _U8, _U8, _U8, _U24, _U24, _U24, _U24, _U16, _U16, _U16, _U16, _U30, _U30, _U30, _U30)
O_N, O_STATE, O_REASON, O_FLAGS, O_DELIVERED, O_LOWER, O_UPPER, O_STEPS = range(8)
O_STROKES, O_BAD, O_INTERVAL, O_DEPTH, O_DURATION = range(8, 13)
O_TOTAL, O_TREATMENT_DELIVERED, O_TREATMENT_COUNTED = range(13, 16)


class Ledger:
    """The ledger of one device. Public counters are volumes in nl; `next_n` is the next dose's number."""

    def __init__(self, store: "Store", boot_id: bytes) -> None:
        self._records = records.Records(store, b"LEDGER1")
        self._boot_id = boot_id
        self.corrupt = False
        self.interrupted_n = 0
        self.next_n = 1
        self.session = 0
        self.treatment = 0
        self.latches = 0
        """Latches that outlive a restart, as they stand in the memory."""
        self.total_nl = 0
        self.delivered_nl = 0
        self.counted_nl = 0
        self.occasion = 0
        """Treatments so far, this one included."""
        self.day = 0
        """The latest that a host has told, days since 2000-01-01; 0: none."""
        self.points = points.Points()
        self._header: list = [0] * len(_HEADER)
        self._progress: list = [0] * len(_PROGRESS)
        self._mark: list = [0]
        self.intent: list = [0] * len(INTENT)
        self.intent[I_ID] = bytearray(8)
        self.intent[I_BOOT] = bytearray(4)
        self.outcome: list = [0] * len(OUTCOME)
        self._recover()

    # --- Reading --------------------------------------------------------------------------------------

    def remembers(self, n: int) -> bool:
        """Whether entry n is still in the ring."""
        return 0 < n < self.next_n and n >= self.next_n - limits.LEDGER_DOSES

    def load(self, n: int) -> int:
        """Read entry n into `intent` and `outcome`: UNREADABLE, OPEN (no OUTCOME) or CLOSED."""
        at = _slot(n)
        if self._records.read(at + _INTENT, INTENT, self.intent) != records.VALID or self.intent[I_N] != n:
            return UNREADABLE
        end = self._records.read(at + _OUTCOME, OUTCOME, self.outcome)
        if end == records.VALID and self.outcome[O_N] == n:
            return CLOSED
        return UNREADABLE if end > records.TORN else OPEN

    # --- Writing --------------------------------------------------------------------------------------

    def begin_session(self) -> int:
        """A session number not used before on this device; durable before it is given out.

        A corrupt ledger is never written again: its sessions begin anywhere, and therapy is refused in them.
        """
        self.session = self.session % 0xFFFF + 1
        self._write_header()
        return self.session

    def start_treatment(self, treatment: int) -> None:
        """Reset the treatment's totals if `treatment` is another one than the present."""
        if treatment == self.treatment:
            return
        former = self.treatment
        self.treatment = treatment
        self.occasion += 1
        try:
            self._write_header()
        except records.StoreFailed:
            self.treatment = former
            self.occasion -= 1
            raise
        self.delivered_nl = 0
        self.counted_nl = 0
        self.points.forget()

    def set_day(self, day: int) -> None:
        """Keep the day that a host has told."""
        if day != self.day:
            self.day = day
            self._write_header()

    def keep_latches(self, bits: int) -> None:
        """Make latches outlive a restart."""
        if bits != self.latches:
            former = self.latches
            self.latches = bits
            try:
                self._write_header()
            except records.StoreFailed:
                self.latches = former
                raise

    def write_intent(self) -> None:
        """Record `intent` (filled by the caller but for number, treatment and boot) as entry `next_n`."""
        n = self.next_n
        self.intent[I_N] = n
        self.intent[I_TREATMENT] = self.treatment
        bulk.copy(self._boot_id, 0, self.intent[I_BOOT], 0, 4)
        at = _slot(n)
        self._records.blank(at, _SLOT)
        self._records.write(at + _INTENT, INTENT, self.intent)
        self.next_n = n + 1

    def write_start(self, n: int) -> None:
        """Record that entry n is about to move."""
        self._mark[0] = n
        self._records.write(_slot(n) + _START, _MARK, self._mark)

    def reserve(self, n: int, lower_nl: int, upper_nl: int, lower_strokes: int, upper_strokes: int) -> None:
        """Record how far entry n has got at least, and how far it may get until the next call."""
        p = self._progress
        p[1] = n
        p[2] = lower_nl
        p[3] = upper_nl
        p[4] = lower_strokes
        p[5] = upper_strokes
        self._records.write_newer(_PROGRESS_AT, _COPY, _PROGRESS, p)

    def write_outcome(self, n: int) -> None:
        """Record `outcome` (filled by the caller but for number and totals) as the end of entry n, which is loaded."""
        o = self.outcome
        o[O_N] = n
        self.total_nl = tick.add(self.total_nl, o[O_DELIVERED])
        self.delivered_nl += o[O_DELIVERED]
        self.counted_nl += o[O_UPPER]
        o[O_TOTAL] = self.total_nl
        o[O_TREATMENT_DELIVERED] = self.delivered_nl
        o[O_TREATMENT_COUNTED] = self.counted_nl
        self._see_point()
        self._records.write(_slot(n) + _OUTCOME, OUTCOME, o)

    def acknowledge(self, n: int) -> bool:
        """Somebody has seen that entry n was interrupted; False if that is not what n is."""
        if n != self.interrupted_n or n == 0:
            return False
        self._mark[0] = n
        self._records.write(_slot(n) + _ACK, _MARK, self._mark)
        self.interrupted_n = 0
        return True

    def _see_point(self) -> None:
        """What `intent` and `outcome` say was given at a point of this treatment."""
        intent = self.intent
        dosed = self.outcome[O_UPPER] and intent[I_MODE] != wire.MODE_PRIME
        if dosed and intent[I_TREATMENT] == self.treatment:
            self.points.dosed(intent[I_POINT])

    def _write_header(self) -> None:
        if self.corrupt:
            return
        h = self._header
        h[1] = self.session
        h[2] = self.treatment
        h[3] = self.latches
        h[4] = self.occasion
        h[5] = self.day
        self._records.write_newer(_HEADER_AT, _COPY, _HEADER, h)

    # --- Recovery at boot -----------------------------------------------------------------------------

    def _recover(self) -> None:
        header = self._records.read_newer(_HEADER_AT, _COPY, _HEADER, self._header)
        self.session = self._header[1]
        self.treatment = self._header[2]
        self.latches = self._header[3]
        self.occasion = self._header[4]
        self.day = self._header[5]
        progress = self._records.read_newer(_PROGRESS_AT, _COPY, _PROGRESS, self._progress)
        last = self._last_entry()
        self.next_n = last + 1
        if header == records.DAMAGED:
            self.session = (self._boot_id[0] | self._boot_id[1] << 8) % 0xFFFF
        if header == records.DAMAGED or progress == records.DAMAGED or (last and header == records.BLANK):
            self.corrupt = True
        if not self._is_unused(last + 1):
            self.corrupt = True
        n = max(1, self.next_n - limits.LEDGER_DOSES)
        while n < last:
            if self.load(n) != CLOSED or self._is_spoilt(n):
                self.corrupt = True
            self._see_point()
            n += 1
        if last > 1 and not self.corrupt:
            self._take_totals()
        if last and not self.corrupt:
            self._close_last(last, progress == records.VALID)

    def _last_entry(self) -> int:
        last = 0
        for slot in range(_SLOTS):
            at = _SLOTS_AT + slot * _SLOT
            if self._records.read(at, INTENT, self.intent) == records.VALID and self.intent[I_N] > last:
                last = self.intent[I_N]
        return last

    def _is_unused(self, n: int) -> bool:
        """Whether entry n, whose INTENT does not read, was really never begun."""
        at = _slot(n)
        for section, fields, values in ((_START, _MARK, self._mark), (_OUTCOME, OUTCOME, self.outcome)):
            found = self._records.read(at + section, fields, values)
            if found == records.DAMAGED or (found == records.VALID and values[0] == n):
                return False
        return self._records.read(at + _INTENT, INTENT, self.intent) != records.DAMAGED

    def _is_spoilt(self, n: int) -> bool:
        """Whether START or ACK of entry n, which is loaded, are other than they were written, or cut off."""
        at = _slot(n)
        start = self._records.read(at + _START, _MARK, self._mark)
        seen = self._records.read(at + _ACK, _MARK, self._mark)
        worst = records.TORN if self.outcome[O_REASON] == wire.REASON_RESET else records.VALID
        return start > worst or seen > (worst if n == self.next_n - 1 else records.VALID)

    def _take_totals(self) -> None:
        """Totals as the last closed entry but one left them; 0 for a treatment that began since."""
        self.total_nl = self.outcome[O_TOTAL]
        if self.intent[I_TREATMENT] == self.treatment:
            self.delivered_nl = self.outcome[O_TREATMENT_DELIVERED]
            self.counted_nl = self.outcome[O_TREATMENT_COUNTED]

    def _close_last(self, n: int, progress_is_valid: bool) -> None:
        """The last entry may have been cut off by the reset: give it its OUTCOME."""
        at = _slot(n)
        found = self.load(n)
        if found == CLOSED:
            self._take_totals()
            self._see_point()
            self.corrupt = self._is_spoilt(n)
            if self.outcome[O_STATE] == wire.DOSE_INTERRUPTED:
                if self._records.read(at + _ACK, _MARK, self._mark) != records.VALID:
                    self.interrupted_n = n
            return
        start = self._records.read(at + _START, _MARK, self._mark)
        if found == UNREADABLE or start > records.TORN:
            self.corrupt = True
            return
        o = self.outcome
        for i in range(len(o)):
            o[i] = 0
        o[O_REASON] = wire.REASON_RESET
        # START or progress: one bad reading must not make nothing of a dose
        known = progress_is_valid and self._progress[1] == n
        if start != records.BLANK or known:
            o[O_UPPER] = self.intent[I_VOLUME]
            o[O_STROKES] = self.intent[I_STROKES]
        if known:
            o[O_LOWER], o[O_UPPER] = self._progress[2], self._progress[3]
            o[O_STROKES] = self._progress[5]
        if o[O_UPPER] or o[O_STROKES]:
            o[O_STATE] = wire.DOSE_INTERRUPTED
            o[O_DELIVERED] = (o[O_LOWER] + o[O_UPPER]) // 2
            self.interrupted_n = n
        else:
            # nothing was fed to a motor that delivers
            o[O_STATE] = wire.DOSE_ABORTED
            o[O_FLAGS] = wire.FLAG_EXACT
        self.write_outcome(n)


def _slot(n: int) -> int:
    return _SLOTS_AT + n % _SLOTS * _SLOT
