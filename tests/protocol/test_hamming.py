"""The CRC's Hamming distances, computed from our own CRC and not quoted.

A CRC is linear: the flips that it does not see are those whose single-bit syndromes XOR to zero, whatever the
frame and the seed. Bits are counted with the CRC's own 32.
"""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from mesoprotocol import codec, crc, frame, wire

CRC_BITS = 32
HD6_DATA_BITS, HD5_DATA_BITS = 268, 2974
"""The most data bits with which any five, or any four, flipped bits are seen."""

Syndromes = NDArray[np.uint32]


def syndromes(bits: int) -> Syndromes:
    """What flipping each of a frame's last `bits` bits changes in the CRC, the last bit on the wire first."""
    n = (bits - CRC_BITS + 7) // 8
    seed = crc.seed(b"any")

    def checksum(data: bytearray) -> int:
        crc.put(data, n, seed)
        return int.from_bytes(data[n:], "little")

    clean = checksum(bytearray(n + 4))
    # the CRC's own bits are seen as they are
    found = [1 << bit for bit in reversed(range(CRC_BITS))]
    for bit in reversed(range(8 * n)):
        flipped = bytearray(n + 4)
        flipped[bit // 8] = 1 << bit % 8
        found.append(checksum(flipped) ^ clean)
    return np.array(found[:bits], dtype=np.uint32)


def pairs(single: Syndromes) -> Syndromes:
    """The syndromes of all flips of two bits."""
    first, second = np.triu_indices(len(single), 1)
    both: Syndromes = single[first] ^ single[second]
    return both


def distance_is_at_least_5(single: Syndromes) -> bool:
    """No flip of up to four bits is unseen: no flip of up to two looks like another one, or like none."""
    patterns = np.concatenate((np.zeros(1, np.uint32), single, pairs(single)))
    patterns.sort()
    return bool(np.all(patterns[1:] != patterns[:-1]))


def distance_is_at_least_6(single: Syndromes) -> bool:
    """Nor is one of five: no flip of three bits looks like one of two."""
    if not distance_is_at_least_5(single):
        return False
    double = np.sort(pairs(single))
    for i in range(2, len(single)):
        triple = pairs(single[:i]) ^ single[i]
        at = np.searchsorted(double, triple) % len(double)
        if np.any(double[at] == triple):
            return False
    return True


def test_a_syndrome_is_a_power_of_x() -> None:
    """CRC-32/IEEE: each bit is the one behind it, times x, modulo the polynomial."""
    value = 1 << 31
    for syndrome in syndromes(400):
        assert syndrome == value
        value = value >> 1 ^ (0xEDB88320 if value & 1 else 0)


def test_any_five_flipped_bits_are_seen_up_to_268_data_bits() -> None:
    single = syndromes(HD6_DATA_BITS + 1 + CRC_BITS)
    assert distance_is_at_least_6(single[:-1])
    assert not distance_is_at_least_6(single)


def test_any_four_flipped_bits_are_seen_up_to_2974_data_bits() -> None:
    single = syndromes(HD5_DATA_BITS + 1 + CRC_BITS)
    assert distance_is_at_least_5(single[:-1])
    assert not distance_is_at_least_5(single)


@pytest.mark.parametrize("name", ["PREPARE", "PREPARE_RUN", "COMMIT"])
def test_what_starts_a_dose_is_short_enough_for_distance_6(name: str) -> None:
    fields = getattr(wire, f"{name}_FIELDS")
    checked = frame.HEADER + codec.size(fields)
    print(f"{name}: {checked} bytes, {8 * checked} bits under the CRC")
    assert 8 * checked <= HD6_DATA_BITS


def test_the_longest_frame_is_short_enough_for_distance_5() -> None:
    assert 8 * (frame.BODY_MAX - 4) <= HD5_DATA_BITS
