"""The accuracy of a board on the line's bench scale: doses into its vessel, weighed, held against a limit.

The ordinary way of a dose, in a treatment of its own; nothing is written to the device's settings.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from mesoinjector import errors
from mesoinjector.calibrating import z_ul_per_mg
from mesoinjector.injector import Injector
from mesoinjector.production_record import Accuracy, Weighed
from mesoinjector.scale import Scale
from mesoinjector.weighing import Hands, Weighing

PROFILE = "1ml-30G4-aqueous"
"""The syringe that boards are tested with."""


class Bench(NamedTuple):
    """The line's scale, and what is weighed on it."""

    scale: str
    """As `calibrate dose --scale` has it: `sics:PORT`, `sbi:PORT`; on `sim://` boards `sim:sics`, `sim:sbi`."""
    volumes_ml: tuple[float, ...]
    doses: int
    """Of each volume."""
    within_percent: float
    """The mean of each volume must be so near to what was asked for."""
    water_c: float
    air_hpa: float
    humidity_percent: float


def weigh(
    injector: Injector, scale: Scale, bench: Bench, ask: Callable[[str], bool], say: Callable[[str], None]
) -> Accuracy:
    """Prime, give the doses, and judge them. `ask` puts a question to the person, who answers it.

    Raises `CalibrationError` if nobody gives them, and what `dose` and the scale raise.
    """

    def ready(what: str) -> None:
        if not ask(f"{what}. Done?"):
            raise errors.CalibrationError("nobody has done it. Next: run it again, once it can be done.")

    # a latch is no line's to clear: a board that has one fails
    hands = Hands(say, ready, lambda what: False, lambda what: False, lambda done, of: None)
    z = z_ul_per_mg(bench.water_c, bench.air_hpa, bench.humidity_percent)
    weighing = Weighing(injector, scale, z, PROFILE, hands)
    weighing.begin({"scale": scale.name, "of": "production"})
    try:
        given = weighing.give(bench.volumes_ml, bench.doses)
    except BaseException as error:
        weighing.end(type(error).__name__)
        raise
    weighing.end()
    doses = tuple(Weighed(each.asked_nl, round(each.weighed_nl)) for each in given)
    early = [each.reason for each in given if each.reason != "complete"]
    return judged(doses, early, bench.within_percent, scale.name)


def judged(doses: tuple[Weighed, ...], early: list[str], within_percent: float, scale: str) -> Accuracy:
    """Whether each volume's mean is within so many percent, and every dose was given whole."""
    said: list[str] = []
    passed = not early
    for asked in sorted({each.asked_nl for each in doses}):
        of_it = [each.weighed_nl for each in doses if each.asked_nl == asked]
        error = 100.0 * (sum(of_it) / len(of_it) / asked - 1.0)
        said.append(f"{asked / 1000:g} µl {error:+.2f} %")
        passed = passed and abs(error) <= within_percent
    ended = f"; ended early: {', '.join(early)}" if early else ""
    return Accuracy(
        passed, f"mean error of {', '.join(said)}, within ±{within_percent:g} % wanted, on {scale}{ended}", doses
    )
