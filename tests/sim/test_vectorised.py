"""The numpy twin against the scalar plant: many specimens at once, each to 1e-9."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mesosim import handpiece
from mesosim.vectorised import Fluids
from mesosim.world.symbols import Symbols
from tests.sim.fluids import closed_form, dose

REFERENCE = handpiece.load()
NAMES = list(REFERENCE.symbols)

SPREAD = st.fixed_dictionaries(
    {
        "bubble.volume_nl": st.sampled_from([0.0, 5_000.0]),
        "seal.leak_nl_per_s_per_kpa": st.sampled_from([0.0, 20.0]),
        "fluid.viscosity_mpa_s": st.sampled_from([1.0, 8.0]),
        "fluid.relaxation_ms": st.sampled_from([0.0, 1.0]),
        "fluid.shear_index": st.sampled_from([1.0, 0.5]),
        "plunger.break_n": st.floats(2.4, 8.0).map(lambda x: round(x, 3)),
        "needle.occlusion": st.sampled_from([1.0, 1.0, 30.0]),
        "plunger.torque_mnm": st.sampled_from([12.0, 5.5]),
    }
)


@given(seed=st.integers(0, 10**6), more=st.lists(SPREAD, min_size=2, max_size=5), flow=st.sampled_from([4.0, 20.0]))
@settings(max_examples=5, deadline=None)
def test_lanes_are_the_scalar_plants(seed: int, more: list[dict[str, float]], flow: float) -> None:
    n = len(more)
    devices = [Symbols(REFERENCE.drawn(seed + i)) for i in range(n)]
    for device, values in zip(devices, more, strict=True):
        for name, value in values.items():
            device.set(name, value)
    phases = [dose(20 + 7 * i, flow, 700 + 300 * i, 0.3 + 0.1 * i) for i in range(n)]
    twin = Fluids(n, {name: np.array([device.get(name) for device in devices]) for name in NAMES})
    for step in zip(*phases, strict=True):
        twin.move(step[0].depth_um is not None, np.array([phase.depth_um or 0.0 for phase in step]))
        twin.set_rate(np.array([phase.steps_per_s for phase in step]))
        twin.advance(np.array([round(phase.duration_s * 25e6) / 25e6 for phase in step]))
    for i in range(n):
        alone = closed_form(devices[i], phases[i], look_s=100.0)
        assert twin.tip_ul[i] == pytest.approx(alone.tip_ul, rel=1e-9, abs=1e-9)
        assert twin.skin_ul[i] == pytest.approx(alone.skin_ul, rel=1e-9, abs=1e-9)
        assert twin.pressure_kpa[i] == pytest.approx(alone.pressure_kpa, rel=1e-6, abs=1e-9)
        assert twin.lost_blocks[i] == alone.lost_blocks
        assert twin.slips[i] == len(alone.slips_s)


def test_another_name_is_no_symbol() -> None:
    with pytest.raises(KeyError, match=r"needle\.colour: no such symbol"):
        Fluids(3, {"needle.colour": 1.0})
