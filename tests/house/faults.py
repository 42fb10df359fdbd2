"""The page of faults: `python -m tests.house.faults` writes docs/faults.md from the catalogue, `--check` looks."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence

from mesosim.lab import catalogue
from mesosim.lab.catalogue import Fault
from mesosim.world import calls, nominal
from tests.house import rooms

PAGE = rooms.ROOT / "docs" / "faults.md"

HEAD = """# Faults

Made from `sim/mesosim/faults.toml` by `python -m tests.house.faults`; do not edit. How to use them: [QA](qa.md).

A fault is called by its name: in a scenario file, from Python, on the command line, or in a device that is served and
in use. Each is tried by `tests/faults`: what is *met* raises its alarm, needle home and nothing pushed, within the
time to hazard; what is *open* does not today, and the test fails when it does; what is *unseen* no sensor can see,
and raises nothing.
"""


def page() -> str:
    """The whole page."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield HEAD
    yield "## Time to hazard\n"
    yield "It counts from when a fault can do harm: its onset, or the start of the dose or run that meets it.\n"
    yield from _table(("hazard", "ms", "because"), [(h.id, str(h.ms), h.because) for h in catalogue.hazards().values()])
    yield "\nHazards in words: [SAFETY](SAFETY.md).\n"
    yield "## By name\n"
    named = list(catalogue.named().values())
    yield from _table(
        ("name", "what", "target", "kinds", "size", "hazard", "ms", "alarm", "state"), [_row(fault) for fault in named]
    )
    yield from _notes("### Open", [(fault.name, fault.note) for fault in named if fault.state == "open"])
    yield from _notes("### Unseen", [(fault.name, fault.why) for fault in named if not fault.detectable])
    yield "\n## Numbers of the plant\n"
    yield (
        "Each number of `sim/mesosim/handpiece.toml` by its own name: kinds step, ramp and intermittent (none sticks: "
        "by itself none changes), tried at the limit of its range that shows most. `-`: nothing is raised and nothing "
        "untrue is said.\n"
    )
    numbers = [fault for fault in catalogue.everything().values() if fault.name in {row[0] for row in nominal.SYMBOLS}]
    yield from _table(
        ("name", "tried at", "hazard", "ms", "alarm", "state"),
        [(f"`{fault.name}`", f"{fault.value:g}", *_row(fault)[5:]) for fault in numbers],
    )
    yield from _notes("### Open numbers", [(fault.name, fault.note) for fault in numbers if fault.state == "open"])
    yield from _notes("### Unseen numbers", [(fault.name, fault.why) for fault in numbers if not fault.detectable])
    yield "\n## Board calls\n"
    yield (
        f"`board.<call>.<kind>`: a call of the Board port goes wrong for {catalogue.BOARD_S:g} s, tried in a dose or "
        "a run. Hazard H-12. In the table: the alarm; `-` nothing is raised and nothing untrue is said; *open*; blank "
        "where the kind does not fit the call.\n"
    )
    family = {fault.name: fault for fault in catalogue.everything().values() if fault.target.startswith("board.")}
    yield from _table(
        ("call", *(kind.replace("_", " ") for kind in calls.KINDS)),
        [(call, *(_cell(family.get(f"board.{call}.{kind}")) for kind in calls.KINDS)) for call, _ in calls.CALLS],
    )
    notes = {(fault.target.removeprefix("board."), fault.note) for fault in family.values() if fault.note}
    yield from _notes("### Open calls", sorted(notes))
    yield "\n## Frames and host\n"
    kinds = sorted({fault.kinds[0] for fault in catalogue.everything().values() if fault.target.startswith("frame.")})
    yield (
        f"`frame.<message>.<kind>`: the next frame of that message, kinds {', '.join(kinds)}; a reply is named after "
        "its request, as in `frame.CommitReply.drop`. No alarm is expected: the host repeats, or asks by the id of the "
        "dose, and the plant moves once.\n"
    )
    yield (
        f"`host.crash.<step>`: the host dies before or after its journal's entry, steps "
        f"{', '.join(catalogue.JOURNAL_STEPS)}; the next host finds out what was given."
    )


def _row(fault: Fault) -> tuple[str, ...]:
    size = "" if fault.value is None else f"{fault.how} {fault.value:g} {fault.unit}".strip()
    alarm = ", ".join(f"{mode}: {alarm or '-'}" for mode, alarm in fault.alarm.items())
    state = fault.state if fault.detectable else "unseen"
    return (
        f"`{fault.name}`",
        fault.title,
        f"`{fault.target}`",
        ", ".join(fault.kinds),
        size,
        fault.hazard,
        str(fault.hazard_ms),
        alarm,
        state,
    )


def _cell(fault: Fault | None) -> str:
    if fault is None:
        return ""
    alarm = next(iter(fault.alarm.values())) or "-"
    return f"{alarm} *open*" if fault.state == "open" else alarm


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(columns)} |"
    yield f"|{'---|' * len(columns)}"
    for row in rows:
        yield f"| {' | '.join(row)} |"


def _notes(title: str, notes: Sequence[tuple[str, str]]) -> Iterator[str]:
    if notes:
        yield f"\n{title}\n"
        for name, note in notes:
            yield f"- `{name}`: {note}"


def main(arguments: list[str]) -> int:
    """Write the page, or say that it is stale."""
    text = page()
    if arguments != ["--check"]:
        PAGE.write_text(text, encoding="utf-8")
    elif not PAGE.is_file() or PAGE.read_text(encoding="utf-8") != text:
        print("docs/faults.md is stale: python -m tests.house.faults", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
