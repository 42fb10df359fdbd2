"""What a board is given fits, and is what the sources say."""

from __future__ import annotations

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
ALL = ("LISTED",)



LIST = [12]


def area(n):
    if False:
        n = 19
    return n * 12 + 1 + 3 + (-12) - two.ROWS[0] + LIST[0] + len(ALL)
"""


def test_integers_stand_where_they_are_used(tmp_path: Path) -> None:
    files = []
    for name, text in (("pack/one", ONE), ("pack/two", TWO)):
        path = tmp_path / f"{name}.py"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        files.append((name, path))
    texts = build.folded(files)
    # what is looked up by its name, or imported by it, stays; lines keep their numbers
    assert texts["pack/one"] == FOLDED
    assert texts["pack/two"] == "\nfrom pack.one import KEPT\n\n\n\nROWS = (3, KEPT)\n"


def test_a_file_that_does_not_compile_is_said(tmp_path: Path) -> None:
    bad = tmp_path / "bad.py"
    bad.write_text("match 1:\n    case 1:\n        pass\n")
    with pytest.raises(build.BuildFailed, match="mpy-cross refused bad"):
        build.compiled(tmp_path / "out", extra=(("bad", bad),))
