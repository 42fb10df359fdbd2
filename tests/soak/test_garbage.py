"""Gigabytes of garbage through both decoders. `SOAK_GARBAGE_MB=N` chooses how many MB each of them reads."""

from __future__ import annotations

import os
import random
from concurrent.futures import ProcessPoolExecutor

from tests.garbage import EARS, hear

DEFAULT = "1000"
PARTS = 50


def test_garbage() -> None:
    megabytes = int(os.environ.get("SOAK_GARBAGE_MB", DEFAULT))
    first = random.getrandbits(32)
    print(f"seeds {first} and the {PARTS - 1} after it, {megabytes} MB each for {', '.join(EARS)}")
    size = megabytes * 1_000_000 // PARTS
    seeds = range(first, first + PARTS)
    with ProcessPoolExecutor() as pool:
        all_heard = {who: pool.map(hear, [who] * PARTS, seeds, [size] * PARTS) for who in EARS}
        for who, some in all_heard.items():
            heard = list(some)
            print(
                f"{who}: {sum(one.size for one in heard):,} bytes, {sum(one.frames for one in heard):,} frames, "
                f"{len(heard) * 1e-6 / sum(1 / one.rate for one in heard):.2f} MB/s on one core, "
                f"at most {max(one.growth for one in heard)} bytes more held than at the start"
            )
            assert sum(one.size for one in heard) >= megabytes * 1_000_000
