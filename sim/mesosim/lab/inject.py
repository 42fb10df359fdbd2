"""A fault of the catalogue into a device, as requests to its world: also into a paced or served one while in use.

inject(injector.link, "occlusion")                       at once, until it is cleared
inject(injector.link, "trigger_b_open", duration_s=2)    for a time
clear(injector.link)                                     all faults end
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Protocol

from mesosim.lab import catalogue
from mesosim.lab.catalogue import Fault, UnknownFault

RISE_S = 1.0
"""A ramp without a duration rises for so long."""


class World(Protocol):
    """What can be asked to change: a link or device of the simulator, or a control socket."""

    def control(self, name: str, value: Any = 0) -> Any:
        """See `mesosim.world.world.World.control`."""


def request(
    fault: Fault,
    kind: str | None = None,
    value: float | None = None,
    duration_s: float | None = None,
    at_us: int | None = None,
) -> tuple[str, dict[str, Any]]:
    """The name and value of the control that brings a fault about. Raises `UnknownFault`.

    `at_us`: when, on the world's clock; at once without. A Board call's begins with its next call, whatever it says.
    """
    if fault.on_the_line:
        raise UnknownFault(f"fault {fault.name} lies on the line: it needs a scenario, `mesoinjector sim run --fault`")
    chosen, size = fault.checked(kind, value)
    seconds = fault.duration_s if duration_s is None else duration_s
    owner, _, call = fault.target.partition(".")
    if owner == "board":
        # what comes twice for ever never ends: the firmware reads on until nothing is left
        count = 1 if chosen == "duplicate" else 0
        meddled: dict[str, Any] = {"call": call, "kind": chosen, "first_call": 0, "count": count}
        if size is not None:
            meddled["value"] = round(size)
        return "meddle", meddled
    asked: dict[str, Any] = {"symbol": fault.target, "kind": chosen, "mode": fault.how}
    if size is not None:
        asked["value"] = fraction(size)
    if chosen == "ramp":
        asked["rise_us"] = round((seconds or RISE_S) * 1e6)
    elif seconds:
        asked["for_us"] = round(seconds * 1e6)
    if at_us is not None:
        asked["at_us"] = at_us
    return "fault", asked


def inject(
    world: World, name: str, kind: str | None = None, value: float | None = None, duration_s: float | None = None
) -> Fault:
    """Bring a fault about now. Raises `UnknownFault`; ValueError if the world cannot do it."""
    fault = catalogue.get(name)
    world.control(*request(fault, kind, value, duration_s))
    return fault


def clear(world: World, name: str = "") -> None:
    """End a fault, or all of them. Raises `UnknownFault`."""
    target = catalogue.get(name).target if name else ""
    if not target.startswith("board."):
        world.control("clear_fault", target)
    if not target or target.startswith("board."):
        world.control("meddle", None)


def fraction(value: float) -> int | list[int]:
    """A decimal as a whole number or as numerator and denominator: every interpreter makes the same float of it."""
    n, d = Decimal(repr(value)).as_integer_ratio()
    return n if d == 1 else [n, d]
