"""The campaign report: one self-contained page, the raw data as CSV beside it, and JUnit XML for a CI server.

Everything is made from a campaign's file of results alone. Of a file with results of several versions of the code, the
one that was begun last is reported.
"""

from __future__ import annotations

from pathlib import Path

from mesosim.lab.report import junit as junit_xml
from mesosim.lab.report import tables
from mesosim.lab.report.page import render
from mesosim.lab.report.reading import Campaign, read

__all__ = ["PAGE", "Campaign", "read", "write"]

PAGE = "report.html"


def write(folder: Path, junit: Path | None = None) -> Path:
    """Write page, raw data and, if asked, JUnit XML; returns the page's path. Raises `ResultsError`, OSError."""
    campaign = read(folder)
    tables.write(campaign.account, folder)
    if junit is not None:
        junit_xml.write(campaign, junit, folder)
    page = folder / PAGE
    page.write_text(render(campaign, folder), encoding="utf-8")
    return page
