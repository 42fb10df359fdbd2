"""The board conformance suite passes on every board that is here, and finds every defect that is planted."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.rp2.planted_boards import DEFECTS
from tests.system.test_conformance import pytest_outside

SUITE = ("--pyargs", "mesosim.lab.board_conformance")
OURS = "mesosim.lab.board_conformance.rigs"


@pytest.mark.parametrize("rig", ["simulated", "twin", "twin_2350"])
def test_our_boards_pass(tmp_path: Path, rig: str) -> None:
    code, said = pytest_outside(tmp_path, *SUITE, f"--mesoinjector-board={OURS}:{rig}")
    assert code == 0, said


def test_without_an_option_it_is_the_simulator_s(tmp_path: Path) -> None:
    code, said = pytest_outside(tmp_path, *SUITE, "-k", "identity")
    assert code == 0 and "1 passed" in said


def test_a_rig_that_is_none_is_said_plainly(tmp_path: Path) -> None:
    for named in ("nowhere:make", f"{OURS}:nobody", "nowhere", ":"):
        code, said = pytest_outside(tmp_path, *SUITE, "-k", "identity", f"--mesoinjector-board={named}")
        assert code != 0 and "It must be MODULE:FUNCTION" in said, said


@pytest.mark.parametrize("name", DEFECTS)
def test_a_planted_defect_is_found(tmp_path: Path, name: str) -> None:
    _, test = DEFECTS[name]
    options = ("-k", test, f"--mesoinjector-board=tests.rp2.planted_boards:{name}")
    code, said = pytest_outside(tmp_path, *SUITE, *options)
    assert code == 1 and f"::{test}" in said, said
    assert "AssertionError" in said or "assert" in said, said
