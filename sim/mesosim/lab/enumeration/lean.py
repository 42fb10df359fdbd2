"""Runs shares of the enumeration in lean processes, and holds what they find against what is known."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter

from mesosim.lab.enumeration import table
from mesosim.lab.enumeration.branches import Share, Tally
from mesosim.world import calls


class WorkerDied(RuntimeError):
    """A lean process has ended without its tally; its last words are in the message."""


def run(workload: str, seed: int, share: Share) -> Tally:
    """The branches of a share of one workload, in a process of their own. Raises `WorkerDied`."""
    figures = seed, share.share, share.seed, share.part, share.parts
    command = [sys.executable, "-m", __package__, workload, *map(str, figures)]
    worker = subprocess.run(command, capture_output=True, text=True, check=False)
    if worker.returncode:
        raise WorkerDied(f"{' '.join(command)}: exit code {worker.returncode}: {worker.stderr.strip()}")
    return Tally.loads(worker.stdout)


def unlisted(tally: Tally) -> list[str]:
    """Findings that no entry knows, each with one of its branches."""
    listed = {finding for entry in table.known() for finding in entry.findings}
    return [f"{finding}: {stories[0]}" for finding, stories in tally.found.items() if finding not in listed]


def stale(tally: Tally) -> list[str]:
    """Entries' findings that a whole run no longer shows."""
    return [str(each) for entry in table.known() for each in sorted(entry.findings - tally.found.keys())]


def matrix(tally: Tally) -> list[str]:
    """Call x kind: branches, and behind a slash those that break a rule."""
    broken: Counter[tuple[str, str]] = Counter()
    for finding, stories in tally.found.items():
        broken[finding.call, finding.kind] += len(stories)
    lines = [f"{'':18}" + "".join(f"{kind:>13}" for kind in calls.KINDS)]
    for call, _ in calls.CALLS:
        cells = []
        for kind in calls.KINDS:
            n, bad = tally.branches[call, kind], broken[call, kind]
            cells.append(f"{n}/{bad}" if bad else str(n or ("." if calls.fits(call, kind) else "")))
        lines.append(f"{call:18}" + "".join(f"{cell:>13}" for cell in cells))
    total = sum(tally.branches.values())
    return [*lines, f"{total:,} branches of {tally.calls:,} calls, {broken.total()} break a rule: see findings.toml"]
