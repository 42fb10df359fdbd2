"""What one treatment left behind: the plain data that reports, the command line and studies read.

Nothing here talks to a device. Integers carry their units in their names; times are device time in
microseconds since the treatment's first record. `plant_*` fields are the simulator's own account (the
integral of flow at the needle's tip) and are ``None`` on a real device, which has no such witness.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Sample:
    """One telemetry sample."""

    t_us: int
    pressure_pa: int
    plunger_nl: int
    """Volume swept by the plunger since the device started, by its encoder."""
    needle_um: int
    """Needle protrusion; negative while it is behind the nose of the handpiece."""


@dataclass(frozen=True, slots=True)
class DoseRecord:
    """One metered dose or prime, as asked and as it ended."""

    dose_id: str
    kind: str
    """`dose` or `prime`."""
    zone: str
    point: int
    depth_um: int
    asked_nl: int
    result: str
    """`Delivered`, `NotDelivered` or `Unknown`."""
    reason: str
    """Why it ended: `complete`, or the schema's name of the reason."""
    delivered_nl: int
    lower_nl: int
    upper_nl: int
    plant_nl: int | None = None
    plant_skin_nl: int | None = None
    samples: tuple[Sample, ...] = ()


@dataclass(frozen=True, slots=True)
class Stroke:
    """One puncture of a fractional run, as the device measured it."""

    index: int
    interval_us: int
    """Time since the stroke before, by the index pulses; 0 for the first stroke of a run."""
    depth_um: int
    """Protrusion measured by the carrier sensor at bottom dead centre."""
    steady: bool
    """False while the drive ramps up or down: such strokes are outside cadence figures."""
    bad: bool


@dataclass(frozen=True, slots=True)
class FractionalRecord:
    """One fractional run over one zone."""

    dose_id: str
    zone: str
    depth_um: int
    set_per_min: int
    needles: int
    area_mm2: int
    asked_strokes: int
    strokes: int
    """Strokes that the device counted, 0 where nobody knows; records may be fewer, of a journal there are none."""
    result: str
    reason: str
    bad_strokes: int = 0
    """As the device counted them."""
    upper_strokes: int = 0
    """Not more punctures than this, where nobody knows."""
    records: tuple[Stroke, ...] = ()

    @property
    def set_interval_us(self) -> float:
        """The interval asked for, in microseconds."""
        return 60e6 / self.set_per_min


@dataclass(slots=True)
class TreatmentRecord:
    """Everything one run of a plan produced."""

    plan_name: str
    device_uid: str
    firmware: str
    runtime: str
    """Implementation and version, as the firmware itself says."""
    started_utc: str
    simulated: bool
    notes: list[str] = field(default_factory=list)
    """What a reader must know of this record besides."""
    doses: list[DoseRecord] = field(default_factory=list)
    runs: list[FractionalRecord] = field(default_factory=list)
