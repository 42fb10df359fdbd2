"""The table of pins fits the chip, and the page and the picture are made from it."""

from xml.etree import ElementTree

import pytest

from mesofirmware.boards import pins
from tests.house import hardware

GPIO = {name: gpio for name, gpio, *_ in pins.TABLE}
ADC_PINS = {26, 27, 28}


def test_every_gpio_of_the_edge_is_used_once():
    on_edge = {int(name[2:]) for name in hardware.EDGE if name.startswith("GP") and name[2:].isdigit()}
    assert sorted(GPIO.values()) == sorted(on_edge)


def test_names_are_the_modules_own():
    assert {name: getattr(pins, name) for name in GPIO} == GPIO


def test_buses_are_where_the_chip_has_them():
    """RP2040 datasheet, table 2."""
    assert GPIO["TMC_TX"] in {0, 12, 16, 28}
    assert GPIO["TMC_RX"] in {1, 13, 17}
    assert (GPIO["FRAM_SDA"] % 4, GPIO["FRAM_SCL"] % 4) == (0, 1)
    assert (GPIO["SENSE_SDA"] % 4, GPIO["SENSE_SCL"] % 4) == (2, 3)
    assert GPIO["CARRIER"] in ADC_PINS


def test_pio_finds_its_neighbours():
    """The quadrature decoder reads two GPIO in a row."""
    assert GPIO["ENCODER_B"] == GPIO["ENCODER_A"] + 1


def test_an_input_has_a_level_when_its_wire_breaks():
    driven = {"PERMIT_PLUNGER", "PERMIT_DRIVE"}  # by a latch and a gate
    assert {name for name, _, use, pull, _ in pins.TABLE if use == pins.IN and pull != "up"} == driven


def test_outputs_are_held_low_outside():
    assert {pull for _, _, use, pull, _ in pins.TABLE if use == pins.OUT} == {"down"}


def test_the_expander_has_sixteen_bits():
    assert [bit for bit, *_ in pins.EXPANDER] == [f"{port}{i}" for port in "AB" for i in range(8)]


def test_the_picture_shows_every_pin_and_all_that_is_wired():
    shown = {text.text for text in ElementTree.fromstring(hardware.diagram()).iter("{http://www.w3.org/2000/svg}text")}
    assert {name for name, *_ in pins.TABLE} | {what for *_, what in pins.TABLE} | set(hardware.EDGE) <= shown


@pytest.mark.parametrize("path", [hardware.PAGE, hardware.DIAGRAM])
def test_page_and_picture_are_fresh(path):
    assert hardware.main(["--check"]) == 0, path


def test_a_stale_page_is_said(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.setattr(hardware, "pin_table", lambda: "| other |\n")
    assert hardware.main(["--check"]) == 1
    assert "docs/hardware.md is stale: python -m tests.house.hardware" in capsys.readouterr().err
