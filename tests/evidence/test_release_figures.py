"""The document's chapter on speed has the release's figures, and says where it has none."""

from __future__ import annotations

from pathlib import Path

import pytest

from mesosim.evidence import speed
from mesosim.evidence.study import Figure, Tables
from tests.bench import figures
from tests.house.rooms import ROOT


def test_each_of_the_release_s_figures_is_there() -> None:
    release = figures.read(ROOT / speed.RELEASE)
    account = speed.account(Tables(speed.run(str(ROOT))))
    lines = {row[0]: row for row in account.grids[0].rows}
    assert list(lines) == list(release.found)
    for name, one in release.found.items():
        ratio = lines[name][-1]
        assert isinstance(ratio, Figure) and ratio.value == pytest.approx(one.ratio)
    assert release.machine in account.notes[0]


def test_elsewhere_there_are_none(tmp_path: Path) -> None:
    account = speed.account(Tables(speed.run(str(tmp_path))))
    assert account.grids[0].rows == [] and "no checkout" in account.notes[0]
