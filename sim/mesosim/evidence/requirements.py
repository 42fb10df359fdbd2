"""Reads what ties hazards, requirements, code, tests and threats together, of a checkout: tests/*.toml and the markers.

A test says which requirements it holds by `@pytest.mark.requirement("SR-25", ...)`; nothing is imported to read that.
"""

from __future__ import annotations

import ast
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

DATA = Path("tests") / "requirements.toml"
THREATS = Path("tests") / "threats.toml"

Table = dict[str, Any]


class Marker(NamedTuple):
    """One test that says which requirements it holds."""

    file: str
    line: int
    test: str
    ids: tuple[str, ...]
    fault: str


def load(root: Path) -> Table:
    """The data file."""
    return tomllib.loads((root / DATA).read_text(encoding="utf-8"))


def markers(root: Path) -> list[Marker]:
    """Every requirement marker under tests/, read without importing anything."""
    found = []
    for file in sorted((root / "tests").rglob("*.py")):
        tree = ast.parse(file.read_bytes())
        decorating = set()
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                for decorator in node.decorator_list:
                    if _is_marker(decorator):
                        decorating.add(decorator)
                        found.append(_marker(file.relative_to(root), node, decorator))
        # a marker in a list or behind a name is not seen by pytest as evidence of one test
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and _is_marker(node) and node not in decorating:
                found.append(Marker(str(file.relative_to(root)), node.lineno, "", (), "decorates no test"))
    return found


def _is_marker(node: ast.expr) -> bool:
    match node:
        case ast.Call(func=func):
            return _is_marker(func)
        case ast.Attribute(value=ast.Attribute(value=ast.Name(id="pytest"), attr="mark"), attr="requirement"):
            return True
    return False


def _marker(file: Path, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef, decorator: ast.expr) -> Marker:
    args = decorator.args if isinstance(decorator, ast.Call) else []
    ids = tuple(arg.value for arg in args if isinstance(arg, ast.Constant) and isinstance(arg.value, str))
    fault = ""
    if isinstance(node, ast.ClassDef) or not node.name.startswith("test_") or not file.name.startswith("test_"):
        fault = "decorates no test"
    elif not ids or len(ids) != len(args):
        fault = "names no requirement, or not as a string"
    return Marker(str(file), decorator.lineno, node.name, ids, fault)


def where(root: Path, name: str, packages: Mapping[str, str]) -> Path | None:
    """The file that defines `package.module[.Class[.method]]`, relative to the root; None if none does.

    `packages`: where each lies.
    """
    package, *parts = name.split(".")
    if package not in packages:
        return None
    path = Path(packages[package])
    while parts and (root / path / parts[0]).is_dir():
        path /= parts.pop(0)
    if not parts:
        return None
    path /= f"{parts.pop(0)}.py"
    if not (root / path).is_file():
        return None
    body: list[ast.stmt] = ast.parse((root / path).read_bytes()).body
    for part in parts:
        named = [n for n in body if isinstance(n, ast.FunctionDef | ast.ClassDef) and n.name == part]
        if not named:
            return None
        body = named[0].body
    return path


def threats(root: Path) -> Table:
    """The threat model."""
    return tomllib.loads((root / THREATS).read_text(encoding="utf-8"))


def tests_of(root: Path, file: str) -> set[str]:
    """The names of the test functions of a file; none of a file that is not there."""
    path = root / file
    if not path.is_file():
        return set()
    body = ast.parse(path.read_bytes()).body
    return {
        node.name
        for node in body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_")
    }
