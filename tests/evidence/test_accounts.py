"""What studies come to of other rows than a run gives: none at all, a flow that pauses, what nobody can see."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from mesosim.evidence import document, dose_account, fault_account, fault_matrix, studies, trumpet, trumpet_account
from mesosim.evidence.computing import figure
from mesosim.evidence.running import COST
from mesosim.evidence.study import Account, Figure, Grid, How, Row, Tables, Verdict
from mesosim.lab.campaign import identity
from tests.evidence import small


@pytest.mark.parametrize("name", [name for name in studies.MODULES if name != "speed"])
def test_of_no_rows_each_line_stands_as_failed_and_says_why(name: str) -> None:
    study = studies.load(name)
    full = {verdict.text for verdict in study.account(Tables()).verdicts}
    *lines, _ = document.account(study, Tables({COST: []})).verdicts
    assert full and {line.text for line in lines} == full
    for line in lines:
        assert not line.passed
        assert len(line.cause) > 10 and "None" not in line.cause, line


def test_the_limits_of_doses_are_there_without_any_dose() -> None:
    asked = " ".join(verdict.text for verdict in dose_account.account(Tables()).verdicts)
    assert all(f"Doses of {ul} µl" in asked for ul in (20, 100, 200))


def small_line(**limits: float) -> Verdict:
    tables = Tables({small.TABLE: small.rows(30, 1)})
    few, all_ = How("mean", small.TABLE, "given", {"group": 7}), How("mean", small.TABLE, "given")
    figures = [
        figure(tables, "few", "mean of nobody", "µl", few, low=9.0, high=11.0),
        figure(tables, "all", "mean of all", "µl", all_, low=limits.get("low"), high=limits.get("high")),
    ]
    account = Account([Verdict("It is so", figures)], [])
    return document.account(replace(small.STUDY, account=lambda _: account), tables).verdicts[0]


def test_a_line_without_a_cause_gets_one() -> None:
    assert small_line(low=9.0).cause == "there is too little to judge: mean of nobody."
    assert small_line(high=9.0).cause.startswith("mean of all: 10.0")
    assert small_line(high=9.0).cause.endswith(" µl. There is too little to judge: mean of nobody.")


def looks(*forward: int) -> Iterator[tuple[int, int, int]]:
    """Looks at the plant between which the plunger makes so many steps, of 10 nl each."""
    steps = 0
    for number, more in enumerate((0, *forward)):
        steps += more
        yield number * trumpet.SAMPLE_US, steps, max(0, steps) * 10


def test_a_flow_that_pauses_shows_it() -> None:
    rows = trumpet.samples([*looks(0, 40, 50, 50, 50, 50, 0, 0, 0, 50, 50, 50, 20, 0, 0, -30)], 500)
    assert [row["given_nl"] for row in rows] == [400, 500, 500, 500, 500, 0, 0, 0, 500, 500, 500, 200]
    assert [row["t_s"] for row in rows] == [0.5 * n for n in range(12)]
    assert [row["steady"] for row in rows] == [0] * 6 + [1] * 5 + [0]
    common: Row = {"run": "1 1", "flow_ul_per_s": 1, "seed": 1}
    tables = Tables({trumpet_account.PERFUSION: [common | row for row in rows]})
    account = trumpet_account.account(tables)
    line = next(one for one in account.verdicts if "steady flow" in one.text)
    worst = next(one for one in line.figures if one.id == "trumpet.flow.1.10.min")
    assert worst.value is None  # five samples are no 5 s
    short = How(
        "window_min",
        trumpet_account.PERFUSION,
        "given_nl",
        {"steady": 1},
        {"width": 2, "asked": "asked_nl", "group": "run"},
    )
    assert figure(tables, "two", "two", "", short).value == -1


def test_a_leak_in_skin_without_pressure_is_explained() -> None:
    ended: Row = {"setting": trumpet_account.nappage(trumpet_account.NO_PRESSURE), "outcome": "leak", "complete": 0}
    line = trumpet_account.account(Tables({trumpet_account.RUNS: [ended]})).verdicts[0]
    assert not line.passed and "leak (1 times). Skin without pressure" in line.cause
    worn = ended | {"setting": trumpet_account.nappage(trumpet_account.SKIN)}
    assert trumpet_account.account(Tables({trumpet_account.RUNS: [worn]})).verdicts[0].cause.endswith("leak (1 times).")


def _figures(grid: Grid) -> list[Figure]:
    return [cell for row in grid.rows for cell in row if isinstance(cell, Figure)]


def test_nothing_that_flows_has_no_samples() -> None:
    assert trumpet.samples([*looks(0, 0, -5)], 500) == []


def test_a_sample_that_is_not_normal_is_held_by_what_was_seen() -> None:
    """One dose in 60 far off: the interval holds, the dose does not."""
    errors = [0.01 * (n % 5) for n in range(59)] + [5.5]
    rows: list[Row] = [
        {
            "asked_nl": 20_000,
            "setting": "front",
            "complete": 1,
            "bounded": 1,
            "within_bounds": 1,
            "error_percent": error,
        }
        for error in errors
    ]
    tables = Tables({dose_account.THIRDS: rows})
    line = next(one for one in dose_account.account(tables).verdicts if "20 µl" in one.text)
    said = {one.id: one.passed for one in line.figures}
    assert said["dose.thirds.20.0.low"] and said["dose.thirds.20.0.high"]
    assert said["dose.thirds.20.0.most"] is False and said["dose.thirds.20.0.least"]


def test_what_nobody_can_see_is_told_with_what_it_does() -> None:
    (row,) = fault_matrix.run(fault_matrix.Case("wrong_syringe", "dose"))[fault_account.TABLE]
    assert (row["detectable"], row["judged"], row["true"], row["as_said"]) == (0, 0, 0, 1)
    assert "reached the skin" in str(row["findings"])
    account = fault_account.account(Tables({fault_account.TABLE: [row]}))
    told = next(grid for grid in account.grids if grid.caption.startswith("What cannot be detected"))
    (cells,) = told.rows
    for judged, passed in ((0, True), (1, False)):
        told_right = row | {"judged": 1, "true": 1}
        rows = [told_right, row | {"judged": judged}]
        lines = fault_account.account(Tables({fault_account.TABLE: rows})).verdicts
        assert next(one for one in lines if one.text.startswith("Whatever is wrong")).passed is passed
    assert cells[0] == "wrong_syringe in a dose" and not isinstance(cells[-1], str) and cells[-1].value == 1


def test_a_fault_that_never_comes_about_fails_its_line() -> None:
    (row,) = fault_matrix.run(fault_matrix.Case("wrong_syringe", "dose"))[fault_account.TABLE]
    account = fault_account.account(Tables({fault_account.TABLE: [row | {"struck": 0}]}))
    line = next(one for one in account.verdicts if "comes about" in one.text)
    assert not line.passed and line.cause == "not brought about: wrong_syringe in a dose."


def test_a_change_in_any_package_is_told_beside_the_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def git(*words: str) -> None:
        subprocess.run(["git", "-c", "user.name=a", "-c", "user.email=a@b", *words], cwd=tmp_path, check=True)

    for name in identity.PACKAGES:
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.py").write_text("")
    git("init", "-q")
    git("add", ".")
    git("commit", "-q", "-m", "a")
    monkeypatch.setattr(identity, "folder", lambda name: tmp_path / name)
    identity.commit.cache_clear()
    assert len(identity.commit()) == 40
    for name in identity.PACKAGES:
        (tmp_path / name / "a.py").write_text("a = 1\n")
        identity.commit.cache_clear()
        assert identity.commit().endswith(", changed"), name
        git("checkout", "-q", ".")
    identity.commit.cache_clear()
