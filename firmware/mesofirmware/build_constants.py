"""What a board's files say, said in fewer words: the same programs, without what only people and type checkers read.

For a computer, never for a board. Constants that a module names at its top are worked out; integers are written where
they are used, across modules too. What nobody looks up any more is left out: names, imports, branches never taken.
"""

import ast
import re
from pathlib import Path
from types import SimpleNamespace

_READS = {"__builtins__": {"range": range, "len": len, "min": min, "max": max, "tuple": tuple}}
"""What a constant may be worked out with."""
_WORKED_OUT = ("mesoprotocol.limits", "fingerprint")
"""A function of constants alone: what it returns is written in its place."""


def folded(files: "list[tuple[str, Path]]") -> "dict[str, ast.Module]":
    """The programs of `files`, by their modules' names."""
    trees = {module(name): ast.parse(path.read_bytes()) for name, path in files}
    for tree in trees.values():
        _Bare().visit(tree)
    _work_out(trees)
    known: dict = {}
    for name in trees:
        _constants(name, trees, known)
    for name, tree in trees.items():
        for node in tree.body:
            targets = _targets(node)
            if len(targets) == 1 and targets[0] in known[name] and isinstance(node.value, ast.Call):
                node.value = _literal(node.value, known[name][targets[0]])
    while _leave_out(trees, known, set()):
        pass
    listed = {(home, word) for home, tree in trees.items() for word in words(tree)}
    for name, tree in trees.items():
        _Written(known[name], {alias: known[home] for alias, home in _modules(tree, trees).items()}).visit(tree)
        _Taken().visit(tree)
        _leave_out_imports(tree, trees)
    while _leave_out(trees, known, listed):
        pass
    return {name: ast.fix_missing_locations(tree) for name, tree in trees.items()}


def module(name: str) -> str:
    """The module that a file of the manifest is."""
    return name.replace("/", ".").removesuffix(".__init__")


def words(tree: ast.AST) -> "set[str]":
    """Words in quotes: a name that is said so is looked up by it."""
    said = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    return {word for word in said if word.isidentifier()}


class _Bare(ast.NodeTransformer):
    """Leaves out docstrings, and annotations but those that viper compiles."""

    def visit_Expr(self, node: ast.Expr) -> "ast.AST | None":
        return None if isinstance(node.value, ast.Constant) else self.generic_visit(node)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        if not any("viper" in ast.unparse(each) for each in node.decorator_list):
            node.returns = None
            for each in ast.walk(node.args):
                if isinstance(each, ast.arg):
                    each.annotation = None
        self.generic_visit(node)
        node.body = node.body or [ast.Pass()]
        return node

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        self.generic_visit(node)
        node.body = node.body or [ast.Pass()]
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> "ast.AST | None":
        return ast.Assign([node.target], node.value) if node.value else None


class _Written(ast.NodeTransformer):
    """Writes integers where their names are used."""

    def __init__(self, own: dict, modules: dict) -> None:
        self._own = own
        self._modules = modules

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        if isinstance(node.value, ast.Name):
            return _integer(node, self._modules.get(node.value.id, {}).get(node.attr))
        return self.generic_visit(node)

    def visit_Name(self, node: ast.Name) -> ast.AST:
        return _integer(node, self._own.get(node.id) if isinstance(node.ctx, ast.Load) else None)


class _Taken(ast.NodeTransformer):
    """Leaves out branches that are never taken."""

    def visit_If(self, node: ast.If) -> "ast.AST | list[ast.stmt]":
        self.generic_visit(node)
        return node.orelse if isinstance(node.test, ast.Constant) and node.test.value is False else node


def _integer(node: ast.expr, value: object) -> ast.AST:
    """True and False are integers, too."""
    return _literal(node, value) if isinstance(value, int) else node


def _literal(node: ast.expr, value: object) -> ast.expr:
    return ast.copy_location(ast.parse(repr(value), mode="eval").body, node)


def _work_out(trees: "dict[str, ast.Module]") -> None:
    home, name = _WORKED_OUT
    if home in trees:
        space: dict = {}
        exec(compile(ast.fix_missing_locations(trees[home]), home, "exec"), space)
        node = next(each for each in trees[home].body if getattr(each, "name", "") == name)
        node.body = [ast.Return(ast.Constant(space[name]()))]


def _constants(name: str, trees: dict, known: dict) -> dict:
    """What a module's capital names at its top are, as far as that can be worked out."""
    if name in known:
        return known[name]
    known[name] = found = {}
    modules = {alias: _constants(home, trees, known) for alias, home in _modules(trees[name], trees).items()}
    names = {**_READS, **{alias: SimpleNamespace(**other) for alias, other in modules.items()}}
    for node in trees[name].body:
        targets = _targets(node)
        if targets:
            try:
                value = eval(compile(ast.fix_missing_locations(ast.Expression(node.value)), name, "eval"), names)
            except (AttributeError, NameError, TypeError):
                continue  # a call of the module's own, or a buffer
            found.update(zip(targets, value) if len(targets) > 1 else [(targets[0], value)])
            names.update(found)
    return found


def _targets(node: ast.stmt) -> "list[str]":
    """The capital names that a statement at a module's top sets."""
    if not isinstance(node, ast.Assign) or len(node.targets) != 1:
        return []
    target = node.targets[0]
    names = target.elts if isinstance(target, ast.Tuple) else [target]
    ids = [name.id for name in names if isinstance(name, ast.Name)]
    is_constant = len(ids) == len(names) and all(re.fullmatch("_?[A-Z][A-Z0-9_]*", name) for name in ids)
    return ids if is_constant else []


def _imports(tree: ast.Module) -> "list[ast.ImportFrom]":
    return [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]


def _modules(tree: ast.Module, trees: dict) -> "dict[str, str]":
    """The modules among `trees` that a module imports, by the names it gives them."""
    pairs = [(alias, "%s.%s" % (node.module, alias.name)) for node in _imports(tree) for alias in node.names]
    return {alias.asname or alias.name: home for alias, home in pairs if home in trees}


def _leave_out(trees: "dict[str, ast.Module]", known: dict, listed: "set[tuple[str, str]]") -> bool:
    """Leave out constants that nobody looks up, nor are among `listed`; whether there were any."""
    used = set(listed)
    for name, tree in trees.items():
        modules = _modules(tree, trees)
        used |= {(name, word) for word in words(tree)}
        used |= {(node.module, alias.name) for node in _imports(tree) for alias in node.names}
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in modules:
                used.add((modules[node.value.id], node.attr))
            elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
                used.add((name, node.id))
    before = sum(len(tree.body) for tree in trees.values())
    for name, tree in trees.items():
        gone = [node for node in tree.body if _targets(node) and all(each in known[name] for each in _targets(node))]
        gone = [node for node in gone if not any((name, each) in used for each in _targets(node))]
        tree.body = [node for node in tree.body if node not in gone]
    return sum(len(tree.body) for tree in trees.values()) < before


def _leave_out_imports(tree: ast.Module, trees: dict) -> None:
    """Modules of which only integers were wanted need not be there."""
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    for node in _imports(tree):
        if node in tree.body:
            homes = ["%s.%s" % (node.module, alias.name) for alias in node.names]
            pairs = zip(node.names, homes)
            node.names = [alias for alias, home in pairs if home not in trees or (alias.asname or alias.name) in used]
            if not node.names:
                tree.body.remove(node)
