"""What the seed draws of a case beside the device's noise: values of the plant, and whether a fault strikes.

A campaign file's `[draw]` gives the distribution; a case's seed picks from it. Every symbol and every fault has a
random stream of its own, so that another line in the file changes none of the others.
"""

from __future__ import annotations

import random
from typing import Annotated, Any, TypeVar

import pydantic

from mesosim.lab.scenario import STEPS_MAX, Count, FaultTable, Scenario, Text
from mesosim.lab.words import Between, Flag, Number, Whole

Probability = Annotated[Number, Between(0, 1)]


Ends = TypeVar("Ends", int, float)


def _ordered(span: tuple[Ends, Ends]) -> tuple[Ends, Ends]:
    if span[0] > span[1]:
        raise ValueError("the lower end first")
    return span


Step = Annotated[Whole, Between(1, STEPS_MAX)]

Span = Annotated[tuple[Number, Number], pydantic.AfterValidator(_ordered)]
"""Lowest and highest value; each between them is equally likely."""


class _Table(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)


class FaultDraw(_Table):
    """A fault of the catalogue that strikes with a probability, at a moment and of a size that are drawn."""

    name: Text
    probability: Probability
    kind: Text | None = None
    step: Annotated[tuple[Step, Step], pydantic.AfterValidator(_ordered)] | None = None
    """First and last of the steps, from 1, in one of which it strikes; without, any of the scenario's."""
    at_s: Span = (0.0, 0.0)
    value: Span | None = None
    duration_s: Span | None = None

    def certain(self, end: int) -> FaultDraw:
        """The fault struck for sure, with every value at its lowest (0) or highest (1)."""
        spans = {"at_s": self.at_s, "value": self.value, "duration_s": self.duration_s}
        pinned = {name: span and (span[end], span[end]) for name, span in spans.items()}
        step = self.step and (self.step[end], self.step[end])
        return self.model_copy(update={"probability": 1.0, "step": step, **pinned})


class Draw(_Table):
    """The distribution that cases are drawn from."""

    device: Flag = False
    """Whether each case's device is drawn from the handpiece's tolerances."""
    set: dict[str, Span] = {}
    """Symbols of the plant, and the ends between which each is drawn."""
    fault: list[FaultDraw] = []
    most_faults: Count = 1
    """Of the faults that strike a case only the first so many do: two at once hide each other."""

    def scenario(self, given: Scenario, seed: int) -> Scenario:
        """`given` as `seed` draws it. What it sets and injects itself stays."""
        values = {name: _between(random.Random(f"{seed}/{name}"), span) for name, span in self.set.items()}
        struck = [
            _fault(fault, len(given.step), random.Random(f"{seed}/{i}/{fault.name}"))
            for i, fault in enumerate(self.fault)
        ]
        faults = [fault for fault in struck if fault is not None][: self.most_faults]
        device = given.device.model_copy(
            update={"drawn": given.device.drawn or self.device, "set": {**values, **given.device.set}}
        )
        return given.model_copy(update={"device": device, "fault": [*given.fault, *faults]})

    def ends(self, given: Scenario) -> list[Scenario]:
        """`given` with every value at its lowest and every fault struck, and at its highest: what must be playable."""
        return [self.model_copy(update=self._at(end)).scenario(given, 0) for end in (0, 1)]

    def _at(self, end: int) -> dict[str, Any]:
        return {
            "set": {name: (span[end], span[end]) for name, span in self.set.items()},
            "fault": [fault.certain(end) for fault in self.fault],
            "most_faults": len(self.fault),
        }


def _between(stream: random.Random, span: tuple[float, float]) -> float:
    """Rounded to a thousandth, as the plant's values are."""
    return round(stream.uniform(*span), 3)


def _fault(drawn: FaultDraw, steps: int, stream: random.Random) -> FaultTable | None:
    """The fault, or None; all numbers are drawn either way, so that a probability changes no moment."""
    strikes = stream.random() < drawn.probability
    at_s, value, duration_s = (
        None if span is None else _between(stream, span) for span in (drawn.at_s, drawn.value, drawn.duration_s)
    )
    step = stream.randint(*(drawn.step or (1, steps)))
    if not strikes:
        return None
    return FaultTable.model_construct(  # both ends have been checked
        name=drawn.name, kind=drawn.kind, step=step, at_s=at_s, value=value, duration_s=duration_s
    )
