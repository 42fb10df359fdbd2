"""LINE.toml: what is the same for all boards of a production line, checked before anything is sent.

serial = "MI-######"            # at most 16 letters; # is the number
first = 1
folder = "line"                 # for serials.sqlite, labels.csv, reports/ and journal.sqlite; as seen from this file
keys = "keys"                   # a folder, or key_command = ["vault-put", "--from-stdin"]
micropython = "RPI_PICO.uf2"    # these three are for boards that have no firmware yet
application = "app"
signer = "signer.pub"
[axes]                          # home and a dry run; without this table nothing moves
strokes = 60
depth_mm = 1.5
rate_per_min = 600
[scale]                         # doses of water onto a bench scale; without this table none are weighed
port = "sics:/dev/ttyUSB0"      # or sbi:PORT; on sim:// boards sim:sics
volumes_ml = [0.02, 0.1]
doses = 3                       # of each
within_percent = 5.0            # for the mean of each
water_c = 20.0                  # of water and air
air_hpa = 1013.25
humidity_percent = 50.0
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import pydantic

from mesoinjector import flashing, plans
from mesoinjector.errors import PlanError
from mesoinjector.key_keeping import Keeper, KeyCommand, KeyFolder
from mesoinjector.plan_files import Table
from mesoinjector.production import Settings
from mesoinjector.production_register import Register
from mesoinjector.production_tests import Dry
from mesoinjector.production_weighing import PROFILE, Bench
from mesoinjector.weighing import check
from mesoprotocol import limits

_Text = Annotated[str, pydantic.Field(strict=True, min_length=1, max_length=200)]
_Depth = Annotated[
    float, pydantic.Field(ge=limits.FRACTIONAL_DEPTH_MIN_UM / 1000, le=limits.FRACTIONAL_DEPTH_MAX_UM / 1000)
]


class Axes(Table):
    """The dry run."""

    strokes: Annotated[int, pydantic.Field(strict=True, ge=1, le=1000)] = 60
    depth_mm: _Depth = 1.5
    rate_per_min: Annotated[
        int, pydantic.Field(strict=True, ge=limits.RATE_MIN_PER_MIN, le=limits.RATE_MAX_PER_MIN)
    ] = 600


class BenchScale(Table):
    """The scale, and the doses that it weighs."""

    port: Annotated[str, pydantic.Field(strict=True, max_length=200, pattern=r"^(sics|sbi|sim):.+")]
    volumes_ml: Annotated[tuple[float, ...], pydantic.Field(min_length=2, max_length=10)] = (0.02, 0.1)
    doses: Annotated[int, pydantic.Field(strict=True, ge=3, le=30)] = 3
    within_percent: Annotated[float, pydantic.Field(gt=0, le=20)] = 5.0
    water_c: Annotated[float, pydantic.Field(ge=15, le=27)] = 20.0
    air_hpa: Annotated[float, pydantic.Field(ge=600, le=1100)] = 1013.25
    humidity_percent: Annotated[float, pydantic.Field(ge=20, le=80)] = 50.0


class LineFile(Table):
    """The whole file."""

    serial: _Text
    first: Annotated[int, pydantic.Field(strict=True, ge=1)] = 1
    folder: _Text = "."
    keys: _Text | None = None
    key_command: Annotated[list[_Text], pydantic.Field(min_length=1, max_length=40)] | None = None
    micropython: _Text | None = None
    application: _Text | None = None
    signer: _Text | None = None
    axes: Axes | None = None
    scale: BenchScale | None = None


def load(path: Path, again: frozenset[str] = frozenset()) -> Settings:
    """Read a line's file. Raises `PlanError` that names all its faults."""
    data = plans.tables(plans.text_of(path), str(path))
    try:
        file = LineFile.model_validate(data)
    except pydantic.ValidationError as error:
        raise plans.refused(
            str(path), "line", [plans.sentence(each) for each in error.errors(include_url=False)]
        ) from None
    keeper: Keeper
    if file.keys is not None and file.key_command is None:
        keeper = KeyFolder(path.parent / file.keys)
    elif file.key_command is not None and file.keys is None:
        keeper = KeyCommand(list(file.key_command))
    else:
        raise PlanError(f"{path}: say one of keys and key_command: where the keys are kept. Nothing was sent.")
    firmware = None
    if file.micropython or file.application or file.signer:
        if not (file.micropython and file.application and file.signer):
            raise PlanError(f"{path}: say all of micropython, application and signer, or none. Nothing was sent.")
        firmware = flashing.order(
            path.parent / file.micropython, path.parent / file.application, path.parent / file.signer
        )
    bench = None
    if file.scale is not None:
        each = file.scale
        check(each.volumes_ml, each.doses, 1, PROFILE)
        bench = Bench(
            each.port, each.volumes_ml, each.doses, each.within_percent, each.water_c, each.air_hpa,
            each.humidity_percent,
        )  # fmt: skip
    folder = path.parent / file.folder
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise PlanError(f"{path}: folder {folder} cannot be made: {error.strerror or error}.") from None
    register = Register(folder / "serials.sqlite", file.serial, file.first)
    dry = None if file.axes is None else Dry(file.axes.strokes, file.axes.depth_mm, file.axes.rate_per_min)
    return Settings(folder, register, keeper, dry, again, firmware, bench)
