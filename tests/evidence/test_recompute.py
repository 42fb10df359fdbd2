"""recompute.py knows nothing of ours, comes to every number of the document, and says so when one is not so."""

from __future__ import annotations

import ast
import csv
import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mesosim.evidence import computing, recompute, studies
from mesosim.evidence.study import How, Row, Tables
from tests.evidence import small


def recomputed(folder: Path) -> subprocess.CompletedProcess[str]:
    """As a reader runs it, without any of this environment's paths."""
    command = [sys.executable, "-I", str(folder / "recompute.py")]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd="/")


def test_it_imports_numpy_and_the_standard_library_only() -> None:
    tree = ast.parse(Path(recompute.__file__).read_bytes())
    named = {name.name for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names}
    named |= {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    tops = {name.partition(".")[0] for name in named}
    assert tops - set(sys.stdlib_module_names) == {"numpy"}


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A document."""
    folder = tmp_path_factory.mktemp("evidence")
    small.write(folder)
    return folder


def test_every_number_is_so(written: Path) -> None:
    done = recomputed(written)
    assert done.returncode == 0, done.stdout + done.stderr
    figures = len(json.loads((written / "figures.json").read_text())["figures"])
    assert f"{figures} numbers and 3 lines of acceptance recomputed from data/, 0 not so" in done.stdout
    page = (written / "evidence.html").read_text()
    assert page.count('<data class="figure') >= figures
    assert "FAILED" in page and "it is ten." in page
    assert not [word for word in ("http://", "https://", "<script", "<link") if word in _without_svg(page)]


def _without_svg(page: str) -> str:
    """SVG names its schema by an address that nobody fetches."""
    while "<svg" in page:
        before, _, rest = page.partition("<svg")
        page = before + rest.partition("</svg>")[2]
    return page


def a_cell(folder: Path) -> None:
    path = folder / "data" / f"{small.TABLE}.csv"
    with path.open(newline="") as file:
        rows = list(csv.reader(file))
    rows[1][2] = str(float(rows[1][2]) + 0.001)
    with path.open("w", newline="") as file:
        csv.writer(file).writerows(rows)


def a_cell_that_no_number_is_of(folder: Path) -> None:
    alter_column(folder, "error", "0.5")


def a_cell_and_its_digest(folder: Path) -> None:
    alter_column(folder, "error", "0.5")
    path = folder / "figures.json"
    said = json.loads(path.read_text())
    table = folder / "data" / f"{small.TABLE}.csv"
    said["tables"][small.TABLE] = hashlib.sha256(table.read_bytes()).hexdigest()
    path.write_text(json.dumps(said))


def alter_column(folder: Path, column: str, value: str) -> None:
    path = folder / "data" / f"{small.TABLE}.csv"
    with path.open(newline="") as file:
        rows = list(csv.reader(file))
    rows[1][rows[0].index(column)] = value
    with path.open("w", newline="") as file:
        csv.writer(file).writerows(rows)


def a_row(folder: Path) -> None:
    path = folder / "data" / f"{small.TABLE}.csv"
    path.write_text(path.read_text().partition("\n")[0] + "\n" + "\n".join(path.read_text().splitlines()[2:]) + "\n")


def a_written_number(folder: Path) -> None:
    path = folder / "evidence.html"
    page = path.read_text()
    at = page.index(">", page.index('data-id="small.sd"')) + 1
    path.write_text(page[:at] + "0.2" + page[at + 3 :])


def a_hidden_number(folder: Path) -> None:
    path = folder / "evidence.html"
    path.write_text(path.read_text().replace('data-id="small.sd"', 'data-id="small.other"'))


def a_limit(folder: Path) -> None:
    path = folder / "figures.json"
    said = json.loads(path.read_text())
    next(one for one in said["figures"] if one["id"] == "small.judged")["high"] = 9.5
    path.write_text(json.dumps(said))


def a_verdict(folder: Path) -> None:
    path = folder / "evidence.html"
    before, seen, behind = path.read_text().rpartition('data-verdict="1">FAILED')
    path.write_text(before + seen.replace("FAILED", "passed") + behind)


def a_shown_limit(folder: Path) -> None:
    path = folder / "evidence.html"
    page = path.read_text()
    at = page.rindex("<data", 0, page.index('data-id="small.far"'))
    path.write_text(page[:at] + page[at:].replace('data-high="9.0"', 'data-high="9.5"', 1))


def a_table(folder: Path) -> None:
    (folder / "data" / f"{small.TABLE}.csv").unlink()


@pytest.mark.parametrize(
    ("alter", "said"),
    [
        (a_cell, "small.mean: recomputed"),
        (a_cell_that_no_number_is_of, "small-numbers.csv: not the table that the document was made from"),
        (a_cell_and_its_digest, "small-numbers.csv, line 2: error is 0.5, "),
        (a_row, "small.count: recomputed"),
        (a_written_number, "small.sd: recomputed"),
        (a_hidden_number, "small.sd: not shown"),
        (a_limit, "small.judged: recomputed passed = False"),
        (a_shown_limit, "small.far: limit shown 9.5, figures.json has 9.0"),
        (a_table, "small.count: recomputed 0"),
        (a_verdict, "small: It is below 9: recomputed passed = False"),
    ],
)
def test_what_is_altered_is_said(alter: Callable[[Path], None], said: str, written: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(written, tmp_path / "copy"))
    alter(folder)
    done = recomputed(folder)
    assert done.returncode == 1
    assert said in done.stdout


@pytest.mark.parametrize(
    ("do", "of", "follows"),
    [
        ("error", ["95", "100"], -5),
        ("within", ["10", "12", "13"], True),
        ("within", ["10", "9", "13"], False),
        ("within", ["10", "14", "13"], False),
        ("within", ["", "0", ""], False),
        ("in_time", ["0", "1", "", "500", "", "500"], False),
        ("in_time", ["1", "0", "", "500", "", "500"], True),
        ("in_time", ["1", "1", "500", "500", "501", "501"], True),
        ("in_time", ["1", "1", "501", "500", "400", "501"], False),
        ("in_time", ["1", "1", "400", "500", "502", "501"], False),
        ("in_time", ["1", "1", "400", "500", "", "501"], False),
        ("double", ["dose", "100", "Delivered", "1", "40", "1"], False),
        ("double", ["dose", "100", "Delivered", "2", "40", "1"], True),
        ("double", ["dose", "100", "NotDelivered", "1", "40", "0"], True),
        ("double", ["dose", "100", "NotDelivered", "0", "0", "0"], False),
        ("double", ["run", "12", "Delivered", "0", "0", "12"], False),
        ("double", ["run", "12", "Delivered", "0", "0", "13"], True),
        ("double", ["run", "12", "NotDelivered", "0", "0", "1"], True),
        ("unresolved", ["Delivered", "complete"], False),
        ("unresolved", ["Unknown", "interrupted"], False),
        ("unresolved", ["Unknown", "lost"], True),
        ("unresolved", ["nothing", ""], True),
    ],
)
def test_what_follows_within_a_row(do: str, of: list[str], follows: float) -> None:
    assert recompute.DERIVED[do](of, 0.0) == follows


def test_every_column_that_follows_has_its_way() -> None:
    named = {column.do for name in studies.MODULES for column in studies.load(name).columns}
    assert named == set(recompute.DERIVED)


def _as_read(rows: list[Row]) -> list[dict[str, str]]:
    return [{name: str(value) for name, value in row.items()} for row in rows]


def _in_json(how: How) -> dict[str, object]:
    where = {name: list(some) if isinstance(some, list) else [some] for name, some in how.where.items()}
    plain = {"do": how.do, "column": how.column, "where": where, "parameters": dict(how.parameters)}
    back: dict[str, object] = json.loads(json.dumps(plain))
    return back


@pytest.mark.parametrize("do", computing.COMPUTATIONS)
@settings(max_examples=15, deadline=None)
@given(n=st.sampled_from([0, 1, 2, 3, 6, 7, 8, 60, 140, 240]), seed=st.integers(0, 10_000))
def test_both_ways_agree(do: str, n: int, seed: int) -> None:
    """Of any table, also of one that is too small: the document's numbers, and the reader's."""
    how, rows = small.how(do), small.rows(n, seed)
    ours = computing.compute(Tables({small.TABLE: rows}), how)
    theirs = recompute.compute(_as_read(rows), _in_json(how))
    nearly = recompute.NEAR if do in recompute.EXACT else recompute.ITERATED
    assert recompute.near(ours, theirs, nearly), (ours, theirs)


def test_every_computation_has_its_other() -> None:
    assert set(computing.COMPUTATIONS) == set(recompute.OF_ROWS) | set(recompute.OF_VALUES)
