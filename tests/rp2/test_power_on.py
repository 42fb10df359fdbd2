"""Whole doses from power-on: boot.py, the window, main.py, HELLO by USB, prime, dose. The plant is the witness."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mesoinjector import Injector
from mesoinjector.journal import Journal
from mesoinjector.results import Delivered, Unknown
from mesoprotocol import wire
from mesosim.lab.link import MortalLink
from mesosim.rp2 import models
from tests.bench_of_one import Bench, after_flow
from tests.rp2.started import Started

WINDOW_US = 2_000_000
"""Before main.py loads the application."""
DOSE = {"volume_ml": 0.02, "depth_mm": 1.5, "zone": "cheek"}
BIG = {"volume_ml": 0.1, "depth_mm": 1.5, "zone": "cheek"}
HALF_NL = 50_000


@pytest.fixture
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bench]:
    device = Started(tmp_path, getattr(request, "param", models.RP2040))
    yield Bench(device, tmp_path / "journal.sqlite")
    device.close()


@pytest.mark.requirement("SR-26")
@pytest.mark.parametrize("bench", [models.RP2040, models.RP2350], ids=["rp2040", "rp2350"], indirect=True)
def test_a_dose_from_power_on(bench: Bench) -> None:
    bench.rest(WINDOW_US + 100_000)
    injector = bench.ready()
    assert injector.status().latches == 0
    before = bench.plant()
    result = injector.dose(**DOSE)
    assert isinstance(result, Delivered) and result.complete and result.needle_home
    after = bench.plant()
    given = after["skin_nl"] - before["skin_nl"]
    assert given == pytest.approx(20_000, abs=1_000)
    assert result.lower_nl <= given <= result.upper_nl
    assert after["punctures"] == before["punctures"] + 1 and after["needle_home"] and not after["moving"]


@pytest.mark.requirement("SR-27", "SR-29")
def test_stop_in_a_dose_from_power_on(bench: Bench) -> None:
    bench.rest(WINDOW_US + 100_000)
    injector = bench.ready()
    before = bench.plant()["tip_nl"]
    injector.listen(after_flow(HALF_NL, lambda: injector.stop()))
    result = injector.dose(**BIG)
    assert isinstance(result, Delivered) and not result.complete and result.reason == "stop"
    after = bench.plant()
    assert after["needle_home"] and not after["moving"]
    assert result.lower_nl <= after["tip_nl"] - before <= result.upper_nl < 100_000
    assert injector.status().latches & wire.LATCH_STOPPED


@pytest.mark.requirement("SR-25", "SR-26", "SR-29")
def test_a_reset_in_a_dose_comes_up_again_through_main(bench: Bench) -> None:
    bench.rest(WINDOW_US + 100_000)
    injector = bench.ready()
    before = bench.plant()["tip_nl"]
    injector.listen(after_flow(HALF_NL, lambda: bench.device.control("reset")))
    result = injector.dose(**BIG)
    assert isinstance(result, Unknown)
    after = bench.rest()
    given = after["tip_nl"] - before
    assert after["needle_home"] and not after["moving"] and 0 < given < 100_000

    again = bench.connect()
    (resolved,) = again.resolved
    assert isinstance(resolved, Unknown) and resolved.reason == "interrupted"
    assert resolved.lower_nl <= given <= resolved.upper_nl
    assert resolved.upper_nl - resolved.lower_nl < 20_000
    assert again.status().latches == wire.LATCH_INTERRUPTED
    again.acknowledge(resolved.dose_id, "M. Curie")
    again.prime(0.1)
    repeated = again.dose(**DOSE)
    assert isinstance(repeated, Delivered) and repeated.complete


class Unlucky(MortalLink):
    """Its first random bytes hold what asks for a prompt."""

    drawn = 0

    def token(self, n: int) -> bytes:
        self.drawn += 1
        return b"mes\r\x03inj"[:n] if self.drawn == 1 else super().token(n)


def test_no_hello_asks_for_a_prompt(bench: Bench) -> None:
    """The board hears it in its window, as does one that a host has restarted."""
    link = Unlucky("sim", bench.device, 7)
    with Injector(link, Journal(bench.journal)) as injector:
        assert link.drawn == 2 and injector.status().latches == 0
