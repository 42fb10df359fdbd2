"""The power goes at every write to the store, and again while the device recovers. The plant is the witness."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from mesosim.lab.enumeration import cuts
from tests.summary import TOLD

TITLE = "enumeration: power cuts at writes to the store"
EVERY = [("dose", 1, True), ("provision", 1, True), ("interrupted", 2, False), ("fractional", 2, False)]


@pytest.mark.requirement("SR-34")
@pytest.mark.timeout(600)
@pytest.mark.parametrize(("name", "deep", "every"), EVERY)
def test_every_cut(name: str, deep: int, every: bool, record_property: Callable[[str, object], None]) -> None:
    branches, found = cuts.run(name, 1, deep, every)
    torn = "torn at every byte" if every else "torn in the middle"
    record_property(TOLD, [TITLE, f"{name:12}{branches:6,} cuts, {deep} deep, {torn}"])
    assert found == []
    assert branches > 40


def test_what_is_torn() -> None:
    assert cuts.tears(4, True) == [0, 1, 2, 3, 4]
    assert cuts.tears(49, False) == [0, 24, 49]
