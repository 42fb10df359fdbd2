"""Mistakes can be made as they are listed, and one that nothing finds is said."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.house import safety
from tests.house.rooms import ROOT
from tests.judges import mistakes, mutants


@pytest.mark.parametrize("one", mistakes.listed(), ids=lambda one: one.requirement)
def test_it_can_be_made(one: mistakes.Mistake, tmp_path: Path) -> None:
    folder = one.plant(tmp_path)
    package = Path(one.file).parts[:2]
    ast.parse((folder / Path(one.file).relative_to(*package[:1])).read_bytes())
    assert one.requirement in {row["id"] for row in safety.load(ROOT)["requirement"]}
    assert mistakes.marked(one.requirement)


def test_text_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="SR-01: 'x = y' is 0 times in"):
        mistakes.Mistake("SR-01", "firmware/mesofirmware/rules.py", "x = y", "").plant(tmp_path)


SOURCE = """
LIMIT = 5


class Gate:
    def step(self, n):
        if n > LIMIT and self.open:
            self.open = False
            return n + 1
        return 0
"""
MADE = {
    "one:LIMIT: 5 -> 6",
    "one:Gate.step: n > LIMIT -> n >= LIMIT",
    "one:Gate.step: n > LIMIT and self.open -> True and self.open",
    "one:Gate.step: n > LIMIT and self.open -> False and self.open",
    "one:Gate.step: n > LIMIT and self.open -> n > LIMIT and True",
    "one:Gate.step: n > LIMIT and self.open -> n > LIMIT and False",
    "one:Gate.step: self.open = False -> nothing",
    "one:Gate.step: n + 1 -> n - 1",
    "one:Gate.step: 1 -> 2",
    "one:Gate.step: 0 -> 1",
}


def test_each_condition_comparison_integer_and_statement_is_a_mutant(tmp_path: Path) -> None:
    file = tmp_path / "one.py"
    file.write_text(SOURCE)
    made = {mutant.name: mutant for mutant in mutants._mutants(file, mutants._changes)}
    whole = {name for name in made if "if n > LIMIT" in name}
    assert len(whole) == 2 and made.keys() - whole == MADE
    assert "n >= LIMIT" in made["one:Gate.step: n > LIMIT -> n >= LIMIT"].source
    # each is alone
    assert len({mutant.source for mutant in made.values()}) == len(made)


def test_limits_are_mutated_four_ways(tmp_path: Path) -> None:
    file = tmp_path / "limits.py"
    file.write_text("DOSE = 200\n")
    made = [mutant.source for mutant in mutants._mutants(file, mutants._limits)]
    assert made == ["DOSE = 201", "DOSE = 199", "DOSE = 2000", "DOSE = -200"]


def test_what_is_justified_is_a_mutant_with_a_reason() -> None:
    assert mutants.justified().keys() <= mutants.flock().keys()
    assert all(mutants.justified().values())
