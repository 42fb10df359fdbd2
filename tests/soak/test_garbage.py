"""Gigabytes of garbage through both decoders."""

from __future__ import annotations

from collections.abc import Callable

from tests.garbage import EARS, hear
from tests.soak.parts import Soaked, soak

WEIGHT = 2
MEGABYTES = 1000
"""For each of the decoders."""
A_PART = 10


def listen(part: str) -> list[float]:
    """Bytes, frames, growth in bytes, and bytes a second of one part."""
    who, seed = part.split()
    return list(hear(who, int(seed), A_PART * 1_000_000))


def test_garbage(until: float, judge: Callable[[Soaked], None]) -> None:
    parts = [f"{who} {seed}" for seed in range(MEGABYTES // A_PART) for who in EARS]
    soaked = soak("garbage", parts, listen, until)
    for who in EARS:
        heard = [result for part, result in soaked.results.items() if part.startswith(who)]
        if heard:
            size, frames = (int(sum(one[i] for one in heard)) for i in (0, 1))
            rate = len(heard) / sum(1 / one[3] for one in heard)
            print(f"{who}: {size:,} bytes, {frames:,} frames, {rate * 1e-6:.2f} MB/s on one core")
            print(f"    at most {max(one[2] for one in heard):.0f} bytes more held than at the start")
    judge(soaked)
