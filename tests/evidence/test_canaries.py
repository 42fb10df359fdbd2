"""Deliberately broken firmware makes the right study fail: the one that the canary's patch names."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mesosim.evidence import document
from tests.canaries import canary
from tests.evidence import planted
from tests.summary import TOLD

FLOCK = [one for one in canary.flock() if one.evidence]
LEAST = 5


def test_there_are_enough_and_for_more_than_one_study() -> None:
    assert len(FLOCK) >= LEAST
    assert len({one.evidence for one in FLOCK}) >= 5
    assert {one.evidence for one in FLOCK} <= set(planted.CASES)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("one", FLOCK, ids=lambda one: one.name)
def test_its_study_fails(one: canary.Canary, tmp_path: Path, record_property: Callable[[str, Any], None]) -> None:
    """A line is not passed that the same cases pass on unbroken firmware."""
    done = canary.evidence(canary.plant(one, tmp_path), one.evidence)
    assert not done.returncode, done.stderr
    said = json.loads(done.stdout)
    assert Path(said["firmware"]).is_relative_to(tmp_path)
    spared = {*unbroken(one.evidence), document.WHOLE}  # a case that breaks off has judged nothing
    found = [f"{line}: {cause}" for line, (cause, _) in said["failed"].items() if line not in spared]
    assert found, f"no line of {one.evidence} fails with {one.mistake}"
    record_property(TOLD, ["evidence: what canaries fail", f"{one.name}: {found[0][:160]}"])


@functools.cache
def unbroken(study: str) -> dict[str, planted.Failed]:
    return planted.failed(study)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("study", planted.CASES)
def test_unbroken_firmware_passes_the_same_cases(study: str) -> None:
    assert [line for line, one in unbroken(study).items() if one.seen] == []
