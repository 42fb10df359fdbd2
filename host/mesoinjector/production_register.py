"""The production line's register: which serial number is which board's, in a file that no crash undoes.

A number is on disk before anybody is told it, belongs to one board's uid for ever, and is never given again. Many
threads and programs may use one register. It is SQLite; `labels.csv` is written from it, whole, and feeds nothing.
"""

from __future__ import annotations

import contextlib
import csv
import io
import re
import sqlite3
from collections.abc import Generator
from dataclasses import astuple, dataclass, fields
from pathlib import Path

from mesoinjector.durable import replace
from mesoinjector.errors import PlanError, ProductionError

PATTERN = re.compile(r"[A-Za-z0-9._-]*?(#+)[A-Za-z0-9._-]*")
"""The device's name bears it, and files do: letters, digits, and `#` where the number stands."""
LONGEST = 16
"""Letters of a serial number: the device's name has no more."""
BUSY_S = 30.0
"""Another program writes a row meanwhile."""

_TABLE = """create table if not exists board (
    number integer primary key, serial text not null unique, uid text not null unique, board text not null default '',
    firmware text not null default '', made text not null default '', service_key text not null default '',
    operator_key text not null default '') strict"""


@dataclass(frozen=True, slots=True)
class Label:
    """A board that has passed, as its label says it."""

    serial: str
    uid: str
    board: str
    firmware: str
    made: str
    """Day, in UTC: 2026-11-22."""
    service_key: str
    operator_key: str
    """Fingerprints of its keys: see `Key.fingerprint`."""


COLUMNS = tuple(each.name for each in fields(Label))


class Register:
    """One file. Raises `PlanError` for a pattern or first number that cannot be."""

    def __init__(self, path: Path, pattern: str, first: int = 1) -> None:
        found = PATTERN.fullmatch(pattern)
        if found is None or len(pattern) > LONGEST:
            raise PlanError(
                f"serial = {pattern!r}: must be at most {LONGEST} letters, digits, '.', '_' or '-', and one row of # "
                "where the number stands, as in 'MI-######'."
            )
        self._before, self._digits, self._behind = pattern[: found.start(1)], len(found[1]), pattern[found.end(1) :]
        if not 1 <= first < 10**self._digits:
            raise PlanError(f"first = {first}: must be 1 to {10**self._digits - 1}, as {pattern!r} has it.")
        self._path, self._first = path, first

    def claim(self, uid: str) -> str:
        """The serial number of the board with this uid: a new one, which is on disk now, or the one that it has.

        Raises `ProductionError` if none is left, or the file does not take it: then no number was given.
        """
        with self._open() as book:
            had = book.execute("select serial from board where uid = ?", (uid,)).fetchone()
            if had is not None:
                return str(had[0])
            (last,) = book.execute("select coalesce(max(number), 0) from board").fetchone()
            number = max(self._first, last + 1)
            if number >= 10**self._digits:
                raise ProductionError(
                    f"{self._path}: {number - 1} was the last number of {self._digits} digits. Next: another pattern."
                )
            serial = f"{self._before}{number:0{self._digits}}{self._behind}"
            book.execute("insert into board (number, serial, uid) values (?, ?, ?)", (number, serial, uid))
            return serial

    def passed(self, label: Label) -> None:
        """Note that a board which has claimed its number has passed; later marks of it replace earlier ones."""
        with self._open() as book:
            book.execute(
                "update board set board = ?, firmware = ?, made = ?, service_key = ?, operator_key = ? "
                "where serial = ? and uid = ?",
                (*astuple(label)[2:], label.serial, label.uid),
            )

    def label(self, uid: str) -> Label | None:
        """What is noted of a board that has passed; None of any other."""
        return next((each for each in self.labels() if each.uid == uid), None)

    def labels(self) -> list[Label]:
        """All that have passed, by number."""
        with self._open() as book:
            rows = book.execute(f"select {', '.join(COLUMNS)} from board where made != '' order by number").fetchall()
        return [Label(*row) for row in rows]

    def write_labels(self, path: Path) -> None:
        """Write them as CSV, whole or not at all. Raises `ProductionError`, also if the file is not this register's."""
        self.check(path)
        text = io.StringIO()
        writer = csv.writer(text)
        writer.writerow(COLUMNS)
        writer.writerows(astuple(label) for label in self.labels())
        try:
            replace(path, text.getvalue().encode())
        except OSError as error:
            raise ProductionError(
                f"{path}: the labels cannot be written ({error.strerror or error}). Next: free space there, and run it "
                "again: each board gets the same serial number and keys."
            ) from None

    def check(self, labels: Path) -> None:
        """That labels which were written are known here: else the register is an older copy, or another one.

        It would give numbers again. Raises `ProductionError`.
        """
        if not labels.exists():
            return
        try:
            rows = list(csv.DictReader(io.StringIO(labels.read_text())))
            written = {(row["serial"], row["uid"]) for row in rows}
        except (OSError, UnicodeDecodeError, csv.Error, KeyError) as error:
            raise ProductionError(
                f"{labels} cannot be read as labels ({error!r}), and is left alone. Next: move it away."
            ) from None
        with self._open() as book:
            known = set(book.execute("select serial, uid from board").fetchall())
        if not written <= known:
            serial = min(written - known)[0]
            raise ProductionError(
                f"{labels} has {serial}, which {self._path} has not given: that register is older, or another "
                "line's, and would give numbers a second time. Next: bring back the newest register."
            )

    @contextlib.contextmanager
    def _open(self) -> Generator[sqlite3.Connection]:
        """One transaction, alone; what it wrote is on disk when this ends."""
        try:
            with contextlib.closing(sqlite3.connect(self._path, timeout=BUSY_S, isolation_level=None)) as book:
                book.execute("pragma synchronous = extra")
                book.execute("begin immediate")
                try:
                    book.execute(_TABLE)
                    yield book
                except BaseException:
                    if book.in_transaction:
                        book.execute("rollback")
                    raise
                book.execute("commit")
        except sqlite3.Error as error:
            raise ProductionError(
                f"{self._path}: the register of serial numbers does not work ({error}). No number was given. Next: "
                "free space there, or bring back its newest copy; a new file would give numbers a second time."
            ) from None
