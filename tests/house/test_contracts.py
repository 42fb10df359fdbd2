"""The contracts that import-linter holds, each seen to fail."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.house.rooms import PACKAGES, ROOT
from tests.house.tree import plant

LINT = "import sys; from importlinter.cli import lint_imports_command; sys.exit(lint_imports_command())"


def lint(root: Path) -> subprocess.CompletedProcess[str]:
    """Run import-linter on the tree under `root` with this project's contracts."""
    shutil.copy(ROOT / "pyproject.toml", root)
    path = os.pathsep.join(str((root / folder).parent) for folder in PACKAGES.values())
    return subprocess.run(
        [sys.executable, "-c", LINT, "--no-logo", "--no-cache"],
        cwd=root,
        env={**os.environ, "PYTHONPATH": path},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("host/mesoinjector/simulated.py", "def sim():\n    import mesosim.launch"),
        ("host/mesoinjector/cli/run.py", "def sim():\n    import mesosim.launch"),
        ("sim/mesosim/launch.py", "import mesofirmware.app, mesoprotocol.messages"),
        ("sim/mesosim/lab/plugin.py", "import mesoinjector.links, mesosim.launch"),
        ("firmware/mesofirmware/boards/pico.py", "import machine, rp2"),
    ],
)
def test_what_is_allowed_passes(tmp_path: Path, file: str, text: str):
    plant(tmp_path, file, text)
    if "lab" in file:
        plant(tmp_path, "sim/mesosim/lab/__init__.py", "")
    done = lint(tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("file", "text", "broken"),
    [
        ("protocol/mesoprotocol/frame.py", "import mesofirmware.app", "The protocol knows nobody"),
        ("protocol/mesoprotocol/messages.py", "import mesoinjector.device", "The protocol knows nobody"),
        ("firmware/mesofirmware/app.py", "import mesosim.device", "The firmware knows the protocol only"),
        (
            "firmware/mesofirmware/app.py",
            "import mesoinjector.device",
            "The firmware knows the protocol only",
        ),
        ("sim/mesosim/launch.py", "import mesoinjector.device", "The simulated world does not know"),
        ("host/mesoinjector/device.py", "import mesofirmware.app", "The host driver knows the device only"),
        ("host/mesoinjector/links.py", "import mesofirmware.app", "The host driver knows the device only"),
        ("host/mesoinjector/device.py", "import mesosim.launch", "The host driver reaches the simulator"),
        ("firmware/mesofirmware/app.py", "import machine", "Only board files touch the hardware"),
        ("sim/mesosim/device.py", "import rp2", "Only board files touch the hardware"),
    ],
)
def test_what_is_planted_is_found(tmp_path: Path, file: str, text: str, broken: str):
    plant(tmp_path, file, text)
    done = lint(tmp_path)
    assert done.returncode == 1, done.stderr
    assert broken in done.stdout.split("Broken contracts")[1]
