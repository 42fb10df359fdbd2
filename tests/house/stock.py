"""What a stock board has: `python -m tests.house.stock STUBS` holds the imports of its files to the stubs' modules,
and what a build renames to what the board's own objects bear.

The stubs are those of RPI_PICO and RPI_PICO2; what they bring for the type checker alone is on no board.
"""

import ast
import sys
from pathlib import Path

from mesofirmware import build
from tests.house import imports, rooms

FOR_TYPES = {"abc", "enum", "ssl", "types", "typing", "typing_extensions"}
"""In the stubs, and not in the image: MicroPython has no such modules, or this board's has them not."""

OWN = {
    "machine",
    "micropython",
    "rp2",
    "uctypes",
    "os",
    "sys",
    "time",
    "select",
    "errno",
    "io",
    "gc",
    "struct",
    "hashlib",
}
"""Modules whose objects the board's files have in hand, besides Python's own."""


def modules(stubs: Path) -> set[str]:
    """The modules that a board's stubs name."""
    found = [*stubs.glob("*.pyi"), *(stubs / "stdlib").glob("*.pyi")]
    folders = [path.parent for root in (stubs, stubs / "stdlib") for path in root.glob("*/__init__.pyi")]
    return {path.name.removesuffix(".pyi") for path in (*found, *folders) if path.name[0] != "_"} - FOR_TYPES


def findings(root: Path, has: set[str]) -> list[str]:
    """Imports of the board's files that the board has not."""
    return [
        f"{file.relative_to(root)}:{i.line}: imports {i.module}, which the board has not"
        for file in rooms.board_files(root)
        for i in imports.imports(root, file)
        if i.module.split(".")[0] not in has | rooms.PACKAGES.keys() and not i.types_only
    ]


def renamed(stubs: Path, names: set[str]) -> list[str]:
    """Which of `names`, which a build shortens, the board's own modules and objects bear as well."""
    borne = set()
    for file in (file for file in stubs.rglob("*.pyi") if file.stem in OWN or file.parent.name in OWN):
        for node in ast.walk(ast.parse(file.read_bytes())):
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                borne.add(node.name)
            elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                borne.add(node.target.id)
    return [f"build_names: {name} is the board's own as well: keep it" for name in sorted(names & borne)]


def main(stubs: Path) -> int:
    """Print what is wrong; the exit code."""
    has = modules(stubs)
    found = findings(rooms.ROOT, has) if {"machine", "sys"} <= has else [f"{stubs}: no stubs of a board"]
    _, short = build.program()
    found += renamed(stubs, {name for names in short.values() for name in names.values()})
    print(*found, sep="\n", end="\n" if found else "", file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
