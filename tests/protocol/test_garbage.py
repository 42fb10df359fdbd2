"""A few MB of garbage, on both sides: nothing raises, nothing piles up, and the next frame is read."""

from __future__ import annotations

import random

import pytest

from tests.garbage import EARS, hear

MEGABYTES = 3


@pytest.mark.parametrize("who", EARS)
def test_garbage_is_counted_and_nothing_more(who: str) -> None:
    seed = random.getrandbits(32)
    print(f"seed {seed}")
    heard = hear(who, seed, MEGABYTES * 1_000_000)
    assert heard.size > MEGABYTES * 1_000_000
    assert heard.frames > 500, "the garbage has too few frames in it"
    print(f"{who}: {heard}")
