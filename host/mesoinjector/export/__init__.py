"""Records for other programs: CSV, Parquet, JSON and FHIR, each made from the whole journal after its check.

A dose of which nobody knows what it delivered is `Unknown` with bounds everywhere, never an amount. Persons appear as
the opaque references that the journal has.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from pathlib import Path

from mesoinjector.errors import ExportError
from mesoinjector.export import fhir, lines, tables
from mesoinjector.export.lines import Account
from mesoinjector.journal import Journal


class Format(StrEnum):
    """What can be written."""

    CSV = "csv"
    PARQUET = "parquet"
    JSON = "json"
    FHIR_R5 = "fhir-r5"
    FHIR_R4B = "fhir-r4b"


_WRITERS: dict[Format, Callable[[Account], bytes]] = {
    Format.CSV: tables.as_csv,
    Format.PARQUET: tables.as_parquet,
    Format.JSON: tables.as_json,
    Format.FHIR_R5: fhir.as_r5,
    Format.FHIR_R4B: fhir.as_r4b,
}


def write(journal: Journal, as_format: Format, path: Path) -> int:
    """Write all doses into a new file; how many.

    Raises `ExportError` if a package is missing or the file cannot be new, `JournalAltered`.
    """
    journal.verify()
    account = lines.read(journal)
    data = _WRITERS[as_format](account)
    try:
        with path.open("xb") as file:
            try:
                file.write(data)
                file.flush()
            except BaseException:
                path.unlink()
                raise
    except FileExistsError:
        raise ExportError(f"{path} is there already, and stays as it is. Next: name another file.") from None
    except OSError as error:
        raise ExportError(f"{path} cannot be written ({error.strerror}). Next: name another file.") from None
    return len(account.doses)
