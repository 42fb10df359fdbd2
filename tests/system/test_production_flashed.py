"""The production line from blank boards: two at once, each written by its worker, and one that fails."""

from __future__ import annotations

import importlib.util
import json
import threading
from pathlib import Path

import pytest
from serial.tools.list_ports_common import ListPortInfo
from typer.testing import CliRunner

pytest.importorskip("usb", reason="pyusb is not installed: pip install 'mesoinjector[flash]'")
pytest.importorskip("libusb_package", reason="libusb-package is not installed: pip install 'mesoinjector[flash]'")

from mesofirmware import build, version
from mesoinjector import application, signing
from mesoinjector.cli import app
from mesoinjector.machine import Machine
from mesosim.bootsel import images
from mesosim.bootsel.bus import Bus
from tests.usb_bench import Bench

pytestmark = [
    pytest.mark.skipif(importlib.util.find_spec("micropython_unix") is None, reason="MicroPython is not installed"),
    pytest.mark.skipif(importlib.util.find_spec("mpremote") is None, reason="mpremote is not installed"),
]


def test_blank_boards_are_flashed_each_by_its_worker_and_one_that_cannot_be_disturbs_no_other(tmp_path: Path) -> None:
    signer = signing.new_key(tmp_path / "signer")
    build.compiled(tmp_path / "app", arch="")
    build.seal(tmp_path / "app", number=version.FIRMWARE)
    application.sign(tmp_path / "app", signer.with_suffix("").read_bytes())
    (tmp_path / "mp.uf2").write_bytes(images.uf2("RP2040", images.image("RP2040", 18, 1)))
    (tmp_path / "line.toml").write_text(
        f'serial = "T-##"\nfolder = "out"\nkeys = "keys"\nmicropython = "mp.uf2"\napplication = "app"\n'
        f'signer = "{signer.name}"\n'
    )
    benches = []
    for place, model in ((1, "pico"), (2, "pico"), (3, "pico2")):
        (tmp_path / str(place)).mkdir()
        benches.append(Bench(tmp_path / str(place), model, place))
    bus, lock = Bus([one.board for one in benches]), threading.RLock()

    def ports() -> list[ListPortInfo]:
        with lock:
            return [port for one in benches for port in one.ports()]

    for one in benches:
        one.bus = bus
        one.plug(bootsel=True)
    try:
        words = ["provision", str(tmp_path / "line.toml"), "--yes", "--json"]
        machine = Machine(tmp_path / "no-proc", ports, usb=bus)
        done = CliRunner().invoke(app, words, obj=machine)
        benches[0].plug(bootsel=True)
        again = CliRunner().invoke(app, [*words, "--device", "usb:path=1-1"], obj=machine)
        running = CliRunner().invoke(app, [*words, "--device", "usb:path=1-1"], obj=machine)
    finally:
        for one in benches:
            one.close()
    assert done.exit_code == 3, done.output
    first, second, wrong = json.loads(done.stdout.splitlines()[-1])["boards"]
    assert "is for RP2040, the board is a pico2. Nothing was changed." in wrong["steps"][-1]["said"]
    assert wrong["serial"] == "" and benches[2].board.flash.erased == []
    for each, one in zip((first, second), benches, strict=False):
        assert each["firmware"] == version.FIRMWARE, each["steps"]
        assert each["board"] == f"usb:path=1-{one.board.path[0]}"
        assert each["serial"], each["steps"]
    assert first["uid"] != second["uid"] and first["serial"] != second["serial"]
    # back in its bootloader it has its keys still, which the line recalls
    (once_more,) = json.loads(again.stdout.splitlines()[-1])["boards"]
    assert once_more["passed"] and once_more["serial"] == first["serial"], once_more["steps"]
    assert once_more["keys"] == first["keys"]
    (as_it_is,) = json.loads(running.stdout.splitlines()[-1])["boards"]
    assert as_it_is["passed"] and as_it_is["serial"] == first["serial"], as_it_is["steps"]
