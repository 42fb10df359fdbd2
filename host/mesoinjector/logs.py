"""What the driver does, as the standard library's logging has it: logger `mesoinjector`, an event's facts as fields.

A record's message is the kind of event, its attribute `facts` says all of it. INFO: sessions, rows of the journal,
events of the device, refusals; WARNING: STOP, what goes unanswered, a line that broke; DEBUG: each request. Samples
and single strokes are left out (`record` has them), and so is what a treatment says of persons.
"""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import Any

from pythonjsonlogger.json import JsonFormatter

from mesoinjector.errors import PlanError

LOGGER = logging.getLogger("mesoinjector")
LOGGER.addHandler(logging.NullHandler())  # nothing is printed of which nobody has said where to


def note(level: int, kind: str, /, **facts: Any) -> None:
    """Log one event."""
    if LOGGER.isEnabledFor(level):
        LOGGER.log(level, kind, extra={"facts": {name: _plain(fact) for name, fact in facts.items()}})


class _File(logging.FileHandler):
    """A disk that is full ends the log and nothing else; it is said once."""

    def handleError(self, record: logging.LogRecord) -> None:
        LOGGER.removeHandler(self)
        self.stream = None
        said = sys.exc_info()[1]
        print(f"mesoinjector: log {self.baseFilename}: {said}. It ends here; all else goes on.", file=sys.stderr)


def write_to(path: Path) -> None:
    """Append everything to a file, one JSON object a line: `utc`, `level`, `event`, `facts`. Raises `PlanError`."""
    try:
        handler = _File(path, encoding="utf-8")
    except OSError as error:
        raise PlanError(f"{path}: a log cannot be written there ({error.strerror}). Next: name another file.") from None
    names = {"levelname": "level", "message": "event"}
    handler.setFormatter(JsonFormatter("%(levelname)s %(message)s", rename_fields=names, timestamp="utc"))
    LOGGER.addHandler(handler)
    LOGGER.setLevel(logging.DEBUG)


def _plain(fact: Any) -> Any:
    return fact.hex() if isinstance(fact, bytes | bytearray) else fact
