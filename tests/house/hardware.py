"""The page of the hardware: `python -m tests.house.hardware` writes docs/hardware.md's tables and the wiring diagram.

Both are made from `mesofirmware.boards.pins`; the rest of the page stays as it is. `--check` says what is stale and
exits 1.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from html import escape

from mesofirmware.boards import pins
from tests.house import rooms

PAGE = rooms.ROOT / "docs" / "hardware.md"
DIAGRAM = rooms.ROOT / "docs" / "images" / "wiring.svg"
MARKS = {name: (f"<!-- {name} -->\n", f"<!-- end of {name} -->\n") for name in ("pins", "expander")}
USE = {pins.IN: "in", pins.OUT: "out, safe low", pins.ANALOGUE: "analogue", pins.BUS: "bus"}

EDGE = (
    *("GP0", "GP1", "GND", "GP2", "GP3", "GP4", "GP5", "GND", "GP6", "GP7"),
    *("GP8", "GP9", "GND", "GP10", "GP11", "GP12", "GP13", "GND", "GP14", "GP15"),
    *("GP16", "GP17", "GND", "GP18", "GP19", "GP20", "GP21", "GND", "GP22", "RUN"),
    *("GP26", "GP27", "AGND", "GP28", "ADC_VREF", "3V3", "3V3_EN", "GND", "VSYS", "VBUS"),
)
"""The module's pads by their numbers, 1 to 40: Raspberry Pi Pico and Pico 2 datasheets, figure 2."""

OTHERS = {
    "RUN": "supervisor: holds the chip in reset below 3.0 V; resets the expander, too",
    "AGND": "carrier sensor's ground",
    "ADC_VREF": "carrier sensor's supply",
    "3V3": "logic, latches and sensors",
    "VSYS": "from the battery, through its protection",
    "VBUS": "USB: charger",
}

POWER = (
    ("emergency stop, DEADMAN", "monostable, 150 ms", "clears the motor power's latch", "ENN high: all outputs float"),
    ("MOTOR_ENABLE, DEADMAN high", "10 us (RC, Schmitt trigger)", "sets the latch", "ENN low: the drivers drive"),
    ("battery", "boost, 12 V", "VM of all drivers", "not switched: settings stay"),
)
"""What brings motor power and what takes it, from left to right."""

_ROW, _TOP, _HALF, _MIDDLE, _WIDTH = 32, 96, 95, 600, 1200
_COLOUR = {pins.OUT: "#b3541e", pins.IN: "#1f5fa8", pins.ANALOGUE: "#2d7d46", pins.BUS: "#6a4c93"}
_LEGEND = ((pins.OUT, "driven"), (pins.IN, "read"), (pins.ANALOGUE, "measured"), (pins.BUS, "bus"))
_GREY, _BOARD = "#707070", "#3a5a40"
_FONT = 'font-family="DejaVu Sans, Verdana, sans-serif"'


def pad(gpio: int) -> int:
    """The number of a GPIO's pad on the module's edge."""
    return EDGE.index(f"GP{gpio}") + 1


def pin_table() -> str:
    """The table of pins, by GPIO."""
    rows = [
        (f"GP{gpio}", str(pad(gpio)), f"`{name}`", USE[use], resistor, wired)
        for name, gpio, use, resistor, wired in sorted(pins.TABLE, key=lambda row: row[1])
    ]
    return _table(("GPIO", "pad", "name", "use", "resistor outside", "wired to"), rows)


def expander_table() -> str:
    """The table of the expander's bits."""
    rows = [(bit, f"`{name}`" if name else "", wired) for bit, name, wired in pins.EXPANDER]
    return _table(("bit", "name", "what"), rows)


def page(text: str) -> str:
    """The page with its tables made anew. ValueError if a mark is missing."""
    for name, table in (("pins", pin_table()), ("expander", expander_table())):
        begin, end = MARKS[name]
        head, rest = text.split(begin)
        _, tail = rest.split(end)
        text = head + begin + table + end + tail
    return text


def diagram() -> str:
    """The wiring as a picture: the module with what is at each of its pads."""
    return "\n".join(_svg()) + "\n"


def _table(columns: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [columns, ("---",) * len(columns), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _svg() -> Iterator[str]:
    under = _TOP + 20 * _ROW + 24
    height = under + _ROW * (len(POWER) + 2)
    yield f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" {_FONT}>'
    yield f'<rect width="{_WIDTH}" height="{height}" fill="white"/>'
    yield _text(_MIDDLE, 30, 18, "middle", "black", "Wiring of the RP2 board", bold=True)
    x = 330
    for colour, word in (*((_COLOUR[use], word) for use, word in _LEGEND), (_GREY, "supply")):
        yield f'<circle cx="{x}" cy="54" r="6" fill="{colour}"/>'
        yield _text(x + 12, 58, 12, "start", "black", word)
        x += 120
    yield (
        f'<rect x="{_MIDDLE - _HALF}" y="{_TOP - 18}" width="{2 * _HALF}" height="{20 * _ROW + 20}" rx="10" '
        f'fill="#f2f5f0" stroke="{_BOARD}" stroke-width="2"/>'
    )
    yield f'<rect x="{_MIDDLE - 24}" y="{_TOP - 32}" width="48" height="26" rx="3" fill="#c9ccd1" stroke="#555"/>'
    yield _text(_MIDDLE, _TOP + 300, 15, "middle", _BOARD, "Pico")
    yield _text(_MIDDLE, _TOP + 320, 15, "middle", _BOARD, "Pico 2")
    wired = {f"GP{gpio}": (name, use, what) for name, gpio, use, _, what in pins.TABLE}
    for i, edge in enumerate(EDGE):
        name, use, what = wired.get(edge, ("", -1, OTHERS.get(edge, "")))
        yield from _pad(i, edge, _COLOUR.get(use, _GREY), name, what)
    yield _text(_MIDDLE, under + _ROW, 15, "middle", "black", "Motor power", bold=True)
    for i, chain in enumerate(POWER):
        for k, what in enumerate(chain):
            yield from _box(30 + k * 290, under + _ROW * (i + 1) + 12, what, k > 0)
    yield "</svg>"


def _box(x: int, y: int, what: str, follows: bool) -> Iterator[str]:
    yield f'<rect x="{x}" y="{y}" width="260" height="24" rx="4" fill="#f2f5f0" stroke="{_GREY}"/>'
    yield _text(x + 130, y + 16, 12, "middle", "#333", what)
    if follows:
        yield f'<path d="M{x - 30},{y + 12} h24 m-6,-4 l6,4 l-6,4" fill="none" stroke="{_GREY}" stroke-width="2"/>'


def _pad(i: int, edge: str, colour: str, name: str, what: str) -> Iterator[str]:
    on_left = i < 20
    y = _TOP + _ROW * (i if on_left else 39 - i) + 8
    out = -1 if on_left else 1
    x = _MIDDLE + out * _HALF
    inwards, outwards = ("start", "end") if on_left else ("end", "start")
    fill = colour if what or edge == "GND" else "white"
    yield f'<circle cx="{x}" cy="{y}" r="7" fill="{fill}" stroke="{colour}"/>'
    yield _text(x - out * 14, y + 4, 11, inwards, "black", edge)
    yield _text(x + out * 12, y - 3, 9, outwards, _GREY, str(i + 1))
    if what:
        yield f'<line x1="{x + out * 8}" y1="{y}" x2="{x + out * 34}" y2="{y}" stroke="{colour}" stroke-width="2"/>'
        yield _text(x + out * 40, y + (12 if name else 4), 11, outwards, "#333" if name else _GREY, what)
    if name:
        yield _text(x + out * 40, y - 1, 12, outwards, colour, name, bold=True)


def _text(x: int, y: int, size: int, anchor: str, fill: str, said: str, *, bold: bool = False) -> str:
    weight = ' font-weight="bold"' if bold else ""
    return (
        f'<text x="{x}" y="{y}" font-size="{size}" text-anchor="{anchor}" fill="{fill}"{weight}>{escape(said)}</text>'
    )


def main(arguments: list[str]) -> int:
    """Write both, or say what is stale."""
    made = {PAGE: page(PAGE.read_text(encoding="utf-8")), DIAGRAM: diagram()}
    stale = [path for path, text in made.items() if not path.is_file() or path.read_text(encoding="utf-8") != text]
    if arguments == ["--check"]:
        for path in stale:
            print(f"{path.relative_to(rooms.ROOT)} is stale: python -m tests.house.hardware", file=sys.stderr)
        return 1 if stale else 0
    for path, text in made.items():
        path.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
