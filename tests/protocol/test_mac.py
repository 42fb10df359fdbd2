"""HMAC-SHA256 by our own hands is `hmac`'s and RFC 4231's, on CPython and in the board's machine code."""

from __future__ import annotations

import hashlib
import hmac
import json
import random
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesoprotocol import mac, sha256_plain
from mesosim import micropython

LONGEST = 300

RFC_4231 = [
    # key, data, HMAC-SHA-256; section 4.2 to 4.8 (case 5 is truncated to 128 bits there)
    ("0b" * 20, b"Hi There", "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"),
    (
        b"Jefe".hex(),
        b"what do ya want for nothing?",
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
    ),
    ("aa" * 20, b"\xdd" * 50, "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"),
    (bytes(range(1, 26)).hex(), b"\xcd" * 50, "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b"),
    ("0c" * 20, b"Test With Truncation", "a3b6167473100ee06e0c796c2955552b"),
    (
        "aa" * 131,
        b"Test Using Larger Than Block-Size Key - Hash Key First",
        "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
    ),
    (
        "aa" * 131,
        b"This is a test using a larger than block-size key and a larger than block-size data. The key needs to be "
        b"hashed before being used by the HMAC algorithm.",
        "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2",
    ),
]


def code(key: bytes, data: bytes) -> bytes:
    made = mac.Mac(LONGEST)
    made.rekey(key)
    return bytes(made.of(bytearray(data), len(data)))


@pytest.mark.parametrize(("key", "data", "expected"), RFC_4231)
def test_the_rfcs_cases(key: str, data: bytes, expected: str):
    assert code(bytes.fromhex(key), data).hex().startswith(expected)


@given(st.binary(max_size=140), st.lists(st.binary(max_size=LONGEST), min_size=1, max_size=4))
def test_it_is_hmac(key: bytes, messages: list[bytes]):
    made = mac.Mac(LONGEST)
    made.rekey(key)
    for data in messages:
        assert made.of(bytearray(data), len(data)) == hmac.digest(key, data, "sha256")


@given(st.binary(max_size=LONGEST), st.integers(0, 20))
def test_the_plain_twin_hashes_as_hashlib(data: bytes, behind: int):
    out = bytearray(32)
    sha256_plain.digest(bytearray(data + bytes(behind)), len(data), out)
    assert out == hashlib.sha256(data).digest()


PROGRAM = """
import json, micropython, sys
sys.path[:] = [%r, '.frozen']
from mesoprotocol import mac, sha256, sha256_plain, sha256_viper
if sha256.digest is not sha256_viper.digest:
    raise Exception('the plain twin was taken')
out = bytearray(32)
made = mac.Mac(%d)
for key, data in json.loads(%r):
    key = bytes.fromhex(key); data = bytearray(bytes.fromhex(data))
    made.rekey(key)
    micropython.heap_lock()
    made.of(data, len(data))
    micropython.heap_unlock()
    print(bytes(made.value).hex())
    for twin in (sha256_viper, sha256_plain):
        twin.digest(data, len(data), out)
        print(bytes(out).hex())
"""


def test_the_boards_machine_code_makes_the_same_and_allocates_nothing():
    try:
        build = micropython.compiled()
    except micropython.NoMicroPython as missing:
        pytest.skip(str(missing))
    if not (build / "mesoprotocol" / "sha256_viper.mpy").exists():
        pytest.skip("mpy-cross emits no machine code for this computer")
    chance = random.Random(1)
    vectors = [(bytes.fromhex(key), data) for key, data, _ in RFC_4231]
    # every length about a block's border
    vectors += [(chance.randbytes(32), chance.randbytes(n)) for n in [*range(0, 132), 191, 192, 247, 248, 300]]
    text = json.dumps([(key.hex(), data.hex()) for key, data in vectors])
    done = subprocess.run(
        [sys.executable, "-m", "micropython_unix", "-c", PROGRAM % (str(build), LONGEST, text)],
        capture_output=True,
        text=True,
        check=False,
    )
    expected = []
    for key, data in vectors:
        expected += [hmac.digest(key, data, "sha256").hex(), *[hashlib.sha256(data).hexdigest()] * 2]
    assert done.stdout.splitlines() == expected, done.stderr


class Watched(bytes):
    """Bytes that count how often they are looked at."""

    looks = 0

    def __getitem__(self, i):  # type: ignore[no-untyped-def, override]
        self.looks += 1
        return super().__getitem__(i)


@pytest.mark.parametrize("wrong_at", [None, 0, 7, 15])
def test_a_comparison_looks_at_every_byte_wherever_they_differ(wrong_at: int | None):
    ours = Watched(range(16))
    theirs = bytearray(ours)
    if wrong_at is not None:
        theirs[wrong_at] ^= 0x80
    assert mac.equal(ours, 0, theirs, 0, 16) == (wrong_at is None)
    assert ours.looks == 16
