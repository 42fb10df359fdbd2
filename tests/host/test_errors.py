"""The tree of errors, where it is written down, is the classes' own."""

from __future__ import annotations

import re

import pytest

from mesoinjector import errors
from tests.house.rooms import ROOT


def drawn(text: str) -> dict[str, str]:
    """Each error and what it is drawn under."""
    start = text.index("MesoError\n+-- ")
    path: list[str] = []
    found = {}
    for line in text[start:].split("```", maxsplit=1)[0].rstrip().splitlines():
        bars, name = re.match(r"((?:\||\+--|    | )*)(\w+)", line).groups()
        del path[len(bars) // 4 :]
        found[name] = path[-1] if path else ""
        path.append(name)
    return found


def defined() -> dict[str, str]:
    classes = [each for each in vars(errors).values() if isinstance(each, type) and issubclass(each, errors.MesoError)]
    return {each.__name__: "" if each is errors.MesoError else each.__bases__[0].__name__ for each in classes}


@pytest.mark.parametrize("place", ["errors.py", "clinic-developer.md"])
def test_the_tree_is_the_classes_own(place: str) -> None:
    page = (ROOT / "docs" / "clinic-developer.md").read_text()
    said = re.sub("^    ", "", errors.__doc__ or "", flags=re.M) if place == "errors.py" else page
    assert drawn(said) == defined()
