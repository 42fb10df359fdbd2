"""The motor drivers' datagrams, by their datasheet, and what is made of a wire that says something else."""

import pytest

from mesofirmware.boards import rp2_tmc2209


def remainder(data: bytes) -> int:
    """The datasheet's CRC as a division: bits in the order sent, polynomial 0x107."""
    bits = "".join(f"{byte:08b}"[::-1] for byte in data) + "0" * 8
    value = 0
    for bit in bits:
        value = value << 1 | int(bit)
        if value & 0x100:
            value ^= 0x107
    return value


@pytest.mark.parametrize("data", [b"", b"\x05\x00\x00", b"\x05\x00\x06", b"\x05\x02\x80\x00\x00\x01\xc0", b"\xff" * 7])
def test_crc(data: bytes):
    assert rp2_tmc2209.crc(bytearray(data), len(data)) == remainder(data)


def test_requests():
    buf = bytearray(8)
    assert buf[: rp2_tmc2209.request(0, 0x06, b"", buf)] == b"\x05\x00\x06\x6f"
    n = rp2_tmc2209.request(2, 0x10, b"\x00\x06\x18\x08", buf)
    assert buf[: n - 1] == b"\x05\x02\x90\x00\x06\x18\x08"
    assert buf[7] == remainder(bytes(buf[:7]))


def answer(register: int, value: bytes) -> bytes:
    body = b"\x05\xff" + bytes((register,)) + value
    return body + bytes((remainder(body),))


@pytest.mark.parametrize("i", range(8))
@pytest.mark.parametrize("bit", range(8))
def test_a_damaged_answer_is_none(i: int, bit: int):
    buf = bytearray(answer(0x6F, b"\x00\x00\x00\x02"))
    assert rp2_tmc2209.is_answer(0x6F, buf)
    buf[i] ^= 1 << bit
    assert not rp2_tmc2209.is_answer(0x6F, buf)


def test_a_good_answer_to_another_request_is_none():
    assert not rp2_tmc2209.is_answer(0x6F, bytearray(answer(0x02, b"\x00\x00\x00\x02")))


class Wire:
    """One wire: what is sent is heard, then a driver answers. `absent` do not, `deaf` take no writes."""

    def __init__(self, absent: set[int], deaf: set[int]) -> None:
        self._absent = absent
        self._deaf = deaf
        self._heard = b""
        self.breaks = 0
        """Answers from now on that are damaged."""
        self.registers: dict[int, dict[int, bytes]] = {i: {0x01: bytes(4), 0x02: bytes(4)} for i in range(3)}

    def any(self) -> int:
        return len(self._heard)

    def read(self, n: int) -> bytes:
        data, self._heard = self._heard[:n], self._heard[n:]
        return data

    def readinto(self, buf: bytearray, n: int | None = None) -> int | None:
        data = self.read(len(buf) if n is None else n)
        buf[: len(data)] = data
        return len(data) or None

    def write(self, data: memoryview) -> None:
        message = bytes(data)
        self._heard += message
        address, register = message[1], message[2] & 0x7F
        if address in self._absent:
            return
        registers = self.registers[address]
        if not message[2] & 0x80:
            self._heard += answer(register, registers[register] if not self.breaks else b"\x00")
            self.breaks = max(0, self.breaks - 1)
        elif address not in self._deaf:
            registers[register] = bytes(4) if register == 0x01 else message[3:7]
            registers[0x02] = bytes((0, 0, 0, (registers[0x02][3] + 1) & 0xFF))


def test_set_up_writes_the_same_to_all_three():
    wire = Wire(set(), set())
    for registers in wire.registers.values():
        registers[0x01] = b"\x00\x00\x00\x01"  # as after each power-up
    assert rp2_tmc2209.Drivers(wire).good
    for address in range(3):
        assert wire.registers[address][0x00] == b"\x00\x00\x01\xc0"
        assert wire.registers[address][0x03][2] >= 2, "several on one wire"
        assert wire.registers[address][0x6C][0] & 0x0F == 4, "16 microsteps"


def test_set_up_counts_around():
    wire = Wire(set(), set())
    wire.registers[1][0x02] = b"\x00\x00\x00\xfe"
    assert rp2_tmc2209.Drivers(wire).good


@pytest.mark.parametrize("address", range(3))
def test_a_driver_that_is_absent_or_deaf_is_found(address: int):
    assert not rp2_tmc2209.Drivers(Wire({address}, set())).good
    assert not rp2_tmc2209.Drivers(Wire(set(), {address})).good


@pytest.mark.parametrize("address", range(3))
@pytest.mark.parametrize("status", [rp2_tmc2209.RESET, rp2_tmc2209.SHUT_DOWN, rp2_tmc2209.UNDERVOLTAGE])
def test_a_fault_is_found_within_three_questions_and_stays(address: int, status: int):
    wire = Wire(set(), set())
    drivers = rp2_tmc2209.Drivers(wire)
    for _ in range(7):
        drivers.ask()
    assert drivers.good
    wire.registers[address][0x01] = bytes((0, 0, 0, status))
    for _ in range(3):
        drivers.ask()
    assert not drivers.good
    wire.registers[address][0x01] = bytes(4)
    for _ in range(3):
        drivers.ask()
    assert not drivers.good


@pytest.mark.parametrize("address", range(3))
def test_a_driver_that_falls_silent_is_found(address: int):
    absent: set[int] = set()
    drivers = rp2_tmc2209.Drivers(Wire(absent, set()))
    absent.add(address)
    for _ in range(3):
        drivers.ask()
    assert not drivers.good


@pytest.mark.parametrize(("breaks", "good"), [(1, True), (2, False)])
def test_one_damaged_answer_is_asked_for_again(breaks: int, good: bool):
    wire = Wire(set(), set())
    drivers = rp2_tmc2209.Drivers(wire)
    wire.breaks = breaks
    drivers.ask()
    assert drivers.good == good
    assert wire.breaks == 0
