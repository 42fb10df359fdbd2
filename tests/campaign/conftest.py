"""A campaign of two small scenarios, one of which expects what is not, and what plays it."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor, Future
from pathlib import Path
from typing import Any

import pytest

from mesosim.lab.campaign import campaign, cases
from mesosim.lab.campaign.campaign import Standing
from mesosim.lab.campaign.pools import Pool
from mesosim.lab.campaign.results import FILE, lines

ONE_DOSE = """
title = "A prime and a dose of 20 ul"
requirements = ["SR-01", "SR-21"]

[[step]]
do = "prime"
volume_ml = 0.06

[[step]]
do = "dose"
volume_ml = 0.02
depth_mm = 1.5
zone = "cheek"

[expect]
results = ["complete", "complete"]
alarm = ""
"""

REFUSED = """
title = "Strokes, of which one seed is told to expect what is not"
requirements = ["SR-31"]

[[step]]
do = "fractional"
strokes = 20
depth_mm = 1.0
zone = "body"
area_cm2 = 100

[expect]
results = ["occlusion"]
"""

SEEDS = "1:6"


class Serial(Executor):
    """Plays in this process, at once."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """See `Executor`."""
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future


SERIAL = Pool(Serial, 1, name="this process")


class Played:
    """A folder of scenarios, and campaigns of them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.scenarios = [self.write("one-dose.toml", ONE_DOSE), self.write("refused.toml", REFUSED)]

    def write(self, name: str, text: str) -> str:
        """A file beside the scenarios."""
        (self.folder / name).write_text(text, encoding="utf-8")
        return str(self.folder / name)

    def run(
        self,
        out: str,
        pool: Pool = SERIAL,
        named: list[str] | None = None,
        seeds: str | None = SEEDS,
        shard: tuple[int, int] = (1, 1),
    ) -> Standing:
        """One run into a folder of that name."""
        plan = cases.load(named or self.scenarios, seeds, None)
        return campaign.run(plan, shard, self.folder / out, pool, lambda _: None)

    def results(self, out: str) -> dict[tuple[str, int], dict[str, Any]]:
        """What a folder holds: each case's outcome. No case twice."""
        found: dict[tuple[str, int], dict[str, Any]] = {}
        for _, line in lines(self.folder / out / FILE):
            if "outcome" in line:
                case = (line["outcome"]["scenario"], line["seed"])
                assert case not in found
                found[case] = line["outcome"]
        return found


@pytest.fixture
def played(tmp_path: Path) -> Played:
    """An empty place for campaigns."""
    return Played(tmp_path)


@pytest.fixture(scope="session")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Played:
    """The campaign, in the folder `out`, played in this process. Nobody changes it."""
    made = Played(tmp_path_factory.mktemp("whole"))
    made.run("out")
    return made
