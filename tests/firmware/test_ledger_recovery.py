"""What lies in the memory, byte for byte; and what each state of the last entries' records means at the next boot."""

from __future__ import annotations

import functools
import itertools
import zlib

import pytest

from mesofirmware import ledger
from mesofirmware.records import StoreFailed
from mesoprotocol import limits, wire
from tests.firmware.fram import Fram

BOOT, LATER_BOOT = b"boot", b"next"
SIZE = 32768
PROGRESS, SLOTS, SLOT = 64, 128, 104
INTENT, START, OUTCOME, ACK = 0, 36, 44, 92
END = 46
"""Bytes of an OUTCOME."""
BLANK, VALID, CUT, WIPED, DAMAGED, OTHERS = "blank", "valid", "cut", "wiped", "damaged", "another entry's"


def le(*pairs: tuple[int, int]) -> bytes:
    """Integers of so many bytes."""
    return b"".join(value.to_bytes(size, "little") for value, size in pairs)


def record(body: bytes) -> bytes:
    return body + zlib.crc32(body, zlib.crc32(b"LEDGER1")).to_bytes(4, "little")


def at(n: int, section: int) -> int:
    return SLOTS + n % 257 * SLOT + section


def booted(content: bytearray, boot: bytes = LATER_BOOT) -> ledger.Ledger:
    return ledger.Ledger(Fram(content), boot)


def intent(book: ledger.Ledger, volume_nl: int = 40_000, mode: int = wire.MODE_SINGLE, point: int = 0x0405) -> int:
    """A dose, or with no volume a run of 30 strokes; its number."""
    v = book.intent
    v[ledger.I_ID][:] = book.next_n.to_bytes(8, "little")
    v[ledger.I_MODE : ledger.I_TREATMENT] = [mode, 2, 3, point, 0x0607, volume_nl, 0 if volume_nl else 30, 0x090A]
    book.write_intent()
    return book.next_n - 1


def outcome(book: ledger.Ledger, n: int, state: int, reason: int, delivered: int) -> None:
    o = book.outcome
    o[ledger.O_STATE : ledger.O_DELIVERED] = [state, reason, 5]
    o[ledger.O_DELIVERED : ledger.O_TOTAL] = [delivered, delivered - 1, delivered + 7, 9, 10, 11, 12, 13, 0x0E0F1011]
    book.write_outcome(n)


def done(book: ledger.Ledger, n: int, delivered: int = 20_000) -> None:
    outcome(book, n, wire.DOSE_DONE, wire.REASON_COMPLETE, delivered)


def test_the_memory_byte_for_byte() -> None:
    content = bytearray(SIZE)
    book = booted(content, b"BOOT and more")
    book.begin_session()
    book.start_treatment(0x0102)
    book.keep_latches(0x0304)
    book.set_day(0x0506)
    headers = [le((generation, 4), (1, 2), (0x0102, 2), (0x0304, 2), (1, 3)) for generation in (3, 4)]
    assert content[32:].startswith(headers[0] + le((0, 2))) and content.startswith(headers[1] + le((0x0506, 2)))
    for n in (1, 2):
        assert intent(book, 0x0B0C0D) == n
        book.write_start(n)
        book.reserve(n, 0x010203, 0x040506, 0x0708, 0x090A)
        done(book, n, 0x030201)
        slot = content[at(n, INTENT) : at(n + 1, INTENT)]
        body = n.to_bytes(8, "little") + le((n, 3), (1, 1), (2, 1), (3, 1), (0x0405, 2), (0x0607, 2), (0x0B0C0D, 3))
        assert slot[INTENT:START] == record(body + le((0, 2), (0x090A, 2), (0x0102, 2)) + b"BOOT") + b"\0"
        assert slot[START:OUTCOME] == record(le((n, 3))) + b"\0"
        body = le((n, 3), (wire.DOSE_DONE, 1), (wire.REASON_COMPLETE, 1), (5, 1))
        body += le((0x030201, 3), (0x030200, 3), (0x030208, 3), (9, 3), (10, 2), (11, 2), (12, 2), (13, 2))
        body += le((0x0E0F1011, 4), (n * 0x030201, 4), (n * 0x030201, 4), (n * 0x030208, 4))
        assert slot[OUTCOME:] == record(body) + bytes(SLOT - OUTCOME - END)
        progress = record(le((n, 4), (n, 3), (0x010203, 3), (0x040506, 3), (0x0708, 2), (0x090A, 2)))
        assert content[PROGRESS + n % 2 * 32 :].startswith(progress + bytes((n,)))
    assert content[at(3, INTENT) :] == bytes(SIZE - at(3, INTENT))


# --- The last entry ---------------------------------------------------------------------------------------


def put(content: bytearray, place: int, whole: bytes, state: str, others: bytes) -> None:
    """A record in one of its states."""
    content[place : place + len(whole)] = {
        BLANK: bytes(len(whole)),
        VALID: whole,
        CUT: whole[: len(whole) // 2] + bytes(len(whole) - len(whole) // 2),
        WIPED: b"\0" + whole[1:],
        DAMAGED: whole[:1] + bytes((whole[1] ^ 0x20,)) + whole[2:],
        OTHERS: others,
    }[state]


@functools.cache
def two_doses(ended: bool, by_reset: bool, reserved: str) -> bytes:
    """Entry 1 is closed; entry 2, of 40 ul, has moved."""
    content = bytearray(SIZE)
    book = booted(content, BOOT)
    book.begin_session()
    book.start_treatment(5)
    for n in (1, 2):
        intent(book)
        book.write_start(n)
        if reserved == VALID or (reserved == OTHERS and n == 1):
            book.reserve(n, 3_000, 5_000, 2, 4)
        if n == 1:
            done(book, n)
        elif ended and by_reset:
            outcome(book, n, wire.DOSE_INTERRUPTED, wire.REASON_RESET, 4_000)
        elif ended:
            done(book, n, 4_000)
    if reserved == DAMAGED:
        content[PROGRESS] ^= 1
    return bytes(content)


def check_interrupted(book: ledger.Ledger, lower: int, upper: int) -> None:
    assert book.load(2) == ledger.CLOSED and book.interrupted_n == 2
    delivered = (lower + upper) // 2
    o = book.outcome
    assert o[ledger.O_STATE : ledger.O_DELIVERED] == [wire.DOSE_INTERRUPTED, wire.REASON_RESET, 0]
    assert o[ledger.O_DELIVERED : ledger.O_STEPS] == [delivered, lower, upper]
    assert (book.total_nl, book.delivered_nl, book.counted_nl) == (20_000 + delivered,) * 2 + (20_007 + upper,)


@pytest.mark.requirement("SR-20", "SR-34")
@pytest.mark.parametrize("end", [BLANK, CUT, WIPED, DAMAGED, OTHERS])
@pytest.mark.parametrize("reserved", [BLANK, VALID, DAMAGED, OTHERS])
@pytest.mark.parametrize("start", [BLANK, VALID, CUT, WIPED, DAMAGED])
def test_an_entry_that_is_not_ended(start: str, reserved: str, end: str) -> None:
    content = bytearray(two_doses(True, True, reserved))
    put(content, at(2, START), record(le((2, 3))), start, b"")
    whole = bytes(content[at(2, OUTCOME) : at(2, OUTCOME) + END])
    put(content, at(2, OUTCOME), whole, end, bytes(content[at(1, OUTCOME) : at(1, OUTCOME) + END]))
    before = bytes(content)
    book = booted(content)
    assert book.next_n == 3
    if DAMAGED in (start, reserved, end) or WIPED in (start, end):
        assert book.corrupt and content == before and not book.interrupted_n
        return
    assert not book.corrupt
    if reserved == VALID:
        check_interrupted(book, 3_000, 5_000)
        assert book.outcome[ledger.O_STROKES] == 4
    elif start == BLANK:
        assert book.load(2) == ledger.CLOSED and not book.interrupted_n
        never = [2, wire.DOSE_ABORTED, wire.REASON_RESET, wire.FLAG_EXACT, 0, 0, 0, *[0] * 6]
        assert book.outcome[: ledger.O_TOTAL] == never
        assert (book.total_nl, book.delivered_nl, book.counted_nl) == (20_000, 20_000, 20_007)
    else:
        check_interrupted(book, 0, 40_000)
    again = booted(bytearray(content), b"3rd.")
    assert (again.corrupt, again.interrupted_n) == (False, book.interrupted_n)
    assert (again.total_nl, again.delivered_nl, again.counted_nl) == (book.total_nl, book.delivered_nl, book.counted_nl)


@pytest.mark.parametrize(("state", "strokes"), [(VALID, 30), (BLANK, 0)])
def test_a_run_that_is_not_ended(state: str, strokes: int) -> None:
    """Without a reservation: all that was asked, or none."""
    content = bytearray(SIZE)
    book = booted(content, BOOT)
    intent(book, 0)
    book.write_start(1)
    book.begin_session()
    put(content, at(1, START), record(le((1, 3))), state, b"")
    book = booted(content)
    assert book.load(1) == ledger.CLOSED and book.interrupted_n == (1 if strokes else 0)
    assert book.outcome[ledger.O_STROKES] == strokes
    assert book.outcome[ledger.O_STATE] == (wire.DOSE_INTERRUPTED if strokes else wire.DOSE_ABORTED)


STATES = (BLANK, VALID, CUT, WIPED, DAMAGED)


@pytest.mark.requirement("SR-20", "SR-34")
@pytest.mark.parametrize("by_reset", [False, True])
@pytest.mark.parametrize("later", [False, True])
@pytest.mark.parametrize(("start", "seen"), list(itertools.product(STATES, STATES)))
def test_an_entry_that_is_ended(start: str, seen: str, later: bool, by_reset: bool) -> None:
    """A cut within START is possible only where a reset has ended it, within ACK only in the last entry, too."""
    content = bytearray(two_doses(True, by_reset, VALID))
    for place, state in ((START, start), (ACK, seen)):
        put(content, at(2, place), record(le((2, 3))), state, b"")
    if later:
        content[at(3, 0) : at(4, 0)] = content[at(1, 0) : at(2, 0)]
        content[at(3, INTENT) : at(3, INTENT) + 35] = record(bytes(8) + le((3, 3)) + bytes(20))
        content[at(3, START) : at(3, START) + 7] = record(le((3, 3)))
        content[at(3, OUTCOME) : at(3, OUTCOME) + END] = record(le((3, 3), (wire.DOSE_DONE, 1)) + bytes(38))
    book = booted(content)
    starts = {BLANK, VALID, CUT} if by_reset else {BLANK, VALID}
    ends = {BLANK, VALID, CUT} if by_reset and not later else {BLANK, VALID}
    assert book.corrupt == (start not in starts or seen not in ends)
    assert book.next_n == 3 + later
    if not book.corrupt:
        assert book.interrupted_n == (2 if by_reset and seen != VALID and not later else 0)


@pytest.mark.requirement("SR-20", "SR-34")
@pytest.mark.parametrize("which", [INTENT, START, OUTCOME])
@pytest.mark.parametrize("state", [BLANK, CUT, WIPED, DAMAGED])
def test_the_entry_before_the_last(state: str, which: int) -> None:
    content = bytearray(two_doses(True, False, VALID))
    length = {INTENT: 35, START: 7, OUTCOME: END}[which]
    put(content, at(1, which), bytes(content[at(1, which) : at(1, which) + length]), state, b"")
    assert booted(content).corrupt == (which != START or state != BLANK)


@pytest.mark.requirement("SR-20", "SR-34")
@pytest.mark.parametrize("which", [INTENT, START, OUTCOME])
@pytest.mark.parametrize("state", [*STATES, OTHERS])
def test_the_entry_behind_the_last(state: str, which: int) -> None:
    """Its INTENT does not read: a cut within it leaves it cut or wiped. Nothing else may be there of number 3."""
    content = bytearray(two_doses(True, False, VALID))
    content[at(3, 0) : at(4, 0)] = content[at(2, 0) : at(3, 0)]
    length = {INTENT: 35, START: 7, OUTCOME: END}[which]
    whole, others = (record(le((n, 3)) + bytes(length - 7)) for n in (3, 2))
    for place, n in ((INTENT, 35), (START, 7), (OUTCOME, END)):
        content[at(3, place) : at(3, place) + n] = bytes(n)
    if which != INTENT:
        put(content, at(3, which), whole, state, others)
    elif state in (VALID, OTHERS):
        return  # then it is the last, or its place is another's
    else:
        put(content, at(3, which), bytes(content[at(2, which) : at(2, which) + length]), state, b"")
    book = booted(content)
    assert book.corrupt == (state == DAMAGED or (state == VALID and which != INTENT))
    assert book.next_n == 3


def test_an_intent_in_anothers_place_is_corruption() -> None:
    content = bytearray(two_doses(True, False, VALID))
    content[at(9, 0) : at(10, 0)] = content[at(2, 0) : at(3, 0)]
    content[at(9, INTENT) : at(9, INTENT) + 35] = record(bytes(8) + le((10, 3)) + bytes(20))
    assert booted(content).corrupt


def test_totals_of_the_only_dose_and_of_the_one_before_it() -> None:
    for doses in (1, 2, 3):
        content = bytearray(SIZE)
        book = booted(content, BOOT)
        book.start_treatment(5)
        for n in range(1, doses + 1):
            intent(book)
            if n < doses:
                done(book, n)
        book = booted(content)
        given = doses - 1
        assert (book.total_nl, book.delivered_nl, book.counted_nl) == (given * 20_000, given * 20_000, given * 20_007)
        assert (book.corrupt, book.next_n, book.interrupted_n) == (False, doses + 1, 0)


# --- The ring ---------------------------------------------------------------------------------------------


@functools.cache
def round_(doses: int) -> bytes:
    content = bytearray(SIZE)
    book = booted(content, BOOT)
    book.begin_session()
    for _ in range(doses):
        n = intent(book)
        book.write_start(n)
        done(book, n)
    return bytes(content)


@pytest.mark.requirement("SR-20")
@pytest.mark.parametrize("doses", [255, 256, 257, 258, 513, 515])
def test_a_ring_that_is_full(doses: int) -> None:
    content = round_(doses)
    book = booted(bytearray(content))
    assert (book.corrupt, book.next_n, book.total_nl) == (False, doses + 1, doses * 20_000)
    oldest = max(1, doses + 1 - limits.LEDGER_DOSES)
    assert [n for n in range(-1, doses + 3) if book.remembers(n)] == list(range(oldest, doses + 1))
    for n in {oldest, oldest + 1, doses - 1, doses}:
        damaged = bytearray(content)
        damaged[at(n, OUTCOME) + 6] ^= 1
        assert booted(damaged).corrupt


# --- The header -------------------------------------------------------------------------------------------


def test_the_header_is_written_only_for_what_is_new() -> None:
    store = Fram(bytearray(SIZE))
    book = ledger.Ledger(store, BOOT)
    for way, value in ((book.set_day, 9_000), (book.keep_latches, 5), (book.start_treatment, 7)):
        before = store.writes
        way(value)
        assert store.writes == before + 1
        way(value)
        assert store.writes == before + 1
    again = booted(store.content)
    assert (again.day, again.latches, again.treatment, again.occasion, again.session) == (9_000, 5, 7, 1, 0)


@pytest.mark.parametrize(("former", "new"), [(0xFFFE, 0xFFFF), (0xFFFF, 1), (0, 1)])
def test_sessions_come_round(former: int, new: int) -> None:
    book = booted(bytearray(SIZE), BOOT)
    book.session = former
    assert book.begin_session() == new


@pytest.mark.parametrize("n", [-1, 0, 1, 3])
def test_what_is_not_interrupted_cannot_be_acknowledged(n: int) -> None:
    store = Fram(bytearray(two_doses(True, False, VALID)))
    assert not ledger.Ledger(store, LATER_BOOT).acknowledge(n) and store.writes == 0


def test_what_is_acknowledged_is_named() -> None:
    content = bytearray(two_doses(True, True, VALID))
    assert booted(content).acknowledge(2)
    assert content[at(2, ACK) : at(2, ACK) + 7] == record(le((2, 3))) and booted(content).interrupted_n == 0


def test_what_lies_behind_the_only_entry_gives_no_totals() -> None:
    content = bytearray(SIZE)
    book = booted(content)
    book.start_treatment(5)
    intent(book)
    content[at(2, OUTCOME) : at(2, OUTCOME) + END] = record(le((9, 3)) + bytes(27) + le((77_000, 4)) * 3)
    book = booted(content)
    assert (book.corrupt, book.next_n, book.total_nl, book.delivered_nl, book.counted_nl) == (False, 2, 0, 0, 0)


@pytest.mark.requirement("SR-03")
def test_points_of_this_treatment_wait_after_a_restart() -> None:
    content = bytearray(two_doses(True, False, VALID))
    assert booted(content).points.must_wait(0x0405)
    booted(content).start_treatment(6)
    assert not booted(content).points.must_wait(0x0405)
    content = bytearray(SIZE)
    book = booted(content)
    book.start_treatment(5)
    intent(book)
    assert not booted(content).points.must_wait(0x0405), "of this one nothing was given"
    book = booted(content)
    book.write_start(intent(book))
    assert booted(content).points.must_wait(0x0405)


@pytest.mark.requirement("SR-03")
def test_points_of_each_dose_but_a_prime_wait() -> None:
    content = bytearray(SIZE)
    book = booted(content, BOOT)
    book.start_treatment(5)
    for point, mode in ((1, wire.MODE_SINGLE), (2, wire.MODE_PRIME), (3, wire.MODE_SINGLE)):
        n = intent(book, mode=mode, point=point)
        done(book, n)
    for each in (book, booted(content)):
        assert [point for point in range(1, 5) if each.points.must_wait(point)] == [1, 3]
    book.start_treatment(6)
    assert not book.points.must_wait(1)


def test_a_slot_that_holds_another_entry_does_not_read() -> None:
    book = booted(bytearray(round_(258)))
    assert (book.load(1), book.load(258), book.load(259)) == (ledger.UNREADABLE, ledger.CLOSED, ledger.UNREADABLE)


def test_a_corrupt_ledger_has_no_totals() -> None:
    content = bytearray(round_(3))
    content[at(1, OUTCOME) + 6] ^= 1
    book = booted(content)
    assert (book.corrupt, book.total_nl, book.delivered_nl, book.counted_nl) == (True, 0, 0, 0)


def test_what_is_acknowledged_is_named_where_its_start_was_cut() -> None:
    content = bytearray(two_doses(True, True, VALID))
    put(content, at(2, START), record(le((2, 3))), CUT, b"")
    assert booted(content).acknowledge(2)
    assert content[at(2, ACK) : at(2, ACK) + 7] == record(le((2, 3)))


def test_latches_that_cannot_be_kept_are_tried_again() -> None:
    store = Fram(bytearray(SIZE))
    book = ledger.Ledger(store, BOOT)
    store.forgets = store.writes
    with pytest.raises(StoreFailed):
        book.keep_latches(5)
    assert book.latches == 0
    book.keep_latches(5)
    assert booted(store.content).latches == 5
