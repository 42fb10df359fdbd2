"""Imports are held to what a board's stubs name; the stubs themselves are there in `make check`."""

from pathlib import Path

import pytest

from tests.house import stock
from tests.house.tree import plant


@pytest.fixture
def stubs(tmp_path: Path) -> Path:
    folder = tmp_path / "stubs"
    for name in (
        "machine.pyi",
        "gc.pyi",
        "_boot.pyi",
        "rp2/__init__.pyi",
        "stdlib/sys/__init__.pyi",
        "stdlib/enum.pyi",
    ):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


def test_what_is_only_for_types_is_on_no_board(stubs: Path) -> None:
    assert stock.modules(stubs) == {"machine", "gc", "rp2", "sys"}


@pytest.mark.parametrize(
    ("file", "text", "found"),
    [
        ("firmware/mesofirmware/app.py", "import gc\nfrom mesoprotocol import frame", ""),
        ("firmware/mesofirmware/app.py", "if TYPE_CHECKING:\n    import enum", ""),
        ("firmware/mesofirmware/app.py", "import enum", "app.py:1: imports enum"),
        (
            "firmware/mesofirmware/boards/pico.py",
            "import gc\nfrom machine import Pin\nimport esp32",
            "pico.py:3: imports",
        ),
        ("protocol/mesoprotocol/frame.py", "def late():\n    import decimal", "frame.py:2: imports decimal"),
    ],
)
def test_what_a_board_has_not_is_found(tmp_path: Path, stubs: Path, file: str, text: str, found: str) -> None:
    plant(tmp_path, file, text)
    said = stock.findings(tmp_path, stock.modules(stubs))
    assert found in said[0] and len(said) == 1 if found else said == []


def test_without_stubs_nothing_passes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert stock.main(tmp_path) == 1
    assert "no stubs of a board" in capsys.readouterr().err


def test_what_the_boards_objects_bear_is_not_renamed(stubs: Path) -> None:
    (stubs / "machine.pyi").write_text("class Pin:\n    OUT: int\n    def value(self): ...")
    assert stock.renamed(stubs, {"Pin", "value", "OUT", "dose"}) == [
        f"build_names: {name} is the board's own as well: keep it" for name in ("OUT", "Pin", "value")
    ]
