"""A scenario in TOML: a device, what its operator and its host do, what goes wrong, and what is expected.

    title = "A blocked needle"             [[step]]               [[fault]]
    requirements = ["SR-06"]               do = "prime"           name = "occlusion"
                                           volume_ml = 0.06       step = 2
    [device]                                                      at_s = 0.2
    drawn = false                          [[step]]
                                           do = "dose"            [expect]
    [hand]                                 volume_ml = 0.02       results = ["complete", "occlusion"]
    release_after_us = 0                   depth_mm = 1.0         alarm = "occlusion"
                                           zone = "cheek"         within_ms = 2000

Everything is checked before anything runs. `schema()` is the file's JSON Schema, for editors.
"""

from __future__ import annotations

import tomllib
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal

import pydantic

from mesosim.lab.words import sentence

Seconds = Annotated[float, pydantic.Field(strict=True, ge=0, le=7200, allow_inf_nan=False)]
Micros = Annotated[int, pydantic.Field(strict=True, ge=0, le=60_000_000)]
Number = Annotated[float, pydantic.Field(strict=True, allow_inf_nan=False)]
Count = Annotated[int, pydantic.Field(strict=True, ge=0, le=1 << 30)]
Text = Annotated[str, pydantic.Field(strict=True, min_length=1, max_length=120)]
Requirement = Annotated[str, pydantic.Field(strict=True, pattern=r"^SR-\d\d$")]


class ScenarioError(Exception):
    """A scenario file is not to be played. Names file, key, value and what is allowed."""


class _Table(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)


class DeviceTable(_Table):
    """Which device: nominal, or drawn from its tolerances by the seed; a file of parameters; single values."""

    drawn: bool = False
    parameters: Text | None = None
    set: dict[str, Number | int | bool] = {}


class HandTable(_Table):
    """The operator's hand. Times in microseconds after the press of the trigger; 0: never."""

    present: bool = True
    one_line: bool = False
    release_after_us: Micros = 0
    lift_after_us: Micros = 0
    press_again_us: Micros = 0


class _Giving(_Table):
    stop_after_s: Seconds | None = None
    """STOP leaves so long after the step has begun."""


class Prime(_Giving):
    """Push fluid until it is seen to flow."""

    do: Literal["prime"]
    volume_ml: Number
    profile: Text = "1ml-30G4-aqueous"


class Dose(_Giving):
    """One metered dose."""

    do: Literal["dose"]
    volume_ml: Number
    depth_mm: Number
    zone: Text
    point: Count = 0
    profile: Text = "1ml-30G4-aqueous"


class Fractional(_Giving):
    """A fractional run."""

    do: Literal["fractional"]
    strokes: Count
    depth_mm: Number
    zone: Text
    area_cm2: Count
    rate_per_min: Count = 900
    needles: Count = 16
    duration_s: Count | None = None


class Wait(_Table):
    """The host listens and asks for nothing."""

    do: Literal["wait"]
    s: Annotated[float, pydantic.Field(strict=True, gt=0, le=7200, allow_inf_nan=False)]


class Act(_Table):
    """STOP; CLEAR the latches; open the device again; acknowledge what was interrupted; a new treatment."""

    do: Literal["stop", "clear", "reconnect", "acknowledge", "treatment"]


Giving = Prime | Dose | Fractional
Step = Annotated[Prime | Dose | Fractional | Wait | Act, pydantic.Field(discriminator="do")]


class FaultTable(_Table):
    """A fault of the catalogue, and when: `at_s` after the device began, or after the `step` (from 1) began."""

    name: Text
    step: Annotated[int, pydantic.Field(strict=True, ge=1)] | None = None
    at_s: Seconds = 0.0
    kind: Text | None = None
    value: Number | int | bool | None = None
    duration_s: Seconds | None = None


class Expect(_Table):
    """What must come out, beside what always must: see `oracle`."""

    results: list[Text] | None = None
    """One for each step that gives: `complete`, another reason of the schema, `unknown`, or the status of a refusal."""
    alarm: str | None = None
    """What the device raises first; "" for nothing at all."""
    within_ms: Count | None = None
    """From the fault's onset to the alarm."""
    bounds: bool = True
    """The bounds of every dose hold the plant's volume; `false` where a defect takes away what they are made of."""


class Scenario(_Table):
    """A checked scenario. `name` is its file's, without folder and ending."""

    name: str = ""
    title: Text
    requirements: list[Requirement] = []
    device: DeviceTable = DeviceTable()
    hand: HandTable = HandTable()
    step: Annotated[list[Step], pydantic.Field(min_length=1)]
    fault: list[FaultTable] = []
    expect: Expect = Expect()

    @property
    def giving(self) -> list[Giving]:
        """The steps that give something."""
        return [step for step in self.step if isinstance(step, Prime | Dose | Fractional)]


def load(path: Path | str) -> Scenario:
    """A scenario by its file, or by the name of one that is packaged. Raises `ScenarioError`."""
    file = Path(path)
    if file.suffix != ".toml" and str(path) in names():
        text = resources.files("mesosim").joinpath("scenarios", f"{path}.toml").read_text(encoding="utf-8")
        return parse(text, f"{path}.toml")
    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ScenarioError(
            f"{path}: there is no such file, and no packaged scenario of that name. Next: one of {', '.join(names())}."
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise ScenarioError(f"{path}: cannot be read: {error}. Next: check the file.") from None
    return parse(text, str(path))


def names() -> list[str]:
    """The packaged scenarios."""
    folder = resources.files("mesosim").joinpath("scenarios")
    return sorted(file.name.removesuffix(".toml") for file in folder.iterdir() if file.name.endswith(".toml"))


def parse(text: str, origin: str) -> Scenario:
    """Check a scenario's text; `origin` names it in errors. Raises `ScenarioError`."""
    try:
        data = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ScenarioError(f"{origin}: not a whole TOML file: {error}. Next: mend or fetch it again.") from None
    try:
        checked = Scenario.model_validate({**data, "name": Path(origin).name.removesuffix(".toml")})
    except pydantic.ValidationError as error:
        raise _refused(origin, [sentence(item) for item in error.errors(include_url=False)]) from None
    return checked


def schema() -> dict[str, Any]:
    """The JSON Schema of a scenario file."""
    found = Scenario.model_json_schema()
    found["properties"].pop("name")
    return found


def _refused(origin: str, faults: list[str]) -> ScenarioError:
    lines = "\n  ".join(faults)
    return ScenarioError(
        f"{origin}: the scenario is refused, nothing was run:\n  {lines}\nNext: correct the file and run it again."
    )
