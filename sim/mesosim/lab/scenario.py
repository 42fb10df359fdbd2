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
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal

import pydantic

from mesoinjector import errors
from mesoprotocol import limits, messages, wire
from mesosim import handpiece
from mesosim.lab import catalogue
from mesosim.lab.words import Between, Flag, Number, Whole, sentence
from mesosim.world import nominal

Seconds = Annotated[Number, Between(0, 7200, "s")]
Micros = Annotated[Whole, Between(0, 60_000_000, "us")]
Count = Annotated[Whole, Between(0, 1 << 30)]
Text = Annotated[str, pydantic.Field(strict=True, min_length=1, max_length=120)]
Requirement = Annotated[str, pydantic.Field(strict=True, pattern=r"^SR-\d\d$")]


def _one_of(known: list[str]) -> Callable[[str], str]:
    def check(name: str) -> str:
        if name not in known:
            raise ValueError(f"one of {', '.join(known)}")
        return name

    return check


ZONES = [row[1] for row in limits.ZONES]
PROFILES = [str(row[1]) for row in limits.PROFILES]
Zone = Annotated[str, pydantic.Field(json_schema_extra={"enum": [*ZONES]}), pydantic.AfterValidator(_one_of(ZONES))]
Profile = Annotated[
    str, pydantic.Field(json_schema_extra={"enum": [*PROFILES]}), pydantic.AfterValidator(_one_of(PROFILES))
]

ALARMS = (
    *(name.lower() for name in messages.REASON_NAMES.values()),
    *(name.removeprefix("LATCH_").lower() for name in vars(wire) if name.startswith("LATCH_")),
    *(name.lower() for name in messages.ALARM_NAMES.values()),
    *(name.lower() for name in messages.STATUS_NAMES.values()),
    "held",
)
"""Reasons, latches, alarms and refusals of the schema, as a scenario names them; `held`: a run that waits."""


RESULTS = (
    *(name.lower() for name in messages.REASON_NAMES.values()),
    *(name.lower() for name in messages.STATUS_NAMES.values()),
    *(name for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, errors.MesoError)),
    "unknown",
    "never intended",
)
"""What a step that gives can come to: reasons and refusals of the schema, errors of the host's driver, or that nobody
knows, or was asked."""
STEPS_MAX = 10_000
"""Steps of one scenario; choice."""


class ScenarioError(Exception):
    """A scenario file is not to be played. Names file, key, value and what is allowed."""


class _Table(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)


class DeviceTable(_Table):
    """Which device: nominal, or drawn from its tolerances by the seed; a file of parameters; single values."""

    drawn: Flag = False
    parameters: Text | None = None
    """A file of measured values, beside the scenario's own; once it is loaded they stand in `set`, and this is None."""
    set: dict[str, Number] = {}

    def values(self, seed: int) -> list[tuple[str, int]]:
        """What differs from the reference handpiece: symbols and thousandths of their units. Raises as `load` does."""
        piece = handpiece.load(Path(self.parameters) if self.parameters else None)
        found = piece.drawn(seed) if self.drawn else piece.nominal()
        differing = [(row[0], value) for row, value in zip(nominal.SYMBOLS, found, strict=True) if value != row[1]]
        return differing + [(name, round(value * handpiece.SCALE)) for name, value in self.set.items()]


class HandTable(_Table):
    """The operator's hand. Times in microseconds after the press of the trigger; 0: never."""

    present: Flag = True
    one_line: Flag = False
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
    profile: Profile = "1ml-30G4-aqueous"


class Dose(_Giving):
    """One metered dose."""

    do: Literal["dose"]
    volume_ml: Number
    depth_mm: Number
    zone: Zone
    point: Count = 0
    profile: Profile = "1ml-30G4-aqueous"


class Fractional(_Giving):
    """A fractional run."""

    do: Literal["fractional"]
    strokes: Annotated[Whole, Between(1, limits.STROKES_MAX)]
    depth_mm: Number
    zone: Zone
    area_cm2: Annotated[Whole, Between(limits.AREA_MIN_CM2, limits.AREA_MAX_CM2, "cm2")]
    rate_per_min: Annotated[Whole, Between(limits.RATE_MIN_PER_MIN, limits.RATE_MAX_PER_MIN, "a minute")] = 900
    needles: Annotated[Whole, Between(limits.NEEDLES_MIN, limits.NEEDLES_MAX)] = 16
    duration_s: Annotated[Whole, Between(1, limits.RUN_MAX_S, "s")] | None = None


class Wait(_Table):
    """The host listens and asks for nothing."""

    do: Literal["wait"]
    s: Annotated[Number, Between(1e-6, 7200, "s")]


class Act(_Table):
    """STOP; CLEAR the latches; open the device again; acknowledge what was interrupted; a new treatment."""

    do: Literal["stop", "clear", "reconnect", "acknowledge", "treatment"]


_DOES = frozenset(("prime", "dose", "fractional", "wait", "stop", "clear", "reconnect", "acknowledge", "treatment"))

Giving = Prime | Dose | Fractional
Step = Annotated[Prime | Dose | Fractional | Wait | Act, pydantic.Field(discriminator="do")]


class FaultTable(_Table):
    """A fault of the catalogue, and when: `at_s` after the device began, or after the `step` (from 1) began."""

    name: Text
    step: Annotated[Whole, Between(1, STEPS_MAX)] | None = None
    at_s: Seconds = 0.0
    kind: Text | None = None
    value: Number | None = None
    duration_s: Seconds | None = None

    @property
    def entry(self) -> catalogue.Fault:
        """What the catalogue has about it. Raises `UnknownFault`."""
        return catalogue.get(self.name)


class Expect(_Table):
    """What must come out, beside what always must: see `oracle`."""

    results: list[Text] | None = None
    """One for each step that gives: `complete`, another reason of the schema, `unknown`, or the status of a refusal."""
    alarm: str | None = None
    """What the device raises first; "" for nothing at all."""
    within_ms: Count | None = None
    """From where the fault can do harm to the alarm, in place of the time to hazard, which rest has all the same."""
    volumes: Flag = True
    """What is told of volumes and strokes holds; `false` where a defect takes away what it is made of, unseen."""


class Scenario(_Table):
    """A checked scenario. `name` is its file's, without folder and ending."""

    name: str = ""
    title: Text
    requirements: list[Requirement] = []
    device: DeviceTable = DeviceTable()
    hand: HandTable = HandTable()
    step: Annotated[list[Step], pydantic.Field(min_length=1, max_length=STEPS_MAX)]
    fault: list[FaultTable] = []
    expect: Expect = Expect()

    @property
    def on_the_line(self) -> bool:
        """Whether a fault lies between host and device."""
        return any(table.entry.on_the_line for table in self.fault)

    @property
    def mode(self) -> catalogue.Mode | None:
        """What the first fault's step gives; None if it gives nothing, or the fault names no step."""
        step = self.step[self.fault[0].step - 1] if self.fault and self.fault[0].step else None
        if isinstance(step, Prime):
            return "prime"
        return "dose" if isinstance(step, Dose) else "run" if isinstance(step, Fractional) else None

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
    except (OSError, ValueError) as error:  # no text, or no path
        raise ScenarioError(f"{str(path)!r}: cannot be read: {error}. Next: check the file.") from None
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
    return _checked(data, Path(origin).name.removesuffix(".toml"), origin)


def _checked(data: dict[str, Any], name: str, origin: str) -> Scenario:
    try:
        checked = Scenario.model_validate({**data, "name": name})
    except pydantic.ValidationError as error:
        raise _refused(origin, [sentence(item, _DOES) for item in error.errors(include_url=False)]) from None
    wrong = [f"name = {data['name']!r}: unknown key"] if "name" in data else []
    try:
        checked = _measured(checked, Path(origin).parent)
    except (ValueError, OSError) as error:  # no such values, no file, no path
        wrong.append(f"device.parameters = {checked.device.parameters!r}: {error}")
    wrong += [*_device(checked), *_steps(checked), *_faults(checked), *_expectations(checked)]
    if wrong:
        raise _refused(origin, wrong)
    return checked


def changed(scenario: Scenario, values: list[tuple[str, Any]], faults: list[dict[str, Any]]) -> Scenario:
    """The same with other values of its device, and other faults; with those, what the catalogue expects of the first.

    A fault that names no `step` comes in the last one that gives. Raises `ScenarioError`.
    """
    data = scenario.model_dump(exclude={"name"}, exclude_none=True)
    data["device"]["set"].update(values)
    if faults:
        last = max((i for i, step in enumerate(scenario.step, 1) if step in scenario.giving), default=1)
        data["fault"] = [{"step": last, **fault} for fault in faults]
        data["expect"] = {}
    found = _checked(data, scenario.name, "the command line")
    if not faults:
        return found
    return found.model_copy(update={"expect": expected(found.fault[0].entry, found.mode)})


def expected(fault: catalogue.Fault, mode: catalogue.Mode | None) -> Expect:
    """What the catalogue expects of a fault in a mode; no alarm by name where it has no entry."""
    return Expect(alarm=None if mode is None else fault.alarm.get(mode), volumes=mode not in fault.unseen)


def schema() -> dict[str, Any]:
    """The JSON Schema of a scenario file."""
    found = Scenario.model_json_schema()
    found["properties"].pop("name")
    return found


def _measured(scenario: Scenario, folder: Path) -> Scenario:
    """With the values of its file of parameters in it: what is played needs no other file, and its hash knows them."""
    device = scenario.device
    if device.parameters is None:
        return scenario
    values = handpiece.measured(folder / device.parameters, handpiece.load().symbols)
    whole = device.model_copy(update={"parameters": None, "set": {**values, **device.set}})
    return scenario.model_copy(update={"device": whole})


def _device(scenario: Scenario) -> list[str]:
    """Values that the device cannot have; in words."""
    known, found = handpiece.load().symbols, []
    for name, value in scenario.device.set.items():
        if name not in known:
            found.append(f"device.set.{name!r} = {value:g}: {handpiece.unknown(name, known)}")
        else:
            (low, high), unit = known[name].range, known[name].unit
            found += _range(f"device.set.{name!r}", value, low, high, unit)
    return found


def _steps(scenario: Scenario) -> list[str]:
    """Steps outside what the device gives; in words."""
    found = []
    for i, step in enumerate(scenario.step, 1):
        key = f"step[{i}]"
        if isinstance(step, Prime):
            found += _range(f"{key}.volume_ml", step.volume_ml, 0.001, limits.PRIME_MAX_NL / 1e6, "ml")
        elif isinstance(step, Dose | Fractional):
            zone = next(row for row in limits.ZONES if row[1] == step.zone)
            where = f"in zone {step.zone}"
            if isinstance(step, Dose):
                low, high = limits.METERED_DEPTH_MIN_UM, min(zone[2], limits.METERED_DEPTH_MAX_UM)
                most = min(zone[4], limits.DOSE_MAX_NL)
                found += _range(f"{key}.volume_ml", step.volume_ml, limits.DOSE_MIN_NL / 1e6, most / 1e6, "ml", where)
            else:
                low, high = limits.FRACTIONAL_DEPTH_MIN_UM, min(zone[3], limits.FRACTIONAL_DEPTH_MAX_UM)
            found += _range(f"{key}.depth_mm", step.depth_mm, low / 1e3, high / 1e3, "mm", where)
    return found


def _faults(scenario: Scenario) -> list[str]:
    """Faults that the catalogue does not know, or not so; in words."""
    found = []
    for i, table in enumerate(scenario.fault, 1):
        key = f"fault[{i}]"
        try:
            table.entry.checked(table.kind, table.value)
        except catalogue.UnknownFault as error:
            found.append(f"{key}: {error}")
        if table.step is not None and table.step > len(scenario.step):
            found.append(f"{key}.step = {table.step}: must be 1 to {len(scenario.step)}, a step of this file")
    return found


def _expectations(scenario: Scenario) -> list[str]:
    """Expectations that nothing could meet; in words."""
    expect, found = scenario.expect, []
    if expect.results is not None and len(expect.results) != len(scenario.giving):
        found.append(
            f"expect.results has {len(expect.results)} entries: must have {len(scenario.giving)}, one for each prime, "
            "dose and fractional run"
        )
    for i, result in enumerate(expect.results or (), 1):
        if result not in RESULTS:
            found.append(f"expect.results[{i}] = {result!r}: must be one of {', '.join(RESULTS)}")
    if expect.alarm and expect.alarm not in ALARMS:
        found.append(f"expect.alarm = {expect.alarm!r}: must be one of {', '.join(ALARMS)}")
    if expect.within_ms is not None and not (scenario.fault and expect.alarm):
        found.append(f"expect.within_ms = {expect.within_ms}: needs an alarm, and a [[fault]] to count from")
    return found


def _range(key: str, value: float, low: float, high: float, unit: str, where: str = "") -> list[str]:
    if low <= value <= high:
        return []
    return [f"{key} = {value:g}: must be {low:g} to {high:g} {unit} {where}".rstrip()]


def _refused(origin: str, faults: list[str]) -> ScenarioError:
    lines = "\n  ".join(faults)
    return ScenarioError(
        f"{origin}: the scenario is refused, nothing was run:\n  {lines}\nNext: correct the file and run it again."
    )
