"""Branches that the enumeration has found, and what is done against them now. Each goes red without it."""

from __future__ import annotations

import pytest

from mesosim.lab.enumeration.branches import replay
from mesosim.lab.enumeration.workloads import WORKLOADS

MENDED = {
    "a lost batch end, the needle in skin for good": [
        ("dose", "plunger.room", "stuck", 12, 0),
        ("occluded", "drive.room", "stuck", 3, 0),
    ],
    "a stop that the plunger has not heard": [
        ("stop", "plunger.stop", "stuck", 1, None),
    ],
    "one wrong look at the pressure, and a syringe called primed": [
        ("prime", "pressure_pa", "spike", 69, 30_000),
        ("prime", "pressure_pa", "flipped_bit", 72, 14),
        ("prime", "encoder", "dropped", 134, None),
        ("prime", "pressure_pa", "spike", 193, 100_000),
    ],
    "a pressure that never falls, and an upper bound below the truth": [
        ("dose", "pressure_pa", "stuck", 55, None),
        ("stop", "pressure_pa", "stuck", 30, None),
        ("released", "pressure_pa", "stuck", 40, None),
        ("dose", "pressure_pa", "spike", 312, 30_000),
    ],
    "an occlusion cut short, and a lower bound above nothing": [
        ("occluded", "inputs", "reset", 123, None),
        ("occluded", "inputs", "wrong_sign", 101, None),
        ("occluded", "plunger.room", "spike", 46, 1),
    ],
    "a run called done that has made fewer strokes": [
        ("fractional", "enable", "late", 2, None),
        ("hold", "feed_deadman", "stuck", 2, None),
        ("hold", "drive.feed", "dropped", 6, None),
        ("hold", "index_count", "spike", 47, -1),
    ],
    "a dose called done that has made fewer steps": [
        ("dose", "plunger.feed", "stuck", 2, None),
        ("dose", "plunger.feed", "stuck", 19, None),
    ],
    "a relief of pressure that one wrong look has seen": [
        ("dose", "pressure_pa", "spike", 18, 100_000),
        ("dose", "pressure_pa", "spike", 101, 100_000),
        ("released", "pressure_pa", "spike", 63, 100_000),
    ],
    "a drive that was not parked, and a stroke that nobody counted": [
        ("hold", "drive.park", "dropped", 0, None),
        ("hold", "drive.park", "stuck", 0, None),
    ],
    "a dose that a bad reading at boot has made nothing of": [
        ("interrupted", "store.read", "dropped", 270, None),
    ],
    "a drive that turns backwards, and a cam that had no way back": [
        ("hold", "drive.feed", "wrong_sign", 2, None),
    ],
    "motor power left on": [
        ("hold", "enable", "dropped", 3, None),
        ("dose", "enable", "dropped", 3, None),
        ("keyed", "enable", "flipped_bit", 0, None),
    ],
}


@pytest.mark.parametrize(
    ("name", "call", "kind", "first_call", "value"),
    [pytest.param(*branch, id=f"{story}-{branch[0]}") for story, branches in MENDED.items() for branch in branches],
)
def test_a_mended_branch(name: str, call: str, kind: str, first_call: int, value: int | None) -> None:
    workload = next(workload for workload in WORKLOADS if workload.name == name)
    assert replay(workload, 1, call, kind, first_call, value) == []
