"""Two truths of dispensing that the plant must show, whatever a firmware does about them. By the plant alone."""

from __future__ import annotations

import pytest

from mesosim.reference import Phase
from mesosim.world import fluid
from mesosim.world.symbols import Symbols
from tests.sim.fluids import closed_form

PER_STEP_UL = 0.005608
STROKE_S = 1 / 15


def syringe(compliance_nl_per_kpa: float, bore_um: float, length_um: float) -> Symbols:
    """A device of one compliance and needle; the rest nominal."""
    symbols = Symbols()
    symbols.set("syringe.compliance_nl_per_kpa", compliance_nl_per_kpa)
    symbols.set("seal.compliance_nl_per_kpa", 0)
    symbols.set("tube.compliance_nl_per_kpa", 0)
    symbols.set("needle.bore_um", bore_um)
    symbols.set("needle.length_um", length_um)
    return symbols


def time_constant_s(symbols: Symbols) -> float:
    """How long a small pressure takes to fall to 1/e outside the skin, the stopper standing."""
    here = fluid.Fluid(symbols)
    here.pressure_kpa = 0.1
    t = 0
    while here.pressure_kpa > 0.1 / 2.718281828:
        t += 2500
        here.advance(t)
    return t / 25e6


@pytest.mark.parametrize(
    ("bore_um", "length_um", "tau_ms"),
    [(210, 13_000, 136), (159, 13_000, 414), (159, 4_000, 128), (108, 4_000, 599)],
)
def test_pressure_falls_more_slowly_than_a_stroke_lasts(bore_um: float, length_um: float, tau_ms: float) -> None:
    """27G, 30G and 32G in a compliant syringe: 130 to 600 ms, a stroke at 15 Hz has 67."""
    tau = time_constant_s(syringe(500, bore_um, length_um))
    assert tau == pytest.approx(tau_ms / 1000, rel=0.03)
    assert tau > 1.9 * STROKE_S


def left_outside(compliance_nl_per_kpa: float, more: dict[str, float]) -> float:
    """The part of strokes of 20 ul at 15 Hz that misses the skin: 40 ms in it, pushed for 30 of them, 30G x 4 mm."""
    symbols = syringe(compliance_nl_per_kpa, 159, 4000)
    for name, value in {"plunger.top_steps_per_s": 200_000, "plunger.torque_mnm": 200, **more}.items():
        symbols.set(name, value)
    prime = [Phase(1.25, 20 / PER_STEP_UL), Phase(3.0)]
    stroke = [Phase(0.030, 20 / 0.030 / PER_STEP_UL, 1000), Phase(0.010, depth_um=1000), Phase(STROKE_S - 0.040)]
    primed = closed_form(symbols, prime)
    account = closed_form(symbols, prime + 30 * stroke)
    assert account.lost_blocks == 0  # no pressure stops this motor
    return 1 - account.skin_ul / (account.tip_ul - primed.tip_ul)


def test_dispensing_at_fifteen_hertz_leaves_fluid_outside_the_skin() -> None:
    """Nothing is lost, yet two fifths of it and more never were in skin. Kinetic head and dense skin make it worse."""
    laminar = dict.fromkeys(("needle.kinetic", "tissue.resistance_kpa_s_per_ul", "tissue.pressure_kpa"), 0.0)
    laminar["tissue.stiffness_kpa"] = 0
    # by hand, one exponential: tau is 13 ms, then 128 ms
    assert left_outside(50, laminar) == pytest.approx(0.175, abs=0.01)
    assert left_outside(500, laminar) == pytest.approx(0.382, abs=0.01)
    assert left_outside(500, {}) > 0.45


def test_an_occluded_dose_raises_the_pressure_by_little() -> None:
    """20 ul into 0.5 ul/kPa: 40 kPa. A soft syringe's blocked needle looks like a stiff one's open skin."""
    symbols = syringe(500, 159, 4000)
    symbols.set("needle.occlusion", 1_000_000)
    slack_s = 0.6 / (20 / PER_STEP_UL * 0.3125e-3)
    push = [Phase(slack_s, 20 / PER_STEP_UL), Phase(1.0, 20 / PER_STEP_UL)]
    account = closed_form(symbols, push)
    assert account.pressure_kpa == pytest.approx(40, abs=2)
    assert account.tip_ul < 0.1
    flowing = syringe(200, 80, 4000)
    open_needle = closed_form(flowing, [*push[:1], Phase(0.5), Phase(1.0, 20 / PER_STEP_UL, 1000)])
    assert max(open_needle.pressures_kpa) > account.pressure_kpa
    assert open_needle.skin_ul > 5
