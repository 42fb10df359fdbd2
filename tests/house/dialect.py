"""What code for a board may not say, though MicroPython would compile it.

Each check takes the root of a tree and returns its findings, `file:line: what is wrong`.
"""

import ast
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.house import rooms

UNORDERED_VIEWS = {"items", "keys", "values"}
UNORDERED_TYPES = {"dict", "frozenset", "set"}
KEEPS_ORDER = {"enumerate", "iter", "list", "reversed", "tuple", "zip"}


def board_dialect(root: Path) -> list[str]:
    """Integers only, checks that survive `mpy-cross -O2`, one loop."""
    return _findings(root, rooms.board_files(root), _not_for_boards)


def world_dialect(root: Path) -> list[str]:
    """The world computes with what all builds agree on to the last bit."""
    return _findings(root, rooms.world_files(root), _differs_between_builds)


def device_order(root: Path) -> list[str]:
    """No order of a dict or set reaches a trace: MicroPython's differs from CPython's."""
    return _findings(root, rooms.device_files(root), _unordered_loops)


def _findings(root: Path, files: list[Path], check: Callable[[ast.Module], Iterator[tuple[int, str]]]) -> list[str]:
    return [
        f"{file.relative_to(root)}:{line}: {what}"
        for file in files
        for line, what in check(ast.parse(file.read_bytes()))
    ]


def _not_for_boards(tree: ast.Module) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        match node:
            case ast.Constant(value=float() | complex()):
                yield node.lineno, f"float {node.value}: integers with a unit in their name"
            case ast.BinOp(op=ast.Div()) | ast.AugAssign(op=ast.Div()):
                yield node.lineno, "true division makes a float: // or a shift"
            case ast.Call(func=ast.Name(id="float")):
                yield node.lineno, "float(): integers with a unit in their name"
            case ast.Assert():
                yield node.lineno, "assert is stripped on the board: if ...: raise"
            case ast.AsyncFunctionDef() | ast.Await() | ast.AsyncFor() | ast.AsyncWith():
                yield node.lineno, "async: the device is one cooperative loop"


def _differs_between_builds(tree: ast.Module) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        match node:
            case ast.BinOp(left=ast.Constant(value=int()), op=ast.Pow(), right=ast.Constant(value=int())):
                pass
            case ast.BinOp(op=ast.Pow()) | ast.AugAssign(op=ast.Pow()) | ast.Call(func=ast.Name(id="pow")):
                yield node.lineno, "** is libm's pow: multiply, or the world's own exp and log"
            case ast.Call(func=ast.Name(id="hash" | "id")):
                yield node.lineno, "hash() and id() differ from run to run"


def _unordered_loops(tree: ast.Module) -> Iterator[tuple[int, str]]:
    unordered = _unordered_names(tree)
    for node in ast.walk(tree):
        match node:
            case ast.For() | ast.comprehension() if _is_unordered(node.iter, unordered):
                yield node.iter.lineno, "loops over a dict or set, whose order differs on the board: sort it"


def _is_unordered(node: ast.expr, names: set[str]) -> bool:
    match node:
        case ast.Dict() | ast.Set() | ast.DictComp() | ast.SetComp():
            return True
        case ast.Call(func=ast.Attribute(attr=name)):
            return name in UNORDERED_VIEWS
        case ast.Call(func=ast.Name(id=name), args=args):
            passed_on = name in KEEPS_ORDER and any(_is_unordered(arg, names) for arg in args)
            return passed_on or name in UNORDERED_TYPES
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name in names
    return False


def _unordered_names(tree: ast.Module) -> set[str]:
    """Names and attributes that this module sets to a dict or set it can be seen to build."""
    names = set()
    for node in ast.walk(tree):
        match node:
            case ast.Assign(targets=targets, value=value) if _is_unordered(value, set()):
                pass
            case ast.AnnAssign(target=target, value=ast.expr() as value) if _is_unordered(value, set()):
                targets = [target]
            case _:
                continue
        names |= {t.id for t in targets if isinstance(t, ast.Name)}
        names |= {t.attr for t in targets if isinstance(t, ast.Attribute)}
    return names
