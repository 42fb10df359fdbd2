"""Prints what the schedules of a whole test run have hit, whichever process played them."""

from __future__ import annotations

import pytest

from tests.schedules.tally import PROPERTY, Tally


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Add up the tallies that the parts have reported."""
    total = Tally()
    planted = []
    for outcome in ("passed", "failed"):
        for report in terminalreporter.stats.get(outcome, []):
            for name, plain in report.user_properties:
                if name == PROPERTY:
                    total.add(Tally.of(plain))
                elif name == "planted":
                    planted.append(plain)
    if total.schedules:
        terminalreporter.section("schedules: hits of each message and fault")
        for line in (*total.lines(), *planted):
            terminalreporter.line(line)
