"""All cells of the accuracy table: sixty drawn devices, three doses, three thirds of the syringe."""

from __future__ import annotations

from collections.abc import Callable

from tests.accuracy import grid
from tests.soak.parts import Soaked, soak

WEIGHT = 1
A_PART = 5


def some(part: str) -> list[tuple[str, int, float]]:
    """The devices of a part: third, dose, error in percent."""
    first = int(part)
    found = []
    for seed in range(first, first + A_PART):
        for one in grid.give(seed):
            assert one.complete and one.within, f"device {seed}: {one}"
            assert abs(one.protrusion_um - 1000 * grid.DEPTH_MM) <= grid.DEPTH_GOAL_UM, f"device {seed}: {one}"
            found.append((one.third, one.asked_nl, one.error_percent))
    return found


def test_every_cell(until: float, judge: Callable[[Soaked], None]) -> None:
    soaked = soak("accuracy", map(str, range(1, grid.DEVICES + 1, A_PART)), some, until)
    cells: dict[tuple[str, int], list[float]] = {}
    for result in soaked.results.values():
        for third, asked, error in result:
            cells.setdefault((third, asked), []).append(error)
    k = grid.k_factor(grid.DEVICES)
    for (third, asked), errors in cells.items():
        if len(errors) < grid.DEVICES:
            continue
        found = grid.interval(errors, k)
        print(f"{third} third, {asked / 1e3:.0f} ul, n = {len(errors)}: {found} %")
        assert found.inside(grid.GOAL_PERCENT)
    judge(soaked)
