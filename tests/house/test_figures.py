"""What `make bench` says of a figure beside the last release's: judged on numbers made here, none of them timed."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from tests.bench import figures
from tests.bench.figures import Better, Figure, Figures

STEADY = (1.0, 1.01, 0.99, 1.0, 1.0)
"""Rounds that spread by nothing between their quartiles, or little."""
WILD = (0.2, 0.6, 1.0, 1.4, 1.8)
"""Rounds whose middle half is 80 % of their median."""


def run(*found: Figure) -> Figures:
    return Figures("here", 0.1, "2026-01-01", {each.name: each for each in found})


def figure(
    ratios: tuple[float, ...],
    better: Better = "less",
    name: str = "a",
    against: str = "peer",
    scale: float = 1.0,
) -> Figure:
    """Seconds of both stand `scale` times as high; their ratios do not."""
    return Figure(name, against, "s", better, tuple((each * scale, scale) for each in ratios))


def times(ratios: tuple[float, ...], by: float) -> tuple[float, ...]:
    return tuple(each * by for each in ratios)


@pytest.mark.parametrize(
    ("ratios", "by", "better", "verdict"),
    [
        (STEADY, 1.4, "less", "REGRESSION"),
        (STEADY, 0.7, "less", "better"),
        (STEADY, 0.7, "more", "REGRESSION"),
        (STEADY, 1.4, "more", "better"),
        (STEADY, 1.34, "less", "same"),
        (STEADY, 0.73, "more", "REGRESSION"),
        (STEADY, 0.75, "more", "same"),
        (WILD, 1.4, "less", "same"),
        (WILD, 0.72, "more", "same"),
        (WILD * 4, 1.5, "less", "REGRESSION"),
        (WILD, 2.0, "less", "REGRESSION"),
        ((1.0,), 1.02, "less", "REGRESSION"),
        ((1.0,), 1.0, "less", "same"),
    ],
)
def test_a_change_beyond_noise_is_marked(ratios: tuple[float, ...], by: float, better: Better, verdict: str) -> None:
    (line,) = figures.compare(run(figure(times(ratios, by), better)), run(figure(ratios, better)))
    assert line.verdict == verdict
    assert line.change == pytest.approx(by - 1)


@pytest.mark.parametrize("wild_is_now", [True, False])
def test_noise_is_of_both_runs(wild_is_now: bool) -> None:
    """A change of 40 % is seen between steady runs and not where one of them was wild."""
    steady, wild = figure(STEADY), figure(WILD)
    (seen,) = figures.compare(run(figure(times(STEADY, 1.4))), run(steady))
    assert seen.verdict == "REGRESSION"
    now, then = (times(WILD, 1.4), steady) if wild_is_now else (times(STEADY, 1.4), wild)
    (unseen,) = figures.compare(run(figure(now)), run(then))
    assert unseen.verdict == "same" and unseen.noise == pytest.approx(2 * 0.929 * 0.8 / 5**0.5)


@given(st.lists(st.floats(0.5, 2.0), min_size=3, max_size=30), st.floats(0.01, 100.0))
def test_a_slower_machine_is_no_change(ratios: list[float], scale: float) -> None:
    """Seconds are not compared: both of a round take longer there."""
    (line,) = figures.compare(run(figure(tuple(ratios), scale=scale)), run(figure(tuple(ratios))))
    assert line.verdict == "same"


def test_what_is_new_or_missing_is_said() -> None:
    lines = figures.compare(run(figure(STEADY, name="now")), run(figure(STEADY, name="then")))
    assert [line.verdict for line in lines] == ["new", "missing"]
    assert figures.summary(lines) == "1 new, 1 missing\nmissing: then"


def test_another_peer_makes_it_a_new_figure() -> None:
    (line,) = figures.compare(run(figure(times(STEADY, 9), against="other")), run(figure(STEADY)))
    assert line.verdict == "new"


def test_a_regression_is_red_and_named_and_nothing_else_is() -> None:
    """Names and numbers stand in one line each: the table is wide enough."""
    now = run(figure(times(STEADY, 2), name="slower"), figure(STEADY, name="alike"), figure(STEADY, name="fresh"))
    then = run(figure(STEADY, name="slower"), figure(STEADY, name="alike"), figure(STEADY, name="gone"))
    lines = figures.compare(now, then)
    printed = io.StringIO()
    Console(file=printed, force_terminal=True, color_system="standard", width=180).print(figures.table(lines))
    shown = {name: row for row in printed.getvalue().splitlines() for name in now.found | then.found if name in row}
    red = {name for name, row in shown.items() if "\x1b[1;31m" in row}
    assert red == {"slower"}
    for name, words in {"slower": "REGRESSION", "alike": "same", "fresh": "new", "gone": "missing"}.items():
        assert words in shown[name]
    assert "+100.0%" in shown["slower"]
    assert figures.summary(lines).splitlines()[1:] == ["REGRESSION: slower", "missing: gone"]


def test_what_is_kept_is_read_again(tmp_path: Path) -> None:
    kept = Figures()
    kept.timed("a", "peer", "ms", "less", [(1.0, 2.0), (1.5, 2.0), (2.0, 2.0)])
    kept.counted("b", "limit", "bytes", 80, 100)
    kept.write(tmp_path / "new" / "bench.json")
    back = figures.read(tmp_path / "new" / "bench.json")
    assert back.found == kept.found and back.machine == kept.machine and back.date == kept.date
    told = json.loads((tmp_path / "new" / "bench.json").read_text())
    assert told["load_per_core"] == round(kept.load, 2)
    assert (told["figures"]["a"]["ratio"], told["figures"]["a"]["spread"]) == (0.75, pytest.approx(1 / 3, abs=1e-5))
    assert (told["figures"]["b"]["ratio"], told["figures"]["b"]["spread"]) == (0.8, 0)


def test_what_has_no_spread_or_no_ratio_is_refused() -> None:
    kept = Figures()
    with pytest.raises(ValueError, match="a: 2 rounds; Next: measure at least 3"):
        kept.timed("a", "peer", "s", "less", [(1, 1), (1, 1)])
    with pytest.raises(ValueError, match="greater than 0"):
        kept.counted("a", "limit", "bytes", 1, 0)
    kept.counted("a", "limit", "bytes", 1, 2)
    with pytest.raises(ValueError, match="a: measured twice"):
        kept.counted("a", "limit", "bytes", 1, 2)
