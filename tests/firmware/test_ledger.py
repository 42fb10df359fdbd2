"""Power may go at any write: afterwards each dose is known, or bounded, and none is lost or doubled."""

from collections.abc import Iterator
from typing import Any

import pytest

from mesofirmware import ledger
from mesofirmware.records import StoreFailed
from mesoprotocol import codec, limits, wire
from tests.firmware.fram import Fram, PowerCut

BOOT, LATER_BOOT = b"boot", b"next"
SIZE = 32768
PARTS = (0.0, 0.1, 0.5, 0.9, 1.0)


def intent(book: ledger.Ledger, dose_id: bytes, volume_nl: int = 0, strokes: int = 0) -> None:
    v = book.intent
    v[ledger.I_ID][:] = dose_id
    v[ledger.I_MODE] = wire.MODE_SINGLE if volume_nl else wire.MODE_FRACTIONAL
    v[ledger.I_ZONE], v[ledger.I_PROFILE], v[ledger.I_POINT], v[ledger.I_DEPTH] = 6, 1, 1, 1500
    v[ledger.I_VOLUME], v[ledger.I_STROKES], v[ledger.I_RATE] = volume_nl, strokes, 900
    book.write_intent()


def outcome(book: ledger.Ledger, n: int, state: int, delivered: int, margin: int = 0, strokes: int = 0) -> None:
    o = book.outcome
    o[:] = [0] * len(o)
    o[ledger.O_STATE] = state
    o[ledger.O_DELIVERED] = delivered
    o[ledger.O_LOWER], o[ledger.O_UPPER] = delivered - margin, delivered + margin
    o[ledger.O_STROKES] = strokes
    book.write_outcome(n)


def test_a_field_takes_what_its_bytes_hold():
    for kind, size, low, high in (*ledger._HEADER, *ledger._PROGRESS, *ledger.INTENT, *ledger._MARK, *ledger.OUTCOME):
        assert kind in (codec.UINT, codec.BYTES)
        assert (low, high) == ((0, min(256**size - 1, 0x3FFFFFFF)) if kind == codec.UINT else (0, 0))


class Truth:
    """What has happened outside the memory, and so must not be lost."""

    def __init__(self) -> None:
        self.session = 0
        self.treatment = 0
        self.armed: list[int] = []
        self.started: list[int] = []
        self.reserved: list[tuple[int, int]] = []
        """Of the dose that is under way, the one being written included."""
        self.moved_nl: dict[int, int] = {}
        self.strokes: dict[int, int] = {}
        self.ended: dict[int, tuple[int, int, int]] = {}
        self.ending = 0


def treatment(book: ledger.Ledger, truth: Truth) -> None:
    """Three doses, the last one a run: the ledger is told first, then the truth changes."""
    truth.session = book.begin_session()
    book.start_treatment(5)
    truth.treatment = 5
    for n, asked, ends in ((1, 20_000, wire.DOSE_DONE), (2, 40_000, wire.DOSE_ABORTED)):
        truth.reserved = []
        intent(book, bytes((n,)) * 8, volume_nl=asked)
        truth.armed.append(n)
        book.write_start(n)
        truth.started.append(n)
        truth.moved_nl[n] = 0
        for tenth in range(1, 6):
            lower, upper = truth.moved_nl[n], asked * tenth // 10
            truth.reserved.append((lower, upper))
            book.reserve(n, lower, upper, 0, 0)
            truth.moved_nl[n] = upper
        truth.ending = n
        outcome(book, n, ends, truth.moved_nl[n], margin=300)
        truth.ended[n] = (ends, truth.moved_nl[n], truth.moved_nl[n] + 300)
    truth.reserved = []
    intent(book, b"run of 3", strokes=30)
    truth.armed.append(3)
    book.write_start(3)
    truth.started.append(3)
    truth.strokes[3] = 0
    for upper in (7, 14, 21):
        book.reserve(3, 0, 0, truth.strokes[3], upper)
        truth.strokes[3] = upper
    truth.ending = 3
    outcome(book, 3, wire.DOSE_DONE, 0, strokes=21)
    truth.ended[3] = (wire.DOSE_DONE, 0, 0)


def writes_of_the_treatment() -> int:
    store = Fram(bytearray(SIZE))
    treatment(ledger.Ledger(store, BOOT), Truth())
    return store.writes


def interrupted(cut_at: int, part: float) -> tuple[bytearray, Truth]:
    """The memory after a treatment whose power went, and what had happened by then."""
    content, truth = bytearray(SIZE), Truth()
    with pytest.raises(PowerCut):
        treatment(ledger.Ledger(Fram(content, cut_at, part), BOOT), truth)
    return content, truth


def check(book: ledger.Ledger, truth: Truth) -> None:
    """After the reboot nothing that happened is missing, nor is anything counted that did not happen."""
    assert not book.corrupt
    last = truth.armed[-1] if truth.armed else 0
    # an INTENT may be durable though its writer never heard of it; then nothing moved
    assert book.next_n in (last + 1, last + 2)
    delivered = counted = 0
    for n in range(1, book.next_n):
        assert book.remembers(n)
        assert book.load(n), f"dose {n} has no OUTCOME"
        o = book.outcome
        delivered += o[ledger.O_DELIVERED]
        counted += o[ledger.O_UPPER]
        known = (o[ledger.O_STATE], o[ledger.O_DELIVERED], o[ledger.O_UPPER])
        assert (o[ledger.O_N], book.intent[ledger.I_N], book.intent[ledger.I_BOOT]) == (n, n, BOOT)
        if n in truth.ended:
            assert known == truth.ended[n]
        elif n not in truth.started and o[ledger.O_STATE] == wire.DOSE_ABORTED:
            assert (known, o[ledger.O_REASON]) == ((wire.DOSE_ABORTED, 0, 0), wire.REASON_RESET)
        elif o[ledger.O_STATE] != wire.DOSE_INTERRUPTED:
            assert n == truth.ending, f"dose {n} has the end of a dose that did not end"
        else:
            assert n == last
            assert book.interrupted_n == n
            if len(truth.reserved) > 1:
                assert (o[ledger.O_LOWER], o[ledger.O_UPPER]) in truth.reserved[-2:]
            assert o[ledger.O_LOWER] <= truth.moved_nl.get(n, 0) <= o[ledger.O_UPPER]
            assert truth.strokes.get(n, 0) <= o[ledger.O_STROKES]
    assert (book.total_nl, book.delivered_nl, book.counted_nl) == (delivered, delivered, counted)
    assert truth.treatment in (book.treatment, 0)
    assert book.begin_session() > truth.session


CUTS = [(cut_at, part) for cut_at in range(writes_of_the_treatment()) for part in PARTS]


@pytest.mark.parametrize(("cut_at", "part"), CUTS)
def test_power_cut_at_a_write(cut_at: int, part: float):
    content, truth = interrupted(cut_at, part)
    check(ledger.Ledger(Fram(content), LATER_BOOT), truth)
    # what the first boot has decided stands
    before = bytes(content)
    book = ledger.Ledger(Fram(content), b"3rd.")
    assert content == before
    check(book, truth)


@pytest.mark.parametrize(("cut_at", "part"), CUTS)
def test_power_cut_while_recovering_from_a_power_cut(cut_at: int, part: float):
    content, truth = interrupted(cut_at, part)
    for again in PARTS:
        half = bytearray(content)
        try:
            ledger.Ledger(Fram(half, 0, again), LATER_BOOT)
        except PowerCut:
            check(ledger.Ledger(Fram(half), b"3rd."), truth)


def test_an_intent_without_a_start_moved_nothing():
    content = bytearray(SIZE)
    book = ledger.Ledger(Fram(content), BOOT)
    book.begin_session()
    intent(book, b"12345678", volume_nl=20_000)
    book = ledger.Ledger(Fram(content), LATER_BOOT)
    assert entry(book, 1) == (wire.DOSE_ABORTED, 0, 0, 0)
    assert book.interrupted_n == 0


def started(content: bytearray) -> ledger.Ledger:
    book = ledger.Ledger(Fram(content), BOOT)
    book.begin_session()
    intent(book, b"12345678", volume_nl=20_000)
    book.write_start(1)
    return book


def test_a_start_without_reservation_is_bounded_by_what_was_asked():
    content = bytearray(SIZE)
    started(content)
    assert entry(ledger.Ledger(Fram(content), LATER_BOOT), 1)[2:] == (0, 20_000)


def test_a_start_with_a_reservation_is_bounded_by_it():
    content = bytearray(SIZE)
    book = started(content)
    book.reserve(1, 4_000, 5_000, 0, 0)
    assert entry(ledger.Ledger(Fram(content), LATER_BOOT), 1) == (wire.DOSE_INTERRUPTED, 4_500, 4_000, 5_000)


def test_a_start_that_is_cut_off_is_a_start():
    content = bytearray(SIZE)
    book = started(content)
    book.reserve(1, 4_000, 5_000, 0, 0)
    content[128 + 104 + 36 + 4 : 128 + 104 + 36 + 7] = bytes(3)
    assert entry(ledger.Ledger(Fram(content), LATER_BOOT), 1) == (wire.DOSE_INTERRUPTED, 4_500, 4_000, 5_000)


@pytest.mark.requirement("SR-34")
@pytest.mark.parametrize("at", [36, 37, 44 + 20])
def test_what_no_cut_leaves_at_the_end_is_corruption(at: int):
    """In START, or in the OUTCOME of a dose that is not ended."""
    content = bytearray(SIZE)
    started(content)
    content[128 + 104 + at] ^= 1
    content[128 + 104 + 44 + 45] |= at > 44
    before = bytes(content)
    assert ledger.Ledger(Fram(content), LATER_BOOT).corrupt and content == before


def test_another_doses_reservation_says_nothing():
    content = bytearray(SIZE)
    book = started(content)
    book.reserve(1, 4_000, 5_000, 0, 0)
    outcome(book, 1, wire.DOSE_DONE, 5_000)
    intent(book, b"abcdefgh", volume_nl=40_000)
    book.write_start(2)
    assert entry(ledger.Ledger(Fram(content), LATER_BOOT), 2)[2:] == (0, 40_000)


def entry(book: ledger.Ledger, n: int) -> tuple[int, int, int, int]:
    assert book.load(n)
    o = book.outcome
    return o[ledger.O_STATE], o[ledger.O_DELIVERED], o[ledger.O_LOWER], o[ledger.O_UPPER]


def test_an_interrupted_dose_stays_so_until_somebody_has_seen_it():
    content = bytearray(SIZE)
    started(content)
    for boot in (b"2nd.", b"3rd."):
        book = ledger.Ledger(Fram(content), boot)
        assert book.interrupted_n == 1
    assert not book.acknowledge(2)
    assert book.acknowledge(1)
    assert not book.acknowledge(1)
    assert ledger.Ledger(Fram(content), b"4th.").interrupted_n == 0


def full(doses: int, treatment_of: Any = lambda n: 5) -> bytearray:
    content = bytearray(SIZE)
    book = ledger.Ledger(Fram(content), BOOT)
    book.begin_session()
    for n in range(1, doses + 1):
        book.start_treatment(treatment_of(n))
        intent(book, n.to_bytes(8, "little"), volume_nl=20_000)
        book.write_start(n)
        outcome(book, n, wire.DOSE_DONE, 20_000 + n, margin=100)
    return content


def one_dose(book: ledger.Ledger, n: int) -> None:
    """Five writes."""
    intent(book, b"12345678", volume_nl=20_000)
    book.write_start(n)
    book.reserve(n, 0, 1_000, 0, 0)
    outcome(book, n, wire.DOSE_DONE, 20_000)


def records_of(n: int) -> Iterator[tuple[str, int]]:
    slot = 128 + n % limits.LEDGER_DOSES * 104
    yield "INTENT", slot
    yield "OUTCOME", slot + 44


@pytest.mark.parametrize("which", ["INTENT", "OUTCOME"])
@pytest.mark.parametrize("n", [1, 2])
def test_damage_behind_the_last_entry_is_corruption(n: int, which: str):
    content = full(3)
    at = dict(records_of(n))[which]
    for bit in range(0, 8 * 30, 7):
        damaged = bytearray(content)
        damaged[at + bit // 8] ^= 1 << bit % 8
        book = ledger.Ledger(Fram(damaged), LATER_BOOT)
        assert book.corrupt, f"bit {bit}"
        assert book.next_n == 4


def test_a_corrupt_ledger_is_left_as_it_is():
    content = full(3)
    content[dict(records_of(2))["OUTCOME"] + 3] ^= 1
    before = bytes(content)
    assert ledger.Ledger(Fram(content), LATER_BOOT).corrupt
    assert content == before


@pytest.mark.parametrize("doses", [0, 2])
def test_both_headers_damaged_is_corruption(doses: int):
    content = full(doses)
    ledger.Ledger(Fram(content), BOOT).begin_session()
    content[1] ^= 1
    content[33] ^= 1
    assert ledger.Ledger(Fram(content), LATER_BOOT).corrupt


def test_entries_without_any_header_are_corruption():
    content = full(2)
    content[:64] = bytes(64)
    assert ledger.Ledger(Fram(content), LATER_BOOT).corrupt


@pytest.mark.parametrize("blank", [0, 0xFF])
def test_a_new_memory_is_empty_and_sound(blank: int):
    book = ledger.Ledger(Fram(bytearray([blank]) * SIZE), BOOT)
    assert (book.corrupt, book.next_n, book.total_nl, book.remembers(1)) == (False, 1, 0, False)


@pytest.mark.parametrize("doses", [256, 257, 258, 300])
def test_the_ring_remembers_256_doses_and_says_which(doses: int):
    content = full(doses)
    book = ledger.Ledger(Fram(content), LATER_BOOT)
    assert (book.corrupt, book.next_n) == (False, doses + 1)
    oldest = max(1, doses - 255)
    assert [n for n in range(doses + 3) if book.remembers(n)] == list(range(oldest, doses + 1))
    for n in range(oldest, doses + 1):
        assert book.load(n) == ledger.CLOSED
        assert (book.intent[ledger.I_ID], book.outcome[ledger.O_DELIVERED]) == (
            n.to_bytes(8, "little"),
            20_000 + n,
        )
    assert book.total_nl == sum(20_000 + n for n in range(1, doses + 1))


@pytest.mark.parametrize("cut_at", range(5))
@pytest.mark.parametrize("part", PARTS)
def test_power_cut_while_the_oldest_entry_is_replaced(cut_at: int, part: float):
    content = full(300)
    with pytest.raises(PowerCut):
        one_dose(ledger.Ledger(Fram(content, cut_at, part), BOOT), 301)
    after = ledger.Ledger(Fram(content), LATER_BOOT)
    assert not after.corrupt
    assert after.next_n in (301, 302)
    assert all(after.load(n) == ledger.CLOSED for n in range(after.next_n - 256, after.next_n))


def test_totals_are_the_treatments_and_survive():
    content = full(6, treatment_of=lambda n: 7 if n > 4 else 5)
    book = ledger.Ledger(Fram(content), LATER_BOOT)
    assert (book.treatment, book.total_nl) == (7, 120_021)
    assert (book.delivered_nl, book.counted_nl) == (40_011, 40_211)
    book.start_treatment(7)
    assert book.counted_nl == 40_211
    book.start_treatment(8)
    assert (book.delivered_nl, book.counted_nl, book.total_nl) == (0, 0, 120_021)
    again = ledger.Ledger(Fram(content), b"3rd.")
    assert (again.treatment, again.delivered_nl, again.counted_nl, again.total_nl) == (8, 0, 0, 120_021)


def test_the_grand_total_wraps_at_30_bits():
    book = ledger.Ledger(Fram(bytearray(SIZE)), BOOT)
    book.total_nl = (1 << 30) - 5
    intent(book, b"12345678", volume_nl=20_000)
    outcome(book, 1, wire.DOSE_DONE, 20_000)
    assert book.total_nl == 19_995


@pytest.mark.parametrize("write", range(5))
def test_a_memory_that_forgets_is_found_out(write: int):
    store = Fram(bytearray(SIZE))
    book = ledger.Ledger(store, BOOT)
    book.begin_session()
    full_slot = 128 + 104
    store.content[full_slot : full_slot + 104] = b"\x55" * 104
    store.forgets = store.writes + write
    with pytest.raises(StoreFailed):
        one_dose(book, 1)


def test_a_write_that_fails_again_and_again_spares_the_good_copy():
    store = Fram(bytearray(SIZE))
    book = ledger.Ledger(store, BOOT)
    former = [book.begin_session() for _ in range(3)][-1]
    write = store.write
    store.write = lambda at, buf, n: write(at, buf, n // 2)
    for _ in range(3):
        with pytest.raises(StoreFailed):
            book.begin_session()
    again = ledger.Ledger(Fram(store.content), LATER_BOOT)
    assert not again.corrupt and again.session == former


def test_sessions_are_not_used_twice():
    content = bytearray(SIZE)
    given = []
    for boot in range(4):
        book = ledger.Ledger(Fram(content), bytes((boot,)) * 4)
        given += [book.begin_session() for _ in range(3)]
    assert given == list(range(1, 13))


def test_day_and_occasion_last_and_a_treatment_that_is_not_written_is_none():
    store = Fram(bytearray(SIZE))
    book = ledger.Ledger(store, BOOT)
    book.set_day(9_500)
    book.start_treatment(5)
    store.forgets = store.writes
    with pytest.raises(StoreFailed):
        book.start_treatment(6)
    for seen in (book, ledger.Ledger(Fram(store.content), LATER_BOOT)):
        assert (seen.day, seen.treatment, seen.occasion) == (9_500, 5, 1)


def test_sessions_of_a_corrupt_ledger_begin_anywhere():
    content = full(2)
    content[1] ^= 1
    before = bytes(content)
    for boot, first in ((b"\x01\x02ab", 0x0202), (b"\xff\xffab", 1)):
        book = ledger.Ledger(Fram(content), boot)
        assert book.corrupt and book.begin_session() == first
        book.set_day(9_500)
        book.keep_latches(1)
        assert content == before
