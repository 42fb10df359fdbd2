"""What is to be played: scenarios x seeds, as files say it, checked as a whole before anything runs.

An argument is a scenario, by its file or packaged name, or a campaign file:

    [campaign]                                    [draw]
    scenarios = ["one-dose.toml", "session"]      device = true
    seeds = "1:1000"                              set = { "needle.bore_um" = [150, 170] }
    runtime = "cpython"
                                                  [[draw.fault]]
                                                  name = "occlusion"
                                                  probability = 0.2
                                                  step = [2, 9]
                                                  at_s = [0.0, 2.5]

Scenarios are relative to the campaign file. `seeds` and `runtime` can be left to the command line.
"""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import pydantic
import tomli_w

from mesosim.lab import scenario as scenarios
from mesosim.lab.campaign.draw import Draw
from mesosim.lab.scenario import Scenario, Text
from mesosim.lab.words import sentence

SEEDS_MAX = 1 << 30
"""Seeds are below this; choice, as are a device's."""

CASES_MAX = 10_000_000
"""In one campaign; choice."""


class CampaignError(Exception):
    """A campaign is not to be run. Names file, key, value and what is allowed."""


@dataclass(frozen=True, eq=False)
class Job:
    """One scenario and how its cases are drawn, on one runtime."""

    origin: str
    """How the scenario was named: what replays it."""
    scenario: Scenario
    draw: Draw | None
    runtime: str
    sha256: str

    @property
    def name(self) -> str:
        """The scenario's."""
        return self.scenario.name

    def scenario_of(self, seed: int) -> Scenario:
        """What this seed plays."""
        return self.scenario if self.draw is None else self.draw.scenario(self.scenario, seed)


@dataclass(frozen=True, slots=True)
class Case:
    """One seed of a job."""

    job: Job
    seed: int


@dataclass(frozen=True, slots=True)
class Plan:
    """Jobs, each with its seeds."""

    jobs: tuple[tuple[Job, range], ...]

    def cases(self, shard: tuple[int, int] = (1, 1)) -> list[Case]:
        """All cases of shard i of n: every n-th, so that each shard has its part of every scenario."""
        i, n = shard
        whole = [Case(job, seed) for job, seeds in self.jobs for seed in seeds]
        return whole[i - 1 :: n]

    def facts(self) -> list[dict[str, Any]]:
        """What was planned, for the results."""
        return [
            {
                "scenario": job.name,
                "origin": job.origin,
                "scenario_sha256": job.sha256,
                "runtime": job.runtime,
                "seeds": f"{seeds.start}:{seeds.stop - 1}",
                "draw": None if job.draw is None else job.draw.model_dump(mode="json", exclude_defaults=True),
            }
            for job, seeds in self.jobs
        ]


class _Table(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)


class _Head(_Table):
    scenarios: Annotated[list[Text], pydantic.Field(min_length=1)]
    seeds: Text | None = None
    runtime: Literal["cpython", "micropython"] | None = None


class _File(_Table):
    campaign: _Head
    draw: Draw | None = None


def load(named: Sequence[str], seeds: str | None, runtime: str | None) -> Plan:
    """The plan of scenarios and campaign files. Raises `CampaignError` and `ScenarioError`.

    `seeds` and `runtime` override what campaign files say.
    """
    jobs: list[tuple[Job, range]] = []
    for name in named:
        file = _campaign_file(name)
        if file is None:
            jobs.append((_job(name, name, None, runtime), _seeds(seeds, name)))
            continue
        chosen = runtime or file.campaign.runtime
        for inner in file.campaign.scenarios:
            origin = _beside(name, inner)
            jobs.append((_job(name, origin, file.draw, chosen), _seeds(seeds or file.campaign.seeds, name)))
    _refuse_twice([job for job, _ in jobs])
    if sum(len(range_) for _, range_ in jobs) > CASES_MAX:
        raise CampaignError(f"more than {CASES_MAX:,} cases. Next: fewer seeds at once.")
    return Plan(tuple(jobs))


def seed_range(text: str, origin: str) -> range:
    """`A:B`, both included, or one seed. Raises `CampaignError`."""
    found = re.fullmatch(r"(\d{1,10})(?::(\d{1,10}))?", text)
    first, last = (int(found[1]), int(found[2] or found[1])) if found else (0, -1)
    if not first <= last < SEEDS_MAX:
        raise CampaignError(
            f"{origin}: seeds = {text!r}: must be A:B, both included, 0 <= A <= B < {SEEDS_MAX}. Next: 1:100."
        )
    return range(first, last + 1)


def shard_of(text: str) -> tuple[int, int]:
    """`i/n`, from 1/n to n/n. Raises `CampaignError`."""
    found = re.fullmatch(r"(\d{1,6})/(\d{1,6})", text)
    i, n = (int(found[1]), int(found[2])) if found else (0, 0)
    if not 1 <= i <= n:
        raise CampaignError(f"--shard {text}: must be i/n, 1 <= i <= n. Next: 1/4, 2/4, 3/4 and 4/4 are a whole.")
    return i, n


def written(scenario: Scenario) -> str:
    """A scenario as a file, for `mesoinjector sim run`: what a seed has drawn is written out in it."""
    return tomli_w.dumps(scenario.model_dump(exclude_none=True, exclude_defaults=True, exclude={"name"}))


def _campaign_file(name: str) -> _File | None:
    """A campaign file's content; None if `name` is a scenario, or nothing that can be read: then loading it says so."""
    try:
        data = tomllib.loads(Path(name).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError):
        return None
    if "campaign" not in data:
        return None
    try:
        return _File.model_validate(data)
    except pydantic.ValidationError as error:
        raise _refused(name, [sentence(item) for item in error.errors(include_url=False)]) from None


def _beside(file: str, scenario: str) -> str:
    """A campaign file's scenario: a path relative to it, or a packaged name."""
    return str(Path(file).parent / scenario) if scenario.endswith(".toml") else scenario


def _job(file: str, origin: str, draw: Draw | None, runtime: str | None) -> Job:
    loaded = scenarios.load(origin)
    if draw is not None:
        for end in draw.ends(loaded):
            scenarios.parse(written(end), f"{file}: [draw] on {origin}")
    drawn = "" if draw is None else draw.model_dump_json()
    digest = hashlib.sha256(f"{loaded.model_dump_json()}\n{drawn}".encode()).hexdigest()
    return Job(origin, loaded, draw, runtime or "cpython", digest[:32])


def _seeds(text: str | None, origin: str) -> range:
    if text is None:
        raise CampaignError(f"{origin}: no seeds are given. Next: --seeds A:B, or `seeds` in [campaign].")
    return seed_range(text, origin)


def _refuse_twice(jobs: Sequence[Job]) -> None:
    names = [(job.name, job.runtime) for job in jobs]
    for name, runtime in names:
        if names.count((name, runtime)) > 1:
            raise CampaignError(
                f"scenario {name} is named twice on {runtime}. Next: name each once; rename one of two files."
            )


def _refused(origin: str, faults: list[str]) -> CampaignError:
    lines = "\n  ".join(faults)
    return CampaignError(
        f"{origin}: the campaign is refused, nothing was run:\n  {lines}\nNext: correct the file and run it again."
    )
