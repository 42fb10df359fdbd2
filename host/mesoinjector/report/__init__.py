"""The treatment report: one self-contained, printable HTML page of what was asked and what was given.

For a physician (the first screen), a clinic developer and a QA engineer (the plots and the full table).
The same record always gives the same bytes. Nothing here talks to a device or decides anything: it shows.
"""

import os
from pathlib import Path

from mesoinjector.record import TreatmentRecord
from mesoinjector.report.page import render

__all__ = ["write_report"]


def write_report(record: TreatmentRecord, path: Path) -> None:
    """Write the report of ``record`` to ``path``: all of it, or nothing (an older report then stays).

    Raises ``OSError`` if the file cannot be written. Not for several threads at once: matplotlib's
    settings belong to the process.
    """
    if path.exists() and not path.is_file():
        raise OSError(f"{path} is there and is no file: it is left alone")
    page = render(record).encode("utf-8", errors="replace")
    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with partial.open("wb") as file:
            file.write(page)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)
