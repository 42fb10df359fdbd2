"""The page of faults: `python -m tests.house.faults` writes docs/faults.md from the catalogue, `--check` looks."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence

from mesosim.lab import catalogue
from mesosim.lab.catalogue import Fault, Mode
from mesosim.world import calls, nominal
from tests.house import rooms

PAGE = rooms.ROOT / "docs" / "faults.md"

HEAD = """# Faults

Made from `sim/mesosim/faults.toml` by `python -m tests.house.faults`; do not edit. How to use them: [QA](qa.md).

A fault is called by its name: in a scenario file, from Python, on the command line, or in a device that is served and
in use. Each is tried by `tests/faults`, a named one in a prime, in a dose and in a run: what is *met* raises its alarm,
needle home and nothing pushed, within the time to hazard; what is *open* does not today, and the test fails when it
does; what is *unseen* no sensor can see, and raises nothing; what is *harmless* is to raise nothing, and what is told
of volumes and strokes stays true. A mode that has no entry is played and not judged, and the command and the report
say so.
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
        ("name", "what", "target", "kinds", "size", "hazard", "ms", *catalogue.MODES),
        [(*_row(fault), *(_cell(fault, mode) for mode in catalogue.MODES)) for fault in named],
    )
    yield from _reasons("###", named)
    yield "\n## Numbers of the plant\n"
    yield (
        "Each number of `sim/mesosim/handpiece.toml` by its own name: kinds step, ramp and intermittent (none sticks: "
        "by itself none changes), tried at the limit of its range that shows most. `-`: nothing is raised and nothing "
        "untrue is said.\n"
    )
    numbers = [fault for fault in catalogue.everything().values() if fault.name in {row[0] for row in nominal.SYMBOLS}]
    yield from _table(
        ("name", "tried at", "hazard", "ms", "alarm", "state"),
        [
            (f"`{fault.name}`", f"{fault.value:g}", *_row(fault)[5:], f"{mode}: {alarm or '-'}", fault.state(mode))
            for fault in numbers
            for mode, alarm in fault.alarm.items()
        ],
    )
    yield from _reasons("### Numbers:", numbers)
    yield "\n## Board calls\n"
    yield (
        f"`board.<call>.<kind>`: a call of the Board port goes wrong for {catalogue.BOARD_S:g} s, tried in a dose or "
        "a run. Hazard H-12. In the table: the alarm; `-` nothing is raised and nothing untrue is said; *open*; blank "
        "where the kind does not fit the call.\n"
    )
    family = {fault.name: fault for fault in catalogue.everything().values() if fault.target.startswith("board.")}
    yield from _table(
        ("call", *(kind.replace("_", " ") for kind in calls.KINDS)),
        [(call, *(_only_cell(family.get(f"board.{call}.{kind}")) for kind in calls.KINDS)) for call, _ in calls.CALLS],
    )
    yield from _reasons("### Calls:", list(family.values()))
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
    return (
        f"`{fault.name}`",
        fault.title,
        f"`{fault.target}`",
        ", ".join(fault.kinds),
        size,
        fault.hazard,
        str(fault.hazard_ms),
    )


def _cell(fault: Fault, mode: Mode) -> str:
    state = fault.state(mode)
    return f"{fault.alarm[mode] or '-'} *{state}*" if state in ("open", "unseen") else fault.alarm[mode] or "-"


def _only_cell(fault: Fault | None) -> str:
    """Of one that is tried in a single mode."""
    return _cell(fault, next(iter(fault.alarm))) if fault else ""


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(columns)} |"
    yield f"|{'---|' * len(columns)}"
    for row in rows:
        yield f"| {' | '.join(row)} |"


def _reasons(title: str, found: Sequence[Fault]) -> Iterator[str]:
    """Each state that has reasons; those that share one together."""
    for state in ("open", "unseen", "harmless"):
        alike: dict[str, list[str]] = {}
        for fault in found:
            for mode in fault.alarm:
                if fault.state(mode) == state:
                    alike.setdefault(fault.reason(mode), []).append(f"`{fault.name}` in a {mode}")
        if alike:
            yield f"\n{title} {state}\n"
        for reason, names in alike.items():
            yield f"- {reason}: {', '.join(names)}"


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
