"""`mesoinjector sim campaign`, `merge` and `report`: seeds x scenarios, and what came of them.

Exit codes: 0 every case has passed; 1 there are failed cases, each named with the command that plays it again; 2 bad
input, nothing was run; 3 no executor, or no MicroPython; 130 Ctrl-C, to be resumed by the same command.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mesoinjector import errors
from mesoinjector.cli.screen import cases_bar, screen
from mesoinjector.cli.service import AsJson

if TYPE_CHECKING:
    from mesosim.lab.campaign.campaign import Progress as Standing
    from mesosim.lab.campaign.results import Result

FINDINGS = 1

SHOWN = 20
"""Failed cases that are listed; the report has all."""

Junit = Annotated[Path | None, typer.Option(help="JUnit XML to write, one test case a case.")]


def register(app: typer.Typer) -> None:
    """Add these commands to `mesoinjector sim`."""
    for command in (campaign, merge, report):
        app.command()(command)


def campaign(
    scenarios: Annotated[list[str], typer.Argument(help="Scenarios, by file or packaged name, or campaign files.")],
    out: Annotated[Path, typer.Option(help="Folder for the results; what is done there is not played again.")],
    seeds: Annotated[str | None, typer.Option(help="A:B, both included.")] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, max=1024, help="Processes; by default as many as cores.")
    ] = None,
    shard: Annotated[str, typer.Option(help="i/n: this run plays the i-th of n parts; merge them afterwards.")] = "1/1",
    executor: Annotated[str, typer.Option(help="dask://HOST:PORT of a scheduler; by default this machine.")] = "",
    runtime: Annotated[str | None, typer.Option(help="cpython or micropython; by default as the file says.")] = None,
    junit: Junit = None,
    as_json: AsJson = False,
) -> None:
    """Play every scenario with every seed, and write results, raw data and a report.

    Ctrl-C and crashes lose seconds of work: the same command goes on.
    """
    with _said():
        from mesosim.lab.campaign import campaign as campaigns
        from mesosim.lab.campaign import cases, pools

        if runtime not in (None, "cpython", "micropython"):
            raise errors.PlanError(f"--runtime {runtime}: must be cpython or micropython.")
        plan = cases.load(scenarios, seeds, runtime)
        part = cases.shard_of(shard)
        with pools.open_pool(executor, workers) as pool, cases_bar() as bar:
            standing = campaigns.run(plan, part, out, pool, _told(bar))
        if standing.torn:
            screen.print("The last line of the results was torn off by a crash; its case was played again.")
        if standing.played_again:
            screen.print(
                f"{standing.played_again} cases were under way when a worker died, and were played again alone."
            )
        from mesosim.lab import report as pages  # it takes longer to import than bad input to be found

        page = pages.write(out, junit)
    said = {"cases": standing.cases, "played": standing.played}
    if not as_json:
        print(f"{standing.cases} cases, {standing.played} played now, {len(standing.failing)} failed")
    _end(standing.failing, out, page, said if as_json else None)


def merge(
    folders: Annotated[list[Path], typer.Argument(help="Folders of campaigns or shards.")],
    out: Annotated[Path, typer.Option(help="New folder.")],
    as_json: AsJson = False,
) -> None:
    """Put results together. Two different results of one case are an error, and nothing is merged."""
    with _said():
        from mesosim.lab.campaign import results

        count = results.merge(folders, out)
    said = {"results": count, "folders": len(folders), "out": str(out)}
    print(json.dumps(said) if as_json else f"{count} results of {len(folders)} folders in {out}")


def report(
    folder: Annotated[Path, typer.Argument(help="Folder of a campaign, or of several that were merged.")],
    junit: Junit = None,
    as_json: AsJson = False,
) -> None:
    """Write report.html and the raw data as CSV into a campaign's folder."""
    with _said():
        from mesosim.lab import report as pages

        page = pages.write(folder, junit)
        failing = pages.read(folder).account.failing
    _end(failing, folder, page, {} if as_json else None)


def _end(failing: list[Result], out: Path, page: Path, said: dict[str, Any] | None) -> None:
    """What failed, and how it is played again; with `said` as one JSON object that has this, too."""
    from mesosim.lab.campaign import replay

    if said is None:
        screen.print(f"Report: {page}", soft_wrap=True)
        for result in failing[:SHOWN]:
            print(f"{result.outcome.scenario}, seed {result.key.seed}: {'; '.join(result.outcome.findings)}")
            print(f"  {replay.command(result, out)}")
        if len(failing) > SHOWN:
            print(f"and {len(failing) - SHOWN} more, in the report")
    else:
        failed = [
            {
                "scenario": result.outcome.scenario,
                "seed": result.key.seed,
                "findings": list(result.outcome.findings),
                "again": replay.command(result, out),
            }
            for result in failing
        ]
        print(json.dumps({**said, "report": str(page), "failing": failed}))
    if failing:
        raise typer.Exit(FINDINGS)


@contextmanager
def _said() -> Generator[None]:
    """What is wrong with files, folders and machines, as this command line says it."""
    try:
        from mesosim.lab.campaign.cases import CampaignError
        from mesosim.lab.campaign.pools import NoAddress, PoolError
        from mesosim.lab.campaign.results import ResultsError
        from mesosim.lab.campaign.worker import OtherCode
        from mesosim.lab.scenario import ScenarioError
        from mesosim.micropython import NoMicroPython
    except ImportError:
        raise errors.DeviceNotFound("the simulator is not installed. Next: pip install 'mesoinjector[sim]'.") from None
    try:
        yield
    except (ScenarioError, CampaignError, ResultsError, NoAddress) as error:
        raise errors.PlanError(str(error)) from None
    except (PoolError, OtherCode, NoMicroPython) as error:
        raise errors.DeviceNotFound(str(error)) from None


def _told(bar: Callable[[int, int, str], None]) -> Callable[[Standing], None]:
    """How far a campaign is, on a progress bar."""
    return lambda now: bar(now.done, now.cases, f"{now.failed} failed" if now.failed else "playing")
