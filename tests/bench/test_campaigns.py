"""How many cases a core plays in a campaign, beside what the same core plays in a bare loop."""

from __future__ import annotations

import resource
import time
from pathlib import Path

from mesosim.lab.campaign import campaign, cases, pools
from mesosim.lab.play import play
from tests.bench.figures import Figures

SCENARIO = Path(__file__).parents[2] / "examples" / "campaigns" / "eight-doses.toml"
ROUNDS = 5
SEEDS = 24
WORKERS = 2


def test_cases_a_second(tmp_path: Path, figures: Figures) -> None:
    """By the time that the processors worked, the workers' start included, so that other load counts little."""
    plan = cases.load([str(SCENARIO)], f"1:{SEEDS}", None)
    rounds = []
    for n in range(ROUNDS):
        start = time.process_time()
        for case in plan.cases()[: SEEDS // 3]:
            play(case.job.scenario, case.seed)
        bare = SEEDS // 3 / (time.process_time() - start)
        start = _processor_s()
        with pools.open_pool("", WORKERS) as pool:
            standing = campaign.run(plan, (1, 1), tmp_path / str(n), pool, lambda _: None)
        rounds.append((SEEDS / (_processor_s() - start), bare))
        assert standing.failing == []
    name = f"campaign of eight doses a case, {WORKERS} workers, per core"
    figures.timed(name, "the same cases in a bare loop", "cases/s", "more", rounds)


def _processor_s() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in used)
