"""A soak in parts: what is done is kept in `.soak/`, so that a later run goes on where this one's time was over.

A file there belongs to the sources it was made with: when they change, it begins anew. A part that failed is done
again by the next run.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[2]
KEPT = ROOT / ".soak"
SOURCES = ("protocol", "firmware", "sim", "host", "tests")
SUFFIXES = (".py", ".toml", ".json", ".patch")


class Soaked(NamedTuple):
    """What came of it: results by part, failures by part, and how many parts are still to be done."""

    results: dict[str, Any]
    failed: dict[str, str]
    left: int


class Wrong(Exception):
    """A part's work found what must not be; its message is kept."""


def soak(name: str, parts: Iterable[str], work: Callable[[str], Any], until: float) -> Soaked:
    """Do `work` for each part, on all cores, until all are done or `until` (by `time.monotonic()`) has come.

    A part is a string that says all; `work` is a function of a module, returns what JSON can hold, and raises
    AssertionError or `Wrong` for what is wrong. Parts under way when the time is over are waited for.
    """
    wanted = list(parts)
    file = KEPT / f"{name}.jsonl"
    results = _begun(file)
    failed: dict[str, str] = {}
    todo = [part for part in wanted if part not in results]
    left = len(todo)
    if len(todo) < len(wanted):
        print(f"{name}: {len(wanted) - len(todo)} of {len(wanted)} parts were done before", flush=True)
    told = time.monotonic()
    with ProcessPoolExecutor() as pool, file.open("a", encoding="utf-8") as book:
        running: dict[Future[Any], str] = {}
        todo.reverse()
        while todo or running:
            while todo and len(running) < 2 * (os.cpu_count() or 1) and time.monotonic() < until:
                part = todo.pop()
                running[pool.submit(work, part)] = part
            if not running:
                break
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                part = running.pop(future)
                left -= 1
                try:
                    results[part] = future.result()
                except (AssertionError, Wrong) as error:
                    failed[part] = str(error)
                    print(f"{name}: {part}: {error}", flush=True)
                else:
                    book.write(json.dumps([part, results[part]]) + "\n")
                    book.flush()
            if time.monotonic() - told > 60:
                told = time.monotonic()
                print(f"{name}: {len(wanted) - left} of {len(wanted)} parts, {len(failed)} failed", flush=True)
    return Soaked({part: results[part] for part in wanted if part in results}, failed, left)


def _begun(file: Path) -> dict[str, Any]:
    """What an earlier run of the same sources has done; the file is made, or made anew."""
    key = sources()
    KEPT.mkdir(exist_ok=True)
    lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    if not lines or lines[0] != key:
        file.write_text(key + "\n", encoding="utf-8")
        return {}
    done = {}
    for line in lines[1:]:
        try:
            part, result = json.loads(line)
        except ValueError:
            continue  # the line that a killed run has left half written
        done[part] = result
    return done


def sources() -> str:
    """SHA-256 over everything that a soak runs."""
    digest = hashlib.sha256()
    for folder in SOURCES:
        for path in sorted((ROOT / folder).rglob("*")):
            if path.suffix in SUFFIXES and path.is_file():
                digest.update(f"{path.relative_to(ROOT)}\0".encode() + path.read_bytes() + b"\0")
    return digest.hexdigest()
