"""What a device keeps, altered byte by byte: each change must be refused by name, lock therapy, and be left as it is.

The device is whole but for that byte: keyed, calibrated, with a run, a dose that the power cut off and that somebody
has acknowledged, and doses. Altered are the bytes that say something; those between records and those never written
are free, and each is overwritten before it is read.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from mesofirmware import keys, ledger, log, settings, slots
from mesoinjector import AuthError, DeviceError, opening
from mesoinjector.injector import Injector
from mesoinjector.pump import Pump
from mesoinjector.service import Service
from mesoinjector.simulated import SimulatedLink
from mesoprotocol import codec, messages, wire
from mesosim.lab.link import Killed
from mesosim.runtime import InProcess
from mesosim.world import world as worlds
from tests.bench_of_one import OPERATOR, SERVICE, Bench, after_flow, world

WAYS: dict[str, Callable[[int], int]] = {
    "inverted": lambda byte: byte ^ 0xFF,
    "one bit": lambda byte: byte ^ 1,
    "zero": lambda byte: 0,
    "one more": lambda byte: (byte + 1) & 0xFF,
}
_CRC, _MARK = 4, 1


class Kept(NamedTuple):
    """What a device has: its memory and its files."""

    memory: bytes
    files: dict[str, bytes]


class Place(NamedTuple):
    """One byte: of which store, in which record, and where: in the memory, or in a file."""

    store: str
    record: str
    file: str
    at: int
    last: bool = False
    """Of its record."""

    def altered(self, kept: Kept, how: Callable[[int], int]) -> Kept:
        """The same with this byte changed."""
        data = bytearray(kept.files[self.file] if self.file else kept.memory)
        data[self.at] = how(data[self.at])
        if self.file:
            return Kept(kept.memory, {**kept.files, self.file: bytes(data)})
        return Kept(bytes(data), kept.files)

    def part(self, kept: Kept) -> object:
        """All of the store that must stay as it is."""
        first, end = {"ledger": (0, keys._AT), "keys": (keys._AT, keys._AT + 256), "log": (log._HEAD_AT, None)}.get(
            self.store, (0, 0)
        )
        return kept.files if self.file else kept.memory[first:end]


def lived(folder: Path) -> Kept:
    """A device with a history, at rest."""
    bench = Bench(InProcess(1), folder / "journal.sqlite")
    injector = bench.keyed()
    for name in ("first", "second", "third"):
        Service(bench.connect(SERVICE)).calibrate(name=name, pressure_zero_pa=100, encoder_gain_ppm=1_000_500)
    bench.device.control("present", 0)
    injector = bench.connect(OPERATOR)
    injector.dose(0.02, depth_mm=1.0, zone="cheek")  # nobody presses: ABORTED before its START
    bench.device.control("present", 1)
    injector.listen(after_flow(5_000, lambda: _cut(bench, injector)))
    try:
        injector.dose(0.05, depth_mm=1.0, zone="cheek")
    except Killed:
        bench.rest()
    injector = bench.connect(OPERATOR)
    injector.acknowledge(injector.resolved[0].dose_id, "operator")
    injector.begin_treatment()
    injector.prime(0.05)
    injector.dose(0.02, depth_mm=1.0, zone="cheek")
    bench.rest(1_000_000)
    record = slots.Slots(world(bench).board.files)
    for step in (lambda: record.stage(lambda _: True), lambda: record.choose(lambda _: True), record.confirm):
        step()
    return Kept(bytes(world(bench)._fram), dict(world(bench).files))


def _cut(bench: Bench, injector: Injector) -> None:
    bench.link(injector).dead = True
    bench.device.control("reset")


def places(kept: Kept) -> Iterator[Place]:
    """Every byte that says something."""
    n = codec.size
    device = Device(kept)
    book, history = device.world.app._ledger, device.world.app._log
    newest = history.newest - 1  # the last is of this boot, which is not in `kept`
    records = [
        *(("ledger", f"header {i}", 32 * i, n(ledger._HEADER) + _CRC + _MARK) for i in (0, 1)),
        *(("ledger", f"progress {i}", 64 + 32 * i, n(ledger._PROGRESS) + _CRC + _MARK) for i in (0, 1)),
        *(("keys", f"copy {i}", keys._AT + 128 * i, n(keys._FIELDS) + _CRC + _MARK) for i in (0, 1)),
        *(("log", f"head {i}", log._HEAD_AT + 32 * i, n(log._HEAD) + _CRC + _MARK) for i in (0, 1)),
        *(("log", f"entry {i}", log._slot(i), log._SLOT) for i in range(1, newest + 1)),
    ]
    for i in range(1, book.next_n):
        for name, at, fields in (
            ("INTENT", ledger._INTENT, ledger.INTENT),
            ("START", ledger._START, ledger._MARK),
            ("OUTCOME", ledger._OUTCOME, ledger.OUTCOME),
            ("ACK", ledger._ACK, ledger._MARK),
        ):
            records.append(("ledger", f"{name} {i}", ledger._slot(i) + at, n(fields) + _CRC))
    for store, record, at, size in records:
        yield from (Place(store, record, "", at + i, i == size - 1) for i in range(size))
    for name in sorted(kept.files):
        store = "settings" if name in settings.FILES else "application"
        yield from (Place(store, name, name, i) for i in range(len(kept.files[name])))


class Device:
    """A device that has been given what is kept; it starts with that."""

    def __init__(self, kept: Kept) -> None:
        self._in_process = InProcess(1)
        self.world = self._in_process.world
        self.world._fram[:] = kept.memory
        self.world.files.clear()
        self.world.files.update(kept.files)
        self._hosts = 0
        self.start()

    def start(self) -> None:
        """As `start.main` does: the application that the record says, or the safe one."""
        chosen = slots.Slots(self.world.board.files).choose(lambda _: True)
        self.world.firmware = lambda: worlds.app.App(self.world.board, not chosen)
        self._in_process.control("reset")
        self._in_process.run(self.world._t // worlds.US - worlds.START_US + 200_000, b"")

    def open(self, key: Any = None) -> tuple[Pump, messages.HelloReply]:
        """A host, and what HELLO has said to it."""
        self._hosts += 1
        pump = Pump(SimulatedLink("sim", self._in_process, self._hosts))
        return pump, opening.open_session(pump, key)

    def kept(self) -> Kept:
        """What it has now."""
        return Kept(bytes(self.world._fram), dict(self.world.files))


class Case(NamedTuple):
    """One change of one byte."""

    name: str
    place: Place
    kept: Kept


def cases(kept: Kept) -> list[Case]:
    """Every byte that says something, in every way that changes it."""
    found = []
    for place in places(kept):
        for way, how in WAYS.items():
            altered = place.altered(kept, how)
            if altered != kept and (place.record, place.last, way) not in _AS_CUT:
                found.append(Case(f"{place.store}: {place.record}: byte {place.at}: {way}", place, altered))
    return found


def tally(cases: list[Case], tried: list[Case]) -> list[str]:
    """What of each store was tried, in lines."""
    of, all_of = (Counter(case.place.store for case in some) for some in (tried, cases))
    return [f"{store:12}{of[store]:6,} of {all_of[store]:6,} changes" for store in REFUSED]


_AS_CUT = {("START 3", True, "zero"), ("OUTCOME 5", True, "zero")}
"""What a power cut leaves too: all but the last byte of the interrupted dose's START, and of the last dose's OUTCOME,
which is INTERRUPTED then, and another than the log has.
"""
REFUSED = {
    "settings": "SETTINGS_DAMAGED",
    "ledger": "LEDGER_CORRUPT",
    "keys": "KEYS_DAMAGED",
    "log": "LOG_DAMAGED",
    "application": "SAFE_APPLICATION",
}
"""By which name each store's damage is told: as the status of what is refused, or as the latch that stands."""


def said(place: Place, kept: Kept) -> str:
    """What is wrong with how a device meets what was altered; "" if it is refused as it must be."""
    device = Device(kept)
    before = place.part(kept)
    for _ in range(2):
        found = _refused(device, place.store)
        if found:
            return found
        if place.part(device.kept()) != before:
            return "rewritten"
        device.start()
    return ""


def _refused(device: Device, store: str) -> str:
    guest, hello = device.open()
    status: messages.StatusReply = guest.request(messages.Status())
    told: messages.LogReply = guest.request(messages.Log(1))
    if told.newest == 0 and store != "log":
        return "the log is not told"
    latch = {"LEDGER_CORRUPT": wire.LATCH_LEDGER_CORRUPT}.get(REFUSED[store], 0)
    if status.latches & latch != latch or hello.latches & latch != latch:
        return f"latches {status.latches:#x}"
    try:
        host, hello = device.open(OPERATOR)
    except AuthError as error:
        return "" if REFUSED[store] in str(error) else str(error)
    host.request(messages.SetDate(9_500))
    host.request(messages.Clear(0xFFFF, host.request(messages.Status()).latch_count))
    wanted = messages.Prepare(b"ABCDEFGH", hello.next_n, 20_000, 0, wire.MODE_PRIME, 1, 0, 0)
    try:
        host.request(wanted)
    except DeviceError as error:
        return "" if latch or REFUSED[store] in str(error) else str(error)
    return "therapy is not locked"
