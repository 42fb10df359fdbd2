"""Settings: what is altered in any byte is refused, never replaced; what is whole is applied in one place."""

from __future__ import annotations

import pytest

from mesofirmware import settings
from mesofirmware.readings import Readings
from mesofirmware.records import StoreFailed
from mesoprotocol import wire
from tests.firmware.files import Memory

A, B = settings.FILES


def saved(times: int) -> dict[str, bytes]:
    """What is on the flash after so many updates."""
    content: dict[str, bytes] = {}
    for n in range(times):
        assert settings.Settings(Memory(content)).change(True, b"device", 120, -700 + n, 1_002_000) == wire.S_OK
    return content


def test_a_new_device_has_defaults_and_is_whole() -> None:
    kept = settings.Settings(Memory({}))
    assert not kept.damaged and kept.told() == [0, bytearray(16), 0, 0, 1_000_000]


def test_what_was_saved_is_found_again() -> None:
    for times in (1, 2, 3, 10):
        kept = settings.Settings(Memory(saved(times)))
        assert not kept.damaged
        assert kept.told() == [times, bytearray(b"device".ljust(16, b"\0")), 120, -701 + times, 1_002_000]


@pytest.mark.requirement("SR-34")
@pytest.mark.parametrize("times", [1, 2, 3])
@pytest.mark.parametrize("how", [lambda byte: byte ^ 0xFF, lambda byte: 0, lambda byte: byte ^ 1])
def test_each_byte_of_each_file(times: int, how: object) -> None:
    whole = saved(times)
    for name in whole:
        for at in range(len(whole[name])):
            content = dict(whole)
            altered = bytearray(whole[name])
            altered[at] = how(altered[at])  # type: ignore[operator]
            content[name] = bytes(altered)
            if content == whole:
                continue
            before = dict(content)
            kept = settings.Settings(Memory(content))
            assert kept.damaged, (name, at)
            assert kept.change(True, b"", 0, 0, 1_000_000) == wire.S_SETTINGS_DAMAGED
            assert content == before, "what is damaged is not written"
            assert kept.told()[2:] == [0, 0, 1_000_000], "nothing of it is taken"


@pytest.mark.requirement("SR-34")
@pytest.mark.parametrize("name", [A, B])
@pytest.mark.parametrize("left", [b"", None, 0, 10, -1])
def test_a_file_that_is_cut_gone_or_longer(name: str, left: bytes | int | None) -> None:
    content = saved(4)
    if left is None:
        del content[name]
    elif isinstance(left, bytes):
        content[name] = left
    else:
        content[name] = content[name][:left] if left >= 0 else content[name] + b"\0"
    assert settings.Settings(Memory(content)).damaged


@pytest.mark.requirement("SR-34")
def test_a_copy_of_long_ago() -> None:
    """A file that was put back from a backup is whole, and not the one that belongs there."""
    content = saved(6)
    content[A] = saved(2)[A]
    assert settings.Settings(Memory(content)).damaged


@pytest.mark.parametrize(
    ("carrier_um", "pressure_pa", "gain_ppm", "at_rest", "status"),
    [
        (1_001, 0, 1_000_000, True, wire.S_RANGE),
        (-1_001, 0, 1_000_000, True, wire.S_RANGE),
        (0, 50_001, 1_000_000, True, wire.S_RANGE),
        (0, 0, 899_999, True, wire.S_RANGE),
        (0, 0, 1_100_001, True, wire.S_RANGE),
        (0, 0, 1_000_000, False, wire.S_WRONG_STATE),
        (-1_000, -50_000, 900_000, True, wire.S_OK),
        (1_000, 50_000, 1_100_000, True, wire.S_OK),
    ],
)
def test_what_may_not_be_written_is_refused(
    carrier_um: int, pressure_pa: int, gain_ppm: int, at_rest: bool, status: int
) -> None:
    content = saved(1)
    before = dict(content)
    kept = settings.Settings(Memory(content))
    assert kept.change(at_rest, b"new", carrier_um, pressure_pa, gain_ppm) == status
    assert (content == before) == (status != wire.S_OK)
    told = settings.Settings(Memory(content)).told()
    assert told[2:] == ([carrier_um, pressure_pa, gain_ppm] if status == wire.S_OK else [120, -700, 1_002_000])


def test_a_file_that_does_not_take_what_is_written() -> None:
    class Forgetful(Memory):
        def write(self, name: str, buf: bytearray, n: int) -> None:
            pass

    content = saved(2)
    kept = settings.Settings(Forgetful(content))
    assert kept.change(True, b"new", 0, 0, 1_000_000) == wire.S_STORE_FAILED
    assert kept.told()[2:] == [120, -699, 1_002_000]


def test_what_is_damaged_is_not_written_whoever_asks() -> None:
    content = saved(2)
    content[A] = b"spoilt"
    kept = settings.Settings(Memory(content))
    before = dict(content)
    with pytest.raises(StoreFailed, match=r"settings\.a"):
        kept.save([0, 0, b"new", 1_000, 50_000, 1_000_000])
    assert content == before and kept.generation == 0


def test_readings() -> None:
    readings = Readings()
    assert (readings.carrier_um(-5), readings.pressure_pa(7), readings.encoder(-1_234_567)) == (-5, 7, -1_234_567)
    readings.calibrate(120, -700, 1_002_000)
    assert (readings.carrier_um(1_120), readings.pressure_pa(300)) == (1_000, 1_000)
    for gain in (900_000, 998_877, 1_002_000, 1_100_000):
        readings.calibrate(0, 0, gain)
        for counts in (0, 1, 999, 1_000, 123_456, 9_999_999, -1, -999, -123_456, -9_999_999):
            assert abs(readings.encoder(counts) - counts * gain / 1_000_000) <= 2
