"""The rig of each test, and what tests do with it more than once."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from typing import cast

import pytest

from mesosim.lab.board_conformance import Rig


@pytest.fixture(scope="session")
def make_rig(request: pytest.FixtureRequest) -> Callable[[], Rig]:
    """What makes a rig; one that cannot be imported is said plainly."""
    named: str = request.config.getoption("--mesoinjector-board")
    module, _, function = named.partition(":")
    try:
        return cast(Callable[[], Rig], getattr(importlib.import_module(module), function))
    except (ImportError, AttributeError, ValueError) as error:
        raise pytest.UsageError(f"--mesoinjector-board={named}: {error}. It must be MODULE:FUNCTION.") from None


@pytest.fixture
def rig(make_rig: Callable[[], Rig]) -> Iterator[Rig]:
    """A board that has just started."""
    made = make_rig()
    yield made
    made.close()
