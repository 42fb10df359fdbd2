"""A host that dies, or whose disk is full, at each of the journal's rows: nothing lost, nothing doubled.

The plant is the witness. In virtual time the file and its log are copied at the moment of death, as they lie on disk;
once, with real processes and SIGKILL, the device is behind a pty.
"""

from __future__ import annotations

import json
import resource
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from mesoinjector import Delivered, DoseUncertain, Injector, NotDelivered
from mesoinjector.errors import DeviceError, JournalError, ResultNotKept
from mesoinjector.journal import Journal
from mesosim.lab.link import Killed, MortalLink
from mesosim.runtime import Paced
from tests.bench_of_one import Bench, after_flow

DOSE = {"volume_ml": 0.02, "depth_mm": 1.0, "zone": "cheek"}
STEPS = [(kind, when) for kind in ("treatment", "intended", "committed", "outcome") for when in ("before", "after")]


class Watched(Journal):
    """A journal for a test that acts around the writing of its rows."""

    def __init__(self, path: Path, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        super().__init__(path, now=now)
        self.around: Callable[[str, Callable[[], int]], int] = lambda kind, write: write()

    def _append(self, kind: str, device: str, dose_id: str | None, data: dict[str, Any]) -> int:
        def write() -> int:
            return super(Watched, self)._append(kind, device, dose_id, data)

        return self.around(kind, write)


@contextmanager
def no_room() -> Iterator[None]:
    """Nothing this process writes into a file arrives there."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def host_of(bench: Bench, journal: Journal, seed: int = 77) -> Injector:
    return Injector(MortalLink("sim", bench.device, seed), journal)


def backwards() -> Callable[[], datetime]:
    """A clock that is set a day back at every second look, and two on at the others."""
    looks = iter(range(10_000))
    start = datetime(2026, 6, 1, tzinfo=UTC)
    return lambda: start + timedelta(days=(i := next(looks)) // 2 + (2 if i % 2 else 0))


@pytest.mark.requirement("SR-20", "SR-25")
@pytest.mark.parametrize(("kind", "when"), STEPS)
def test_killed_at_each_row(kind: str, when: str, here: Bench, tmp_path: Path) -> None:
    journal = Watched(here.journal, backwards())
    host = host_of(here, journal)
    host.begin_treatment()
    host.prime(0.1)
    before = here.plant()
    left = tmp_path / "left"

    def die(this: str, write: Callable[[], int]) -> int:
        if this == kind and when == "before":
            leave()
        row = write()
        if this == kind:
            leave()
        return row

    def leave() -> None:
        left.mkdir()
        for name in ("", "-wal"):
            shutil.copy(f"{here.journal}{name}", left)
        here.link(host).dead = True
        raise Killed

    journal.around = die
    with pytest.raises(Killed):
        host.begin_treatment("next") if kind == "treatment" else host.dose(**DOSE)
    journal.close()

    here.rest()
    again = Bench(here.device, left / here.journal.name).connect()
    given = here.plant()["skin_nl"] - before["skin_nl"]
    expected = Delivered if kind == "outcome" else NotDelivered
    if kind == "treatment" or (kind, when) in (("intended", "before"), ("outcome", "after")):
        assert again.resolved == []
    else:
        (resolved,) = again.resolved
        assert isinstance(resolved, expected)
    assert (given > 15_000) is (kind == "outcome"), "only COMMIT lets it be given"
    again.clear()
    again.journal.verify()
    if given == 0:
        again.begin_treatment("next")
        again.prime(0.05)
        assert isinstance(again.dose(**DOSE), Delivered)
    total = here.plant()["skin_nl"] - before["skin_nl"]
    outcomes = [row[5] for row in again.journal.entries() if row[2] == "outcome" and row[5]["result"] == "Delivered"]
    doses = [outcome for outcome in outcomes if outcome["asked_nl"] == 20_000]
    assert len(doses) == 1 and doses[0]["lower_nl"] <= total + 2_000 and total <= doses[0]["upper_nl"]
    again.journal.close()


@pytest.mark.requirement("SR-20", "SR-25")
@pytest.mark.parametrize("kind", ["intended", "committed", "outcome"])
def test_going_on_with_an_older_copy(kind: str, here: Bench, tmp_path: Path) -> None:
    """Copied right after a row, restored after more was given: the device tells what the copy does not know."""
    journal = Watched(here.journal)
    host = host_of(here, journal)
    host.begin_treatment()
    host.prime(0.1)
    before = here.plant()["skin_nl"]
    copied: list[str] = []

    def copy(this: str, write: Callable[[], int]) -> int:
        row = write()
        if this == kind and not copied:
            copied.append(shutil.copy(here.journal, tmp_path / "copy.sqlite"))
        return row

    journal.around = copy
    given = [host.dose(**DOSE) for _ in range(2)]
    journal.close()
    again = Bench(here.device, tmp_path / "copy.sqlite").connect()
    assert again.resolved == ([] if kind == "outcome" else given[:1])
    known = {row[4]: row[2] for row in again.journal.entries() if row[4]}
    assert [known[dose.dose_id] for dose in given] == ["outcome", "foreign"]
    assert again.journal.result(given[0].dose_id) == given[0]
    assert 39_000 < here.plant()["skin_nl"] - before < 41_000
    assert again.journal.open_doses(again.uid) == []
    again.journal.close()


@pytest.mark.requirement("SR-20", "SR-32")
@pytest.mark.parametrize("when", ["before", "after"])
def test_killed_as_a_cartridge_is_noted(when: str, here: Bench) -> None:
    journal = Watched(here.journal)
    host = host_of(here, journal)
    host.begin_treatment()

    def die(this: str, write: Callable[[], int]) -> int:
        assert this == "cartridge"
        if when == "after":
            write()
        here.link(host).dead = True
        raise Killed

    journal.around = die
    run = {"strokes": 100, "depth_mm": 0.5, "zone": "cheek", "area_cm2": 40}
    with pytest.raises(Killed):
        host.fractional(**run)
    journal.close()
    here.rest()
    again = here.connect()
    assert again.resolved == [] and here.plant()["punctures"] == 0
    again.clear()
    assert isinstance(again.fractional(**run), Delivered), "the treatment is the same"
    assert [row[2] for row in again.journal.entries()].count("cartridge") == 1
    again.begin_treatment()
    with pytest.raises(DeviceError, match="CARTRIDGE_USED"):
        again.fractional(**run)
    again.journal.close()


@pytest.mark.requirement("SR-20")
@pytest.mark.parametrize("kind", ["treatment", "intended", "committed"])
def test_what_cannot_be_noted_is_not_done(kind: str, here: Bench) -> None:
    journal = Watched(here.journal)
    host = host_of(here, journal)
    host.begin_treatment()
    host.prime(0.1)
    before = here.plant()

    def fail(this: str, write: Callable[[], int]) -> int:
        with no_room() if this == kind else nullcontext():
            return write()

    journal.around = fail
    treatment = host.status().treatment
    with pytest.raises(JournalError, match=r"Next: .*Then open the device again"):
        host.begin_treatment("next") if kind == "treatment" else host.dose(**DOSE)
    assert host.status().treatment == treatment
    after = here.rest()
    assert (after["skin_nl"], after["plunger_steps"]) == (before["skin_nl"], before["plunger_steps"])
    journal.close()
    again = here.connect()
    assert [type(result) for result in again.resolved] == ([NotDelivered] if kind == "committed" else [])
    again.clear()
    again.journal.verify()
    assert isinstance(again.dose(**DOSE), Delivered)
    again.journal.close()


@pytest.mark.requirement("SR-20", "SR-25")
def test_a_result_that_cannot_be_noted_is_told_and_found_again(here: Bench) -> None:
    journal = Watched(here.journal)
    host = host_of(here, journal)
    host.begin_treatment()
    host.prime(0.1)
    before = here.plant()

    def fail(this: str, write: Callable[[], int]) -> int:
        with no_room() if this == "outcome" else nullcontext():
            return write()

    journal.around = fail
    with pytest.raises(
        ResultNotKept, match=r"has ended .Delivered, complete, at most 0.02.*but journal .*Next: "
    ) as told:
        host.dose(**DOSE)
    given = here.plant()["skin_nl"] - before["skin_nl"]
    assert isinstance(told.value.result, Delivered) and told.value.result.complete
    assert told.value.result.lower_nl <= given <= told.value.result.upper_nl
    assert host.status().stop_count == 0
    with pytest.raises(DoseUncertain):
        host.dose(**DOSE)
    with pytest.raises(ResultNotKept):  # the disk is still full
        host_of(here, journal, 78)
    journal.close()
    again = here.connect()
    assert again.resolved == [told.value.result]
    assert here.plant()["skin_nl"] - before["skin_nl"] == given
    again.journal.close()


def test_ctrl_c_with_a_full_disk_stops_and_tells(here: Bench) -> None:
    journal = Watched(here.journal)
    host = host_of(here, journal)
    host.begin_treatment()
    host.prime(0.1)
    before = here.plant()

    def fail(this: str, write: Callable[[], int]) -> int:
        with no_room() if this == "outcome" else nullcontext():
            return write()

    def interrupt() -> None:
        raise KeyboardInterrupt

    journal.around = fail
    host.listen(after_flow(10_000, interrupt))
    with pytest.raises(KeyboardInterrupt):
        host.dose(0.1, 1.0, "cheek")
    given = here.plant()["skin_nl"] - before["skin_nl"]
    told = host.interrupted
    assert isinstance(told, Delivered) and not told.complete and told.lower_nl <= given <= told.upper_nl
    journal.close()
    again = here.connect()
    assert again.resolved == [told]
    again.journal.close()


# --- Real processes ----------------------------------------------------------------------------------------

HOST = """
import os, signal, sys
from mesoinjector import Injector
from mesoinjector.journal import Journal

url, path, kind, when = sys.argv[1:]

class Mortal(Journal):
    def _append(self, this, *rest):
        if (this, when) == (kind, "before"):
            os.kill(os.getpid(), signal.SIGKILL)
        row = super()._append(this, *rest)
        if this == kind:
            os.kill(os.getpid(), signal.SIGKILL)
        return row

with Injector.open(url, Mortal(path)) as injector:
    injector.dose(volume_ml=0.02, depth_mm=1.0, zone="cheek")
"""


def test_sigkill_at_each_row(tmp_path: Path) -> None:
    """One device behind a pty, one journal, a host process killed at each row of a dose."""
    device, path = Paced(1, "cpython"), tmp_path / "journal.sqlite"
    try:
        with Injector.open(device.path, path) as injector:
            injector.begin_treatment()
            assert isinstance(injector.prime(0.1), Delivered)
        start = device.control("account")["skin_nl"]
        for kind, when in STEPS[2:]:
            host = subprocess.run(
                [sys.executable, "-c", HOST, device.path, str(path), kind, when], check=False, timeout=60
            )
            assert host.returncode == -signal.SIGKILL
            with Injector.open(device.path, path) as injector:
                injector.wait(1.0)  # the hand lets go
                if injector.status().latches:
                    assert injector.clear() == 0
                assert injector.journal.open_doses(injector.uid) == []
                known = outcomes(injector.journal)
                given = device.control("account")["skin_nl"] - start
                done = [outcome for outcome in known if outcome["result"] == "Delivered"]
                assert sum(outcome["lower_nl"] for outcome in done) <= given + 2_000 * len(done)
                assert given <= sum(outcome["upper_nl"] for outcome in done)
        assert [outcome["result"] for outcome in known] == ["NotDelivered"] * 3 + ["Delivered"] * 2
        with_json = [sys.executable, "-m", "mesoinjector", "info", "--device", device.path, "--journal", str(path)]
        said = subprocess.run([*with_json, "--json"], capture_output=True, text=True, check=False, timeout=60)
        assert json.loads(said.stdout)["resolved"] == [], said.stderr
        journal = Journal(path)
        journal.verify()
        journal.close()
    finally:
        device.close()


def outcomes(journal: Journal) -> list[dict[str, Any]]:
    """Results of all doses of 20 ul, oldest first."""
    return [row[5] for row in journal.entries() if row[2] == "outcome" and row[5]["asked_nl"] == 20_000]
