"""Which code plays: version and digest of the installed sources, and the commit where they lie in a repository."""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import importlib.util
import subprocess
from pathlib import Path

PACKAGES = ("mesoprotocol", "mesofirmware", "mesosim", "mesoinjector")

PLAYS = (".py", ".toml")
"""Files whose content decides how a case ends."""


@functools.cache
def package() -> str:
    """Version and digest of every source file, `0.1.0+1a2b3c4d5e6f`: other code gives other results."""
    digest = hashlib.sha256()
    for name in PACKAGES:
        place = folder(name)
        for path in sorted(path for path in place.rglob("*") if path.suffix in PLAYS):
            digest.update(f"{name}/{path.relative_to(place).as_posix()}\0".encode() + path.read_bytes() + b"\0")
    return f"{importlib.metadata.version('mesoinjector')}+{digest.hexdigest()[:12]}"


@functools.cache
def commit() -> str:
    """The commit of the sources, with `, changed` if they differ from it; "" outside a repository."""
    place = folder("mesosim")
    every = [str(folder(name)) for name in PACKAGES]
    try:
        changed = _git(place, "status", "--porcelain", "--", *every)
        return _git(place, "rev-parse", "HEAD") + (", changed" if changed else "")
    except (OSError, subprocess.CalledProcessError):
        return ""


def _git(folder: Path, *words: str) -> str:
    return subprocess.run(["git", *words], cwd=folder, capture_output=True, text=True, check=True).stdout.strip()


def folder(name: str) -> Path:
    """Where a package lies."""
    spec = importlib.util.find_spec(name)
    assert spec is not None
    assert spec.submodule_search_locations
    return Path(spec.submodule_search_locations[0])
