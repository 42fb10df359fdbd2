"""The reference handpiece's numbers, a user's measured values in their place, and specimens drawn from the tolerances.

`python -m mesosim.handpiece` writes what follows from `handpiece.toml`: `world/nominal.py`, and in a checkout the table
in `docs/plant.md`; `--check` says what is stale and exits 1.

A device's values travel as whole thousandths of each symbol's unit, in the file's order: every interpreter makes the
same floats of them, which decimals would not promise.
"""

from __future__ import annotations

import sys
import tomllib
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from mesosim.world.arithmetic import Random

FILE = Path(__file__).with_name("handpiece.toml")
NOMINAL = FILE.parent / "world" / "nominal.py"
PAGE = FILE.parents[2] / "docs" / "plant.md"
BEGIN, END = "<!-- symbols -->\n", "<!-- end of symbols -->\n"
SCALE = 1000
"""Parts of a unit that a value is whole in."""
_STREAM = 1000
"""First random stream of a specimen's draw; each symbol has its own, so that a new one changes no other."""
_STREAMS = 999_983
_PARTS = 1 << 20

Values = tuple[int, ...]
"""One device: each symbol's value in thousandths of its unit, in the file's order."""


class HandpieceError(ValueError):
    """A file of values is wrong; the message names file, key, value, range and what to do."""


class Symbol(BaseModel):
    """One number of the plant."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    unit: str
    nominal: float
    range: tuple[float, float]
    tolerance: float = Field(ge=0)
    source: str = Field(min_length=1)
    note: str = ""


class Handpiece(BaseModel):
    """All symbols, in the file's order, by their names."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    symbols: dict[str, Symbol]

    def nominal(self) -> Values:
        """The device that has every nominal, or measured, value."""
        return tuple(_thousandths(symbol.nominal) for symbol in self.symbols.values())

    def drawn(self, seed: int) -> Values:
        """One specimen within the tolerances; the same seed gives the same one everywhere."""
        return tuple(_draw(name, symbol, seed) for name, symbol in self.symbols.items())


def load(override: Path | None = None) -> Handpiece:
    """The reference handpiece, with the measured values of `override` if given. Raises `HandpieceError`, OSError.

    An override has the same names and a number for each: `[needle]`, `bore_um = 163`. It has no tolerance.
    """
    symbols = {}
    for name, entry in _leaves(_parse(FILE), ""):
        try:
            symbols[name] = Symbol.model_validate(entry)
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(str(part) for part in first["loc"])
            raise HandpieceError(f"{FILE.name}: {name}.{place} = {first['input']!r}: {first['msg']}") from None
        _check(FILE.name, name, symbols[name].nominal, symbols[name])
    if override is not None:
        for name, value in measured(override, symbols).items():
            symbols[name] = symbols[name].model_copy(update={"nominal": value, "tolerance": 0.0})
    return Handpiece(symbols=symbols)


def measured(path: Path, symbols: dict[str, Symbol]) -> dict[str, float]:
    """The values of such a file. Raises `HandpieceError`, OSError, and ValueError for what is no path."""
    found = _leaves(_parse(path), "")
    if not found:
        raise HandpieceError(f"{path}: has no value in it: must have a table such as [needle]")
    for name, value in found:
        if name not in symbols:
            raise HandpieceError(f"{path}: {name} = {value!r}: {unknown(name, symbols)}")
        _check(str(path), name, value, symbols[name])
    return {name: float(value) for name, value in found}


def unknown(name: str, known: Iterable[str]) -> str:
    """What to say of a name that no symbol has: those of its table, or of all tables the names."""
    table = name.partition(".")[0]
    near = [each for each in known if each.startswith(f"{table}.")]
    tables = dict.fromkeys(each.partition(".")[0] for each in known)
    return f"no such symbol: must be one of {', '.join(near or tables)}{'' if near else ', and what is in it'}"


def _parse(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise HandpieceError(f"{path}: is not TOML: {error}") from None


def _leaves(table: dict[str, Any], prefix: str) -> list[tuple[str, Any]]:
    """Dotted names and what stands there: a symbol's own table, or anything that is no table."""
    found = []
    for key, value in table.items():
        if isinstance(value, dict) and value and "nominal" not in value:
            found += _leaves(value, f"{prefix}{key}.")
        else:
            found.append((prefix + key, value))
    return found


def _check(file: str, name: str, value: object, symbol: Symbol) -> None:
    low, high = symbol.range
    allowed = f"must be {low:.12g} to {high:.12g} {symbol.unit}"
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise HandpieceError(f"{file}: {name} = {value!r}: {allowed}, as a number")
    if not low <= value <= high:
        raise HandpieceError(f"{file}: {name} = {value!r}: {allowed}")


def _thousandths(value: float) -> int:
    return round(value * SCALE)


def _draw(name: str, symbol: Symbol, seed: int) -> int:
    width = _thousandths(symbol.tolerance)
    value = _thousandths(symbol.nominal)
    if width:
        stream = _STREAM + zlib.crc32(name.encode()) % _STREAMS
        value += Random(seed, stream).triangular(_PARTS) * width // _PARTS
    low, high = symbol.range
    return max(_thousandths(low), min(value, _thousandths(high)))


# --- What is generated ------------------------------------------------------------------------------------------------


def module(handpiece: Handpiece) -> str:
    """The text of `world/nominal.py`: names, nominal values and ranges for interpreters without TOML."""
    lines = ['"""Generated by mesosim.handpiece from handpiece.toml; do not edit.', ""]
    lines += ["Each symbol's name, nominal value, lowest and highest, in thousandths of its unit.", '"""', ""]
    lines += [f"SCALE = {SCALE}", "", "SYMBOLS: tuple = ("]
    for name, symbol in handpiece.symbols.items():
        low, high = symbol.range
        numbers = ", ".join(str(_thousandths(value)) for value in (symbol.nominal, low, high))
        lines.append(f'    ("{name}", {numbers}),')
    return "\n".join([*lines, ")", ""])


def table(handpiece: Handpiece) -> str:
    """The table of symbols for people, in Markdown."""
    lines = ["| symbol | nominal | range | tolerance ± | unit | source |", "|---|---|---|---|---|---|"]
    for name, symbol in handpiece.symbols.items():
        low, high = symbol.range
        told = f"{symbol.source}; {symbol.note}" if symbol.note else symbol.source
        lines.append(
            f"| `{name}` | {symbol.nominal:.12g} | {low:.12g} to {high:.12g} "
            f"| {symbol.tolerance:.12g} | {symbol.unit} | {told} |"
        )
    return "\n".join([*lines, ""])


def stale(write: bool) -> list[Path]:
    """The files that do not say what the TOML says; with `write`, they do now."""
    handpiece = load()
    wanted = [(NOMINAL, module(handpiece))]
    if PAGE.exists():
        page = PAGE.read_text()
        before, _, rest = page.partition(BEGIN)
        wanted.append((PAGE, before + BEGIN + "\n" + table(handpiece) + "\n" + END + rest.partition(END)[2]))
    found = [(path, text) for path, text in wanted if not path.exists() or path.read_text() != text]
    for path, text in found:
        if write:
            path.write_text(text)
    return [path for path, _ in found]


if __name__ == "__main__":
    check = sys.argv[1:] == ["--check"]
    late = stale(write=not check)
    print(*(f"{'stale' if check else 'written'}: {path}" for path in late), sep="\n")
    sys.exit(1 if check and late else 0)
