"""`mesoinjector evidence`: the studies on the simulated device, and the document with all raw data beside it.

Exit codes: 0 every line of acceptance is passed; 1 some failed, each with its cause; 2 bad input, nothing was run; 3 no
executor, or a study that cannot be made; 130 Ctrl-C.
"""

from __future__ import annotations

import json
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from mesoinjector import errors
from mesoinjector.cli.screen import cases_bar, screen
from mesoinjector.cli.service import AsJson

FAILED = 1


def register(app: typer.Typer) -> None:
    """Add this command."""
    app.command()(evidence)


def evidence(
    out: Annotated[Path, typer.Option(help="Folder for the document and its data; what is there is written over.")],
    quick: Annotated[bool, typer.Option("--quick", help="The reduced form: fewer devices, all studies.")] = False,
    only: Annotated[list[str] | None, typer.Option(help="Make this study alone; may be given more than once.")] = None,
    seed: Annotated[int, typer.Option(min=1, max=1_000_000, help="Of the first device; the others follow.")] = 1,
    workers: Annotated[
        int | None, typer.Option(min=1, max=1024, help="Processes; by default as many as cores.")
    ] = None,
    executor: Annotated[str, typer.Option(help="dask://HOST:PORT of a scheduler; by default this machine.")] = "",
    as_json: AsJson = False,
) -> None:
    """Show how accurate and how safe it is: play all studies and write evidence.html, evidence.pdf and their data."""
    with _said():
        from mesosim.evidence import making, studies
        from mesosim.lab.campaign import pools

        names = list(dict.fromkeys(only or studies.MODULES))
        if unknown := [name for name in names if name not in studies.MODULES]:
            raise errors.PlanError(f"--only {unknown[0]}: must be one of {', '.join(studies.MODULES)}.")
        try:
            out.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise errors.PlanError(f"--out {out}: {error.strerror}. Next: name a folder that can be written.") from None
        with pools.open_pool(executor, workers) as pool, cases_bar() as bar:
            document = making.make(names, quick, seed, pool, out, lambda done, all_: bar(done, all_, "playing"))
    verdicts = [(chapter.title, verdict) for chapter, verdict in document.verdicts()]
    failed = sum(not verdict.passed for _, verdict in verdicts)
    page = out / "evidence.html"
    if as_json:
        lines = [
            {"study": title, "asked": one.text, "passed": one.passed, "cause": "" if one.passed else one.cause}
            for title, one in verdicts
        ]
        print(json.dumps({"document": str(page), "figures": len(document.figures()), "acceptance": lines}))
    else:
        for title, one in verdicts:
            said = "passed" if one.passed else f"FAILED: {one.cause}"
            print(f"{title}: {one.text}: {said}")
        screen.print(f"Document: {page}", soft_wrap=True)
    if failed:
        raise typer.Exit(FAILED)


@contextmanager
def _said() -> Generator[None]:
    """What is wrong with folders and machines, as this command line says it."""
    try:
        from mesosim.evidence.running import StudyError
        from mesosim.lab.campaign.pools import NoAddress, PoolError
        from mesosim.lab.campaign.worker import OtherCode
    except ImportError:
        raise errors.DeviceNotFound("the simulator is not installed. Next: pip install 'mesoinjector[sim]'.") from None
    try:
        yield
    except NoAddress as error:
        raise errors.PlanError(str(error)) from None
    except (PoolError, OtherCode, StudyError) as error:
        raise errors.DeviceNotFound(str(error)) from None
