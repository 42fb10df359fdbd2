"""Shorter names for what a board's files define: each name is a word in every file that uses it, and again in RAM.

For a computer, never for a board. Two names share a short one if no file, nor any whose classes it builds on, has both;
what is set from outside its class shares with none. So nothing is looked up by a name that was not its own. What is, or
may be, looked up from outside keeps its name: words in quotes, keywords, what is told to stay, and what the objects of
Python and of the hardware bear. A function's parameters get their names from one short row.
"""

import ast
import builtins
import io
import keyword

from mesofirmware.build_constants import words

_HARDWARE = (
    *(
        "Counter",
        "OneWire",
        "abort",
        "build",
        "crc8",
        "digest",
        "disable",
        "fill",
        "major",
        "n",
        "phase",
        "pin",
        "poll",
        "put",
        "seed",
        "state",
    ),
    "status",
)
"""What MicroPython's own modules and objects bear, and something here as well: `tests.house.stock` knows of each."""
_PYTHON = (builtins, str, bytes, bytearray, memoryview, int, list, tuple, dict, set, OSError, io.FileIO, io.StringIO)
_PARAMETERS = "abcdefghijklmn"
_LETTERS = _PARAMETERS + "opqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_"
_SHORT = (*_LETTERS, *[one + other for one in _LETTERS for other in _LETTERS])


def shortened(trees: "dict[str, ast.Module]", border: "list[ast.Module]") -> "dict[str, dict[str, str]]":
    """Rename in `trees`; what the short names stand for, by module. Names that the programs of `border` use stay."""
    kept = {*_HARDWARE, *keyword.kwlist}.union(*(dir(each) for each in _PYTHON), *(_reached(each) for each in border))
    kept = kept.union(*(words(tree) | _foreign(tree, trees) for tree in trees.values()))
    variables = set().union(*(_variables(tree) for tree in trees.values()))
    attributes = set().union(*(_attributes(tree) for tree in trees.values()))
    defined = set().union(*(_defined(tree) for tree in trees.values())) - kept
    homes: dict = {}
    for home, tree in trees.items():
        for name in (_variables(tree) | _attributes(tree)) & defined:
            homes.setdefault(name, []).append(home)
    families = _families(trees)
    lonely = set().union(*(_set_from_outside(tree) for tree in trees.values()))
    free = {each: set() for each in _SHORT if each not in kept | (attributes - homes.keys())}
    short: dict = {}
    for name in sorted(homes, key=lambda name: (-len(homes[name]), name)):
        where = set(families.values()) if name in lonely else {families[home] for home in homes[name]}
        # an attribute may be named as a parameter is, since it has a dot before it
        hides = name in variables
        short[name] = next(
            each
            for each in free
            if not free[each] & where and not (hides and (each in variables or each in _PARAMETERS))
        )
        free[short[name]] |= where
    keywords = {node.arg for tree in trees.values() for node in ast.walk(tree) if isinstance(node, ast.keyword)}
    for tree in trees.values():
        _Renaming(short, keywords).visit(tree)
    return {home: {short[name]: name for name in homes if home in homes[name]} for home in trees}


def _set_from_outside(tree: ast.AST) -> "set[str]":
    """Attributes that are set of anything but `self`."""
    nodes = [node for node in ast.walk(tree) if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store)]
    return {node.attr for node in nodes if ast.unparse(node.value) != "self"}


def _families(trees: "dict[str, ast.Module]") -> "dict[str, str]":
    """Of each module one of those that its classes build on, or that build on them: the same for all of these."""
    families = {home: home for home in trees}
    for home, tree in trees.items():
        bases = {ast.unparse(base) for node in ast.walk(tree) if isinstance(node, ast.ClassDef) for base in node.bases}
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom):
                for alias in node.names:
                    other = node.module if alias.name in bases else "%s.%s" % (node.module, alias.name)
                    if other in trees and any(base.split(".")[0] == alias.name for base in bases):
                        old, new = families[home], families[other]
                        families = {each: new if family == old else family for each, family in families.items()}
    return families


def _attributes(tree: ast.AST) -> "set[str]":
    """Names behind a dot, and methods."""
    found = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    return found | {each.name for each in _within_classes(tree) if isinstance(each, ast.FunctionDef)}


def _within_classes(tree: ast.AST) -> "list[ast.stmt]":
    return [each for node in ast.walk(tree) if isinstance(node, ast.ClassDef) for each in node.body]


def _variables(tree: ast.AST) -> "set[str]":
    """Names without a dot, and what is imported by name."""
    methods = _within_classes(tree)
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            found.add(node.id)
        elif isinstance(node, ast.arg):
            found.add(node.arg)
        elif isinstance(node, ast.ExceptHandler):
            found.add(node.name)
        elif isinstance(node, ast.ClassDef) or (isinstance(node, ast.FunctionDef) and node not in methods):
            found.add(node.name)
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            found |= {alias.asname or alias.name for alias in node.names}
    return found


def _defined(tree: ast.AST) -> "set[str]":
    """Functions, classes, attributes, and variables at the module's top."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            found.add(node.name)
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            found.add(node.attr)
    tops = [each for each in ast.iter_child_nodes(tree) if not isinstance(each, (ast.FunctionDef, ast.ClassDef))]
    names = [node for each in tops for node in ast.walk(each) if isinstance(node, ast.Name)]
    return found | {node.id for node in names if isinstance(node.ctx, ast.Store)}


def _reached(tree: ast.AST) -> "set[str]":
    """What a program outside defines for those within, or looks up in them."""
    rows = {each.target.id for each in _within_classes(tree) if isinstance(each, ast.AnnAssign)}
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    return _defined(tree) | _attributes(tree) | rows | {alias.name for node in imports for alias in node.names}


def _foreign(tree: ast.Module, trees: dict) -> "set[str]":
    """Keywords, modules, and what is imported from elsewhere."""
    found = {node.arg for node in ast.walk(tree) if isinstance(node, ast.keyword)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.asname or alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names = {alias.name for alias in node.names}
            found |= {name for name in names if node.module not in trees or "%s.%s" % (node.module, name) in trees}
    return found


class _Renaming(ast.NodeTransformer):
    """Renames in one module."""

    def __init__(self, short: "dict[str, str]", keywords: "set[str]") -> None:
        self._short = short
        self._keywords = keywords
        self._parameters: dict = {}

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        before = self._parameters
        node.name = self._short.get(node.name, node.name)
        node.decorator_list = [self.visit(each) for each in node.decorator_list]
        node.args.defaults = [self.visit(each) for each in node.args.defaults]
        self._parameters = {**before, **self._row(node)}
        for each in _arguments(node):
            each.arg = self._parameters.get(each.arg) or self._short.get(each.arg, each.arg)
        node.body = [self.visit(each) for each in node.body]
        self._parameters = before
        return node

    def _row(self, node: ast.FunctionDef) -> "dict[str, str]":
        """New names of a function's parameters: the first that nothing else in it bears."""
        names = [each.arg for each in _arguments(node) if each.arg != "self" and each.arg not in self._keywords]
        used = (_variables(node) - set(names)) | set(self._parameters.values())
        row = [each for each in _PARAMETERS if each not in used]
        return dict(zip(names, row)) if len(names) <= len(row) else {}

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        node.name = self._short.get(node.name, node.name)
        return self.generic_visit(node)

    def visit_Name(self, node: ast.Name) -> ast.AST:
        node.id = self._parameters.get(node.id) or self._short.get(node.id, node.id)
        return node

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        node.attr = self._short.get(node.attr, node.attr)
        return self.generic_visit(node)

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> ast.AST:
        node.name = self._short.get(node.name, node.name)
        return self.generic_visit(node)

    def visit_Global(self, node: ast.Global) -> ast.AST:
        node.names = [self._short.get(name, name) for name in node.names]
        return node

    def visit_ImportFrom(self, node: ast.ImportFrom) -> ast.AST:
        for alias in node.names:
            alias.name = self._short.get(alias.name, alias.name)
        return node


def _arguments(node: ast.FunctionDef) -> "list[ast.arg]":
    return [each for each in ast.walk(node.args) if isinstance(each, ast.arg)]
