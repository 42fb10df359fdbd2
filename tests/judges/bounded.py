"""Runs what a board is given with every result of arithmetic watched: what reaches 2^30 would be allocated there.

`python -m tests.judges.bounded SCENARIO...` plays the scenarios so and prints each place that went too far, as
`module.function:line: value`; `long` is a clock of thirteen days, `homing` a carriage
farther back than ever. Watched are operators, calls' results and constants of the control path; see `APART` for what
is not on it.
"""

from __future__ import annotations

import ast
import importlib.abc
import importlib.machinery
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import CodeType, ModuleType

from mesofirmware import build

LIMIT = 1 << 30
APART = {
    "mesoprotocol.crc_plain": "a CRC of 32 bits on a computer; a board's is made by viper and never boxed",
    "mesoprotocol.sha256_plain": "the computer's own hash; a board's is viper",
    "mesoprotocol.sha256_viper": "viper's words are registers, not objects",
    "mesoprotocol.crc.seed": "once at start",
    "mesoprotocol.limits.fingerprint": "once at start",
}
"""Modules and functions not watched, and why."""

SEEN: dict[str, int] = {}
"""Places that went too far, each with the first value that did."""


def within(value: object, where: str) -> object:
    """The value, noted if it is an integer that a 32-bit board would allocate."""
    if type(value) is int and not -LIMIT <= value < LIMIT:
        SEEN.setdefault(where, value)
    return value


class Watching(ast.NodeTransformer):
    """Puts `within` around what computes."""

    def __init__(self, module: str) -> None:
        self.within = [module]

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.stmt:
        return self._named(node)

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.stmt:
        return self._named(node)

    def visit_BinOp(self, node: ast.BinOp) -> ast.expr:
        return self._watched(node)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.expr:
        return self._watched(node)

    def visit_Call(self, node: ast.Call) -> ast.expr:
        return self._watched(node)

    def visit_Constant(self, node: ast.Constant) -> ast.expr:
        within(node.value, self._where(node.lineno))
        return node

    def visit_AugAssign(self, node: ast.AugAssign) -> list[ast.stmt]:
        self.generic_visit(node)
        copy = ast.parse(ast.unparse(node.target), mode="eval").body
        again = ast.Expr(self._call(ast.copy_location(copy, node), node.lineno))
        return [node, ast.fix_missing_locations(ast.copy_location(again, node))]

    def visit_arguments(self, node: ast.arguments) -> ast.arguments:
        return node  # defaults and annotations are made once

    def _named(self, node: ast.FunctionDef | ast.ClassDef) -> ast.stmt:
        self.within.append(node.name)
        if ".".join(self.within) not in APART:
            self.generic_visit(node)
        self.within.pop()
        return node

    def _where(self, line: int) -> str:
        return f"{'.'.join(self.within)}:{line}"

    def _watched(self, node: ast.expr) -> ast.expr:
        self.generic_visit(node)
        return ast.fix_missing_locations(ast.copy_location(self._call(node, node.lineno), node))

    def _call(self, node: ast.expr, line: int) -> ast.Call:
        return ast.Call(ast.Name("__within__", ast.Load()), [node, ast.Constant(self._where(line))], [])


class Loader(SourceFileLoader):
    """Loads a module from its source, watched."""

    def get_code(self, fullname: str) -> CodeType:
        tree = Watching(fullname).visit(ast.parse(self.get_data(self.path)))
        return compile(tree, self.path, "exec", dont_inherit=True)

    def exec_module(self, module: ModuleType) -> None:
        module.__dict__["__within__"] = within
        super().exec_module(module)


class Finder(importlib.abc.MetaPathFinder):
    """Finds the modules that are watched before anybody else does."""

    def __init__(self) -> None:
        names = {name.replace("/", ".").removesuffix(".__init__") for name, _ in build.sources()}
        self.names = names - APART.keys()

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname not in self.names:
            return None
        spec = PathFinder.find_spec(fullname, path)
        if spec and isinstance(spec.loader, importlib.machinery.SourceFileLoader) and spec.origin:
            spec.loader = Loader(fullname, spec.origin)
        return spec


def watch() -> None:
    """From now on: whatever of the board's is imported next."""
    for name in [name for name in sys.modules if name.split(".")[0] in build.PACKAGES]:
        del sys.modules[name]
    sys.meta_path.insert(0, Finder())


def play(name: str) -> None:
    """One scenario, `long` or `homing`."""
    if name == "long":
        from mesofirmware import clock

        long, now = clock.Clock(0), 0
        for _ in range(13 * 24 * 60 // 8):
            now = (now + 8 * 60_000_000) & (LIMIT - 1)
            long.update(now)
        return
    if name == "homing":
        from tests.judges.session import home

        home()
        return
    from mesosim.lab.play import play as played
    from mesosim.lab.scenario import load

    played(load(name), 1)


def main(names: Sequence[str]) -> int:
    """Play all, and print what went too far; 1 if anything has."""
    watch()
    for name in names:
        play(name)
    for where, value in sorted(SEEN.items()):
        print(f"{where}: {value}")
    return 1 if SEEN else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
