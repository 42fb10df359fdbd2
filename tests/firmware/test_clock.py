"""Long time out of the tick that wraps, and milliseconds that lose nothing."""

import pytest

from mesofirmware.clock import FOREVER, Clock
from mesoprotocol import tick

HALF, FULL = 1 << 29, 1 << 30


def test_no_microsecond_is_lost_over_many_wraps() -> None:
    clock = Clock(FULL - 1_500)
    us = 0
    for passed in [999, 1, 1_001, 333, 0, FOREVER, HALF - 1] * 20:
        us += passed
        clock.update(tick.add(clock.now, passed))
        assert clock.pair[0] * FULL + clock.pair[1] == FULL - 1_500 + us
        assert clock.ms == us // 1000 % FULL


@pytest.mark.parametrize("back", [1, HALF])
def test_time_does_not_go_backwards(back: int) -> None:
    """The board restarts by it: nothing that was measured with such a clock is to be relied upon."""
    clock = Clock(100)
    with pytest.raises(ValueError, match="backwards"):
        clock.update((100 - back) & (FULL - 1))
    assert (clock.pair, clock.ms) == ([0, 100], 0)
