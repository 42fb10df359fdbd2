"""Power cuts at every write to the store: before it, torn at a byte, after it; and cuts in the recovery of a cut.

Power comes back 100 ms later. Then the oracle holds, the ledger is not corrupt and remembers treatment and keys, and
the bounds that it gives contain what the plant has given.

`python -m mesosim.lab.enumeration.cuts WORKLOAD SEED DEEP EVERY PART PARTS`: DEEP cuts of one run, torn at every byte
or (EVERY = 0) in the middle; of the first cut's places the PART-th of PARTS equal pieces. Prints branches and findings.
"""

from __future__ import annotations

import gc
import json
import subprocess
import sys
from typing import Any

from mesoprotocol import messages, wire
from mesosim.lab.enumeration import workloads
from mesosim.lab.enumeration.branches import Fork, play_on
from mesosim.lab.enumeration.host import Host, Unexpected
from mesosim.lab.enumeration.workloads import Workload


def _provision(host: Host) -> None:
    """Keys are set, each acknowledged before the next; from the service's on the device must know that it has some."""
    host.do(messages.Provision(*workloads.SERVICE))
    host.key = workloads.SERVICE
    host.open()
    host.do(messages.Provision(*workloads.OPERATOR))


WORKLOADS = (*workloads.WORKLOADS, Workload("provision", "two keys", workloads._opened, _provision))


def tears(n: int, every: bool) -> list[int]:
    """How many of n bytes are written before the power goes."""
    return list(range(n + 1)) if every else [0, n // 2, n]


class Cutter:
    """One process of the tree: it forks at each write of its own."""

    def __init__(self, host: Host, deep: int, every: bool, part: int, parts: int) -> None:
        self._host = host
        self._deep = deep
        self._every = every
        self._part, self._parts = part, parts
        self._writes = 0
        self._place = ""
        self._fork: Fork | None = None
        self.branches = 0
        self.found: list[str] = []

    def watch(self, name: str, args: tuple[Any, ...]) -> None:
        """Before a Board call: if it is a write, cut the power there in children."""
        if name != "store.write":
            return
        self._writes += 1
        mine = self._fork is not None or self._writes % self._parts == self._part
        n = args[2]
        for at in tears(n, self._every) if mine else ():
            fork = Fork()
            said = fork.split()
            if said is None:
                self._become(fork, f"{self._place} write {self._writes} cut after {at} of {n} bytes", at)
                return
            if said[0].isdigit():
                self.branches += int(said[0])
                self.found += said[1:]
            else:
                self.branches += 1
                self.found.append(f"{said[0]}: {self._place} write {self._writes} cut after {at} of {n} bytes")

    def _become(self, fork: Fork, place: str, at: int) -> None:
        """This process is a child now."""
        self._fork, self._place = fork, place
        self._deep -= 1
        self._writes = 0
        self.branches, self.found = 1, []
        meddled = self._host.world.meddle()
        meddled.add("store.write", "reset", 0, 1, at)
        if self._deep == 0:
            meddled.watch = None

    def end(self, broken: list[str]) -> None:
        """Take in what this process's own branch has broken; a child ends here."""
        self.found += [f"{rule}:{self._place}" for rule in broken]
        if self._fork:
            self._fork.end([str(self.branches), *self.found])


def cut(workload: Workload, seed: int, deep: int, every: bool, part: int = 0, parts: int = 1) -> Cutter:
    """Run a workload with every cut; its `branches` and `found`."""
    host = workloads.begin(seed)
    workload.ready(host)
    cutter = Cutter(host, deep, every, part, parts)
    host.world.meddle().watch = cutter.watch
    gc.freeze()
    try:
        broken = [*play_on(workload.run, host), *_forgotten(host)]
    except Exception as error:
        broken = [f"dies: {error!r}"]
    cutter.end(broken)
    return cutter


def _forgotten(host: Host) -> list[str]:
    """What the device must still know: it was told so before, and has said that it knows."""
    try:
        hello = host.open()
    except Unexpected as error:
        return [f"memory: nobody can open the device: {error}"]
    broken = []
    if hello.latches & wire.LATCH_LEDGER_CORRUPT:
        broken.append("memory: the ledger is corrupt")
    if hello.treatment != 1:
        broken.append("memory: the treatment is forgotten")
    if host.key and not hello.capabilities & wire.CAPABILITY_KEYED:
        broken.append("memory: the keys are forgotten")
    return broken


def run(workload: str, seed: int, deep: int, every: bool, part: int = 0, parts: int = 1) -> tuple[int, list[str]]:
    """The same in a lean process of its own: branches and findings."""
    command = [sys.executable, "-m", __spec__.name, workload, *map(str, (seed, deep, int(every), part, parts))]
    worker = subprocess.run(command, capture_output=True, text=True, check=False)
    if worker.returncode:
        raise RuntimeError(f"{' '.join(command)}: exit code {worker.returncode}: {worker.stderr.strip()}")
    branches, found = json.loads(worker.stdout)
    return branches, found


def main(argv: list[str]) -> None:
    """See above."""
    workload = next(workload for workload in WORKLOADS if workload.name == argv[0])
    seed, deep, every, part, parts = map(int, argv[1:])
    cutter = cut(workload, seed, deep, bool(every), part, parts)
    print(json.dumps([cutter.branches, cutter.found]))


if __name__ == "__main__":
    main(sys.argv[1:])
