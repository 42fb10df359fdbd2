"""A dose that nobody can ask for any more: nothing new is given before a person has settled it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from mesoinjector import Delivered, DoseUncertain, Unknown
from mesoinjector.journal import Intended, Journal
from tests.bench_of_one import Bench, after_flow

DOSE = {"volume_ml": 0.02, "depth_mm": 1.0, "zone": "cheek"}


@pytest.mark.requirement("SR-25")
def test_after_unknown_nothing_is_given_until_it_is_settled(make_bench: Callable[..., Bench]) -> None:
    bench = make_bench()
    injector = bench.ready()
    injector.listen(after_flow(10_000, bench.link(injector).cut))
    unknown = injector.dose(**DOSE)
    assert isinstance(unknown, Unknown) and unknown.upper_nl == 20_000
    for give in (lambda: injector.dose(**DOSE), lambda: injector.prime(0.01)):
        with pytest.raises(DoseUncertain, match="settle it"):
            give()
    injector.journal.settle(unknown.dose_id, "M. Curie", "device gone")
    bench.rest()

    again = bench.connect()
    assert again.resolved == []
    again.clear()
    assert isinstance(again.dose(**DOSE), Delivered)
    # the device came back and would know; what a person has settled stays
    assert again.resolve(unknown.dose_id) == unknown


def test_from_the_command_line(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    book = Journal(path)
    dose = Intended("00112233aabbccdd", 7, "dose", 1, "cheek", 3, 20_000, 1000)
    book.intend("4d53494d01000000", dose)
    book.commit("4d53494d01000000", dose.dose_id)
    book.close()
    words = [sys.executable, "-m", "mesoinjector", "settle", dose.dose_id, "--operator", "M. Curie"]
    words += ["--reason", "fell into the sea", "--journal", str(path)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, f"{dose.dose_id}: Unknown, settled without the device\n"), done.stderr
    again = subprocess.run(words, capture_output=True, text=True, check=False)
    assert again.returncode == 2 and "has ended" in again.stderr
    assert Journal(path).open_doses("4d53494d01000000") == []


def test_what_people_do_at_the_device_is_told_to_programs_too(tmp_path: Path) -> None:
    where = ["--device", "sim://?seed=1", "--journal", str(tmp_path / "journal.sqlite"), "--json"]
    told = []
    for command in ("stop", "clear"):
        words = [sys.executable, "-m", "mesoinjector", command, *where]
        done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 0, done.stderr
        told.append(json.loads(done.stdout))
    assert told == [{"stopped": True, "latches": ["stopped"]}, {"latches": []}]
    book = Journal(tmp_path / "journal.sqlite")
    dose = Intended("00112233aabbccdd", 7, "dose", 1, "cheek", 3, 20_000, 1000)
    book.intend("4d53494d02000000", dose)
    book.commit("4d53494d02000000", dose.dose_id)
    book.close()
    words = [sys.executable, "-m", "mesoinjector", "settle", dose.dose_id, "--operator", "M", "--reason", "lost"]
    done = subprocess.run([*words, *where[2:]], capture_output=True, text=True, check=False, timeout=60)
    assert json.loads(done.stdout)["result"] == "Unknown" and json.loads(done.stdout)["upper_nl"] == 20_000
