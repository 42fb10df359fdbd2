"""Doses as a table, one line each: CSV, Parquet (extra `parquet`), JSON with the treatments beside them.

Columns are the fields of `lines.DoseLine`, with their units; what nobody knows is empty, never zero.
"""

from __future__ import annotations

import csv
import dataclasses
import io
import json
from datetime import datetime
from importlib import import_module
from typing import Any

from mesoinjector.errors import ExportError
from mesoinjector.export.lines import Account, DoseLine, TreatmentLine

COLUMNS = tuple(column.name for column in dataclasses.fields(DoseLine))


def as_csv(account: Account) -> bytes:
    """RFC 4180, UTF-8; true and false in lower case."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS)
    writer.writeheader()
    for dose in account.doses:
        line = dataclasses.asdict(dose)
        writer.writerow(
            {name: str(value).lower() if isinstance(value, bool) else value for name, value in line.items()}
        )
    return text.getvalue().encode()


def as_json(account: Account) -> bytes:
    """One object: treatments and doses; `head` and `rows` name the state of the journal."""
    whole = {
        "format": "mesoinjector doses",
        "version": 1,
        "rows": account.rows,
        "head": account.head,
        "treatments": [treatment(each) for each in account.treatments],
        "doses": [dataclasses.asdict(dose) for dose in account.doses],
    }
    return json.dumps(whole, indent=1).encode()


def as_parquet(account: Account) -> bytes:
    """One typed column a field, times as timestamps in UTC; `mesoinjector.head` in the file's metadata."""
    try:
        # untyped
        pyarrow: Any = import_module("pyarrow")
        parquet: Any = import_module("pyarrow.parquet")
    except ImportError:
        raise ExportError(
            "Parquet needs a package that is not here. Next: pip install 'mesoinjector[parquet]'"
        ) from None
    kinds = {
        "str": pyarrow.string(),
        "int": pyarrow.int64(),
        "bool": pyarrow.bool_(),
    }
    fields: list[Any] = []
    for column in dataclasses.fields(DoseLine):
        time = column.name.endswith("_utc")
        kind = pyarrow.timestamp("ms", tz="UTC") if time else kinds[str(column.type).removesuffix(" | None")]
        fields.append(pyarrow.field(column.name, kind, nullable=str(column.type).endswith("None")))
    head = {"mesoinjector.head": account.head, "mesoinjector.rows": str(account.rows)}
    rows = [{name: _timed(name, value) for name, value in dataclasses.asdict(dose).items()} for dose in account.doses]
    table = pyarrow.Table.from_pylist(rows, pyarrow.schema(fields, head))
    sink = io.BytesIO()
    parquet.write_table(table, sink)
    return sink.getvalue()


def treatment(line: TreatmentLine) -> dict[str, Any]:
    """A treatment as plain data, its doses by their ids."""
    return {**dataclasses.asdict(line), "doses": [dose.dose_id for dose in line.doses]}


def _timed(name: str, value: Any) -> Any:
    return datetime.fromisoformat(value) if name.endswith("_utc") and value else value
