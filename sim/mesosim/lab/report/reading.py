"""A campaign as its file of results tells it: results of one version of the code, its runs, and what was planned."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mesosim.lab.campaign.cases import seed_range
from mesosim.lab.campaign.results import FILE, Result, ResultsError, lines
from mesosim.lab.report.account import Account, account


@dataclass(frozen=True, slots=True)
class Planned:
    """One scenario on one runtime: what was planned of it, and what has a result."""

    scenario: str
    runtime: str
    seeds: int
    done: int
    first_missing: int | None
    """The smallest seed without a result."""


@dataclass(frozen=True, slots=True)
class Campaign:
    """Results and where they come from."""

    account: Account
    begun: list[dict[str, Any]]
    """Facts of each run of this version of the code; see `campaign.begun`."""
    wall_s: float
    """Of all runs together."""
    interrupted: int
    """Runs that were begun and never came to an end."""
    played_again: int
    package: str
    of_others: int
    """Results of other versions of the code, not reported."""

    def planned(self) -> list[Planned]:
        """Every scenario and runtime that any run has planned."""
        wanted: dict[tuple[str, str, str], set[int]] = {}
        for begun in self.begun:
            for job in begun["jobs"]:
                seeds = wanted.setdefault((job["scenario"], job["runtime"], job["scenario_sha256"]), set())
                seeds.update(seed_range(job["seeds"], FILE))
        done: dict[tuple[str, str, str], set[int]] = {}
        for result in self.account.results:
            key = (result.outcome.scenario, result.key.runtime, result.key.scenario_sha256)
            done.setdefault(key, set()).add(result.key.seed)
        return [
            Planned(
                scenario=key[0],
                runtime=key[1],
                seeds=len(seeds),
                done=len(seeds & done.get(key, set())),
                first_missing=min(seeds - done.get(key, set()), default=None),
            )
            for key, seeds in sorted(wanted.items())
        ]


def read(folder: Path) -> Campaign:
    """Raises `ResultsError` if the folder holds no results of any case."""
    path = folder / FILE
    begun: list[dict[str, Any]] = []
    ended: list[tuple[str, dict[str, Any]]] = []
    found: list[dict[str, Any]] = []
    for _, line in lines(path):
        if "begun" in line:
            begun.append(line["begun"])
        elif "ended" in line:
            ended.append((begun[-1]["package"] if begun else "", line["ended"]))
        else:
            found.append(line)
    if not found:
        raise ResultsError(f"{path}: holds no result. Next: run the campaign.")
    package = begun[-1]["package"] if begun else found[-1]["package"]
    ours = [line for line in found if line["package"] == package]
    runs = [run for run in begun if run["package"] == package]
    ends = [end for of, end in ended if of == package]
    return Campaign(
        account=account(Result.of(line) for line in ours),
        begun=runs,
        wall_s=sum(end["wall_s"] for end in ends),
        interrupted=max(0, len(runs) - len(ends)),
        played_again=sum(end["played_again"] for end in ends),
        package=package,
        of_others=len(found) - len(ours),
    )
