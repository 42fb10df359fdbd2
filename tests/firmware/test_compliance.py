"""The compliance from an exact exponential fall, also in integers that refuse to be larger than the board's."""

from __future__ import annotations

import math

import pytest

from mesofirmware.compliance import LOOK_US, Measurement
from tests.small import Small


class Falling:
    """What a syringe's pressure would be; Pa."""

    def __init__(self) -> None:
        self.pa = 0.0

    def stored_pa(self) -> int:
        return Small(round(self.pa))


def measured(nl_per_kpa: int, resistance: int, rest_pa: float) -> int:
    """20 ul/s through a resistance in Pa.s/ul, which stop."""
    volume, measurement = Falling(), Measurement()
    flow_pa = 20.0 * resistance
    volume.pa = flow_pa + rest_pa
    for _ in range(10):
        measurement.flow(volume)
    measurement.stop(Small(1_000))
    tau_us = resistance * nl_per_kpa
    for at in range(0, 600_001, LOOK_US):
        volume.pa = rest_pa + flow_pa * math.exp(-at / tau_us)
        measurement.fall(Small(1_000 + at), volume)
    return measurement.result(Small(20_000))


@pytest.mark.requirement("SR-08")
@pytest.mark.parametrize("rest_pa", [0.0, 400.0])
@pytest.mark.parametrize(("nl_per_kpa", "resistance"), [(100, 255), (200, 255), (300, 255), (200, 350), (50, 1500)])
def test_a_fall_without_kinetic_loss(nl_per_kpa: int, resistance: int, rest_pa: float) -> None:
    """The result is a twelfth more: what a kinetic loss would have taken."""
    assert measured(nl_per_kpa, resistance, rest_pa) == pytest.approx(nl_per_kpa * 12 / 11, rel=0.06)


def test_nothing_is_measured_without_flow() -> None:
    assert Measurement().result(20_000) == 0
    assert measured(200, 20, 0.0) == 0
