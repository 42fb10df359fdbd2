"""Each byte of each store, altered: here some of them, in `tests/soak` all."""

from __future__ import annotations

import gc

import pytest

from tests.judges import corruption
from tests.summary import TOLD

EVERY = 61
"""Of the places and ways one so many is tried."""


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> corruption.Kept:
    """Of a device with a history."""
    return corruption.lived(tmp_path_factory.mktemp("lived"))


@pytest.mark.requirement("SR-34")
@pytest.mark.timeout(120)
def test_what_is_altered_is_refused_and_left(kept: corruption.Kept, record_property: pytest.RecordProperty) -> None:
    gc.freeze()
    cases = corruption.cases(kept)
    tried = cases[::EVERY]
    found = {case.name: corruption.said(case.place, case.kept) for case in tried}
    assert {name: said for name, said in found.items() if said} == {}
    record_property(TOLD, ["corruption: bytes altered", *corruption.tally(cases, tried)])


@pytest.mark.requirement("SR-34")
def test_what_is_whole_is_not_refused(kept: corruption.Kept) -> None:
    for store in corruption.REFUSED:
        place = corruption.Place(store, "", "", 0)
        assert corruption.said(place, kept) in ("therapy is not locked", "latches 0x0")


def test_what_is_rewritten_is_seen(kept: corruption.Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(corruption, "_refused", lambda device, store: "")
    assert corruption.said(corruption.Place("log", "", "", 0), kept) == "rewritten"
