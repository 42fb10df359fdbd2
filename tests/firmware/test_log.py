"""The log: what was appended is found again, whatever is cut; what was altered is refused, byte for byte."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from mesofirmware import clock, log
from mesoprotocol import limits, wire
from tests.firmware.fram import Fram, PowerCut

SIZE = 32768
HEAD = (log._HEAD_AT, log._HEAD_AT + log._COPY)


def outcome(n: int, buf: bytearray, at: int) -> int:
    """Of dose n, as if the ledger told it."""
    buf[at : at + 4] = b"dose" if n != 3 else b"DOSE"
    return at + 4


def booted(memory: bytearray, is_new: bool = False, **cut: float) -> log.Log:
    book = log.Log(Fram(memory, **cut), clock.Clock(0))  # type: ignore[arg-type]
    book.put_outcome = outcome
    book.recover(is_new, True)
    return book


def written(entries: int) -> bytearray:
    """A memory with so many chained entries, every fifth a dose's end, in boots of nine."""
    memory = bytearray(SIZE)
    book = booted(memory, True)
    for n in range(entries):
        if n % 9 == 8:
            book = booted(memory)
        book.add(wire.LOG_ENDED if n % 5 == 4 else wire.LOG_BOOT, n & 0xFFFF, n)
        while book.chain():
            pass
    assert not book.damaged
    return memory


def told(book: log.Log, n: int) -> list[object]:
    values: list[object] = [0] * len(wire.LOG_REPLY_FIELDS)
    values[wire.LOG_REPLY_CHAIN] = bytearray(8)
    book.read(n, values)
    return values


@pytest.mark.parametrize("entries", [1, 2, 12, limits.LOG_ENTRIES, limits.LOG_ENTRIES + 1, 3 * limits.LOG_ENTRIES + 7])
def test_what_was_appended_is_found_again(entries: int) -> None:
    book = booted(written(entries))
    assert not book.damaged
    oldest = max(1, entries - limits.LOG_ENTRIES + 1)
    for n in range(oldest, entries + 1):
        values = told(book, n)
        assert values[:3] == [entries, n, wire.LOG_ENDED if n % 5 == 0 else wire.LOG_BOOT]
        assert values[5:7] == [n - 1, n - 1] and any(values[7])  # type: ignore[call-overload]
    assert told(book, oldest - 1)[2] == told(book, entries + 1)[2] == wire.LOG_NONE


@pytest.mark.requirement("SR-20", "SR-34")
@pytest.mark.parametrize("entries", [6, limits.LOG_ENTRIES + 20])
@pytest.mark.parametrize("how", [lambda byte: byte ^ 0xFF, lambda byte: 0], ids=["inverted", "zero"])
def test_each_byte_of_each_entry_and_chain(entries: int, how: Callable[[int], int]) -> None:
    """Of the oldest entry, the one that nothing stands before, the chain alone is what the next one holds."""
    whole = written(entries)
    oldest = max(1, entries - limits.LOG_ENTRIES + 1)
    for n in sorted({oldest, oldest + 1, entries - 1, entries}):
        for at in range(log._slot(n), log._slot(n) + log._SLOT):
            memory = bytearray(whole)
            memory[at] = how(memory[at])
            if memory == whole:
                continue
            altered = bytes(memory)
            book = booted(memory)
            assert book.damaged, (n, at - log._slot(n))
            book.add(wire.LOG_BOOT, 1, 2)
            assert not book.chain() and memory == altered, "what is damaged is not written"


@pytest.mark.requirement("SR-34")
def test_each_byte_of_the_head() -> None:
    """One altered copy of the head is no end that was cut off."""
    whole = written(20)
    for first in HEAD:
        for at in range(first, first + 19):
            memory = bytearray(whole)
            memory[at] ^= 0xFF
            assert booted(memory).damaged, at
    memory = bytearray(whole)
    memory[log._HEAD_AT :] = bytes(SIZE - log._HEAD_AT)
    assert booted(memory).damaged, "a log that was wiped"


@pytest.mark.requirement("SR-20")
def test_what_is_altered_with_a_right_crc_breaks_the_chain() -> None:
    whole = written(30)
    forger = log.Log(Fram(memory := bytearray(whole)), clock.Clock(0))
    for n in range(1, 31):
        memory[:] = whole
        assert forger._reads(n)
        forger._entry[log.E_A] ^= 1
        forger._records.write(log._slot(n), log._ENTRY, forger._entry)
        assert booted(memory).damaged


@pytest.mark.requirement("SR-20")
def test_a_dose_that_is_altered_breaks_the_chain() -> None:
    memory = written(30)
    book = log.Log(Fram(memory), clock.Clock(0))
    book.put_outcome = lambda n, buf, at: outcome(n + 1 if n == 14 else n, buf, at)
    book.recover(False, True)
    assert not book.damaged
    book = log.Log(Fram(memory), clock.Clock(0))
    book.put_outcome = lambda n, buf, at: outcome(3 if n == 14 else n, buf, at)
    book.recover(False, True)
    assert book.damaged
    book = log.Log(Fram(memory), clock.Clock(0))
    book.put_outcome = lambda n, buf, at: outcome(3 if n == 14 else n, buf, at)
    book.recover(False, False)
    assert not book.damaged, "a ledger that does not read says so itself"


@pytest.mark.requirement("SR-20", "SR-34")
@pytest.mark.parametrize("before", [0, 3, limits.LOG_ENTRIES + 5])
def test_the_power_goes_at_each_write(before: int) -> None:
    """What was there is there; what was being written is there or not; nothing is damaged, and it goes on."""
    whole = written(before)
    cut = 0
    while True:
        for part in (0.0, 0.3, 0.5, 0.9, 1.0):
            memory = bytearray(whole)
            try:
                book = booted(memory, before == 0, cut_at=cut, part=part)
                for n in (1, 2, 3):
                    book.add(wire.LOG_ENDED, 0, n)
                while book.chain():
                    pass
                done = True
            except PowerCut:
                done = False
            book = booted(memory, before == 0)
            assert not book.damaged and before <= book.newest <= before + 3, (cut, part)
            book.add(wire.LOG_BOOT, 0, 0)
            while book.chain():
                pass
            assert not book.damaged and not booted(memory).damaged
        if done:
            break
        cut += 1
    assert cut == 3 * 2 + 3 * 2


@pytest.mark.parametrize("forgets", range(12))
def test_a_memory_that_forgets_makes_it_damaged(forgets: int) -> None:
    memory = written(4)
    store = Fram(memory)
    book = log.Log(store, clock.Clock(0))
    book.put_outcome = outcome
    book.recover(False, True)
    store.forgets = forgets
    for n in (1, 2, 3):
        book.add(wire.LOG_ENDED, 7, n)
    while book.chain():
        pass
    assert book.damaged


@pytest.mark.requirement("SR-20", "SR-34")
def test_what_is_altered_before_it_is_chained_is_never_chained() -> None:
    memory = written(4)
    book = booted(memory)
    book.add(wire.LOG_BOOT, 1, 2)
    memory[log._slot(5) + 9] ^= 1
    altered = bytes(memory)
    assert book.chain() and book.damaged and not book.chain()
    assert memory == altered and told(book, 5)[7] == bytes(8)


def test_nobody_pushes_the_others_out() -> None:
    book = booted(bytearray(SIZE), True)
    book.add(wire.LOG_BOOT, 0, 0)
    for n in range(500):
        book.refuse(wire.LOG_REFUSED, wire.S_RANGE, 7)
        book.refuse(wire.LOG_REFUSED, wire.S_STALE_VIEW, n)
    assert book.newest == log._WAITING
    while book.chain():
        pass
    newest = book.newest
    for _ in range(5):
        book.refuse(wire.LOG_REFUSED, wire.S_ZONE_LIMIT, 7)
    assert book.newest == newest + 1


def test_who_is_refused_again_and_again_while_chains_are_behind_is_said_once() -> None:
    book = booted(bytearray(SIZE), True)
    for n in range(3):
        book.add(wire.LOG_TREATMENT, n, 0)
    for _ in range(500):
        book.refuse(wire.LOG_UPDATE, wire.S_ROLE, 0)
        book.chain()
    assert book.newest == 4
