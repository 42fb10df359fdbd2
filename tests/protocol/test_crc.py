"""Both CRCs are zlib's, from any seed: the plain one here, the board's machine code under MicroPython."""

import json
import random
import subprocess
import sys
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesoprotocol import crc, crc_plain
from mesosim import micropython

SEEDS = st.binary(min_size=4, max_size=4)


def expected(data: bytes, seed: bytes) -> bytes:
    return zlib.crc32(data, int.from_bytes(seed, "little")).to_bytes(4, "little")


@given(st.binary(max_size=300), SEEDS)
def test_put_writes_zlibs(data: bytes, seed: bytes):
    buf = bytearray(data + b"\xaa" * 6)
    crc_plain.put(buf, len(data), seed)
    assert buf == data + expected(data, seed) + b"\xaa\xaa"
    assert crc_plain.matches(buf, len(data), seed)


@given(st.binary(min_size=1, max_size=60), SEEDS, st.data())
def test_a_changed_bit_does_not_match(data: bytes, seed: bytes, which: st.DataObject):
    buf = bytearray(data + expected(data, seed))
    bit = which.draw(st.integers(0, 8 * len(buf) - 1))
    buf[bit // 8] ^= 1 << bit % 8
    assert not crc_plain.matches(buf, len(data), seed)


def test_a_seed_is_the_tags_crc():
    assert crc.seed(b"MESO\x01") == zlib.crc32(b"MESO\x01").to_bytes(4, "little")


PROGRAM = """
import json, sys
sys.path[:] = [%r, '.frozen']
from mesoprotocol import crc_plain, crc_viper
for data, seed in json.loads(%r):
    data = bytes.fromhex(data); seed = bytes.fromhex(seed)
    for twin in (crc_viper, crc_plain):
        buf = bytearray(data + bytes(4))
        twin.put(buf, len(data), seed)
        whole = twin.matches(buf, len(data), seed)
        buf[len(data)] ^= 1
        print(bytes(buf[len(data):]).hex(), whole, twin.matches(buf, len(data), seed))
"""


def test_the_boards_machine_code_is_its_plain_twin():
    try:
        build = micropython.compiled()
    except micropython.NoMicroPython as missing:
        pytest.skip(str(missing))
    if not (build / "mesoprotocol" / "crc_viper.mpy").exists():
        pytest.skip("mpy-cross emits no machine code for this computer")
    chance = random.Random(1)
    lengths = [0, 1, 2, 3, 10, 31, 32, 33, 64, 233, 234, 300]
    vectors = [(chance.randbytes(n), chance.randbytes(4)) for n in lengths]
    vectors += [(bytes(8), bytes(4)), (b"\xff" * 8, b"\xff" * 4), (b"123456789", bytes(4))]
    text = json.dumps([(data.hex(), seed.hex()) for data, seed in vectors])
    done = subprocess.run(
        [sys.executable, "-m", "micropython_unix", "-c", PROGRAM % (str(build), text)],
        capture_output=True,
        text=True,
        check=False,
    )
    answers = []
    for data, seed in vectors:
        value = bytearray(expected(data, seed))
        value[0] ^= 1
        answers += [f"{value.hex()} True False"] * 2
    assert done.stdout.splitlines() == answers, done.stderr
