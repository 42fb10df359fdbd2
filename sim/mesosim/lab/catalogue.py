"""The catalogue of faults: what can go wrong, by name, what it leads to, and what must notice it in which time.

The package's `faults.toml` has the named ones. Four families follow from rules: each number of the plant by its own
name, `board.<call>.<kind>` for each Board call and each kind of fault that fits it, `frame.<message>.<kind>` for each
message of the protocol, and `host.crash.<step>` for each write of the journal.
"""

from __future__ import annotations

import functools
import tomllib
from importlib import resources
from typing import Annotated, Any, Literal

import pydantic

from mesosim.lab import frames
from mesosim.world import calls, nominal

Kind = Literal["step", "ramp", "intermittent", "stuck"]
Mode = Literal["prime", "dose", "run"]
State = Literal["met", "open", "unseen", "harmless"]
MODES: tuple[Mode, ...] = ("prime", "dose", "run")
How = Literal["set", "scale", "add"]
JOURNAL_STEPS = ("intended", "committed", "outcome")
"""Writes of a dose in the host's journal; the host may die before each and after it."""


Reason = Annotated[str, pydantic.Field(min_length=1)]


class UnknownFault(ValueError):
    """No fault of that name, or it cannot be so; the message says what there is."""


class _Table(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)


class Hazard(_Table):
    """How long it takes from a fault that is in effect to harm, and why."""

    id: Annotated[str, pydantic.Field(pattern=r"^H-\d\d$")]
    ms: Annotated[int, pydantic.Field(gt=0)]
    because: str


class Fault(_Table):
    """One entry. `alarm` is by mode: a reason or latch of the schema, or the status of a refusal; "" for nothing."""

    name: str
    title: str
    target: str
    """A symbol of the world, or `board.<call>`, `frame.<message>`, `link`, `host.crash`."""
    kinds: Annotated[tuple[str, ...], pydantic.Field(min_length=1)]
    """Those that make sense; the first is the default."""
    how: How = "set"
    value: float | None = None
    unit: str = ""
    range: tuple[float, float] | None = None
    """Of `value`; None: it takes none."""
    whole: bool = False
    """Whether `value` is a whole number."""
    duration_s: float = 0.0
    """0: until it is cleared."""
    at_s: float | None = None
    """When to try it, after the step began; by default as `TRIED_AT_S` says."""
    hazard: Annotated[str, pydantic.Field(pattern=r"^H-\d\d$")]
    hazard_ms: Annotated[int, pydantic.Field(gt=0)] = 1
    signal_ms: Annotated[int, pydantic.Field(gt=0)] | None = None
    """To the signal, where that is the report of what the operator's own hand has ended; else `hazard_ms`."""
    alarm: Annotated[dict[Mode, str], pydantic.Field(min_length=1)]
    open: dict[Mode, Reason] = {}
    """By mode, what is not met today: what is missing."""
    unseen: dict[Mode, Reason] = {}
    """By mode, what no sensor can see: the physical reason."""
    harmless: dict[Mode, Reason] = {}
    """By mode, what is not to raise anything: why not."""

    @pydantic.model_validator(mode="after")
    def _whole(self) -> Fault:
        for mode in (*self.open, *self.unseen, *self.harmless):
            reasons = (self.open, self.unseen, self.harmless)
            if sum(mode in reason for reason in reasons) > 1 or mode not in self.alarm:
                raise ValueError(f"{self.name}, {mode}: has an alarm, and one of open, unseen and harmless")
            if bool(self.alarm[mode]) != (mode in self.open):
                raise ValueError(f"{self.name}, {mode}: what is open has an alarm, what is unseen or harmless has none")
        if self.value is not None and self.range and not self.range[0] <= self.value <= self.range[1]:
            raise ValueError(f"{self.name}: value {self.value:g} is outside its range")
        return self

    def state(self, mode: Mode) -> State:
        """What is known of it in a mode that it has an alarm for; "" raised and nothing untrue said is met, too."""
        if mode in self.open:
            return "open"
        if mode in self.unseen:
            return "unseen"
        return "harmless" if mode in self.harmless else "met"

    def reason(self, mode: Mode) -> str:
        """Why it is open, unseen or harmless in a mode; "" for what is met."""
        return self.open.get(mode) or self.unseen.get(mode) or self.harmless.get(mode, "")

    def _fits(self, value: float, low: float, high: float) -> bool:
        return low <= value <= high and not (self.whole and value % 1)

    @property
    def on_the_line(self) -> bool:
        """Whether it lies between host and device: a scenario reaches it, a device's control does not."""
        return self.target.split(".")[0] in ("frame", "link", "host")

    def checked(self, kind: str | None, value: float | None) -> tuple[str, float | None]:
        """Kind and value to use. Raises `UnknownFault` if they do not fit."""
        chosen = kind or self.kinds[0]
        if chosen not in self.kinds:
            raise UnknownFault(f"fault {self.name}: kind = {chosen!r}: must be one of {', '.join(self.kinds)}")
        size = self.value if value is None else value
        if value is not None and self.range is None:
            raise UnknownFault(f"fault {self.name}: value = {value:g}: it takes none")
        if value is not None and self.range and not self._fits(value, *self.range):
            (low, high), of = self.range, "a whole number, " if self.whole else ""
            raise UnknownFault(
                f"fault {self.name}: value = {value:g}: must be {of}{low:.10g} to {high:.10g} {self.unit}".rstrip()
            )
        return chosen, size


BOARD_S = 1.0
"""How long a Board call goes wrong by default; a chip that is gone for good is found out within it."""
TRIED_AT_S: dict[str, float] = {"prime": 1.0, "dose": 2.0, "run": 3.0}
"""When a fault is tried, after the step began: in mid-prime, in mid-dose, in mid-run."""


_ANY, _LATE, _BIT = (-(1 << 30), 1 << 30, ""), (0, 60_000_000, "us"), (0, 65_535, "bit")
_BOARD_FIGURES: dict[tuple[str, int | str], tuple[int, int, str]] = {
    ("stuck", calls.NUMBER): _ANY,
    ("stuck", calls.FLAG): (0, 1, ""),
    ("stuck", "nonce"): (0, 255, ""),
    ("stuck", "store.read"): (0, 255, ""),
    ("spike", calls.NUMBER): _ANY,
    ("flipped_bit", calls.NUMBER): (0, 29, "bit"),
    ("flipped_bit", "light"): (0, 7, "bit"),
    **{("flipped_bit", form): _BIT for form in (calls.FEED, calls.TAKE, calls.GIVE)},
    **{("late", form): _LATE for form in calls.FORMS},
    ("reset", "store.write"): (0, 4096, "bytes"),
}
"""Board calls, by kind and form or name, whose `value` means something; see `mesosim.world.meddling`."""
_FRAME_FIGURES = {
    "duplicate": (0, 60_000, "ms"),
    "delay": (0, 60_000, "ms"),
    "corrupt": _BIT,
    "truncate": (0, 65_535, "bytes"),
    "splice": (0, 65_535, "bytes"),
}
"""Faults of frames whose `value` means something; see `mesosim.lab.frames`."""


def _figure(limits: tuple[int, int, str] | None) -> dict[str, Any]:
    """What a fault of a family says of its `value`."""
    return {} if limits is None else {"range": limits[:2], "unit": limits[2], "whole": True}


class _Symbol(_Table):
    value: float
    hazard: str
    mode: Mode = "dose"
    at_s: float | None = None
    alarm: str
    why: str = ""
    note: str = ""


class _File(_Table):
    hazard: list[Hazard]
    fault: list[Fault]
    symbol: dict[str, _Symbol]
    board: dict[str, dict[str, str]]
    frame: dict[str, str]

    @pydantic.model_validator(mode="after")
    def _whole(self) -> _File:
        for fault in self.fault:
            for mode in MODES:
                if not fault.alarm.get(mode) and mode not in fault.unseen and mode not in fault.harmless:
                    raise ValueError(f"{fault.name}, {mode}: needs an alarm, or a reason why there is none")
        return self


@functools.cache
def _file() -> _File:
    text = resources.files("mesosim").joinpath("faults.toml").read_text(encoding="utf-8")
    return _File.model_validate(tomllib.loads(text))


def hazards() -> dict[str, Hazard]:
    """Times to hazard, by hazard."""
    return {hazard.id: hazard for hazard in _file().hazard}


@functools.cache
def named() -> dict[str, Fault]:
    """The entries of the file, by name."""
    times = hazards()
    return {
        fault.name: fault if fault.hazard_ms > 1 else fault.model_copy(update={"hazard_ms": times[fault.hazard].ms})
        for fault in _file().fault
    }


@functools.cache
def everything() -> dict[str, Fault]:
    """Named faults and the families."""
    found = dict(named())
    for fault in (*_symbols(), *_board(), *_frames(), *_crashes()):
        found[fault.name] = fault
    return found


def get(name: str) -> Fault:
    """A fault by its name. Raises `UnknownFault`."""
    fault = everything().get(name)
    if fault is None:
        near = [known for known in everything() if name.split(".", maxsplit=1)[0] in known][:8]
        raise UnknownFault(
            f"there is no fault {name!r}. Next: one of {', '.join(near or sorted(named()))}; "
            "`mesoinjector sim faults` lists all."
        )
    return fault


def _symbols() -> list[Fault]:
    """Each number of the plant, to the limit of its range that shows most. None sticks: by itself none changes."""
    times, rows = hazards(), _file().symbol
    found = []
    for name, _, low, high in nominal.SYMBOLS:
        row = rows[name]
        found.append(
            Fault(
                name=name,
                title=f"{name} at its limit",
                target=name,
                kinds=("step", "ramp", "intermittent"),
                value=row.value,
                unit=name.rpartition("_")[2] if "_" in name else "",
                range=(low / nominal.SCALE, high / nominal.SCALE),
                at_s=row.at_s,
                hazard=row.hazard,
                hazard_ms=times[row.hazard].ms,
                alarm={row.mode: row.alarm},
                open={row.mode: row.note} if row.note else {},
                unseen={row.mode: row.why} if row.why else {},
            )
        )
    return found


def _board() -> list[Fault]:
    """Each Board call × each kind that fits it; what is expected of them is in the file's [board] tables."""
    times, found = hazards(), []
    for call, form in calls.CALLS:
        row = _file().board.get(call, {})
        mode = row.get("mode", "dose")
        for kind in calls.KINDS:
            if not calls.fits(call, kind):
                continue
            alarm, _, note = row.get(kind, "").partition("; open: ")
            found.append(
                Fault(
                    name=f"board.{call}.{kind}",
                    title=f"Board call {call}: {kind.replace('_', ' ')}",
                    target=f"board.{call}",
                    kinds=(kind,),
                    **_figure(_BOARD_FIGURES.get((kind, form)) or _BOARD_FIGURES.get((kind, call))),
                    duration_s=BOARD_S,
                    hazard="H-12",
                    hazard_ms=times["H-12"].ms,
                    alarm={mode: alarm},  # type: ignore[dict-item]
                    open={mode: note} if note else {},  # type: ignore[dict-item]
                )
            )
    return found


def _frames() -> list[Fault]:
    times, found = hazards(), []
    for kind, alarm in _file().frame.items():
        for message in frames.MESSAGES:
            name = message.replace(" reply", "Reply")
            found.append(
                Fault(
                    name=f"frame.{name}.{kind}",
                    title=f"One frame {message}: {kind}",
                    target=f"frame.{message}",
                    kinds=(kind,),
                    **_figure(_FRAME_FIGURES.get(kind)),
                    at_s=0.0,
                    hazard="H-03",
                    hazard_ms=times["H-03"].ms,
                    alarm={"dose": alarm},
                )
            )
    return found


def _crashes() -> list[Fault]:
    times = hazards()
    return [
        Fault(
            name=f"host.crash.{step}",
            title=f"The host dies at the journal's entry `{step}`",
            target="host.crash",
            kinds=("before", "after"),
            at_s=0.0,
            hazard="H-04",
            hazard_ms=times["H-04"].ms,
            alarm={"dose": ""},
        )
        for step in JOURNAL_STEPS
    ]
