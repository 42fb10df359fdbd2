"""The file of a journal: SQLite, WAL, synchronous FULL, one append-only table, rows chained; see `journal_chain`.

A row is in the file itself, not only in the log beside it, before `append` returns. Several programs may have one
journal open; each row is written under SQLite's lock, and about one device by one program only (`hold`). Nothing is
ever repaired: what is not as it was written is refused with the row's number.
"""

from __future__ import annotations

import contextlib
import json
import logging
import sqlite3
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import platformdirs

from mesoinjector import journal_chain, logs
from mesoinjector.errors import JournalAltered, JournalError
from mesoinjector.journal_chain import Row
from mesoinjector.journal_lock import DeviceLock

FORMAT = 2
CHECKED_ROWS = 20_000
"""The newest rows, whose chain is checked when a journal is opened for writing: a fifth of a second."""
PATIENCE_S = 10.0
"""How long another program's row may take."""

_TABLES = """
CREATE TABLE entry (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    utc TEXT NOT NULL,
    clock_back_ms INTEGER NOT NULL,
    kind TEXT NOT NULL,
    device TEXT NOT NULL,
    dose_id TEXT,
    data TEXT NOT NULL,
    chain BLOB NOT NULL
) STRICT;
CREATE INDEX entry_by_dose ON entry (dose_id, kind);
CREATE TRIGGER entry_is_kept BEFORE DELETE ON entry BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
CREATE TRIGGER entry_stands BEFORE UPDATE ON entry BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
"""
_COLUMNS = ", ".join(Row._fields)
_EXAMINE = (
    "keep this file as it is for whoever examines it, and name a copy from before, or a new file, with --journal; "
    "a device tells each dose that it gave and that the file does not know"
)
_CURES = {
    sqlite3.SQLITE_FULL: "free space on its disk",
    sqlite3.SQLITE_READONLY: "make file and folder writable, or name another with --journal",
    sqlite3.SQLITE_CANTOPEN: "make file and folder readable and writable, or name another with --journal",
    sqlite3.SQLITE_BUSY: "end the program that has been writing to it all the time",
    sqlite3.SQLITE_CORRUPT: _EXAMINE,
    sqlite3.SQLITE_NOTADB: _EXAMINE,
}
_AGAIN = "Then open the device again: doses that were under way are asked for by their ids."


def default_path() -> Path:
    """Where the journal of this user is."""
    return Path(platformdirs.user_data_dir("mesoinjector")) / "journal.sqlite"


class JournalFile:
    """One open file. What writes returns only when the row is on disk. Safe to use from many threads."""

    def __init__(
        self,
        path: Path | str | None = None,
        read_only: bool = False,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.path: Path = Path(path) if path else default_path()
        self._now = now
        self._turn = threading.RLock()
        self._holds: dict[str, DeviceLock] = {}
        try:
            self._db = self._connect(read_only)
        except (OSError, sqlite3.Error) as error:
            raise self._refusal(error) from None
        try:
            with self._asked():
                self._begin(read_only)
        except BaseException:
            self._db.close()
            raise

    def hold(self, device: str) -> None:
        """From now to `release` or the end of this process no other one opens this device with this journal.

        Raises `JournalHeld` with the process id of who has it.
        """
        if device in self._holds or str(self.path) == ":memory:":
            return
        try:
            self._holds[device] = DeviceLock(self.path, device)
        except OSError as error:
            raise self._refusal(error) from None

    def release(self, device: str) -> None:
        """Another program may have the device. Idempotent."""
        if device in self._holds:
            self._holds.pop(device).release()

    def rows(self) -> Iterator[Row]:
        """Every row as it is on disk, oldest first."""
        with self._asked():
            found = self._db.execute(f"SELECT {_COLUMNS} FROM entry ORDER BY id").fetchall()
        yield from map(Row._make, found)

    def entries(self) -> list[tuple[int, str, str, str, str | None, dict[str, Any]]]:
        """Every row: id, utc, kind, device, dose id, data."""
        return [(row.id, row.utc, row.kind, row.device, row.dose_id, json.loads(row.data)) for row in self.rows()]

    def verify(self) -> bytes:
        """Check the file, and the chain of every row; its head, to be kept elsewhere. Raises `JournalAltered`."""
        return self._verify(0)

    def close(self) -> None:
        """Close the file. Idempotent."""
        for device in list(self._holds):
            self.release(device)
        self._db.close()

    def _append(self, kind: str, device: str, dose_id: str | None, data: dict[str, Any]) -> int:
        """One more row; its id."""
        with self._asked():
            self._db.execute("BEGIN IMMEDIATE")
            last = self._db.execute(f"SELECT {_COLUMNS} FROM entry ORDER BY id DESC LIMIT 1").fetchone()
            before = Row(*last) if last else None
            now = self._now()
            back = datetime.fromisoformat(before.utc) - now if before else None
            row = Row(
                before.id + 1 if before else 1,
                now.isoformat(timespec="milliseconds"),
                max(round(back.total_seconds() * 1000), 0) if back else 0,
                kind,
                device,
                dose_id,
                json.dumps(data),
                b"",
            )
            row = row._replace(chain=journal_chain.link(before.chain if before else journal_chain.START, row))
            self._db.execute(f"INSERT INTO entry ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)
            self._db.execute("COMMIT")
        said = data if dose_id and kind != "settled" else {}  # a treatment's and a person's word name persons
        logs.note(logging.INFO, kind, row=row.id, device=device, dose_id=dose_id, data=said)
        return row.id

    def _rows(self, statement: str, values: Sequence[str] = ()) -> list[tuple[Any, ...]]:
        with self._asked():
            return self._db.execute(statement, values).fetchall()

    def _row(self, statement: str, values: Sequence[str] = ()) -> tuple[Any, ...] | None:
        return next(iter(self._rows(statement, values)), None)

    # --- Opening ----------------------------------------------------------------------------------------

    def _connect(self, read_only: bool) -> sqlite3.Connection:
        if not read_only:
            if str(self.path) != ":memory:":
                self.path.parent.mkdir(parents=True, exist_ok=True)
            return self._connected(str(self.path))
        if not self.path.is_file():
            raise JournalError(f"journal {self.path}: there is none. Next: name one with --journal.")
        address = f"{self.path.absolute().as_uri()}?mode=ro"
        reader = self._connected(address)
        try:
            reader.execute("PRAGMA user_version").fetchone()
        except sqlite3.Error:
            reader.close()
            log = self.path.with_name(f"{self.path.name}-wal")
            if log.exists() and log.stat().st_size:
                raise
            # on a read-only disk SQLite cannot make the log's index; without a log the file is whole
            return self._connected(f"{address}&immutable=1")
        return reader

    def _connected(self, name: str) -> sqlite3.Connection:
        of_uri = name.startswith("file:")
        return sqlite3.connect(name, PATIENCE_S, isolation_level=None, check_same_thread=False, uri=of_uri)

    def _begin(self, read_only: bool) -> None:
        if read_only:
            self._check_format()
            return
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = FULL")
        # what a damaged log beside the file would lose must not be what nobody asks the device for
        self._db.execute("PRAGMA wal_autocheckpoint = 1")
        self._db.execute("BEGIN IMMEDIATE")
        if self._check_format() == 0:
            for statement in _statements(_TABLES):
                self._db.execute(statement)
            self._db.execute(f"PRAGMA user_version = {FORMAT}")
        self._db.execute("COMMIT")
        self._verify(CHECKED_ROWS)

    def _check_format(self) -> int:
        (version,) = self._db.execute("PRAGMA user_version").fetchone()
        (tables,) = self._db.execute("SELECT count(*) FROM sqlite_master").fetchone()
        if version == FORMAT or (version == 0 and tables == 0):
            return int(version)
        if version == 0:
            raise JournalError(f"{self.path} is no journal. Next: name another file with --journal.")
        then = "update this program" if version > FORMAT else "keep it, and name a new file with --journal"
        raise JournalError(f"journal {self.path}: format {version}, this program writes {FORMAT}. Next: {then}.")

    def _verify(self, newest: int) -> bytes:
        """The file's structure, and the chain of the newest rows, 0 for all."""
        with self._asked():
            self._db.execute("BEGIN")
            (said,) = self._db.execute("PRAGMA integrity_check(1)").fetchone()
            if said != "ok":
                raise JournalAltered(f"journal {self.path} is damaged: {said}. Next: {_EXAMINE}.")
            (last,) = self._db.execute("SELECT coalesce(max(seq), 0) FROM sqlite_sequence").fetchone()
            first = max(last - newest, 1) if newest else 1
            rows = self._db.execute(f"SELECT {_COLUMNS} FROM entry WHERE id >= ? ORDER BY id", (first,))
            broken = journal_chain.first_broken(map(Row._make, rows), last, first)
            head = self._db.execute("SELECT chain FROM entry ORDER BY id DESC LIMIT 1").fetchone()
        if broken:
            raise JournalAltered(f"journal {self.path}: {broken.said}. Nothing is written to it. Next: {_EXAMINE}.")
        return bytes(head[0]) if head else journal_chain.START

    @contextlib.contextmanager
    def _asked(self) -> Generator[None]:
        """One thread at a time; what SQLite says becomes a `JournalError`, and half a row is taken back."""
        with self._turn:
            try:
                yield
            except sqlite3.Error as error:
                raise self._refusal(error) from None
            finally:
                with contextlib.suppress(sqlite3.Error):
                    if self._db.in_transaction:
                        self._db.execute("ROLLBACK")

    def _refusal(self, error: OSError | sqlite3.Error) -> JournalError:
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CANTOPEN) & 0xFF
        cure = _CURES.get(code, "check its disk")
        return JournalError(f"journal {self.path}: {error}. Next: {cure}. {_AGAIN}")


def _statements(script: str) -> list[str]:
    found: list[str] = []
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            found.append(statement)
            statement = ""
    return found
