"""What a board is given fits, and is what the sources say."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from mesofirmware import build
from tests.summary import TOLD

MOST = 75_000
"""Bytes of .mpy that a board's files may have in all."""


def test_it_fits(tmp_path: Path, record_property: pytest.RecordProperty) -> None:
    total = build.compiled(tmp_path)
    record_property(TOLD, ["firmware: bytes of .mpy", f"{total:,} of at most {MOST:,}, {len(build.sources())} files"])
    assert total <= MOST
    assert total == sum(file.stat().st_size for file in tmp_path.rglob("*.mpy"))


def test_the_manifest_has_what_runs_and_nothing_else() -> None:
    names = {name for name, _ in build.sources()}
    assert {"mesofirmware/app", "mesoprotocol/wire", "mesoprotocol/crc_viper", "mesoprotocol/crc_plain"} <= names
    assert names.isdisjoint({"mesofirmware/build", "mesofirmware/boards/port", "mesoprotocol/generate_vectors"})
    assert names.isdisjoint({f"mesoprotocol/{name}" for name in ("generate", "messages", "packing", "stream", "typed")})


ONE = """
from pack import two
SIZE = two.WORDS * 4
KEPT, GONE = range(2)
LISTED = 7
ALL = ("LISTED",)
AT = -SIZE
DEBUG = False
UNUSED = (SIZE, "a page of words")
LIST = [SIZE]


def area(n):
    if DEBUG:
        n = two.DEEP
    return n * SIZE + GONE + two.WORDS + AT - two.ROWS[0] + LIST[0] + len(ALL)
"""
TWO = """
from pack.one import KEPT
WORDS = 3  # three
DEEP = WORDS + (1 <<
    4)
ROWS = (WORDS, KEPT)
"""
FOLDED = """
from pack import two
KEPT, GONE = range(2)
LISTED = 7
ALL = ('LISTED',)
LIST = [12]

def area(n):
    return n * 12 + 1 + 3 + -12 - two.ROWS[0] + LIST[0] + len(ALL)
"""


def written(folder: Path, **texts: str) -> list[tuple[str, Path]]:
    """Files of a package `pack`, as `build.sources` has them."""
    files = []
    for name, text in texts.items():
        path = folder / "pack" / f"{name}.py"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        files.append((f"pack/{name}", path))
    return files


def test_integers_stand_where_they_are_used(tmp_path: Path) -> None:
    trees = build.folded(written(tmp_path, one=ONE, two=TWO))
    # what is looked up by its name, or imported by it, stays
    assert ast.unparse(trees["pack.one"]) == FOLDED.strip()
    assert ast.unparse(trees["pack.two"]) == "from pack.one import KEPT\nROWS = (3, KEPT)"


def test_a_file_that_does_not_compile_is_said(tmp_path: Path) -> None:
    bad = tmp_path / "bad.py"
    bad.write_text("match 1:\n    case 1:\n        pass\n")
    with pytest.raises(build.BuildFailed, match="mpy-cross refused bad"):
        build.compiled(tmp_path / "out", extra=(("bad", bad),))
