"""A session and its report: `session_with_report.py SESSION.toml [DEVICE]`."""

import sys
from pathlib import Path

from mesoinjector import Injector, PlanError, Treatment, sessions
from mesoinjector.report import write_report
from mesoinjector.treatment import Progress


def show(step: Progress) -> None:
    print(f"{step.done}/{step.total} {step.what}")


def main(file: str, device: str = "sim://") -> None:
    try:
        session, plan = sessions.read(Path(file))  # every fault at once, and nothing was sent
    except PlanError as error:
        sys.exit(str(error))
    with Injector.open(device, Path("journal.sqlite")) as injector:
        treatment = Treatment(injector, plan, show, session)
        for warning in treatment.warnings:
            print("warning:", warning)
        try:
            as_asked = treatment.run()
        finally:
            write_report(treatment.record, Path("treatment.html"))
    print("as asked" if as_asked else "ended early", "- see treatment.html")


if __name__ == "__main__":
    main(*sys.argv[1:])
