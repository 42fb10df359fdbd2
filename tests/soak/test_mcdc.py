"""Each condition that `and` or `or` joins in the safety channel, the rules and the ledger decides alone, somewhere."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.judges import mcdc
from tests.summary import TOLD

pytest.importorskip("pymcdc", reason="MC/DC as a second opinion: pip install pymcdc==0.2.6")


def test_mcdc(record_property: Callable[[str, object], None]) -> None:
    conditions, missing = mcdc.lacking()
    record_property(TOLD, [f"mcdc: {conditions - len(missing)} of {conditions} conditions, by pymcdc", *missing])
    assert conditions and not missing
