"""MicroPython for 32 bits, WebAssembly under node: the judge of 31-bit small integers and of allocation.

Node is the user's; the npm package is pinned by `package-lock.json` here, and `python -m mesosim.wasm` installs it
into the user's cache, once for each lock file.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import tempfile
from pathlib import Path

import platformdirs

from mesosim.micropython import NoMicroPython, compiled

HERE = Path(__file__).parent
PACKAGE = Path("node_modules", "@micropython", "micropython-webassembly-pyscript", "micropython.mjs")
NODE_SINCE = 18
INSTALL_S = 300.0


def command(arguments: list[str]) -> list[str]:
    """The command line that runs `mesosim.device` with `arguments`, in lock step over pipes.

    Raises `NoMicroPython` with what to do, ValueError for another mode: node's stdin and stdout are all there is.
    """
    if arguments[0] != "lockstep" or len(arguments) != 3:
        raise ValueError("the 32-bit runtime runs in lock step over pipes only: sim://wasm")
    mode, seed, trace_path = arguments
    mapped = [mode, seed, "/dev/trace" if trace_path else ""]
    return [*line(f"from mesosim.device import main\nmain({mapped!r})"), trace_path]


def line(program: str) -> list[str]:
    """The command line that runs a program beside the device's modules. Raises `NoMicroPython`."""
    node = _node()
    package = _folder() / PACKAGE
    if not package.is_file():
        raise NoMicroPython("MicroPython for WebAssembly is not installed. Next: python -m mesosim.wasm.")
    start = "import sys\nsys.path[:] = ['/device', '.frozen']\n"
    return [node, str(HERE / "launch.mjs"), str(package), str(compiled("")), start + program]


def install() -> Path:
    """Install the pinned npm package; the folder it is in. Raises `NoMicroPython`."""
    folder = _folder()
    if (folder / PACKAGE).is_file():
        return folder
    _node()
    npm = shutil.which("npm")
    if npm is None:
        raise NoMicroPython("npm is not installed. Next: install Node.js with npm, then python -m mesosim.wasm.")
    folder.parent.mkdir(parents=True, exist_ok=True)
    building = Path(tempfile.mkdtemp(dir=folder.parent))
    try:
        for name in ("package.json", "package-lock.json"):
            shutil.copyfile(HERE / name, building / name)
        line = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        done = subprocess.run(line, cwd=building, capture_output=True, text=True, timeout=INSTALL_S, check=False)
        if done.returncode:
            raise NoMicroPython(f"npm ci failed in {building}: {done.stderr.strip()}")
        shutil.rmtree(folder, ignore_errors=True)
        building.replace(folder)
    except (OSError, subprocess.TimeoutExpired) as error:
        if not (folder / PACKAGE).is_file():  # another process has installed the same meanwhile
            raise NoMicroPython(f"npm ci: {error}") from None
    finally:
        shutil.rmtree(building, ignore_errors=True)
    return folder


def _folder() -> Path:
    lock = hashlib.sha256((HERE / "package-lock.json").read_bytes()).hexdigest()[:32]
    return Path(platformdirs.user_cache_dir("mesoinjector")) / "wasm" / lock


def _node() -> str:
    node = shutil.which("node")
    if node is None:
        raise NoMicroPython(
            f"node is not installed. Next: install Node.js {NODE_SINCE} or newer, then python -m mesosim.wasm."
        )
    said = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout.strip()
    major = said.removeprefix("v").split(".")[0]
    if not major.isdigit() or int(major) < NODE_SINCE:
        raise NoMicroPython(f"{node} is version {said or 'unknown'}; {NODE_SINCE} or newer is needed.")
    return node
