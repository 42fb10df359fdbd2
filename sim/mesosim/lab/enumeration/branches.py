"""Every Board call of a workload, broken in every way that fits: the process forks there, and the child goes on.

A child takes one fault, runs to the end, is judged and reports over a pipe; the parent goes on without it. Fork only
from a process without threads: `python -m mesosim.lab.enumeration` is one.
"""

from __future__ import annotations

import gc
import json
import math
import os
import random
import signal
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NoReturn

from mesosim.lab.enumeration import oracle, table
from mesosim.lab.enumeration.host import Host, Unexpected
from mesosim.lab.enumeration.workloads import Workload, begin

CHILD_S = 10
"""CPU time of one branch; one takes milliseconds."""
HANGS, DIES = "hangs", "dies"
"""Rules beside the oracle's: the branch has no end, or the firmware breaks the simulator itself."""
LASTING = ("stuck",)
"""Kinds that hold for good; the others are of one call."""

Cell = tuple[str, str]
"""A Board call and a kind of fault."""


@dataclass
class Tally:
    """What a run has found."""

    calls: int = 0
    branches: Counter[Cell] = field(default_factory=Counter)
    found: dict[table.Finding, list[str]] = field(default_factory=dict)
    """Each finding with the branches that show it."""

    def add(self, other: Tally) -> None:
        """Take another run's in."""
        self.calls += other.calls
        self.branches += other.branches
        for finding, stories in other.found.items():
            self.found.setdefault(finding, []).extend(stories)

    def dumps(self) -> str:
        """As one line of JSON."""
        found = [[*finding, stories] for finding, stories in self.found.items()]
        return json.dumps([self.calls, [[*cell, n] for cell, n in self.branches.items()], found])

    @staticmethod
    def loads(line: str) -> Tally:
        """The reverse of `dumps`."""
        calls, branches, found = json.loads(line)
        return Tally(
            calls,
            Counter({(call, kind): n for call, kind, n in branches}),
            {table.Finding(*row[:4]): row[4] for row in found},
        )


@dataclass
class Share:
    """Which of a workload's branches are run: of each stratum call x kind a share, drawn by seed; at least one."""

    share: float = 1.0
    seed: int = 0
    part: int = 0
    parts: int = 1
    """Of all calls only the `part`-th of so many equal pieces."""

    def choose(self, workload: str, counts: Counter[str], cells: list[Cell]) -> dict[Cell, set[int]]:
        """The numbers of the calls that are broken, of each stratum."""
        chosen = {}
        for call, kind in cells:
            n = counts[call]
            drawn = random.Random(f"{self.seed} {workload} {call} {kind}").sample(range(n), math.ceil(n * self.share))
            chosen[call, kind] = {i for i in drawn if i % self.parts == self.part}
        return chosen


class Fork:
    """This process and its children, one at a time."""

    def __init__(self) -> None:
        self._report = -1

    @property
    def is_child(self) -> bool:
        """Whether this process is a child, which `end` ends."""
        return self._report >= 0

    def split(self) -> list[str] | None:
        """In the child None, at once; in the parent what the child has reported at its end."""
        back, there = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(back)
            self._report = there
            signal.setitimer(signal.ITIMER_PROF, CHILD_S)
            return None
        os.close(there)
        with os.fdopen(back, "rb") as pipe:
            said = pipe.read()
        _, status = os.waitpid(pid, 0)
        if os.WIFSIGNALED(status):
            return [HANGS if os.WTERMSIG(status) == signal.SIGPROF else DIES]
        return list(json.loads(said)) if said else [DIES]

    def end(self, broken: list[str]) -> NoReturn:
        """Report, and end this child."""
        os.write(self._report, json.dumps(broken).encode())
        os._exit(0)


def count(workload: Workload, seed: int) -> Counter[str]:
    """How often a workload makes each Board call. RuntimeError if it breaks a rule without any fault."""
    calls: Counter[str] = Counter()
    host = begin(seed)
    workload.ready(host)
    host.world.meddle().watch = lambda name, args: calls.update([name])
    broken = play_on(workload.run, host)
    if broken:
        raise RuntimeError(f"{workload.name} breaks {', '.join(broken)} although nothing is broken")
    return calls


def enumerate_faults(workload: Workload, seed: int, share: Share) -> Tally:
    """Run the branches of one workload. `seed` is the device's."""
    counts = count(workload, seed)
    cells = [cell for cell, reason in table.fits().items() if not reason and counts[cell[0]]]
    chosen = share.choose(workload.name, counts, cells)
    kinds: dict[str, list[str]] = {}
    for call, kind in cells:
        kinds.setdefault(call, []).append(kind)
    figures = table.figures()
    made: Counter[str] = Counter()
    tally = Tally(calls=sum(counts.values()) if share.part == 0 else 0)
    fork = Fork()
    host = begin(seed)
    workload.ready(host)
    meddled = host.world.meddle()

    def watch(name: str, args: tuple[Any, ...]) -> None:
        i = made[name]
        made[name] += 1
        for kind in kinds.get(name, ()):
            if i not in chosen[name, kind]:
                continue
            values = figures.get((name, kind), [None])
            value = values[i % len(values)]
            broken = fork.split()
            if broken is None:
                meddled.watch = None
                meddled.add(name, kind, 0, 0 if kind in LASTING else 1, value)
                return
            tally.branches[name, kind] += 1
            for said in broken:
                rule, _, story = said.partition(": ")
                story = f"call {i} of {counts[name]}, value {value}: {story}"
                tally.found.setdefault(table.Finding(workload.name, name, kind, rule), []).append(story)

    meddled.watch = watch
    gc.freeze()
    try:
        broken = play_on(workload.run, host)
    except Exception as error:
        if not fork.is_child:
            raise
        broken = [f"{DIES}: {error!r}"]
    if fork.is_child:
        fork.end(broken)
    return tally


def replay(workload: Workload, seed: int, call: str, kind: str, first_call: int, value: int | None) -> list[str]:
    """One branch by itself, in this process: the rules it breaks, each with a story."""
    host = begin(seed)
    workload.ready(host)
    host.world.meddle().add(call, kind, first_call, 0 if kind in LASTING else 1, value)
    return play_on(workload.run, host)


def play_on(run: Callable[[Host], None], host: Host) -> list[str]:
    """Run, settle what is open if anything is unexpected, and judge: the rules broken, each with a story."""
    story = []
    try:
        run(host)
    except Unexpected as error:
        story = [str(error), *host.settle()]
    host.world.meddle().watch = None
    broken = oracle.judge(host)
    if broken:
        story += [oracle.story(host, dose) for dose in host.doses]
    return [f"{rule}: {'; '.join(story)}" for rule in broken]
