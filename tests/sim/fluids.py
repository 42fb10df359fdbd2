"""The plant's own fluid, taken through the phases of the fixed-step reference."""

from __future__ import annotations

from mesosim.reference import Account, Phase
from mesosim.world import fluid
from mesosim.world.symbols import Symbols

TICKS_A_S = 25_000_000
LOOK_S = 0.02
"""How often a firmware looks at the pressure: steps end there."""


def closed_form(symbols: Symbols, phases: list[Phase], look_s: float = LOOK_S) -> Account:
    """The same account by `mesosim.world.fluid`; `pressures_kpa` every `look_s`."""
    account = Account()
    here = fluid.Fluid(symbols)

    def note(t: int, kind: int) -> None:
        (account.slips_s if kind == fluid.SLIP else account.losses_s).append(t / TICKS_A_S)

    here.on_event = note
    t = 0
    for phase in phases:
        if phase.depth_um is not None:
            here.move_in_skin(t, phase.depth_um)
        elif here.in_skin:
            here.leave_skin(t)
        here.set_rate(phase.steps_per_s)
        end = t + round(phase.duration_s * TICKS_A_S)
        while t < end:
            t = min(t + round(look_s * TICKS_A_S), end)
            here.advance(t)
            account.pressures_kpa.append(here.pressure_kpa)
    account.tip_ul, account.skin_ul, account.pressure_kpa = here.tip_ul, here.skin_ul, here.pressure_kpa
    account.lost_blocks = here.plunger.lost_blocks
    return account


def dose(volume_ul: float, flow_ul_s: float, depth_um: float, settle_s: float = 0.8) -> list[Phase]:
    """A prime of 25 ul in the air at 20 ul/s, then one dose in skin, and the needle out."""
    per_step = 0.005608
    return [
        Phase(1.25, 20 / per_step),
        Phase(1.0),
        Phase(0.2, depth_um=depth_um),
        Phase(round(volume_ul / flow_ul_s, 3), flow_ul_s / per_step, depth_um),
        Phase(settle_s, depth_um=depth_um),
        Phase(0.5),
    ]
