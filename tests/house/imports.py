"""Who imports whom, where import-linter cannot say it: what a board has, and what waits until asked for.

Each check takes the root of a tree and returns its findings, `file:line: what is wrong`.
"""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tests.house import rooms

HARDWARE = {"machine", "rp2"}

# The standard library that logic on a board may use: it exists on MicroPython and means the same there.
LOGIC = {"array", "binascii", "errno", "gc", "hashlib", "micropython", "struct", "sys"}
# Time and files are the board's to offer and the starter's to find; everything else is handed them.
BOARD_AND_START = LOGIC | {"os", "select", "time", "uctypes", "vfs"}
# The simulated world computes: its square root is the only function that all builds agree on.
WORLD = LOGIC | {"math"}
EXACT = {"sqrt", "pi", "inf", "floor", "ceil", "isnan", "isinf"}
# The simulated device also speaks through a pipe, in JSON to whoever controls its world.
WORLD_PIPE = WORLD | {"io", "json", "os", "select", "time"}


class Import(NamedTuple):
    """One imported name: `module` as written or resolved, `attribute` for `from module import attribute`."""

    line: int
    module: str
    attribute: str
    deferred: bool  # inside a function, or for the type checker only
    types_only: bool  # never run at all


def imports(root: Path, file: Path) -> Iterator[Import]:
    """All imports of a file, relative ones resolved, `import_module("...")` included."""
    name = rooms.module_name(root, file).split(".")
    package = name if file.name == "__init__.py" else name[:-1]
    yield from _imports(ast.parse(file.read_bytes()), package, deferred=False, types_only=False)


def _imports(node: ast.AST, package: list[str], deferred: bool, types_only: bool) -> Iterator[Import]:
    if isinstance(node, ast.Import):
        for alias in node.names:
            yield Import(node.lineno, alias.name, "", deferred, types_only)
    elif isinstance(node, ast.ImportFrom):
        parent = package[: len(package) - node.level + 1] if node.level else []
        module = ".".join([*parent, *([node.module] if node.module else [])])
        for alias in node.names:
            yield Import(node.lineno, module, alias.name, deferred, types_only)
    elif isinstance(node, ast.Call) and _called(node) in ("import_module", "__import__"):
        match node.args:
            case [ast.Constant(value=str(module)), *_]:
                yield Import(node.lineno, module, "", deferred, types_only)
    function = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
    for child in ast.iter_child_nodes(node):
        types = types_only or _for_types_only(node, child)
        yield from _imports(child, package, deferred or function or types, types)


def _called(call: ast.Call) -> str:
    match call.func:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
    return ""


def _for_types_only(node: ast.AST, child: ast.AST) -> bool:
    match node:
        case ast.If(test=ast.Name(id="TYPE_CHECKING") | ast.Attribute(attr="TYPE_CHECKING"), body=body):
            return child in body
    return False


def device_imports(root: Path) -> list[str]:
    """Device code imports what a board has: a few standard modules, and only modules that also go there.

    What only the type checker reads may use its words.
    """
    files = rooms.device_files(root)
    modules = {rooms.module_name(root, file) for file in files}
    found = []
    for file in files:
        allowed = _allowed(rooms.module_name(root, file))
        for i in imports(root, file):
            top = i.module.split(".")[0]
            target = f"{i.module}.{i.attribute}"
            where = f"{file.relative_to(root)}:{i.line}:"
            if top in rooms.PACKAGES:
                if target not in modules and (i.module not in modules or _exists(root, target)):
                    found.append(f"{where} imports {target.rstrip('.')}, which no board has")
            elif top not in allowed and not (top == "typing" and i.types_only):
                found.append(f"{where} imports {i.module}, which is not for this code")
            elif top == "math" and i.attribute not in EXACT:
                found.append(f"{where} imports {target.rstrip('.')}: name what is needed, of {sorted(EXACT)}")
    return found


def _allowed(module: str) -> set[str]:
    if module.startswith("mesofirmware.boards"):
        return BOARD_AND_START | HARDWARE
    if module.startswith("mesofirmware.start"):
        return BOARD_AND_START
    if module == "mesosim.device":
        return WORLD_PIPE
    return WORLD if module.startswith("mesosim") else LOGIC


def _exists(root: Path, module: str) -> bool:
    """Whether `module` is a file or folder of the tree, and not just a name inside a module."""
    package, *rest = module.split(".")
    path = (root / rooms.PACKAGES[package]).joinpath(*rest)
    return path.is_dir() or path.with_suffix(".py").is_file()


def hardware_imports(root: Path) -> list[str]:
    """Only board files know `machine` and `rp2`."""
    return [
        f"{file.relative_to(root)}:{i.line}: imports {i.module}: only board files touch the hardware"
        for file in rooms.all_files(root)
        if not rooms.module_name(root, file).startswith("mesofirmware.boards")
        for i in imports(root, file)
        if i.module.split(".")[0] in HARDWARE
    ]


def host_imports(root: Path) -> list[str]:
    """The host never imports the firmware, and the simulator only when asked for it, from two rooms."""
    found = []
    for file in rooms.package_files(root, "mesoinjector"):
        name = rooms.module_name(root, file)
        door = name == "mesoinjector.simulated" or name.startswith("mesoinjector.cli")
        for i in imports(root, file):
            where = f"{file.relative_to(root)}:{i.line}:"
            top = i.module.split(".")[0]
            if top == "mesofirmware":
                found.append(f"{where} imports {i.module}: the host knows the device only by the protocol")
            elif top == "mesosim" and not door:
                found.append(f"{where} imports {i.module}: only mesoinjector.simulated and mesoinjector.cli may")
            elif top == "mesosim" and not i.deferred:
                found.append(f"{where} imports {i.module} at import time: do it inside the function")
    return found
