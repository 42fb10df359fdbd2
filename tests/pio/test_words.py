"""The words are what an assembler makes of the sources beside this file, and fit into RP2040's two blocks."""

import json
import subprocess
from pathlib import Path

import pytest

from mesofirmware.boards import rp2_programs
from tests.house import rooms

HERE = Path(__file__).parent
ASSEMBLER = rooms.ROOT / ".venv" / "pioasm" / "bin" / "python"
NAMES = ("stepper", "drive", "deadman", "odometer", "encoder")


@pytest.fixture(scope="module")
def assembled() -> dict[str, dict]:
    if not ASSEMBLER.exists():
        pytest.skip("the PIO words are NOT compared with their sources: make .venv/pioasm/.installed")
    files = [HERE / "programs" / f"{name}.pio" for name in NAMES]
    made = subprocess.run(
        [ASSEMBLER, HERE / "assemble.py", *files], capture_output=True, text=True, timeout=60, check=True
    )
    return dict(zip(NAMES, json.loads(made.stdout), strict=True))


@pytest.mark.parametrize("name", NAMES)
def test_the_words_are_those_of_the_source(assembled: dict[str, dict], name: str):
    words, *offsets, execctrl, _, _, _, side = getattr(rp2_programs, name.upper())
    source = assembled[name]
    assert [f"{word:04x}" for word in words] == [f"{word:04x}" for word in source["words"]]
    assert (execctrl >> 7 & 31, execctrl >> 12 & 31) == (source["wrap_target"], source["wrap"])
    assert source["side_set"] == (0 if side is None else 1)
    assert offsets == [-1, -1, -1]


def test_every_source_is_compared():
    assert sorted(file.stem for file in (HERE / "programs").glob("*.pio")) == sorted(NAMES)


def test_both_blocks_have_room():
    # three step generators, two of which share a program, and the dead-man; three odometers and the encoder
    first = (rp2_programs.STEPPER, rp2_programs.DRIVE, rp2_programs.DEADMAN)
    second = (rp2_programs.ODOMETER, rp2_programs.ENCODER)
    for block in (first, second):
        assert sum(len(program[0]) for program in block) <= 32
