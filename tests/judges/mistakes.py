"""A mistake against each safety requirement: with it the tests that are marked with the requirement go red.

`mistakes.toml` has them as one piece of text that becomes another; the canaries that name a requirement count too.
"""

from __future__ import annotations

import shutil
import tempfile
import tomllib
from pathlib import Path
from typing import NamedTuple

from tests.canaries import canary
from tests.house import safety
from tests.house.rooms import ROOT
from tests.judges import mutants

DATA = Path(__file__).parent / "mistakes.toml"
LONG = tuple(f"tests/{folder}/" for folder in ("accuracy", "enumeration", "exploration", "faults", "judges"))
"""Where tests are long: asked last."""


class Mistake(NamedTuple):
    """One mistake: in `file`, `was` becomes `becomes`."""

    requirement: str
    file: str
    was: str
    becomes: str

    def plant(self, folder: Path) -> Path:
        """A copy of the package with the mistake in it; the folder to put first on the path. Raises ValueError."""
        package = Path(*Path(self.file).parts[:2])
        shutil.copytree(ROOT / package, folder / package.name, ignore=shutil.ignore_patterns("__pycache__"))
        file = folder / Path(self.file).relative_to(package.parent)
        text = file.read_text(encoding="utf-8")
        if text.count(self.was) != 1:
            raise ValueError(f"{self.requirement}: {self.was!r} is {text.count(self.was)} times in {self.file}")
        file.write_text(text.replace(self.was, self.becomes), encoding="utf-8")
        return folder


def listed() -> list[Mistake]:
    """Those of the file."""
    return [Mistake(**row) for row in tomllib.loads(DATA.read_text(encoding="utf-8"))["mistake"]]


def requirements() -> list[str]:
    """The requirements that are said to be met, wholly or partly."""
    return [row["id"] for row in safety.load(ROOT)["requirement"] if row["state"] != "open"]


def marked(requirement: str) -> list[str]:
    """The tests that are marked with a requirement."""
    found = safety.markers(ROOT)
    return sorted({f"{each.file}::{each.test}" for each in found if requirement in each.ids})


def found_by(requirement: str) -> str:
    """The first marked test that goes red with one of the requirement's mistakes; "" if none does."""
    planted = [each for each in listed() if each.requirement == requirement]
    canaries = [each for each in canary.flock() if requirement in each.requirements]
    tests = [*sorted(marked(requirement), key=lambda test: test.startswith(LONG)), "-k", mutants.SLOW]
    for mistake in planted or canaries:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            first = mistake.plant(folder) if isinstance(mistake, Mistake) else canary.plant(mistake, folder)
            done = mutants.run(first, tests)
            for line in done.stdout.splitlines():
                if done.returncode == 1 and line.startswith("FAILED"):
                    return line.split(" - ")[0].removeprefix("FAILED ")
    return ""
