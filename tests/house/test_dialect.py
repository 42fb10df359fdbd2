"""Device code says nothing that a board takes otherwise, and each check finds what is planted against it."""

from pathlib import Path

import pytest

from tests.house import dialect
from tests.house.rooms import ROOT
from tests.house.tree import plant

BOARD, WORLD, ORDER = CHECKS = (dialect.board_dialect, dialect.world_dialect, dialect.device_order)
FIRMWARE, PROTOCOL = "firmware/mesofirmware/app.py", "protocol/mesoprotocol/frame.py"
PLANT, HOST_SIDE = "sim/mesosim/world/plant.py", "protocol/mesoprotocol/messages.py"


@pytest.mark.parametrize("check", CHECKS)
def test_this_tree_keeps_to_it(check):
    assert check(ROOT) == []


ALLOWED = [
    (FIRMWARE, "x = 7 // 2\nfor i in sorted({1: 2}):\n    pass\nfor i in (1, 2):\n    pass"),
    (PLANT, "x = 1.5 / 2\ny = x * x\nz = 2**29"),
    (HOST_SIDE, "x = 1.5 / 2\nassert x"),
    ("sim/mesosim/launch.py", "x = 2.0 ** 0.5\nfor i in {1, 2}:\n    assert i"),
]


@pytest.mark.parametrize(("file", "text"), ALLOWED)
def test_what_is_allowed_passes(tmp_path: Path, file: str, text: str):
    plant(tmp_path, file, text)
    assert [finding for check in CHECKS for finding in check(tmp_path)] == []


FORBIDDEN = [
    (BOARD, FIRMWARE, "x = 1.0"),
    (BOARD, FIRMWARE, "x = 1e3"),
    (BOARD, FIRMWARE, "x = 2j"),
    (BOARD, FIRMWARE, "def half(x):\n    return x / 2"),
    (BOARD, FIRMWARE, "x = 4\nx /= 2"),
    (BOARD, FIRMWARE, "x = float(4)"),
    (BOARD, FIRMWARE, "def step(x):\n    assert x"),
    (BOARD, FIRMWARE, "async def step():\n    pass"),
    (BOARD, PROTOCOL, "x = 1.0"),
    (BOARD, PROTOCOL, "def size(x):\n    assert x"),
    (BOARD, "firmware/mesofirmware/start/boot.py", "x = 3 / 2"),
    (WORLD, PLANT, "def square(x):\n    return x**2"),
    (WORLD, PLANT, "x = 2.0**0.5"),
    (WORLD, PLANT, "x = 2.0\nx **= 2"),
    (WORLD, PLANT, "x = pow(2.0, 0.5)"),
    (WORLD, PLANT, "x = hash('x')"),
    (ORDER, FIRMWARE, "for i in {1, 2}:\n    pass"),
    (ORDER, FIRMWARE, "x = [i for i in dict(a=1)]"),
    (ORDER, FIRMWARE, "def step(x):\n    for k, v in x.items():\n        pass"),
    (ORDER, FIRMWARE, "AXES = {1: 2}\nfor axis in AXES:\n    pass"),
    (ORDER, FIRMWARE, "AXES: dict = {1: 2}\nfor axis in list(AXES):\n    pass"),
    (ORDER, PLANT, "class A:\n    def f(self):\n        self.x = set()\n        return [i for i in self.x]"),
]


@pytest.mark.parametrize(("check", "file", "text"), FORBIDDEN)
def test_what_is_planted_is_found(tmp_path: Path, check, file: str, text: str):
    plant(tmp_path, file, text)
    assert [finding.split(":")[0] for finding in check(tmp_path)] == [file]
