"""What stands in the files of plans and sessions: tables, keys and types, and what an editor is told of them.

Bounds stand here for the editor only. They are judged in `plans` and `sessions`, which know zone, profile and day.
"""

from __future__ import annotations

import datetime
from typing import Annotated, Any, ClassVar, Literal

import pydantic

from mesoinjector import catalogue
from mesoprotocol import limits

POINTS_MAX = 500
"""Points in one zone; choice."""
COMPONENTS_MAX = 3
"""Of a cocktail; reference handpiece, session limits."""


class Table(pydantic.BaseModel):
    """A table without keys that nobody knows."""

    model_config: ClassVar[pydantic.ConfigDict] = pydantic.ConfigDict(extra="forbid", frozen=True)


def _number(said: str, low: float, high: float) -> Any:
    bounds: dict[str, Any] = {"minimum": low, "maximum": high}
    return pydantic.Field(strict=True, allow_inf_nan=False, description=said, json_schema_extra=bounds)


def _count(said: str, low: int, high: int) -> Any:
    bounds: dict[str, Any] = {"minimum": low, "maximum": high}
    return pydantic.Field(strict=True, description=said, json_schema_extra=bounds)


def _text(said: str, known: list[str] | None = None) -> Any:
    extra: dict[str, Any] | None = {"enum": known} if known else None
    return pydantic.Field(strict=True, min_length=1, max_length=80, description=said, json_schema_extra=extra)


def _reference(said: str) -> Any:
    """What stands for a person. A digit in it keeps a name from being put there."""
    pattern = r"^[A-Za-z0-9-]*[0-9][A-Za-z0-9-]*$"
    return pydantic.Field(strict=True, max_length=36, pattern=pattern, description=said)


def _flag(said: str) -> Any:
    return pydantic.Field(strict=True, description=said)


_ML = 1e6
_UM = 1e3

PlanName = Annotated[str, _text("What the plan is called, in reports.")]
ZoneName = Annotated[str, _text("Zone of the body; it limits depth and dose.", list(catalogue.ZONES))]
Profile = Annotated[str, _text("Syringe, needle and fluid.", list(catalogue.PROFILES))]
Points = Annotated[int, _count("The sum over the zones: a file that lost its end is found out by it.", 1, 0xFFFF)]
Prime = Annotated[
    float,
    _number("At most this much away from the skin, ml, until fluid is seen to flow.", 0.001, limits.PRIME_MAX_NL / _ML),
]


class MeteredZone(Table):
    """Points of one zone, all with the same dose and depth."""

    name: ZoneName
    depth_mm: Annotated[
        float,
        _number(
            "Depth of the needle, mm; the zone allows less.",
            limits.METERED_DEPTH_MIN_UM / _UM,
            limits.METERED_DEPTH_MAX_UM / _UM,
        ),
    ]
    volume_ml: Annotated[
        float,
        _number("At each point, ml; the zone allows less.", limits.STROKE_MIN_NL / _ML, limits.REPEAT_MAX_NL / _ML),
    ]
    points: Annotated[int, _count("How many.", 1, POINTS_MAX)]


class FractionalZone(Table):
    """One run over one zone."""

    name: ZoneName
    depth_mm: Annotated[
        float,
        _number(
            "Depth of the needles, mm; the zone allows less.",
            limits.FRACTIONAL_DEPTH_MIN_UM / _UM,
            limits.FRACTIONAL_DEPTH_MAX_UM / _UM,
        ),
    ]
    strokes: Annotated[int, _count("How many punctures.", 1, limits.STROKES_MAX)]
    area_cm2: Annotated[
        int,
        _count(
            f"Over how much skin, cm2: at most {limits.COVERAGE_MAX_PERCENT} % of it is punctured.",
            limits.AREA_MIN_CM2,
            limits.AREA_MAX_CM2,
        ),
    ]


class MeteredHead(Table):
    """Of a plan of single doses, or of the allergy test."""

    name: PlanName
    mode: Annotated[Literal["metered", "test"], pydantic.Field(description="Single doses; or the allergy test.")]
    points: Points
    profile: Profile
    prime_ml: Prime
    retract: Annotated[bool, _flag("The needle is drawn back while each dose flows.")] = False
    stroke_ml: ClassVar[float] = 0.0
    rate_per_min: ClassVar[int] = 0
    flow_ul_per_s: ClassVar[float] = 0.0


class RepeatHead(Table):
    """Of a plan of nappage: a small dose each stroke."""

    name: PlanName
    mode: Annotated[Literal["repeat"], pydantic.Field(description="Nappage: a small dose each stroke.")]
    points: Points
    profile: Profile
    prime_ml: Prime
    retract: ClassVar[bool] = False
    stroke_ml: Annotated[float, _number("Each stroke, ml.", limits.STROKE_MIN_NL / _ML, limits.STROKE_MAX_NL / _ML)]
    rate_per_min: Annotated[
        int, _count("Strokes a minute.", limits.REPEAT_RATE_MIN_PER_MIN, limits.REPEAT_RATE_MAX_PER_MIN)
    ]
    flow_ul_per_s: ClassVar[float] = 0.0


class PerfusionHead(Table):
    """Of a plan of perfusions: needle in, steady flow."""

    name: PlanName
    mode: Annotated[Literal["perfusion"], pydantic.Field(description="Needle in, steady flow.")]
    points: Points
    profile: Profile
    prime_ml: Prime
    retract: ClassVar[bool] = False
    flow_ul_per_s: Annotated[
        float, _number("Flow, ul/s.", limits.FLOW_MIN_NL_PER_S / 1e3, limits.FLOW_MAX_NL_PER_S / 1e3)
    ]
    stroke_ml: ClassVar[float] = 0.0
    rate_per_min: ClassVar[int] = 0


class FractionalHead(Table):
    """Of a plan of punctures that dispense nothing."""

    name: PlanName
    mode: Annotated[Literal["fractional"], pydantic.Field(description="Punctures by a cartridge; no fluid.")]
    strokes: Annotated[int, _count("The sum over the zones.", 1, 0xFFFFFF)]
    rate_per_min: Annotated[int, _count("Punctures a minute.", limits.RATE_MIN_PER_MIN, limits.RATE_MAX_PER_MIN)]
    needles: Annotated[int, _count("Of the cartridge.", limits.NEEDLES_MIN, limits.NEEDLES_MAX)]


_METERED_ZONES = pydantic.Field(min_length=1, description="Zones, in the order in which they are treated.")


class MeteredFile(Table):
    """Single doses, point by point."""

    plan: MeteredHead
    zone: Annotated[list[MeteredZone], _METERED_ZONES]


class RepeatFile(Table):
    """Nappage, point by point."""

    plan: RepeatHead
    zone: Annotated[list[MeteredZone], _METERED_ZONES]


class PerfusionFile(Table):
    """Perfusions, point by point."""

    plan: PerfusionHead
    zone: Annotated[list[MeteredZone], _METERED_ZONES]


class FractionalFile(Table):
    """One run of punctures a zone."""

    plan: FractionalHead
    zone: Annotated[list[FractionalZone], _METERED_ZONES]


PlanFile = MeteredFile | RepeatFile | PerfusionFile | FractionalFile

MODES = ("metered", "test", "repeat", "perfusion", "fractional")


# --- Sessions ----------------------------------------------------------------------------------------------


class Person(Table):
    """Who treats, and has confirmed what is confirmed."""

    id: Annotated[str, _reference("Opaque reference into your records, as of the patient.")]
    role: Annotated[str, _text("Physician, nurse, ...: as the law where you are names it.")]


class Confirmed(Table):
    """What no device can see: the operator has looked, and says so for this patient and this day."""

    age_18_or_over: Annotated[bool, _flag("The patient is 18 years old or older.")]
    no_contraindications: Annotated[bool, _flag("They were asked for, and none was found.")]
    new_needle: Annotated[bool, _flag("Needle or cartridge is sterile, of the plan's kind, opened for this patient.")]
    no_test_reaction: Annotated[
        bool, _flag("The test dose has shown no reaction; a plan that dispenses, other than a test, wants it.")
    ] = False
    tested_elsewhere: Annotated[
        str | None, _text("Where and when the same components were tested, if this journal does not have it.")
    ] = None


class Component(Table):
    """One component of the cocktail in the syringe."""

    name: Annotated[str, _text("As its label says.")]
    volume_ml: Annotated[float, _number("How much of it, ml.", 0.001, limits.TREATMENT_MAX_NL / _ML)]
    lot: Annotated[str, _text("Its lot.")]
    expiry: Annotated[datetime.date, pydantic.Field(strict=True, description="The last day on which it may be used.")]


class Sterile(Table):
    """The needle or cartridge of this session."""

    lot: Annotated[str, _text("Its sterile lot.")]
    expiry: Annotated[datetime.date, pydantic.Field(strict=True, description="The last day on which it is sterile.")]


class Session(Table):
    """One patient, one day: who treats whom with what, and what was confirmed. The same in a program and in TOML."""

    patient: Annotated[
        str,
        _reference("Opaque reference into your records: letters, digits and dashes, with a digit. Never a name."),
    ]
    date: Annotated[datetime.date, pydantic.Field(strict=True, description="The day for which this is confirmed.")]
    plan: Annotated[str | None, _text("The plan's file, seen from this one; a program passes the plan itself.")] = None
    operator: Person
    confirmed: Confirmed
    needle: Sterile
    component: Annotated[
        list[Component],
        pydantic.Field(
            description="The cocktail; none in a fractional session.",
            json_schema_extra={"maxItems": COMPONENTS_MAX},
        ),
    ] = []
