"""Small mistakes in what must not be wrong: each condition by itself, each comparison, operator, integer and statement
of the safety channel, the limits and the ledger; and each limit ±1, ×10 and sign-flipped.

`python -m tests.judges.mutants` counts them; `python -m tests.judges.mutants NAME` shows one and what finds it. A
mutant's name is `module:function: what becomes what`, and a number where that is not the only one.
"""

from __future__ import annotations

import ast
import copy
import multiprocessing
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.house.rooms import ROOT

FIRMWARE = ROOT / "firmware" / "mesofirmware"
TARGETS = (
    *("safety*.py", "guarded.py", "battery.py", "selftest.py"),
    *("rules.py", "gate.py", "latches.py", "ledger.py", "records.py"),
)
LIMITS = ROOT / "protocol" / "mesoprotocol" / "limits.py"
SURVIVORS = Path(__file__).parent / "survivors.toml"
OWN = "tests/firmware"
"""Where a module's own tests are, by its name: tried before all others."""
STAGES = (
    ("tests/safety/test_borders.py", "tests/judges/test_limits.py"),
    ("tests/safety",),
    ("tests/firmware", "--deselect=tests/firmware/test_link.py"),
    ("@tests/core.txt",),
)
"""What is tried after them, one behind the other: the quick ones first."""
SLOW = "not micropython and not bits"
OPTIONS = ("-x", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "--tb=line", "--timeout=20")
CPU_S = 180
"""Longest that the tests of one mutant may take: one that hangs is found by that."""
OURS = ("mesofirmware", "mesoprotocol", "mesosim", "mesoinjector", "tests", "conftest")
"""Modules that a test's process loads anew."""

_COMPARE = {ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq}
_BINARY = {
    **{ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.FloorDiv, ast.FloorDiv: ast.Mult, ast.Mod: ast.Mult},
    **{ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd, ast.LShift: ast.RShift, ast.RShift: ast.LShift},
}
_STATEMENTS = (ast.Assign, ast.AugAssign, ast.Raise)


class Mutant(NamedTuple):
    """One mistake: where, and the whole module with it."""

    name: str
    file: Path
    source: str


def flock() -> dict[str, Mutant]:
    """All mutants, by name."""
    files = sorted({file for pattern in TARGETS for file in FIRMWARE.glob(pattern)})
    found = [mutant for file in files for mutant in _mutants(file, _changes)]
    found += _mutants(LIMITS, _limits)
    return {mutant.name: mutant for mutant in found}


def _mutants(file: Path, changes: Callable[[ast.AST], Iterator[ast.AST | None]]) -> Iterator[Mutant]:
    tree = ast.parse(file.read_bytes())
    seen: Counter[str] = Counter()
    for parent, field, at, scope in _places(tree, ()):
        old = getattr(parent, field) if at < 0 else getattr(parent, field)[at]
        for new in changes(old):
            what = f"{ast.unparse(old).splitlines()[0]} -> {ast.unparse(new) if new else 'nothing'}"
            name = f"{file.stem}:{'.'.join(scope)}: {what}"
            seen[name] += 1
            if seen[name] > 1:
                name = f"{name} #{seen[name]}"
            put = new or ast.Pass()
            if at < 0:
                setattr(parent, field, put)
            else:
                getattr(parent, field)[at] = put
            yield Mutant(name, file, ast.unparse(ast.fix_missing_locations(tree)))
            if at < 0:
                setattr(parent, field, old)
            else:
                getattr(parent, field)[at] = old


def _places(node: ast.AST, scope: tuple[str, ...]) -> Iterator[tuple[ast.AST, str, int, tuple[str, ...]]]:
    """Each child of each node: its parent, the parent's field, and the place in it; annotations are left alone."""
    if isinstance(node, ast.ClassDef | ast.FunctionDef):
        scope = (*scope, node.name)
    if isinstance(node, ast.Assign | ast.AnnAssign) and not scope:
        target = node.target if isinstance(node, ast.AnnAssign) else node.targets[0]
        scope = (ast.unparse(target),)
    for field, value in ast.iter_fields(node):
        if field in ("annotation", "returns", "args", "decorator_list") and not isinstance(node, ast.Call):
            continue
        children = [(at, each) for at, each in enumerate(value)] if isinstance(value, list) else [(-1, value)]
        for at, child in children:
            if isinstance(child, ast.AST) and not _is_for_types(child):
                if not isinstance(child, ast.expr_context | ast.operator | ast.cmpop | ast.boolop | ast.unaryop):
                    yield node, field, at, scope
                yield from _places(child, scope)


def _changes(node: ast.AST) -> Iterator[ast.AST | None]:
    """What a node may become by a mistake; None: it is left out."""
    if isinstance(node, ast.Compare) and type(node.ops[0]) in _COMPARE:
        changed = copy.deepcopy(node)
        changed.ops[0] = _COMPARE[type(node.ops[0])]()
        yield changed
    if isinstance(node, ast.If | ast.While | ast.IfExp):
        for test in (True, False):
            changed = copy.deepcopy(node)
            changed.test = ast.Constant(test)
            if not (isinstance(node, ast.While) and test):
                yield changed
    if isinstance(node, ast.BoolOp):
        for at in range(len(node.values)):
            for value in (True, False):
                condition = copy.deepcopy(node)
                condition.values[at] = ast.Constant(value)
                yield condition
    if isinstance(node, ast.BinOp | ast.AugAssign) and type(node.op) in _BINARY and not _is_text(node):
        operation = copy.deepcopy(node)
        operation.op = _BINARY[type(node.op)]()
        yield operation
    if isinstance(node, ast.Constant) and type(node.value) is int:
        yield ast.Constant(node.value + 1)
    if isinstance(node, _STATEMENTS) and not _is_constant(node):
        yield None
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        yield None


def _limits(node: ast.AST) -> Iterator[ast.AST | None]:
    if isinstance(node, ast.Constant) and type(node.value) is int:
        for value in (node.value + 1, node.value - 1, node.value * 10, -node.value):
            if value != node.value:
                yield ast.Constant(value)


def _is_for_types(node: ast.AST) -> bool:
    """Whether it is `if TYPE_CHECKING`, which no board runs."""
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def _is_text(node: ast.AST) -> bool:
    """Whether it puts a message together."""
    return isinstance(node, ast.BinOp) and isinstance(node.left, ast.Constant) and isinstance(node.left.value, str)


def _is_constant(node: ast.AST) -> bool:
    """Whether it names something at the module's top or in `__init__`: left out, nothing would load."""
    return isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id.isupper()


def plant(mutant: Mutant, folder: Path) -> None:
    """A copy of the mutant's package with the mistake in it, below `folder`."""
    package = mutant.file.parent
    shutil.copytree(package, folder / package.name, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / package.name / mutant.file.name).write_text(mutant.source, encoding="utf-8")


def find(mutant: Mutant | None, likely: Sequence[str] = (), stages: Sequence[Sequence[str]] = STAGES) -> str:
    """What finds a mutant: the first test that fails, or `load` or `time`; "" if nothing does.

    `likely`: tests to try before all others, such as those that have found the mutants beside it.
    """
    with tempfile.TemporaryDirectory() as name:
        if mutant:
            plant(mutant, Path(name))
        own = [str(path) for path in (ROOT / OWN).glob(f"test_{mutant.file.stem}*.py")] if mutant else []
        for tests in filter(None, (likely, own, *stages)):
            found = _fork(name, tests)
            if found:
                return found
    return ""


def _fork(folder: str, tests: Sequence[str]) -> str:
    """Run tests in a fork of this process, which has pytest loaded and forgets what it has loaded of ours."""
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe(duplex=False)
    child = context.Process(target=_judge, args=(folder, tests, theirs))
    child.start()
    theirs.close()
    try:
        return str(ours.recv())
    except EOFError:
        return "time"
    finally:
        child.join()
        ours.close()


def _judge(folder: str, tests: Sequence[str], told: Connection) -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_S, CPU_S))
    os.chdir(ROOT)
    os.environ["PYTHONPATH"] = os.pathsep.join((folder, os.environ.get("PYTHONPATH", "")))
    sys.path.insert(0, folder)
    sys.dont_write_bytecode = True
    for module in [name for name in sys.modules if name.startswith(OURS)]:
        del sys.modules[module]
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    first = _First()
    passed = pytest.main([*OPTIONS, *tests, "-k", SLOW], plugins=[first]) == pytest.ExitCode.OK
    told.send("" if passed else first.failed or "load")


class _First:
    """Sees which test fails first."""

    def __init__(self) -> None:
        self.failed = ""

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self.failed = self.failed or report.nodeid


def run(folder: Path, tests: list[str], cpu_s: int = CPU_S) -> subprocess.CompletedProcess[str]:
    """Run tests up to the first failure, with the packages below `folder` before all others."""
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    environment["PYTHONPATH"] = os.pathsep.join((str(folder), os.environ.get("PYTHONPATH", "")))
    return subprocess.run(
        [sys.executable, "-m", "pytest", *OPTIONS, *tests],
        cwd=ROOT,
        env=environment,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CPU, (cpu_s, cpu_s)),
        capture_output=True,
        text=True,
        check=False,
    )


def justified() -> dict[str, str]:
    """Mutants that are known to survive, and why that is no fault."""
    rows = tomllib.loads(SURVIVORS.read_text(encoding="utf-8")).get("survivor", [])
    return {row["name"]: row["because"] for row in rows}


def main(names: list[str]) -> int:
    """Count, or show; 1 if one that is named survives."""
    mutants = flock()
    for name in names:
        print(f"{name}: {find(mutants[name]) or 'survives'}")
    if not names:
        for module, count in sorted(Counter(name.split(":")[0] for name in mutants).items()):
            print(f"{module}: {count}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
