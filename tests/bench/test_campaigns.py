"""How many cases a core plays in a campaign, and what the campaign itself costs of it."""

from __future__ import annotations

import resource
import time
from pathlib import Path

from mesosim.lab.campaign import campaign, cases, pools
from mesosim.lab.play import play

SCENARIO = Path(__file__).parents[2] / "examples" / "campaigns" / "eight-doses.toml"
SEEDS = 60
WORKERS = 2


def test_cases_a_second(tmp_path: Path) -> None:
    """By the time that the processors worked, the workers' start included, so that other load does not count."""
    plan = cases.load([str(SCENARIO)], f"1:{SEEDS}", None)
    played = plan.cases()[: SEEDS // 3]
    start = time.process_time()
    for case in played:
        play(case.job.scenario, case.seed)
    bare = len(played) / (time.process_time() - start)

    before, began = _processor_s(), time.perf_counter()
    with pools.open_pool("", WORKERS) as pool:
        standing = campaign.run(plan, (1, 1), tmp_path, pool, lambda _: None)
    per_core, wall = SEEDS / (_processor_s() - before), SEEDS / (time.perf_counter() - began)
    assert standing.failing == []
    print(f"\ncampaign, eight doses a case, {WORKERS} workers: {per_core:.1f} cases/s a core, {wall:.1f} by the clock")
    print(f"bare loop: {bare:.1f} cases/s a core; ratio {per_core / bare:.2f}")


def _processor_s() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in used)
