"""Canaries: plausible mistakes in the firmware, as patches, and what a core suite says of each.

A patch begins with `mistake:`, `hazards:` and `requirements:`, and with `evidence:` if a study of the evidence must
fail with it; behind an empty line stands the diff. It is applied to a copy of the firmware, which comes first on the
path of every process that is started here.
"""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FOLDER = Path(__file__).parent
IMPORT_ALL = """
import importlib, pkgutil, mesofirmware
from pathlib import Path
assert Path(mesofirmware.__file__).is_relative_to(%r), mesofirmware.__file__
for module in pkgutil.walk_packages(mesofirmware.__path__, "mesofirmware."):
    if not module.name.startswith(("mesofirmware.boards.rp2_", "mesofirmware.start")):  # need a board's modules
        importlib.import_module(module.name)
"""
CORE_S = 60
"""Longest that the core suite may take, seconds of one core."""


@dataclass(frozen=True)
class Canary:
    """One planted mistake."""

    name: str
    mistake: str
    hazards: tuple[str, ...]
    requirements: tuple[str, ...]
    evidence: str
    """The study of the evidence that must fail with it; "" where none is asked to."""
    diff: str


def flock() -> list[Canary]:
    """All canaries, by name."""
    return [read(path) for path in sorted(FOLDER.glob("*.patch"))]


def read(path: Path) -> Canary:
    """One canary from its patch."""
    head, _, diff = path.read_text(encoding="utf-8").partition("\n\n")
    said = dict(line.split(": ", 1) for line in head.splitlines())
    return Canary(
        path.stem,
        said["mistake"],
        tuple(said["hazards"].split()),
        tuple(said["requirements"].split()),
        said.get("evidence", ""),
        diff,
    )


def plant(canary: Canary, folder: Path) -> Path:
    """A copy of the firmware with the mistake in it, below `folder`; the folder to put first on the path."""
    package = Path("firmware") / "mesofirmware"
    shutil.copytree(ROOT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__"))
    # not `git apply` within a repository: below one it looks for its files from the repository's root
    alone = {**os.environ, "GIT_DIR": os.devnull}
    done = subprocess.run(
        ["git", "apply", "-p1", "-"],
        cwd=folder,
        env=alone,
        input=canary.diff,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise ValueError(f"{canary.name}.patch does not apply: {done.stderr.strip()}")
    return folder / "firmware"


def imports(firmware: Path) -> subprocess.CompletedProcess[str]:
    """Import every module of the firmware in `firmware`."""
    return _run(firmware, ["-c", IMPORT_ALL % str(firmware)])


def demo(firmware: Path) -> subprocess.CompletedProcess[str]:
    """Run the demo on it."""
    out = firmware.parent / "demo.html"
    return _run(firmware, ["-m", "mesoinjector", "demo", "--runtime", "cpython", "--json", "--out", str(out)])


def core(firmware: Path) -> subprocess.CompletedProcess[str]:
    """Run the core suite on it, up to the first failure. A negative `returncode` means that it took too long."""
    options = ["-x", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "--tb=line", "@tests/core.txt"]
    return _run(firmware, ["-m", "pytest", *options], lambda: resource.setrlimit(resource.RLIMIT_CPU, (CORE_S, CORE_S)))


def evidence(firmware: Path, study: str) -> subprocess.CompletedProcess[str]:
    """Play small cases of a study on it; see `tests.evidence.planted`."""
    return _run(firmware, ["-m", "tests.evidence.planted", study])


def _run(
    firmware: Path, arguments: list[str], before: Callable[[], None] | None = None
) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join((str(firmware), *os.environ.get("PYTHONPATH", "").split(os.pathsep)))
    environment = {**os.environ, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env=environment,
        preexec_fn=before,
        capture_output=True,
        text=True,
        check=False,
    )
