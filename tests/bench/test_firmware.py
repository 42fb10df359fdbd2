"""What the firmware takes of a board, beside its limits: flash, heap, and how long STOP may wait.

None of it is timed: the same sources give the same figures, and `tests/judges` holds each of them to its limit.
"""

from __future__ import annotations

from pathlib import Path

from mesofirmware import build
from tests.bench.figures import Figures
from tests.judges import replay, session, test_build, test_latency, test_memory


def test_bytes_of_mpy(tmp_path: Path, figures: Figures) -> None:
    """All files that a board is given."""
    figures.counted("firmware's .mpy files", "limit", "bytes", build.compiled(tmp_path / "board"), test_build.MOST)


def test_live_heap_on_32_bits(tmp_path: Path, figures: Figures) -> None:
    """Once the application has started."""
    device = replay.RecordedDevice(1)
    session.give(device, tmp_path / "journal.sqlite")
    (tmp_path / "board").mkdir()
    live = test_memory.replayed(device, tmp_path / "board", "32 bits")["live"]
    figures.counted("firmware's live heap, 32 bits", "limit", "bytes", live, test_memory.MOST_LIVE)


def test_latency_of_stop(tmp_path: Path, figures: Figures) -> None:
    """By counted calls, at worst, in each mode in which something moves."""
    latency = test_latency.stop_us(test_latency.timed_over_all(tmp_path), test_latency.taken_by_link())
    for mode, us in sorted(latency.items()):
        if mode.endswith("running"):
            bound = test_latency.STOP_US
            figures.counted(f"STOP's latency, counted calls, {mode}", "limit of SR-27", "us", us, bound)
