"""The schemas that editors complete plans and sessions by: never narrower than what is run, and never stale."""

from __future__ import annotations

import copy
import json
import tomllib
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from mesoinjector import PlanError, plan_schema, plans, sessions
from mesoprotocol import limits
from tests.house.rooms import ROOT

jsonschema = pytest.importorskip("jsonschema", reason="judged by jsonschema: pip install jsonschema")

PLANS = ROOT / "examples" / "plans"
FILES = sorted(PLANS.glob("*.toml"))


def kind(file: Path) -> str:
    return "session" if "session.schema.json" in file.read_text().splitlines()[0] else "plan"


def accepts(what: str, tables: dict[str, Any]) -> bool:
    # as editors read TOML: dates are strings
    instance = json.loads(json.dumps(tables, default=str))
    return bool(jsonschema.Draft202012Validator(plan_schema.schema(what)).is_valid(instance))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_an_example_names_its_schema_and_keeps_to_it(file: Path) -> None:
    directive = file.read_text().splitlines()[0]
    schema = json.loads((PLANS / directive.removeprefix("#:schema ")).read_text())
    assert schema == plan_schema.schema(kind(file))
    assert accepts(kind(file), tomllib.loads(file.read_text()))
    assert sessions.read(file)


def variants(tables: dict[str, Any]) -> list[dict[str, Any]]:
    """The same with one key left out, one strange key, and one value of another type or far away, at each place."""
    found = []

    def visit(path: list[str | int], node: Any) -> None:
        items = node.items() if isinstance(node, dict) else enumerate(node)
        for key, value in list(items):
            for other in ([], "strange", 10**9, -1, True, None):
                changed = copy.deepcopy(tables)
                at: Any = changed
                for step in path:
                    at = at[step]
                if other is None:
                    del at[key]
                else:
                    at[key] = other
                found.append(changed)
            if isinstance(value, dict | list):
                visit([*path, key], value)
        if isinstance(node, dict):
            changed = copy.deepcopy(tables)
            at = changed
            for step in path:
                at = at[step]
            at["piont"] = 1
            found.append(changed)

    visit([], tables)
    return found


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_what_the_schema_refuses_is_refused(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And most of what is refused, the schema refuses: not what depends on zone, sum, day or patient."""
    caught = missed = 0
    face = plans.load(PLANS / "face-30-points.toml")
    read: dict[str, Any] = {}
    monkeypatch.setattr(plans, "tables", lambda *_: read["tables"])
    for tables in variants(tomllib.loads(file.read_text())):
        read["tables"] = tables
        try:
            if kind(file) == "session":
                sessions.check(sessions.parse("", ""), face, None, date(2026, 1, 1))
            else:
                plans.parse("", "")
        except PlanError:
            caught += not accepts(kind(file), tables)
            missed += accepts(kind(file), tables)
        else:
            assert accepts(kind(file), tables), tables
    assert caught > 4 * missed


def test_each_key_is_told_of() -> None:
    for what in plan_schema.TITLES:
        for name, table in plan_schema.schema(what)["$defs"].items():
            assert table["description"] and table["additionalProperties"] is False, name
            for key, said in table["properties"].items():
                assert key in ("plan",) or said.get("description"), f"{name}.{key}"


def test_ranges_are_the_devices() -> None:
    tables = plan_schema.schema("plan")["$defs"]
    depth = tables["MeteredZone"]["properties"]["depth_mm"]
    assert (depth["minimum"] * 1e3, depth["maximum"] * 1e3) == (
        limits.METERED_DEPTH_MIN_UM,
        limits.METERED_DEPTH_MAX_UM,
    )
    assert tables["MeteredZone"]["properties"]["name"]["enum"] == [row[1] for row in limits.ZONES]


def test_a_stale_file_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert plan_schema.main(["--check"]) == 0
    monkeypatch.setattr(plan_schema, "FOLDER", tmp_path)
    assert plan_schema.main(["--check"]) == 1
    assert plan_schema.main([]) == plan_schema.main(["--check"]) == 0
    (tmp_path / "plan.schema.json").write_text("{}")
    assert plan_schema.main(["--check"]) == 1
