"""The bill of materials counts what the table of pins and the list of parts have."""

import re

from mesofirmware.boards import pins
from tests.house.rooms import ROOT

BILL = (ROOT / "docs/bill-of-materials.md").read_text()


def rows(page: str) -> list[list[str]]:
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in page.splitlines() if line.startswith("|")]


def quantity(part: str) -> int:
    (row,) = [row for row in rows(BILL) if row[0] == part]
    return int(row[1])


def test_resistors_are_those_of_the_pins() -> None:
    up = [name for name, _, _, resistor, _ in pins.TABLE if resistor == "up"]
    buses = [name for name in up if name.endswith(("_SDA", "_SCL"))]
    down = [name for name, _, _, resistor, _ in pins.TABLE if resistor == "down"]
    assert quantity("pull-down of a pin that drives") == len(down) == len(pins.DRIVEN)
    assert quantity("pull-up of an input") == len(up) - len(buses)
    assert quantity("pull-up of I2C0") + quantity("pull-up of I2C1") == len(buses)
    switches = [name for bit, name, _ in pins.EXPANDER if bit[0] == "A"]
    driven = {"DRIVER_FAULT", "MOTOR_POWER"}
    assert quantity("pull-up of an expander's input") == len([name for name in switches if name not in driven])


def test_every_chip_of_the_wiring_is_there() -> None:
    wiring = (ROOT / "docs/hardware.md").read_text().partition("## Parts")[2].partition("\n## ")[0]
    chips = set(re.findall(r"\b(?:TMC|MB85RC|FM24W|NAU|MCP|DS|MAX)\d+[A-Z]?\b", wiring))
    assert len(chips) >= 8 and not [chip for chip in chips if chip not in BILL]
