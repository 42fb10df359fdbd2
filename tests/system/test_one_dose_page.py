"""docs/one-dose.md says what the code does: each function it links is called, in the page's order."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

from mesoinjector import Delivered
from tests.bench_of_one import Bench
from tests.house.rooms import PACKAGES, ROOT

PAGE = ROOT / "docs" / "one-dose.md"
FUNCTION = re.compile(r"\[`([\w.]+)`\]\(\.\./([\w/]+\.py)\)")
LINK = re.compile(r"\]\(([^)#]+)\)")

Call = tuple[str, str]
"""A file below the root, and a function's qualified name."""


def named() -> list[Call]:
    """Functions in the page's order."""
    return [(file, name) for name, file in FUNCTION.findall(PAGE.read_text())]


def calls_of_one_dose(bench: Bench) -> list[Call]:
    """Every call of this project's functions in the second dose of a treatment, in order."""
    injector = bench.ready()
    assert isinstance(injector.dose(volume_ml=0.02, depth_mm=1.0, zone="cheek"), Delivered)
    wanted = {}
    for file, name in named():
        wanted[str(ROOT / file), name] = (file, name)
    made: list[Call] = []

    def note(frame: FrameType, event: str, _: Any) -> None:
        if event == "call":
            call = wanted.get((frame.f_code.co_filename, frame.f_code.co_qualname))
            if call:
                made.append(call)

    sys.setprofile(note)
    try:
        result = injector.dose(volume_ml=0.02, depth_mm=1.0, zone="cheek")
    finally:
        sys.setprofile(None)
    assert isinstance(result, Delivered)
    return made


def test_what_it_links_is_there() -> None:
    missing = [link for link in LINK.findall(PAGE.read_text()) if not (PAGE.parent / link).is_file()]
    assert missing == []


def test_it_names_each_package_on_the_way() -> None:
    files = {file for file, _ in named()}
    for folder in PACKAGES.values():
        assert any(file.startswith(folder) for file in files)


def test_one_dose_calls_what_the_page_says_in_its_order(make_bench: Callable[..., Bench]) -> None:
    made = iter(calls_of_one_dose(make_bench()))
    out_of_order = next((call for call in named() if call not in made), None)
    assert out_of_order is None, f"after what stands before it on the page, one dose does not call {out_of_order}"
