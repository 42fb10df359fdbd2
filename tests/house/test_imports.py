"""Imports go one way, and every check that says so finds what is planted against it."""

from pathlib import Path

import pytest

from tests.house import imports
from tests.house.rooms import ROOT
from tests.house.tree import plant

CHECKS = (imports.device_imports, imports.hardware_imports, imports.host_imports)


@pytest.mark.parametrize("check", CHECKS)
def test_this_tree_keeps_to_it(check):
    assert check(ROOT) == []


ALLOWED = [
    ("protocol/mesoprotocol/messages.py", "from typing import NamedTuple\nfrom mesoprotocol import frame"),
    ("firmware/mesofirmware/app.py", "import gc\nfrom mesoprotocol.frame import size\nfrom . import axis"),
    ("firmware/mesofirmware/boards/port.py", "if TYPE_CHECKING:\n    from typing import Protocol"),
    ("firmware/mesofirmware/boards/pico.py", "import machine, time\nfrom rp2 import asm_pio"),
    ("firmware/mesofirmware/start/boot.py", "import os\nfrom mesofirmware.boards import pico"),
    ("sim/mesosim/world/plant.py", "from math import sqrt\nfrom mesofirmware import axis"),
    ("sim/mesosim/device.py", "import json, select"),
    ("sim/mesosim/launch.py", "import subprocess\nfrom mesosim import device"),
    ("host/mesoinjector/simulated.py", "def sim():\n    from mesosim import launch"),
    ("host/mesoinjector/cli/run.py", "def sim():\n    import mesosim.launch"),
    ("host/mesoinjector/simulated.py", "if TYPE_CHECKING:\n    from mesosim import launch"),
    ("host/mesoinjector/device.py", "from mesoprotocol import messages"),
]


@pytest.mark.parametrize(("file", "text"), ALLOWED)
def test_what_is_allowed_passes(tmp_path: Path, file: str, text: str):
    plant(tmp_path, file, text)
    assert [finding for check in CHECKS for finding in check(tmp_path)] == []


DEVICE, HARDWARE, HOST = CHECKS
FORBIDDEN = [
    (DEVICE, "protocol/mesoprotocol/frame.py", "import typing"),
    (DEVICE, "protocol/mesoprotocol/frame.py", "from mesoprotocol import messages"),
    (DEVICE, "protocol/mesoprotocol/frame.py", "from . import messages"),
    (DEVICE, "protocol/mesoprotocol/frame.py", "from mesoprotocol.messages import Hello"),
    (DEVICE, "protocol/mesoprotocol/frame.py", "import mesofirmware.nowhere"),
    (DEVICE, "firmware/mesofirmware/app.py", "from typing import Any"),
    (
        DEVICE,
        "firmware/mesofirmware/app.py",
        "if TYPE_CHECKING:\n    pass\nelse:\n    from typing import Any",
    ),
    (DEVICE, "firmware/mesofirmware/app.py", "def step():\n    from typing import Any"),
    (DEVICE, "firmware/mesofirmware/app.py", "if TYPE_CHECKING:\n    from mesoinjector import launch"),
    (DEVICE, "firmware/mesofirmware/app.py", "def step():\n    import asyncio"),
    (DEVICE, "firmware/mesofirmware/app.py", "import time"),
    (DEVICE, "firmware/mesofirmware/app.py", "try:\n    import json\nexcept ImportError:\n    pass"),
    (DEVICE, "firmware/mesofirmware/boards/pico.py", "from typing import Any"),
    (DEVICE, "firmware/mesofirmware/start/main.py", "from mesoprotocol import messages"),
    (DEVICE, "firmware/mesofirmware/app.py", "from mesosim import launch"),
    (DEVICE, "firmware/mesofirmware/app.py", "from mesoinjector import device"),
    (DEVICE, "sim/mesosim/world/plant.py", "import numpy"),
    (DEVICE, "sim/mesosim/world/plant.py", "import math"),
    (DEVICE, "sim/mesosim/world/plant.py", "from math import exp"),
    (DEVICE, "sim/mesosim/world/plant.py", "from .. import launch"),
    (DEVICE, "sim/mesosim/__init__.py", "from mesosim.launch import start"),
    (HARDWARE, "firmware/mesofirmware/app.py", "import machine"),
    (HARDWARE, "firmware/mesofirmware/start/boot.py", "from rp2 import PIO"),
    (HARDWARE, "firmware/mesofirmware/start/boot.py", "def safe():\n    import machine"),
    (HARDWARE, "protocol/mesoprotocol/frame.py", "import machine"),
    (HARDWARE, "sim/mesosim/launch.py", "from machine import Pin"),
    (HOST, "host/mesoinjector/device.py", "def sim():\n    import mesosim"),
    (HOST, "host/mesoinjector/device.py", "def flash():\n    import mesofirmware"),
    (HOST, "host/mesoinjector/simulated.py", "from mesosim import launch"),
    (HOST, "host/mesoinjector/simulated.py", "class Link:\n    import mesosim"),
    (HOST, "host/mesoinjector/simulated.py", "if TYPE_CHECKING:\n    pass\nelse:\n    import mesosim"),
    (HOST, "host/mesoinjector/simulated.py", "def sim():\n    import mesofirmware.app"),
    (HOST, "host/mesoinjector/simulated.py", "import importlib\nimportlib.import_module('mesosim')"),
    (HOST, "host/mesoinjector/cli/run.py", "from mesosim.launch import start"),
]


@pytest.mark.parametrize(("check", "file", "text"), FORBIDDEN)
def test_what_is_planted_is_found(tmp_path: Path, check, file: str, text: str):
    plant(tmp_path, file, text)
    assert [finding.split(":")[0] for finding in check(tmp_path)] == [file]
