"""At least one in twenty of the faults on single Board calls, of each call and kind in each workload, drawn by seed."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import pytest

from mesosim.lab.enumeration import lean, table
from mesosim.lab.enumeration.branches import HANGS, Share, Tally
from mesosim.lab.enumeration.oracle import RULES
from mesosim.lab.enumeration.workloads import WORKLOADS
from mesosim.world import calls
from tests.house import rooms, safety
from tests.summary import TOLD

SHARE = 0.05
TITLE = "enumeration: Board call x kind of fault, a share"


@pytest.fixture
def seed(request: pytest.FixtureRequest) -> int:
    """The run's seed, as `make test` prints it."""
    return int(request.config.getoption("--hypothesis-seed") or 1)


@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", [workload.name for workload in WORKLOADS])
def test_a_share_of_every_stratum(name: str, seed: int, record_property: Callable[[str, object], None]) -> None:
    tally = lean.run(name, 1, Share(SHARE, seed))
    broken = sum(map(len, tally.found.values()))
    line = f"{name:12}{tally.calls:6,} calls{sum(tally.branches.values()):6,} branches{broken:4} known to break a rule"
    record_property(TOLD, [TITLE, line])
    print(f"seed {seed}")
    assert lean.unlisted(tally) == []


def test_the_table_has_every_call_and_kind_and_a_reason_in_each_blank() -> None:
    cells = table.fits()
    assert set(cells) == {(call, kind) for call, _ in calls.CALLS for kind in calls.KINDS}
    assert {cell for cell, reason in cells.items() if not reason} == {
        (call, kind) for call, kind in cells if calls.fits(call, kind)
    }
    assert all(len(reason.split()) > 2 for reason in cells.values() if reason)
    assert set(table.idle()) < {call for call, _ in calls.CALLS}
    assert all(cells[cell] == "" for cell in table.figures())


def test_what_is_known_names_what_there_is() -> None:
    requirements = {row["id"] for row in safety.load(rooms.ROOT)["requirement"]}
    for entry in table.known():
        assert entry.state in (table.OPEN, table.UNDETECTABLE)
        assert entry.reason and set(entry.requirements) <= requirements
        assert entry.state == table.UNDETECTABLE or entry.requirements
        for finding in entry.findings:
            assert finding.workload in {workload.name for workload in WORKLOADS}
            assert calls.fits(finding.call, finding.kind)
            assert finding.rule in {*RULES, HANGS}


def test_a_finding_that_nobody_knows_and_one_that_is_mended_are_both_told() -> None:
    tally = Tally(found={table.Finding("dose", "inputs", "late", "again"): ["call 1"]})
    assert lean.unlisted(tally) == ["dose: inputs late: again: call 1"]
    assert set(lean.stale(Tally())) == {str(each) for entry in table.known() for each in entry.findings}


def test_what_forks_is_lean() -> None:
    program = (
        "import sys, runpy, threading\n"
        "sys.argv = ['enumeration', 'keyed', '1', '0.01', '1', '0', '1']\n"
        "runpy.run_module('mesosim.lab.enumeration', run_name='__main__')\n"
        "heavy = {'numpy', 'pytest', 'sqlite3', 'pydantic', 'mesoinjector', 'asyncio'}\n"
        "assert threading.active_count() == 1\n"
        "sys.exit(', '.join(sorted(heavy & set(sys.modules))) or 0)\n"
    )
    worker = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert worker.returncode == 0, worker.stderr
