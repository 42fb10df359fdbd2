"""The flock is complete: each canary applies, imports, and says which hazard and requirement it belongs to."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.canaries import canary
from tests.house import safety

FLOCK = canary.flock()


@pytest.mark.parametrize("one", FLOCK, ids=lambda one: one.name)
def test_it_applies_and_imports(one: canary.Canary, tmp_path: Path) -> None:
    done = canary.imports(canary.plant(one, tmp_path))
    assert not done.returncode, done.stderr


def test_there_are_enough_and_for_every_hazard() -> None:
    """Requirements are grouped by the hazards they are for."""
    data = safety.load(canary.ROOT)
    known = {row["id"]: set(row["hazard"]) for row in data["requirement"]}
    assert len(FLOCK) >= 20
    for one in FLOCK:
        assert set(one.requirements) <= set(known), one.name
        assert set(one.hazards) <= {row["id"] for row in data["hazard"]}, one.name
    assert {hazard for one in FLOCK for hazard in one.hazards} == {row["id"] for row in data["hazard"]}


def test_no_test_names_one() -> None:
    names = {one.name for one in FLOCK}
    for path in sorted((canary.ROOT / "tests").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_bytes())):
            assert not (isinstance(node, ast.Constant) and node.value in names), f"{path}: {node.value}"


def test_a_patch_that_does_not_fit_is_said(tmp_path: Path) -> None:
    torn = canary.Canary("torn", "", (), (), "", FLOCK[0].diff.replace("\n-", "\n-not "))
    with pytest.raises(ValueError, match=r"torn\.patch does not apply"):
        canary.plant(torn, tmp_path)
