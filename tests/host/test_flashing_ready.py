"""A device that is not charged or not idle is not flashed."""

from __future__ import annotations

from pathlib import Path

import pytest

from mesoinjector import flashing
from mesoinjector.errors import FlashError
from mesoprotocol import messages, wire
from mesosim import runtime
from tests.bench_of_one import Bench


def test_one_that_is_charged_and_idle_may_be_flashed(tmp_path: Path) -> None:
    flashing._check_ready(Bench(runtime.start("cpython", 1), tmp_path / "journal.sqlite").ready())


def test_one_with_a_low_battery_is_not(tmp_path: Path) -> None:
    here = Bench(runtime.start("cpython", 1), tmp_path / "journal.sqlite")
    injector = here.ready()
    here.device.control("fault", {"symbol": "sensor.battery.offset_mv", "value": -1_000})
    injector.wait(3)
    with pytest.raises(FlashError, match=r"battery is low: .* Nothing was changed\. Next: charge"):
        flashing._check_ready(injector)


def test_one_that_has_a_dose_in_hand_is_not(tmp_path: Path) -> None:
    injector = Bench(runtime.start("cpython", 1), tmp_path / "journal.sqlite").ready()
    injector.wait(1)
    n = injector.status().next_n
    injector._pump.request(messages.Prepare(b"abcdefgh", n, 20_000, 1_000, wire.MODE_SINGLE, 1, 6, 0))
    with pytest.raises(FlashError, match=r"not idle \(prepared\)\. Nothing was changed\. Next: wait"):
        flashing._check_ready(injector)
