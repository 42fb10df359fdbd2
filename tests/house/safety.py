"""Hazards, requirements and evidence: `python -m tests.house.safety` writes docs/SAFETY.md, `--check` looks.

Requirements stand in tests/requirements.toml, evidence is what tests say of themselves, by
`@pytest.mark.requirement("SR-25", ...)`. Both modes exit 1 when the two do not fit: see `findings`.
"""

import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

from mesosim.evidence import requirements
from mesosim.evidence.requirements import DATA, Marker, Table, load, markers
from tests.house import rooms

PAGE = Path("docs") / "SAFETY.md"
SURVIVORS = Path("tests") / "judges" / "survivors.toml"
STATES = ("met", "partly", "open")
KEYS = {"id", "text", "hazard", "code", "state", "note"}


def findings(root: Path) -> list[str]:
    """What does not fit between requirements, code and tests."""
    data, marked = load(root), markers(root)
    ids = [row["id"] for row in data["requirement"]]
    hazards = {row["id"] for row in data["hazard"]}
    tested = {name for marker in marked if not marker.fault for name in marker.ids}
    found = [f"{m.file}:{m.line}: the marker {m.fault}" for m in marked if m.fault]
    for m in marked:
        found += [f"{m.file}:{m.line}: there is no requirement {name}" for name in m.ids if name not in ids]
    for row in data["requirement"]:
        found += [f"{DATA}: {row['id']}: {fault}" for fault in _faults(root, row, hazards, tested)]
    found += [f"{DATA}: {name}: twice" for name in sorted({name for name in ids if ids.count(name) > 1})]
    named = {name for row in data["requirement"] for name in row["hazard"]}
    found += [f"{DATA}: {name}: no requirement guards against it" for name in sorted(hazards - named)]
    return found


def _faults(root: Path, row: Table, hazards: set[str], tested: set[str]) -> Iterator[str]:
    if row.keys() != KEYS:
        yield f"keys must be {', '.join(sorted(KEYS))}"
        return
    if row["state"] not in STATES:
        yield f"state {row['state']!r} must be one of {', '.join(STATES)}"
    elif row["state"] != "open" and row["id"] not in tested:
        yield f'is "{row["state"]}", and no test is marked with it'
    elif row["state"] != "open" and not row["code"]:
        yield f'is "{row["state"]}", and names no code'
    elif row["state"] == "partly" and not row["note"]:
        yield 'is "partly", and does not say what is missing'
    yield from (f"there is no hazard {name}" for name in row["hazard"] if name not in hazards)
    if not row["hazard"]:
        yield "names no hazard"
    yield from (f"there is no {name}" for name in row["code"] if not exists(root, name))


def exists(root: Path, name: str) -> bool:
    """Whether `package.module[.Class[.method]]` is defined in this tree."""
    return where(root, name) is not None


def where(root: Path, name: str) -> Path | None:
    """The file that defines `package.module[.Class[.method]]`, relative to the root; None if none does."""
    return requirements.where(root, name, rooms.PACKAGES)


def page(root: Path) -> str:
    """docs/SAFETY.md."""
    data = load(root)
    tests: dict[str, list[Marker]] = {}
    for marker in markers(root):
        for name in marker.ids:
            tests.setdefault(name, []).append(marker)
    rows = data["requirement"]
    count = {state: sum(row["state"] == state for row in rows) for state in STATES}
    lines = [
        "# Safety: hazards, requirements, evidence",
        "",
        "For whoever judges what this software may be trusted with. Generated from",
        "`tests/requirements.toml` and from the tests' own markers by",
        "`python -m tests.house.safety`; do not edit.",
        "",
        "This is a first cut and no medical device. All evidence is from the simulated board. A",
        "requirement is *met* when the code does it there and a named test fails when that code is broken,",
        "*partly* when something of it is missing, and *open* when it is not there or nothing shows it.",
        "",
        f"{len(rows)} requirements: {count['met']} met, {count['partly']} partly, {count['open']} open.",
        "",
        "## Hazards",
        "",
        "| id | hazard | requirements |",
        "|---|---|---|",
    ]
    for hazard in data["hazard"]:
        named = ", ".join(_link(row["id"]) for row in rows if hazard["id"] in row["hazard"])
        lines.append(f"| {hazard['id']} | {hazard['text']} | {named} |")
    lines += ["", "## Requirements at a glance", "", "| id | state | hazards | tests |", "|---|---|---|---|"]
    for row in rows:
        number = len(tests.get(row["id"], []))
        lines.append(f"| {_link(row['id'])} | {row['state']} | {', '.join(row['hazard'])} | {number or '-'} |")
    lines += ["", "## Requirements and evidence"]
    for row in rows:
        lines += [
            "",
            f"### {row['id']}",
            "",
            f"{row['text']}",
            "",
            f"**{row['state'].capitalize()}.** {row['note']}".rstrip(),
        ]
        if row["code"]:
            lines += ["", "Code: " + ", ".join(_code(root, name) for name in row["code"]) + "."]
        if row["id"] in tests:
            lines += ["", "Tests:", ""]
            lines += [f"- [`{m.test}`](../{m.file})" for m in tests[row["id"]]]
    lines += ["", "## Residual risks", "", *(f"- {row['text']}" for row in data["residual"])]
    lines += [
        "",
        "## What the simulator's plant does not model yet",
        "",
        "A test on the plant can show nothing about these:",
        "",
        *(f"- {row['text']}" for row in data["unmodelled"]),
        "",
        *_survivors(root),
    ]
    return "\n".join(lines)


def _survivors(root: Path) -> list[str]:
    """Small mistakes in the safety channel, the limits and the ledger that no test finds, and why."""
    file = root / SURVIVORS
    rows = tomllib.loads(file.read_text(encoding="utf-8")).get("survivor", []) if file.exists() else []
    if not rows:
        return []
    lines = ["## Mutants that survive", "", "Small mistakes that no test finds, and why that is no fault:", ""]
    return [*lines, *(f"- `{row['name']}`: {row['because']}" for row in rows), ""]


def _link(name: str) -> str:
    return f"[{name}](#{name.lower()})"


def _code(root: Path, name: str) -> str:
    file = where(root, name)
    return f"[`{name}`](../{file.as_posix()})" if file else f"`{name}`"


def main(argv: list[str], root: Path = rooms.ROOT) -> int:
    """Write or check the page; the exit code."""
    faults = findings(root)
    text = page(root)
    path = root / PAGE
    if "--check" not in argv:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    elif not path.exists() or path.read_text(encoding="utf-8") != text:
        faults.append(f"{PAGE}: stale; run `python -m tests.house.safety` and commit what it writes")
    print(*faults, sep="\n", end="\n" if faults else "", file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
