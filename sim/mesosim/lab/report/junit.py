"""JUnit XML: a test suite for each scenario and runtime, a test case for each seed.

Requirement ids, hazard, fault and seed are properties of the test case; the command that plays it again is in the
failure's text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

from mesosim.lab.campaign import replay
from mesosim.lab.campaign.results import Result
from mesosim.lab.report.reading import Campaign

NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML 1.0 has not."""


def write(campaign: Campaign, path: Path, folder: Path) -> None:
    """Write `path`. Raises OSError."""
    account = campaign.account
    totals = _totals(account.results)
    root = ElementTree.Element("testsuites", {"name": "mesoinjector sim campaign", **totals})
    for name, runtime, results in account.scenarios():
        said = {"name": f"{name} on {runtime}", "timestamp": campaign.begun[-1]["utc"][:19]}
        suite = ElementTree.SubElement(root, "testsuite", {**said, **_totals(results)})
        _properties(suite, [("package", campaign.package), ("commit", campaign.begun[-1]["commit"])])
        for result in results:
            _case(suite, result, folder)
    ElementTree.indent(root)
    path.write_bytes(ElementTree.tostring(root, encoding="utf-8", xml_declaration=True))


def _case(suite: ElementTree.Element, result: Result, folder: Path) -> None:
    outcome = result.outcome
    case = ElementTree.SubElement(
        suite,
        "testcase",
        classname=f"mesosim.{outcome.scenario}",
        name=f"{outcome.scenario}[{result.key.runtime}-seed={result.key.seed}]",
        time=_seconds([result]),
    )
    _properties(case, _said(result))
    if not outcome.passed:
        failure = ElementTree.SubElement(case, "failure", type="finding", message=_clean(outcome.findings[0]))
        failure.text = _clean("\n".join([*outcome.findings, f"replay: {replay.command(result, folder)}"]))


def _said(result: Result) -> Iterator[tuple[str, str]]:
    outcome = result.outcome
    yield "seed", str(result.key.seed)
    yield from (("requirement", name) for name in outcome.requirements)
    said = (
        ("hazard", outcome.hazard),
        ("fault", outcome.fault),
        ("alarm", outcome.alarm),
        ("trace_sha256", outcome.trace_sha256),
    )
    yield from ((name, value) for name, value in said if value)


def _properties(parent: ElementTree.Element, properties: Iterator[tuple[str, str]] | list[tuple[str, str]]) -> None:
    inside = ElementTree.SubElement(parent, "properties")
    for name, value in properties:
        ElementTree.SubElement(inside, "property", name=name, value=_clean(value))


def _totals(results: list[Result]) -> dict[str, str]:
    failures = sum(not result.outcome.passed for result in results)
    counts = {"tests": len(results), "failures": failures, "errors": 0, "skipped": 0}
    return {**{name: str(count) for name, count in counts.items()}, "time": _seconds(results)}


def _seconds(results: list[Result]) -> str:
    return f"{sum(result.wall_ms for result in results) / 1000:.3f}"


def _clean(text: str) -> str:
    return NOT_XML.sub("?", text)
