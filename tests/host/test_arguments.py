"""What people pass by mistake: refused before anything is noted or sent, and the next dose is not hindered."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from mesoinjector import Delivered, PlanError
from tests.bench_of_one import Bench

DOSE: dict[str, Any] = {"volume_ml": 0.02, "depth_mm": 1.0, "zone": "cheek"}
RUN: dict[str, Any] = {"strokes": 100, "depth_mm": 1.0, "zone": "cheek", "area_cm2": 40}


@pytest.mark.parametrize(
    ("call", "arguments", "words"),
    [
        ("dose", DOSE | {"volume_ml": 0.5}, "volume_ml = 0.5: must be 0.02 to 0.1 ml in zone cheek"),
        ("dose", DOSE | {"volume_ml": "0.02"}, "volume_ml = '0.02': must be a number"),
        ("dose", DOSE | {"volume_ml": None}, "volume_ml = None: must be a number"),
        ("dose", DOSE | {"volume_ml": float("nan")}, "volume_ml = nan: must be 0.02 to 0.1 ml"),
        ("dose", DOSE | {"depth_mm": 3.0}, "depth_mm = 3.0: must be 0.5 to 2 mm in zone cheek"),
        ("dose", DOSE | {"zone": "elbow"}, "zone 'elbow' is not known"),
        ("dose", DOSE | {"point": 1.5}, "point = 1.5: must be a whole number"),
        ("dose", DOSE | {"profile": "none"}, "profile 'none' is not known"),
        ("fractional", RUN | {"strokes": 10.5}, "strokes = 10.5: must be a whole number"),
        ("fractional", RUN | {"rate_per_min": 5000}, "rate_per_min = 5000: must be 60 to 1800"),
        ("fractional", RUN | {"needles": True}, "needles = True: must be a number"),
        ("fractional", RUN | {"strokes": 2000}, "at most 20 %"),
    ],
)
def test_wrong_arguments(call: str, arguments: dict[str, Any], words: str, make_bench: Callable[..., Bench]) -> None:
    bench = make_bench()
    injector = bench.ready()
    before = injector.journal.entries()
    with pytest.raises(PlanError, match=words.replace(".", r"\.").replace("(", r"\(")):
        getattr(injector, call)(**arguments)
    assert injector.journal.entries() == before
    assert isinstance(injector.dose(**DOSE), Delivered)
