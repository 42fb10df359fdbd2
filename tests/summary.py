"""Prints what the long tests of a whole run have found, whichever process ran them.

A test says `record_property(TOLD, [title, line, ...])`; the schedules' tallies are added up.
"""

from __future__ import annotations

import pytest

from tests.schedules.tally import PROPERTY, Tally

TOLD = "told"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What the parts have reported, by title."""
    total = Tally()
    told: dict[str, list[str]] = {}
    for outcome in ("passed", "failed"):
        for report in terminalreporter.stats.get(outcome, []):
            for name, value in report.user_properties:
                if name == PROPERTY:
                    total.add(Tally.of(value))
                elif name == TOLD:
                    title, *lines = value
                    told.setdefault(title, []).extend(lines)
    if total.schedules:
        told["schedules: hits of each message and fault"] = list(total.lines())
    for title in sorted(told):
        terminalreporter.section(title)
        for line in told[title]:
            terminalreporter.line(line)
