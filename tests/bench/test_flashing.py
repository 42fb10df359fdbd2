"""From a blank board to a self-test that has passed, by the code that flashes a real one, on the virtual board.

The whole stands beside bare method calls, each step beside the whole of its round. What a real Pico takes is computed
in docs/flashing.md.
"""

from __future__ import annotations

import importlib.util
import time
from contextlib import closing
from pathlib import Path

import pytest

pytest.importorskip("usb", reason="pyusb is not installed: pip install 'mesoinjector[flash]'")

from mesofirmware import build
from mesoinjector import application, boards, flashing, signing
from mesoinjector.application import Application
from mesoinjector.flashing import Flashing, Order
from mesoinjector.journal import Journal
from mesoinjector.uf2 import Image
from mesosim.bootsel import images
from tests.bench import bare
from tests.bench.figures import Figures
from tests.usb_bench import bench

pytestmark = [
    pytest.mark.skipif(importlib.util.find_spec("micropython_unix") is None, reason="MicroPython is not installed"),
    pytest.mark.skipif(importlib.util.find_spec("mpremote") is None, reason="mpremote is not installed"),
]
ROUNDS = 5
PAGES = 1360
"""MicroPython's own image: 340 KiB, as in docs/flashing.md."""
WHOLE = "from blank to a passed self-test"


def test_from_a_blank_board_to_a_passed_self_test(tmp_path: Path, figures: Figures) -> None:
    """The whole, and each step's share of it."""
    signer = signing.new_key(tmp_path / "signer")
    build.compiled(tmp_path / "app", arch="")
    build.seal(tmp_path / "app")
    application.sign(tmp_path / "app", signer.with_suffix("").read_bytes())
    (tmp_path / "micropython.uf2").write_bytes(images.uf2("RP2040", images.image("RP2040", PAGES, 1)))
    order = Order(
        Image.load(tmp_path / "micropython.uf2"),
        Application.load(tmp_path / "app"),
        signing.modulus(signer.read_bytes()),
        name="A-0001",
    )
    measured: dict[str, list[float]] = {}
    beside: list[float] = []
    for n in range(ROUNDS):
        beside.append(1 / bare.calls("cpython"))
        folder = tmp_path / str(n)
        folder.mkdir()
        for name, seconds in flashed(folder, order).items():
            measured.setdefault(name, []).append(seconds)
    whole = zip(measured[WHOLE], beside, strict=True)
    figures.timed(f"virtual board: {WHOLE}", "hundred thousand bare method calls on cpython", "s", "less", whole)
    for name, each in measured.items():
        if name != WHOLE:
            rounds = zip(each, measured[WHOLE], strict=True)
            figures.timed(f"virtual board: {name}", WHOLE, "s", "less", rounds)


def flashed(folder: Path, order: Order) -> dict[str, float]:
    """How long each step took, and all of them."""
    began: dict[str, float] = {}

    def tell(what: str, done: int, of: int) -> None:
        began.setdefault(what, time.perf_counter())

    with bench(folder) as one, closing(Journal(folder / "journal.sqlite")) as journal:
        flash = Flashing(one.machine, journal, tell)
        start = time.perf_counter()
        done = flash.run(flashing.plan(boards.choose("usb:", boards.find(one.machine)), order))
        end = time.perf_counter()
    assert done.sectors == PAGES // 16
    ends = [*list(began.values())[1:], end]
    took = {what: until - at for (what, at), until in zip(began.items(), ends, strict=True)}
    return {**took, WHOLE: end - start}
