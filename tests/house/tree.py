"""A small tree of four packages that keeps every rule, to plant violations in."""

from pathlib import Path

from tests.house import rooms

MODULES = (
    "protocol/mesoprotocol/frame.py",
    "protocol/mesoprotocol/messages.py",
    "firmware/mesofirmware/app.py",
    "firmware/mesofirmware/axis.py",
    "firmware/mesofirmware/boards/__init__.py",
    "firmware/mesofirmware/boards/pico.py",
    "firmware/mesofirmware/start/boot.py",
    "sim/mesosim/device.py",
    "sim/mesosim/launch.py",
    "sim/mesosim/world/__init__.py",
    "sim/mesosim/world/plant.py",
    "host/mesoinjector/device.py",
    "host/mesoinjector/simulated.py",
    "host/mesoinjector/cli/__init__.py",
)


def plant(root: Path, file: str, text: str) -> None:
    """Make the tree under `root`, with `file` saying `text`."""
    for module in MODULES:
        _write(root / module, '"""A module."""\n')
    for folder in rooms.PACKAGES.values():
        _write(root / folder / "__init__.py", '"""A package."""\n')
        _write(root / folder / "README.md", "A package.\n")
        _write(root / folder / "py.typed", "")
    _write(root / file, text)


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
