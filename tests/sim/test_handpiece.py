"""The plant's numbers: where they come from, what a file may say, and that every interpreter has the same ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mesosim import handpiece, runtime
from mesosim.world import nominal
from mesosim.world.symbols import Symbols
from tests.bench_of_one import Bench

REFERENCE = handpiece.load()
NAMES = list(REFERENCE.symbols)


def test_what_is_generated_is_what_the_file_says() -> None:
    assert handpiece.stale(write=False) == []
    assert [row[0] for row in nominal.SYMBOLS] == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_symbol_is_reached_by_its_name(name: str) -> None:
    here = Symbols()
    low, high = REFERENCE.symbols[name].range
    assert here.get(name) == REFERENCE.symbols[name].nominal
    for value in (low, high):
        here.set(name, value)
        assert here.get(name) == value
        assert here.thousandths(name) == round(1000 * value)
    with pytest.raises(ValueError, match=f"{name} = .*: must be {low}"):
        here.set(name, high + 1)
    assert here.get(name) == high


def test_another_name_is_no_symbol() -> None:
    with pytest.raises(ValueError, match=r"needle\.colour.*no such symbol"):
        Symbols().set("needle.colour", 1)
    with pytest.raises(ValueError, match=r"needle\.colour.*no such symbol"):
        Symbols().get("needle.colour")


@given(st.integers(0, 2**31))
@settings(max_examples=50, deadline=None)
def test_a_specimen_is_within_the_tolerances(seed: int) -> None:
    values = REFERENCE.drawn(seed)
    assert values == REFERENCE.drawn(seed)
    for value, symbol in zip(values, REFERENCE.symbols.values(), strict=True):
        assert abs(value - 1000 * symbol.nominal) <= 1000 * symbol.tolerance + 0.5
        assert 1000 * symbol.range[0] <= value <= 1000 * symbol.range[1]


def test_specimens_differ_in_every_tolerance() -> None:
    drawn = [REFERENCE.drawn(seed) for seed in range(40)]
    for i, (name, symbol) in enumerate(REFERENCE.symbols.items()):
        spread = {values[i] for values in drawn}
        assert (len(spread) > 10) == (symbol.tolerance > 0), name


def test_a_measured_value_stands_in_every_specimen(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text("[needle]\nbore_um = 163.5\n[sensor.pressure]\noffset_pa = -120\n")
    mine = handpiece.load(path)
    for values in (mine.nominal(), mine.drawn(3)):
        assert values[NAMES.index("needle.bore_um")] == 163_500
        assert values[NAMES.index("sensor.pressure.offset_pa")] == -120_000


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[needle]\nbore_um = 500", "needle.bore_um = 500: must be 50 to 260 um"),
        ("[needle]\nbore_um = nan", "needle.bore_um = nan: must be 50 to 260 um"),
        ("[needle]\nbore_um = '30G'", "needle.bore_um = '30G': must be 50 to 260 um, as a number"),
        ("[needle]\nbore_um = true", "needle.bore_um = True: must be 50 to 260 um, as a number"),
        ("[needle]\nbore_mm = 0.16", "needle.bore_mm = 0.16: no such symbol"),
        ("[needle.bore_um]\nnominal = 160", "needle.bore_um = {'nominal': 160}: must be 50 to 260 um, as a number"),
        ("needle = 3", "needle = 3: no such symbol"),
        ("[needle", "is not TOML"),
    ],
)
def test_a_wrong_file_is_refused_by_name_value_and_range(text: str, says: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(handpiece.HandpieceError) as caught:
        handpiece.load(path)
    assert f"{path}: {says}" in str(caught.value)


def test_a_device_with_too_few_values_does_not_run() -> None:
    with pytest.raises(ValueError, match=f"3 values for {len(NAMES)} symbols"):
        runtime.start("cpython", 1, values=(1, 2, 3))


def test_a_specimen_has_the_same_trace_on_both_runtimes(tmp_path: Path) -> None:
    told: list[Any] = []
    for name in runtime.RUNTIMES:
        device = runtime.start(name, 5, values=REFERENCE.drawn(5))
        try:
            injector = Bench(device, tmp_path / f"{name}.sqlite").ready()
            injector.dose(volume_ml=0.02, depth_mm=1.0, zone="cheek")
            injector.fractional(strokes=30, depth_mm=0.5, zone="cheek", area_cm2=40)
            told.append((device.control("account"), device.control("trace")))
        finally:
            device.close()
    assert told[0] == told[1]
    assert told[0][1]["records"] > 1000
