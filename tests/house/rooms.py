"""Which package lies where, and which of its files a board runs.

`python -m tests.house.rooms board` prints the files a board is given, `... device` also those that
MicroPython runs in the simulator. The Makefile and the tests beside this file both ask here.
"""

import sys
from pathlib import Path

from mesofirmware import build

ROOT = Path(__file__).resolve().parents[2]

PACKAGES = {
    "mesoprotocol": "protocol/mesoprotocol",
    "mesofirmware": "firmware/mesofirmware",
    "mesosim": "sim/mesosim",
    "mesoinjector": "host/mesoinjector",
}


def package_files(root: Path, package: str) -> list[Path]:
    """All Python files of a package, in a fixed order."""
    return sorted((root / PACKAGES[package]).rglob("*.py"))


def all_files(root: Path) -> list[Path]:
    """All Python files of all packages."""
    return [file for package in PACKAGES for file in package_files(root, package)]


def protocol_files(root: Path) -> list[Path]:
    """The protocol's device side: all of it but the generator and what only the host uses."""
    return build.given("mesoprotocol", root / PACKAGES["mesoprotocol"])


def board_files(root: Path) -> list[Path]:
    """What a board is given, and the port, which is written in its words."""
    firmware = root / PACKAGES["mesofirmware"]
    port = firmware / "boards" / "port.py"
    return protocol_files(root) + build.given("mesofirmware", firmware) + ([port] if port.exists() else [])


def world_files(root: Path) -> list[Path]:
    """The simulator's part that MicroPython runs too; importing it runs the package's `__init__` first."""
    package = root / PACKAGES["mesosim"]
    alone = [package / "__init__.py", package / "device.py"]
    return [file for file in alone if file.exists()] + sorted((package / "world").rglob("*.py"))


def device_files(root: Path) -> list[Path]:
    """Everything MicroPython runs."""
    return board_files(root) + world_files(root)


def module_name(root: Path, file: Path) -> str:
    """The dotted name a file is imported by."""
    parts = file.relative_to(root).with_suffix("").parts[1:]
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


if __name__ == "__main__":
    chosen = {"board": board_files, "device": device_files}[sys.argv[1]]
    print(*(file.relative_to(ROOT) for file in chosen(ROOT)), sep="\n")
