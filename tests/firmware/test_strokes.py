"""SR-31's judgement of strokes: three bad in a row, or more than three of the last three hundred."""

import struct

import pytest

from mesofirmware.strokes import RECORD, STEADY, Strokes


def judged(bad: str) -> bool:
    """What is said of strokes written as `.` and `x`, bad."""
    strokes = Strokes()
    strokes.clear()
    for mark in bad:
        strokes.add(66_667, 1_000, True, mark == "x")
    return strokes.too_many_bad()


@pytest.mark.requirement("SR-31")
@pytest.mark.parametrize(
    ("bad", "stops"),
    [
        ("", False),
        ("xx", False),
        ("xxx", True),
        ("xx.x", False),
        ("." * 400 + "xx", False),
        ("." * 400 + "xxx", True),
        ("x.x.x", False),
        ("x.x.x.x", True),
        ("x" + "." * 298 + "x", False),
        # four, the first of which has just left the window, or has not
        ("x.x.x" + "." * 295 + "x", False),
        ("x.x.x" + "." * 294 + "x", True),
        # long after: what left the window does not come back
        (("x" + "." * 99) * 12, False),
        (("x" + "." * 74) * 8, True),
    ],
)
def test_which_strokes_stop_a_run(bad: str, stops: bool) -> None:
    assert judged(bad) == stops


@pytest.mark.parametrize(("depth_um", "kept"), [(-1, 0), (0, 0), (0xFFFF, 0xFFFF), (0x10000, 0xFFFF)])
def test_a_depth_that_no_record_bears_is_kept_as_the_nearest(depth_um: int, kept: int) -> None:
    strokes = Strokes()
    strokes.add(66_667, depth_um, True, False)
    record = bytearray(RECORD)
    strokes.copy(0, 1, record)
    assert record == struct.pack("<IHB", 66_667, kept, STEADY)
