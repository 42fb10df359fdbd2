"""JSON Schemas of plans and sessions, by which an editor completes and checks them as they are written.

`python -m mesoinjector.plan_schema` writes them beside the example plans; `--check` says what is stale and exits 1. A
schema knows keys, types and the widest bounds; what depends on zone, profile, day or patient `plan check` says.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pydantic

from mesoinjector.plan_files import PlanFile, Session

FOLDER = Path(__file__).parent / "examples" / "plans"
TITLES = {"plan": "A plan for a mesoinjector", "session": "A session of one patient"}


def schema(what: str) -> dict[str, Any]:
    """The schema of a `plan` or of a `session`, as draft 2020-12 has it."""
    made = Session.model_json_schema() if what == "session" else pydantic.TypeAdapter(PlanFile).json_schema()
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **made, "title": TITLES[what]}


def text(what: str) -> str:
    """The same as a file."""
    return json.dumps(schema(what), indent=2, ensure_ascii=False) + "\n"


def main(arguments: list[str]) -> int:
    """Write the files, or check them."""
    stale = 0
    for what in TITLES:
        file = FOLDER / f"{what}.schema.json"
        if "--check" not in arguments:
            file.write_text(text(what), encoding="utf-8")
        elif not file.exists() or file.read_text(encoding="utf-8") != text(what):
            print(f"{file} is stale. Next: python -m mesoinjector.plan_schema", file=sys.stderr)
            stale = 1
    return stale


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
