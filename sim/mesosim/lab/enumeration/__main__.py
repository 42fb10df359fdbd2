"""The lean process that forks; a tally on stdout.

`python -m mesosim.lab.enumeration WORKLOAD SEED SHARE DRAW PART PARTS`: of the workload on the device of this seed, a
share of each stratum's branches drawn by DRAW, and of these the PART-th of PARTS equal pieces.
"""

import sys

from mesosim.lab.enumeration.branches import Share, enumerate_faults
from mesosim.lab.enumeration.workloads import WORKLOADS


def main(argv: list[str]) -> None:
    """Run one share of one workload's branches."""
    name, seed, share, draw, part, parts = argv
    workload = next(workload for workload in WORKLOADS if workload.name == name)
    tally = enumerate_faults(workload, int(seed), Share(float(share), int(draw), int(part), int(parts)))
    print(tally.dumps())


if __name__ == "__main__":
    main(sys.argv[1:])
