"""A day at the clinic, in virtual time: what the driver keeps does not grow."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Callable

from mesoinjector import Delivered, Injector
from tests.bench_of_one import Bench

HOURS = 8
GROWTH_BYTES = 64 << 10
"""Of the driver's and the codec's own memory in the last six hours, a ledger of 256 doses written over meanwhile."""


def hour(bench: Bench, injector: Injector) -> None:
    """A treatment, and an hour in which the device is looked at each half minute."""
    injector.new_syringe()
    injector.begin_treatment()
    injector.prime(0.1)
    for point in range(1, 9):
        result = injector.dose(volume_ml=0.02, depth_mm=1.0, zone="cheek", point=point)
        assert isinstance(result, Delivered) and result.complete
        injector.wait(1)  # the hand lifts off
    for _ in range(120):
        injector.wait(30)
        injector.status()


def held() -> int:
    """Bytes that the host's and the protocol's code has allocated and still holds."""
    gc.collect()
    ours = [tracemalloc.Filter(True, "*/mesoinjector/*"), tracemalloc.Filter(True, "*/mesoprotocol/*")]
    return sum(line.size for line in tracemalloc.take_snapshot().filter_traces(ours).statistics("filename"))


def test_eight_hours_keep_no_more_than_two(make_bench: Callable[..., Bench]) -> None:
    bench = make_bench()
    injector = bench.connect()
    heard: list[int] = []
    injector.listen(lambda _: heard.append(0) if not heard else None)
    tracemalloc.start()
    try:
        after = []
        for _ in range(HOURS):
            hour(bench, injector)
            after.append(held())
    finally:
        tracemalloc.stop()
    assert injector.link.now_us() > HOURS * 3_600_000_000
    assert after[-1] - after[1] < GROWTH_BYTES, after
    assert heard and injector.losses().events_dropped == 0
