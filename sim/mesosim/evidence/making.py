"""All of it: plays the studies, accounts for them, writes the document."""

from __future__ import annotations

import datetime
import platform
from collections.abc import Callable, Sequence
from pathlib import Path

from mesosim.evidence import document, running, studies
from mesosim.evidence.document import Document
from mesosim.lab.campaign import identity
from mesosim.lab.campaign.pools import Pool


def make(
    names: Sequence[str], quick: bool, seed: int, pool: Pool, out: Path, on_progress: Callable[[int, int], None]
) -> Document:
    """Play the studies of these names and write the document into `out`.

    Raises `running.StudyError`, `mesosim.lab.campaign.worker.OtherCode`, OSError.
    """
    tables = running.run(names, quick, seed, pool, on_progress)
    facts = {
        "software": identity.package(),
        "commit": identity.commit() or "none: not in a repository",
        "form": "reduced (--quick): too few devices to conclude from" if quick else "full",
        "studies": ", ".join(names),
        "seed": str(seed),
        "made": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "firmware": "its files on CPython, in virtual time; that they do the same on MicroPython, tests show",
        "with": f"Python {platform.python_version()}, {platform.system()} {platform.machine()}, {pool.name}",
    }
    made = document.make([studies.load(name) for name in names], tables, facts)
    document.write(made, tables, out)
    return made
