"""The file of results: JSON lines, appended, never rewritten; what a crash has torn off is played again.

A line is one of three objects:

    {"begun": {...}}                     a campaign or a shard of it was started: what was planned, by which code
    {"scenario_sha256": ..., "seed": ..., "runtime": ..., "package": ..., "wall_ms": ...,
     "mode": ..., "kind": ..., "drawn": {...}, "replay": ..., "outcome": {...}}
    {"ended": {...}}                     it came to its end or was interrupted

A line counts when it ends in a newline. A result's key is its first four fields: a changed scenario or package is
another key, and its cases are played again. `wall_ms` is no part of the result: two results of one key must be equal
in the rest.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, NamedTuple

from mesosim.lab.outcome import Outcome

FILE = "results.jsonl"
"""The file's name in a campaign's folder."""

SAID = ("wall_ms", "mode", "kind", "drawn", "replay")
"""What a result says beside its key and its outcome."""

CONFLICTS_SHOWN = 5


class ResultsError(Exception):
    """A file of results cannot be read, written or merged; the message says which line, and what to do."""


class Key(NamedTuple):
    """What a result is the result of."""

    scenario_sha256: str
    seed: int
    runtime: str
    package: str


@dataclass(frozen=True, slots=True)
class Result:
    """One case as it was played, and how long that took."""

    key: Key
    wall_ms: int
    mode: str
    """What the first fault struck in: prime, dose or run; "" if its step gives nothing, or there is no fault."""
    kind: str
    """Of the first fault: step, ramp, ...; "" for its default, or without."""
    drawn: dict[str, Any]
    """What the seed drew: `set`, values by symbol, and `faults`, names of those that struck; empty without a draw."""
    replay: str
    """What replays it: the scenario as it was named, or the whole text of one that was drawn."""
    outcome: Outcome

    @property
    def replay_is_text(self) -> bool:
        """Whether `replay` is a scenario's text."""
        return "\n" in self.replay

    def line(self) -> dict[str, Any]:
        """As it stands in the file."""
        said = {name: getattr(self, name) for name in SAID}
        return {**self.key._asdict(), **said, "outcome": dataclasses.asdict(self.outcome)}

    @staticmethod
    def of(line: dict[str, Any]) -> Result:
        """From the file."""
        return Result(key_of(line), **{name: line[name] for name in SAID}, outcome=Outcome(**line["outcome"]))


def key_of(line: dict[str, Any]) -> Key:
    """The key of a result's line."""
    return Key(line["scenario_sha256"], line["seed"], line["runtime"], line["package"])


def lines(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Every whole line with its number, from 1. Raises `ResultsError` for one that is none of the three kinds."""
    try:
        with path.open("rb") as file:
            for number, raw in enumerate(file, 1):
                if raw.endswith(b"\n"):
                    yield number, _parsed(path, number, raw)
    except OSError as error:
        raise ResultsError(f"{path}: cannot be read ({error.strerror}). Next: name a campaign's folder.") from None


def _parsed(path: Path, number: int, raw: bytes) -> dict[str, Any]:
    try:
        line: dict[str, Any] = json.loads(raw)
        if not ("begun" in line or "ended" in line):
            key_of(line), line["outcome"]["scenario"]
    except (ValueError, KeyError, TypeError):
        raise ResultsError(
            f"{path}: line {number} is no result: {raw[:60]!r}. Next: take that line out; its case is played again."
        ) from None
    return line


class Results:
    """A campaign's file, open for appending by one process at a time.

    Raises `ResultsError` if it cannot be written, is another's, or holds what is no result.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / FILE
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._file: BinaryIO = self.path.open("ab")
        except OSError as error:
            raise ResultsError(f"{folder}: cannot be written ({error.strerror}). Next: name another --out.") from None
        try:
            self._lock()
            self.torn = self._cut_torn_line()
            self.done = {key_of(line) for _, line in lines(self.path) if "outcome" in line}
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> Results:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def append(self, items: Iterable[dict[str, Any]]) -> None:
        """Write whole lines and see them on the disk."""
        for item in items:
            self._file.write(json.dumps(item, separators=(",", ":"), ensure_ascii=False).encode() + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())

    def add(self, results: Sequence[Result]) -> None:
        """Write results."""
        self.append(result.line() for result in results)
        self.done.update(result.key for result in results)

    def _lock(self) -> None:
        if sys.platform != "win32":
            import fcntl

            try:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise ResultsError(
                    f"{self.path}: another campaign is writing it. Next: wait for it, or name another --out and "
                    "merge the two afterwards."
                ) from None

    def _cut_torn_line(self) -> bool:
        """Take off what a crash has left of a last line; whether there was any."""
        with self.path.open("rb") as file:
            whole = sum(len(raw) for raw in file if raw.endswith(b"\n"))
        torn = self._file.tell() > whole
        if torn:
            self._file.truncate(whole)
        return torn


def merge(folders: Sequence[Path], out: Path) -> int:
    """Put the results of several folders into a new one; returns how many there are. The same result twice is one.

    Raises `ResultsError` if two results of one key differ (the same case must always give the same), or if `out`
    already holds results.
    """
    if (out / FILE).exists():
        raise ResultsError(f"{out / FILE}: is already there. Next: name a new folder.")
    found: dict[Key, tuple[str, Path, int]] = {}
    conflicts = []
    for path, number, line in _of_all(folders):
        if "outcome" in line:
            digest = _digest(line["outcome"])
            kept_digest, kept_path, kept_number = found.setdefault(key_of(line), (digest, path, number))
            if kept_digest != digest:
                named = f"{line['outcome'].get('scenario')}, seed {line['seed']}"
                conflicts.append(f"{named}: {kept_path}:{kept_number} and {path}:{number}")
    if conflicts:
        shown = "\n  ".join(conflicts[:CONFLICTS_SHOWN])
        raise ResultsError(
            f"{len(conflicts)} cases have two different results, nothing is merged:\n  {shown}\nNext: the same case "
            "with the same code must always give the same; play one of these seeds twice and compare."
        )
    places = {(path, number) for _, path, number in found.values()}
    with Results(out) as results:
        results.append(
            line for path, number, line in _of_all(folders) if "outcome" not in line or (path, number) in places
        )
    return len(found)


def _of_all(folders: Sequence[Path]) -> Iterator[tuple[Path, int, dict[str, Any]]]:
    for folder in folders:
        path = folder / FILE
        yield from ((path, number, line) for number, line in lines(path))


def _digest(outcome: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(outcome, sort_keys=True).encode()).hexdigest()
