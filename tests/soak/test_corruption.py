"""Each byte of what a device keeps, in each way altered: refused by name, and left as it is; and of an application."""

from __future__ import annotations

import functools
import gc
import tempfile
from collections.abc import Callable
from pathlib import Path

from mesofirmware import build
from mesofirmware.boards.rp2_shelf import Shelf
from mesofirmware.start import manifest
from tests.judges import corruption
from tests.soak.parts import Soaked, Wrong, soak
from tests.summary import TOLD

PARTS = 60
FOLDER = "application"
SHELF = Shelf(lambda: None)


@functools.cache
def cases() -> list[corruption.Case]:
    """All changes, of one device; what is kept is made in each process for itself, and is the same."""
    with tempfile.TemporaryDirectory() as folder:
        found = corruption.cases(corruption.lived(Path(folder)))
    gc.freeze()
    return found


def some(part: str) -> int:
    """One of so many changes, or those of an application's files; how many."""
    if part.startswith(FOLDER):
        return application(part.removeprefix(FOLDER))
    mine = cases()[int(part) :: PARTS]
    wrong = [f"{case.name}: {said}" for case in mine if (said := corruption.said(case.place, case.kept))]
    if wrong:
        raise Wrong("; ".join(wrong))
    return len(mine)


def application(first: str) -> int:
    """Each byte of each file whose name begins so, of an application as it is installed."""
    tried = 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        build.compiled(folder)
        build.seal(folder)
        assert manifest.is_whole(SHELF, name)
        for file in sorted(path for path in folder.rglob("*") if path.is_file() and path.name.startswith(first)):
            data = file.read_bytes()
            for at in range(len(data)):
                file.write_bytes(data[:at] + bytes((data[at] ^ 1 << at % 8,)) + data[at + 1 :])
                tried += 1
                if manifest.is_whole(SHELF, name):
                    raise Wrong(f"{file.relative_to(folder)}: byte {at}")
            file.write_bytes(data)
    return tried


def test_each_byte_of_each_store(
    until: float, judge: Callable[[Soaked], None], record_property: Callable[[str, object], None]
) -> None:
    letters = [FOLDER + chr(letter) for letter in range(ord("a"), ord("z") + 1)]
    soaked = soak("corruption", [*map(str, range(PARTS)), *letters], some, until)
    stores = sum(n for part, n in soaked.results.items() if not part.startswith(FOLDER))
    files = sum(n for part, n in soaked.results.items() if part.startswith(FOLDER))
    record_property(TOLD, ["corruption", f"{stores:,} changes of stores, {files:,} of an application's files"])
    judge(soaked)
