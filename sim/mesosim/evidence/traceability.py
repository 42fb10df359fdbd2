"""Traceability: hazards, requirements, code, tests and their last results; threats; bills of materials."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections.abc import Mapping
from pathlib import Path

import mesosim
from mesosim.evidence import requirements, sbom, trace_account
from mesosim.evidence.study import Case, Plot, Row, Rows, Study, Tables
from mesosim.lab.campaign import identity

ROOT = Path(mesosim.__file__).resolve().parents[2]
"""Of the checkout, where this is one."""
RESULTS = Path("build") / "tests.xml"
"""What make test leaves: JUnit XML of its last run."""
NOT_RUN = "not run"
Results = Mapping[tuple[str, str], str]
"""By file and function: passed, failed or skipped; the worst of all parameters."""


def cases(quick: bool, seed: int) -> list[Case]:
    """One; nothing is drawn."""
    return [str(ROOT)]


def run(case: Case) -> Rows:
    """Read the checkout; tables without rows where this is none."""
    root = Path(case)
    if not (root / requirements.DATA).is_file():
        return {}
    packages = {name: identity.folder(name).relative_to(root).as_posix() for name in identity.PACKAGES}
    data, threats, results = requirements.load(root), requirements.threats(root), last_results(root / RESULTS)
    controls: list[Row] = []
    items: list[Row] = []
    tests: list[Row] = []
    marked: dict[str, list[requirements.Marker]] = {}
    for marker in requirements.markers(root):
        for name in marker.ids:
            marked.setdefault(name, []).append(marker)
    for row in data["requirement"]:
        own = [_test(row["id"], one.file, one.test, results) for one in marked.get(row["id"], [])]
        found = [requirements.where(root, name, packages) for name in row["code"]]
        tests += own
        items += [
            {"requirement": row["id"], "item": name, "unit": str(file or ""), "exists": int(file is not None)}
            for name, file in zip(row["code"], found, strict=True)
        ]
        said = [str(one["result"]) for one in own]
        controls += [
            {
                "hazard": hazard["id"],
                "hazard_text": hazard["text"],
                "requirement": row["id"],
                "control": row["text"],
                "state": row["state"],
                "missing": row["note"] if row["state"] != "met" else "",
                "implemented": int(bool(found) and None not in found),
                "tests": len(own),
                **{f"tests_{word.replace(' ', '_')}": said.count(word) for word in trace_account.RESULTS},
                "verified": int(bool(own) and said.count("passed") == len(own)),
            }
            for hazard in data["hazard"]
            if hazard["id"] in row["hazard"]
        ]
    return {
        trace_account.HAZARDS: [{"hazard": row["id"], "text": row["text"]} for row in data["hazard"]],
        trace_account.CONTROLS: controls,
        trace_account.ITEMS: items,
        trace_account.TESTS: tests,
        trace_account.RESIDUAL: [{"text": row["text"]} for row in data["residual"]],
        trace_account.THREATS: _threats(root, threats, results),
        trace_account.PARTS: _parts(),
        trace_account.RUN: _run_of_tests(root / RESULTS),
    }


def _test(requirement: str, file: str, name: str, results: Results) -> Row:
    result = results.get((file, name), NOT_RUN)
    return {"requirement": requirement, "test": f"{file}::{name}", "result": result, "passed": int(result == "passed")}


def _threats(root: Path, model: requirements.Table, results: Results) -> list[Row]:
    found: list[Row] = []
    names = {row["id"]: row["text"] for row in model["interface"]}
    for row in model["threat"]:
        tests = [tuple(test.split("::")) for test in row["tests"]]
        there = [name in requirements.tests_of(root, file) for file, name in tests]
        said = [results.get((file, name), NOT_RUN) for file, name in tests]
        result = trace_account.worst(said) if said else "none"
        found.append(
            {
                "interface": names[row["interface"]],
                "stride": row["stride"],
                "threat": row["text"],
                "control": row["control"],
                "open": row.get("open", ""),
                "tests": " ".join(row["tests"]),
                "answered": int((bool(tests) and all(there)) or bool(not tests and row.get("open"))),
                "result": result,
                "passed": int(result in ("passed", "none")),
            }
        )
    return found


def last_results(path: Path) -> Results:
    """The results of the last run of the tests; none if there was no run."""
    found: dict[tuple[str, str], str] = {}
    if not path.is_file():
        return found
    for case in ElementTree.parse(path).iter("testcase"):
        file = case.get("classname", "").replace(".", "/") + ".py"
        name = case.get("name", "").partition("[")[0]
        bad = case.find("failure") is not None or case.find("error") is not None
        result = "failed" if bad else "skipped" if case.find("skipped") is not None else "passed"
        found[file, name] = trace_account.worst([result, found.get((file, name), result)])
    return found


def _run_of_tests(path: Path) -> list[Row]:
    """When the tests ran whose results are here."""
    if not path.is_file():
        return []
    suites = ElementTree.parse(path).iter("testsuite")
    return [{name: one.get(name, "") for name in ("timestamp", "tests", "failures", "errors")} for one in suites]


def _parts() -> list[Row]:
    """Every component of both bills of materials."""
    found: list[Row] = []
    for bom, name in ((sbom.host(), "host"), (sbom.firmware(), "firmware")):
        for part in sorted(bom.components, key=lambda part: part.name):
            purl = part.purl.to_string() if part.purl else ""
            found.append({"bill": name, "component": part.name, "version": part.version or "", "purl": purl})
    return found


def plots(tables: Tables) -> list[Plot]:
    """None: this is told in tables."""
    return []


STUDY = Study(
    name="trace",
    title="Traceability",
    question="Is there something against every hazard and threat, and does a test show it?",
    method=(
        "Read from the sources: hazards and requirements (tests/requirements.toml), the code that each names, the "
        "tests that are marked with it, and the results of the last make test (build/tests.xml). trace-controls.csv"
        " is in the shape of an ISO 14971 file: hazard, risk control, whether it is implemented, and whether that is "
        "verified; trace-items.csv and trace-tests.csv in that of IEC 62304: requirement, software item and unit, "
        "test and result. What is missing of a requirement that is met only in part is said beside it, in "
        "docs/SAFETY.md, too. Severity, probability and whether a residual risk is acceptable are not judged here: "
        "that is the manufacturer's.\n\n"
        "The threat model has every kind of STRIDE for every interface (tests/threats.toml). The bills of materials "
        "are CycloneDX files beside this document: sbom-host.cdx.json and sbom-firmware.cdx.json. What MicroPython's "
        "own build links in (pico-sdk, TinyUSB, littlefs among it) is not taken apart there, and its version is the "
        "compiler's; the one on a board is read when it is flashed."
    ),
    cases=cases,
    run=run,
    account=trace_account.account,
    plots=plots,
    is_of_checkout=True,
    files=sbom.files,
)
