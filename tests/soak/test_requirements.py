"""Each safety requirement that is met, wholly or partly: with a mistake against it, a test that bears its id is red."""

from __future__ import annotations

from collections.abc import Callable

from tests.judges import mistakes
from tests.soak.parts import Soaked, Wrong, soak
from tests.summary import TOLD


def some(part: str) -> str:
    """The test that has found the mistake against one requirement."""
    found = mistakes.found_by(part)
    if not found:
        raise Wrong(f"no mistake against {part} that a test marked with it finds")
    return found


def test_requirements(
    until: float, judge: Callable[[Soaked], None], record_property: Callable[[str, object], None]
) -> None:
    soaked = soak("requirements", mistakes.requirements(), some, until)
    lines = [f"{name}: {found}" for name, found in soaked.results.items()]
    record_property(TOLD, ["requirements: a test that a mistake turns red", *lines])
    judge(soaked)
