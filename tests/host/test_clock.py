"""What is said of the device's clock is true within the error that is said with it, whatever the line's delays."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mesoinjector.clock import DRIFT_PPM, DeviceClock

PROBES = st.lists(
    # time since the last probe, delay there, time in the device, delay back: microseconds
    st.tuples(st.integers(0, 60_000_000), st.integers(0, 400_000), st.integers(0, 50_000), st.integers(0, 400_000)),
    min_size=1,
    max_size=12,
)


class Truth:
    """A device's clock that really runs off by a constant `ppm`."""

    def __init__(self, offset_us: int, ppm: int) -> None:
        self.offset_us, self.ppm = offset_us, ppm

    def device(self, host_us: int) -> Fraction:
        return Fraction(host_us) + self.offset_us + Fraction(host_us * self.ppm, 1_000_000)

    def host(self, device_us: int) -> Fraction:
        return (Fraction(device_us) - self.offset_us) / (1 + Fraction(self.ppm, 1_000_000))


@given(PROBES, st.integers(-(10**12), 10**12), st.integers(-DRIFT_PPM + 1, DRIFT_PPM - 1), st.integers(-(10**8), 10**8))
@example([(0, 0, 0, 0)], 0, 0, 0)
@example([(0, 0, 0, 1)], 0, 0, 0)
def test_the_bound_holds(probes: list[tuple[int, int, int, int]], offset_us: int, ppm: int, later_us: int):
    truth, clock = Truth(offset_us, ppm), DeviceClock()
    now = 0
    for passed, there, inside, back in probes:
        sent = now + passed
        taken = sent + there + inside
        now = taken + back
        clock.probe(sent, int(truth.device(taken)), now)
    assert clock.restarts == 0
    said = clock.device_time(now + later_us)
    assert abs(said.time_us - truth.device(now + later_us)) <= said.error_us
    device_us = int(truth.device(now + later_us))
    back_again = clock.host_time(device_us)
    assert abs(back_again.time_us - truth.host(device_us)) <= back_again.error_us + 1
    drift = clock.drift_ppm()
    if drift is not None:
        # the clock's whole microseconds may show as drift over a short time
        blur = Fraction(2_000_000, 1) / max(1, now - probes[0][0])
        assert drift[0] - blur <= ppm <= drift[1] + blur


def test_a_quick_answer_counts_more_than_a_slow_one():
    clock = DeviceClock()
    clock.probe(0, 5_000_200, 400)
    assert clock.device_time(400).error_us <= 202
    clock.probe(1_000_000, 6_020_000, 1_040_000)
    assert clock.device_time(1_040_000).error_us <= 202 + 1_040_000 * DRIFT_PPM // 1_000_000 + 2


def test_it_grows_with_time_by_the_drift_that_crystals_have():
    clock = DeviceClock()
    clock.probe(0, 0, 0)
    assert clock.device_time(10_000_000).error_us == pytest.approx(10 * DRIFT_PPM, abs=2)


def test_a_clock_that_began_anew_is_noticed():
    clock = DeviceClock()
    clock.probe(0, 1_000_000, 100)
    clock.probe(1_000_000, 0, 1_000_100)
    assert clock.restarts == 1 and clock.drift_ppm() is None, "two clocks have no drift between them"
    assert abs(clock.device_time(1_000_100).time_us - 50) <= clock.device_time(1_000_100).error_us


def test_before_the_first_answer_nothing_is_said():
    with pytest.raises(ValueError, match="no device time"):
        DeviceClock().device_time(0)


@pytest.mark.parametrize("ppm", [-150, 150])
def test_it_covers_the_worst_pair_of_crystals(ppm: int):
    """50 ppm is the device's (amendment 25), 100 a usual computer's: figures, not the code's constant."""
    truth, clock = Truth(7_000_000, ppm), DeviceClock()
    clock.probe(0, int(truth.device(0)), 0)
    said = clock.device_time(60_000_000)
    assert abs(said.time_us - truth.device(60_000_000)) <= said.error_us
