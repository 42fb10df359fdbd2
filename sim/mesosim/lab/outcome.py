"""What came of one scenario on one device: plain data, for a process pool, a file or a report."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Outcome:
    """`dataclasses.asdict` of it is JSON. Volumes in nl, times in the unit of their name."""

    scenario: str
    seed: int
    runtime: str
    passed: bool
    findings: list[str]
    """Each expectation or rule that does not hold, as a sentence."""
    requirements: list[str]
    """SR ids that the scenario bears on."""
    hazard: str
    """H-.. of the first fault; "" without."""
    fault: str
    """Name of the first fault; "" without."""
    alarm: str
    """What the device raised first: a reason or a latch of the schema, or the status it refused with; "" if nothing."""
    alarm_ms: int | None
    """From the fault's onset to the alarm, in device time."""
    hazard_ms: int | None
    """Time to hazard that is allowed."""
    struck: bool = True
    """Whether the first fault came about at all before the last step had ended; True without a fault."""
    judged: bool = True
    """Whether it struck, and anything said which alarm the first fault is to raise, or that it is to raise none."""
    exposed: bool = True
    """Whether anything ran from the first fault's onset on; without that no time of its alarm is judged."""
    safe_ms: int | None = None
    """From where the fault can do harm until the needle is home and nothing pushes, for good; None: not seen."""
    standing: str = ""
    """What the catalogue knows of the first fault where it was to strike: `met`, or open, unseen, harmless and why."""
    doses: list[dict[str, Any]] = field(default_factory=list)
    """For each: kind (dose, prime, run), asked_nl, delivered_nl, lower_nl, upper_nl, result, reason, exact, drip,
    depth_um, strokes, upper_strokes, and of the plant: plant_tip_nl, plant_skin_nl, punctures.
    """
    strokes: dict[str, Any] = field(default_factory=dict)
    """count, asked, worst_interval_us, worst_depth_um, intervals_us: a histogram of 100 us bins, {start: count}."""
    pressure: list[list[int]] = field(default_factory=list)
    """[t_us, Pa], by the device's telemetry, every fifth sample."""
    duration_us: int = 0
    trace_sha256: str = ""
    records: int = 0
