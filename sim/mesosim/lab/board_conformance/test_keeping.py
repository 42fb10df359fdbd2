"""What lasts, and what passes: store, files, the cartridge's chip, the link, identity, time, readings."""

from __future__ import annotations

import pytest

from mesofirmware import signals
from mesoprotocol import limits, messages, wire
from mesosim.lab.board_conformance import Rig
from mesosim.lab.board_conformance.handling import fed

STORE_BYTES = 26_752
"""What the firmware uses: docs/hardware.md, Parts."""
PRESSURE_AT_REST_PA = 50_000
"""As far as the settings' zero goes: CALIBRATE's `pressure_zero_pa`."""
LONGEST_CALL_US = 5_000
"""STOP is handled within 5 ms (SR-27): no call that a loop makes may take longer."""


def pattern(n: int, seed: int) -> bytearray:
    """Bytes that no shift and no other seed repeats."""
    return bytearray((i * i + 31 * i + 7 * seed) & 255 for i in range(n))


# --- Store and files ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("at", [0, 1, 8191, STORE_BYTES - 120])
@pytest.mark.parametrize("n", [1, 64, 119])
def test_the_store_keeps_every_byte(rig: Rig, at: int, n: int) -> None:
    """Acknowledged is kept: the supply goes right after the call."""
    around = pattern(n + 2, 1)
    start = max(at - 1, 0)
    rig.board.store.write(start, around, len(around))
    data = pattern(n + 5, 2)
    rig.board.store.write(at, data, n)
    rig.restart()
    buf = bytearray(b"\xaa" * (n + 4))
    rig.board.store.read(at, buf, n)
    assert buf[:n] == data[:n] and buf[n:] == b"\xaa" * 4
    rig.board.store.read(start, buf, n + 2)
    expected = bytearray(around)
    expected[at - start : at - start + n] = data[:n]
    assert buf[: n + 2] == expected


def test_each_write_stands_by_itself(rig: Rig) -> None:
    """One after the other, each cut off by the supply: nothing waits to be written with the next."""
    for i in range(12):
        rig.board.store.write(100 + 24 * i, pattern(24, i), 24)
        rig.restart()
    buf = bytearray(24)
    for i in range(12):
        rig.board.store.read(100 + 24 * i, buf, 24)
        assert buf == pattern(24, i)


def test_files_last_and_are_replaced_whole(rig: Rig) -> None:
    files, buf = rig.board.files, bytearray(300)
    assert files.read("conformance", buf) == -1
    for n in (200, 40, 0, 120):
        data = pattern(220, n)
        rig.board.files.write("conformance", data, n)
        rig.restart()
        buf[:] = b"\xaa" * 300
        assert rig.board.files.read("conformance", buf) == n
        assert buf[:n] == data[:n] and buf[n:] == b"\xaa" * (300 - n)
    small = bytearray(50)
    assert rig.board.files.read("conformance", small) == 50 and small == pattern(220, 120)[:50]
    assert rig.board.files.read("conformance2", buf) == -1


def test_the_shelf_keeps_what_has_ended(rig: Rig) -> None:
    """In folders that are made on the way, from any offset, in pieces; and what is removed is gone."""
    path, data = "/app_b/conformance/deep/one.mpy", pattern(5_000, 4)
    assert rig.board.shelf.names("/app_b/conformance") == []
    assert rig.board.shelf.read(path, 0, bytearray(8)) == -1
    rig.board.shelf.begin(path)
    for at in range(0, 5_000, 192):
        rig.board.shelf.write(data, at, min(192, 5_000 - at))
    rig.board.shelf.end()
    rig.board.shelf.begin("/app_b/conformance/none")
    rig.board.shelf.end()
    rig.restart()
    shelf, buf = rig.board.shelf, bytearray(1_000)
    assert shelf.names("/app_b/conformance") == ["deep/", "none"] and shelf.names("/app_b/conformance/deep") == [
        "one.mpy"
    ]
    assert shelf.read("/app_b/conformance/none", 0, buf) == 0
    for at, n in ((0, 1_000), (4_321, 679), (5_000, 0)):
        assert shelf.read(path, at, buf) == n and buf[:n] == data[at : at + n]
    shelf.begin(path)
    shelf.write(data, 7, 3)
    shelf.end()
    assert shelf.read(path, 0, buf) == 3 and buf[:3] == data[7:10]
    for gone in (path, "/app_b/conformance/deep/", "/app_b/conformance/none", "/app_b/conformance/"):
        shelf.remove(gone)
    rig.restart()
    assert "conformance/" not in rig.board.shelf.names("/app_b") and rig.board.shelf.read(path, 0, buf) == -1


def test_without_a_cartridge_its_chip_reads_as_255(rig: Rig) -> None:
    buf = bytearray(8)
    assert not rig.board.chip.identity(buf)
    rig.board.chip.write(0, bytearray(8), 8)
    rig.board.chip.read(0, buf, 8)
    assert buf == b"\xff" * 8


# --- The link ---------------------------------------------------------------------------------------------


def test_what_is_sent_is_sent_whole_or_not_at_all_and_without_waiting(rig: Rig) -> None:
    taken = bytearray()
    refused = 0
    for i in range(400):
        data = pattern(97, i)
        before = rig.board.now()
        was_taken = rig.board.send(data, 96)
        assert (rig.board.now() - before) & 0x3FFFFFFF <= LONGEST_CALL_US
        if was_taken:
            taken += data[:96]
        else:
            refused += 1
    assert refused, "400 frames with nobody reading: one must have been refused"
    fed(rig, 500_000)
    assert rig.received() == taken
    assert rig.board.send(pattern(96, 1), 96)  # there is room again
    fed(rig, 100_000)
    assert rig.received() == pattern(96, 1)


def test_what_comes_is_received_in_order(rig: Rig) -> None:
    buf = bytearray(64)
    assert rig.board.receive(buf) == 0
    data = bytes(pattern(300, 3))
    rig.deliver(data)
    found, asked = b"", 0
    while len(found) < len(data) and asked < 100:
        n = rig.board.receive(buf)
        assert 0 <= n <= len(buf)
        found += bytes(buf[:n])
        asked += 1
        if not n:
            rig.run(10_000)
    assert found == data and rig.board.receive(buf) == 0


# --- Identity, time, readings -----------------------------------------------------------------------------


def test_identity_is_the_device_s_and_a_boot_s_is_its_own(rig: Rig) -> None:
    uid, boots = bytes(rig.board.uid), [bytes(rig.board.boot_id)]
    for _ in range(3):
        rig.restart()
        assert bytes(rig.board.uid) == uid and rig.board.reset_reason == wire.RESET_POWER_ON
        boots.append(bytes(rig.board.boot_id))
    assert len(uid) == 8 and all(len(boot) == 4 for boot in boots) and len(set(boots)) == 4


def test_the_model_is_one_word(rig: Rig) -> None:
    """As a manifest names it, among others."""
    model = bytes(rig.board.model).decode("ascii")
    assert model.isalnum() and model == model.lower()


def test_a_nonce_fills_its_buffer_and_is_not_repeated(rig: Rig) -> None:
    seen = set()
    for _ in range(16):
        buf = bytearray(16)
        rig.board.nonce(buf)
        seen |= {bytes(buf[:8]), bytes(buf[8:])}
    assert len(seen) == 32


def test_time_is_microseconds_in_30_bits(rig: Rig) -> None:
    last = rig.board.now()
    for us in (1_000, 50_000, 1_000_000):
        fed(rig, us)
        now = rig.board.now()
        assert 0 <= now < 1 << 30 and us <= (now - last) & 0x3FFFFFFF <= us + us // 100 + 2_000
        last = now


@pytest.mark.parametrize("name", ["TRIGGER_A", "TRIGGER_B", "CONTACT", "ESTOP"])
def test_each_input_is_one_bit(rig: Rig, name: str) -> None:
    bit = getattr(wire, f"INPUT_{name}")
    rest = rig.board.inputs()
    assert not rest & bit
    rig.set_input(bit, True)
    rig.run(20_000)
    assert rig.board.inputs() ^ rest == bit
    rig.set_input(bit, False)
    rig.run(20_000)
    assert rig.board.inputs() == rest


def test_readings_at_rest_are_plausible(rig: Rig) -> None:
    fed(rig, 100_000)
    board = rig.board
    assert limits.BATTERY_MIN_MV <= board.battery_mv() <= limits.BATTERY_MAX_MV
    assert abs(board.pressure_pa()) <= PRESSURE_AT_REST_PA
    assert board.needle_um() <= 0 and board.encoder() == 0
    assert board.inputs() & wire.INPUT_NEEDLE_HOME and not board.inputs() & wire.INPUT_DRIVE_FAULT
    assert board.program_intact() is True
    assert board.inputs() < 1 << (max(messages.INPUT_BITS).bit_length())


def test_every_light_is_taken(rig: Rig) -> None:
    for name, code in vars(signals).items():
        if name.startswith("LIGHT_"):
            rig.board.light(code)
            rig.run(1_000)
