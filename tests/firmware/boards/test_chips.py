"""FRAM, pressure bridge, battery gauge and expander: addresses, conversions and what is refused."""

import pytest

from mesofirmware.boards import rp2_battery, rp2_bridge, rp2_expander, rp2_fram
from tests.firmware.boards.i2c import Bus, Memory


@pytest.fixture
def fram() -> tuple[rp2_fram.Fram, Memory]:
    memory = Memory(rp2_fram.SIZE, 2)
    return rp2_fram.Fram(Bus({0x50: memory})), memory


@pytest.mark.parametrize("at", [0, 1, 255, 256, 0x1234, rp2_fram.SIZE - 100])
@pytest.mark.parametrize("n", [0, 1, 31, 32, 33, 64, 100])
def test_what_is_written_is_read_and_nothing_else_changes(fram, at: int, n: int):
    store, memory = fram
    written = bytearray(range(1, 101))
    store.write(at, written, n)
    assert memory.bytes[at : at + n] == written[:n]
    assert sum(1 for byte in memory.bytes if byte) == n
    buf = bytearray(100)
    store.read(at, buf, n)
    assert buf == written[:n] + bytes(100 - n)


@pytest.mark.parametrize(("at", "n"), [(-1, 1), (0, -1), (rp2_fram.SIZE, 1), (rp2_fram.SIZE - 1, 2)])
def test_outside_the_fram_is_refused(fram, at: int, n: int):
    store, memory = fram
    for call in (store.read, store.write):
        with pytest.raises(IndexError, match=f"bytes {at} to {at + n} of a store of 32768"):
            call(at, bytearray(8), n)
    assert not any(memory.bytes)


def test_a_bus_that_does_not_answer_raises():
    with pytest.raises(OSError, match="EIO"):
        rp2_fram.Fram(Bus({})).write(0, bytearray(1), 1)


@pytest.mark.parametrize(
    ("raw", "pa"),
    [
        (b"\x00\x00\x00", 0),
        (b"\x00\x28\x00", 1000),  # 10,240 counts
        (b"\xff\xd8\x00", -1000),
        (b"\x7f\xff\xff", 819_199),  # the rails
        (b"\x80\x00\x00", -819_200),
    ],
)
def test_pressure(raw: bytes, pa: int):
    memory = Memory(256, 1)
    bridge = rp2_bridge.Bridge(Bus({0x2A: memory}))
    memory.bytes[0x12:0x15] = raw
    assert bridge.pressure_pa() == pa


def test_the_bridge_is_set_to_320_conversions_with_gain_128():
    memory = Memory(256, 1)
    rp2_bridge.Bridge(Bus({0x2A: memory}))
    assert memory.bytes[0x01] & 0x07 == 0x07
    assert memory.bytes[0x02] & 0xF0 == 0x70
    assert memory.bytes[0x00] & 0x10


@pytest.mark.parametrize(("raw", "mv"), [(0, 0), (0xB980, 3710), (0xD200, 4200), (0xFFFF, 5119)])
def test_battery(raw: int, mv: int):
    memory = Memory(256, 1)
    memory.bytes[2:4] = raw.to_bytes(2, "big")
    assert rp2_battery.Battery(Bus({0x36: memory})).mv() == mv


class Line:
    """The expander's interrupt line."""

    def __init__(self) -> None:
        self.level = 1

    def value(self) -> int:
        return self.level


def test_the_expander_is_asked_only_after_its_interrupt():
    memory, line = Memory(22, 1), Line()
    bus = Bus({0x20: memory})
    expander = rp2_expander.Expander(bus, line)
    memory.bytes[0x12] = rp2_expander.CONTACT | rp2_expander.SYRINGE
    bus.log.clear()
    assert (expander.changed(), expander.read(), bus.log) == (False, 0, [])
    line.level = 0
    assert expander.changed()
    assert expander.read() == rp2_expander.CONTACT | rp2_expander.SYRINGE
    assert bus.log == [(0x20, b"\x12")]


def test_the_expanders_outputs_keep_what_is_not_meant():
    memory = Memory(22, 1)
    expander = rp2_expander.Expander(Bus({0x20: memory}), Line())
    assert (memory.bytes[0x00], memory.bytes[0x01], memory.bytes[0x15]) == (0xFF, 0x00, 0x00)
    expander.write(rp2_expander.AWAY, rp2_expander.AWAY)
    expander.write(rp2_expander.RED | rp2_expander.BLUE, rp2_expander.BLUE)
    assert memory.bytes[0x15] == rp2_expander.AWAY | rp2_expander.BLUE
    expander.write(rp2_expander.AWAY, 0)
    assert memory.bytes[0x15] == rp2_expander.BLUE


def test_inputs_that_are_low_while_on_are_turned_over_by_the_expander():
    memory = Memory(22, 1)
    rp2_expander.Expander(Bus({0x20: memory}), Line())
    low_while_on = rp2_expander.CONTACT | rp2_expander.SYRINGE | rp2_expander.CARTRIDGE
    low_while_on |= rp2_expander.INGRESS | rp2_expander.TRIGGER_B
    assert memory.bytes[0x02] == low_while_on
