"""Both twins move, compare and stuff bytes as slices and the `cobs` package do."""

from __future__ import annotations

import inspect
import json
import random
import subprocess
import sys
from typing import Any

import pytest
from cobs import cobs
from hypothesis import given
from hypothesis import strategies as st

from mesoprotocol import bulk_plain, frame
from mesosim import micropython

LONGEST = frame.BODY_MAX


def done_by(twin: Any, task: list[Any]) -> str:
    """What a twin makes of a task, as text. The same function runs under MicroPython, from this file's words."""
    name, a, b, i, j, n = task
    a = bytearray(bytes.fromhex(a))
    b = bytearray(bytes.fromhex(b))
    if name == "copy":
        twin.copy(a, i, b, j, n)
        return b.hex()
    if name == "same":
        return str(twin.same(a, i, b, j, n))
    if name == "find_zero":
        return str(twin.find_zero(a, i, j))
    out = bytearray(600)
    if name == "stuff":
        k = twin.stuff(a, n, out)
        return bytes(out[:k]).hex()
    k = twin.unstuff(a, n, out)
    return str(k) + " " + bytes(out[:k] if k > 0 else b"").hex()


def expected(task: list[Any]) -> str:
    name, x, y, i, j, n = task
    a, b = bytes.fromhex(x), bytes.fromhex(y)
    if name == "copy":
        return (b[:j] + a[i : i + n] + b[j + n :]).hex()
    if name == "same":
        return str(a[i : i + n] == b[j : j + n])
    if name == "find_zero":
        return str(next((k for k in range(i, j) if a[k] == 0), j))
    if name == "stuff":
        return (b"\0" + cobs.encode(a[:n]) + b"\0").hex()
    try:
        body = cobs.decode(a[:n])
    except cobs.DecodeError:
        return "-1 "
    return f"{len(body)} {body.hex()}"


def tasks(chance: random.Random, count: int) -> list[list[Any]]:
    """Random work within the bounds that callers keep."""
    made: list[list[Any]] = []
    for _ in range(count):
        zeros = chance.choice((b"", b"\0" * 40, bytes(255)))
        size = chance.randrange(1, LONGEST)
        a = bytes(chance.sample(list(zeros + bytes(range(256))), 1)[0] for _ in range(size))
        b = bytearray(a) if chance.random() < 0.5 else bytearray(chance.randbytes(size))
        i, j = chance.randrange(size), chance.randrange(size)
        n = chance.randrange(size - max(i, j) + 1)
        made.append(["copy", a.hex(), b.hex(), i, j, n])
        made.append(["same", a.hex(), b.hex(), i, i if chance.random() < 0.5 else j, n])
        made.append(["find_zero", a.hex(), "", min(i, j), max(i, j), 0])
        made.append(["stuff", a.hex(), "", 0, 0, size])
        stuffed = bytearray(cobs.encode(a))
        if chance.random() < 0.5:
            stuffed[chance.randrange(len(stuffed))] = chance.randrange(1, 255)
        made.append(["unstuff", stuffed.hex(), "", 0, 0, len(stuffed)])
    return made


@given(st.integers(0, 1 << 30))
def test_the_plain_twin(seed: int):
    for task in tasks(random.Random(seed), 2):
        assert done_by(bulk_plain, task) == expected(task), task


PROGRAM = """
import json, sys
sys.path[:] = [%r, '.frozen']
from mesoprotocol import bulk, bulk_viper
if bulk.copy is not bulk_viper.copy:
    raise Exception('the plain twin was taken')


%s

for task in json.loads(%r):
    print(done_by(bulk_viper, task))
"""


def test_the_boards_machine_code_is_the_same():
    try:
        build = micropython.compiled()
    except micropython.NoMicroPython as missing:
        pytest.skip(str(missing))
    if not (build / "mesoprotocol" / "bulk_viper.mpy").exists():
        pytest.skip("mpy-cross emits no machine code for this computer")
    work = tasks(random.Random(1), 60)
    source = inspect.getsource(done_by).replace("twin: Any, task: list[Any]", "twin, task").replace(" -> str", "")
    done = subprocess.run(
        [sys.executable, "-m", "micropython_unix", "-c", PROGRAM % (str(build), source, json.dumps(work))],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.splitlines() == [expected(task) for task in work], done.stderr
