"""The main job, as the README's command runs it."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from mesoprotocol import limits
from mesosim import runtime as simulator
from tests.bench_of_one import Bench

KEYS = {
    "runtime",
    "doses",
    "fractional",
    "ledger_total_nl",
    "plant_total_nl",
    "prime_nl",
    "virtual_s",
    "wall_s",
    "trace_records",
    "trace_sha256",
}
DOSE_KEYS = {"id", "asked_nl", "delivered_nl", "lower_nl", "upper_nl", "plant_nl", "plant_skin_nl", "result"}
RUN_KEYS = {"set_per_min", "strokes", "mean_per_min", "worst_interval_error_us", "worst_depth_error_um"}
HASHES = Path(__file__).parents[1] / "vectors" / "traces.json"


@cache
def demo(runtime: str, hash_seed: str = "0") -> dict[str, Any]:
    """One run of the command; what it printed."""
    with tempfile.TemporaryDirectory() as folder:
        line = [
            sys.executable,
            "-m",
            "mesoinjector",
            "demo",
            "--json",
            "--runtime",
            runtime,
            "--out",
            f"{folder}/d.html",
        ]
        env = {**os.environ, "PYTHONHASHSEED": hash_seed}
        done = subprocess.run(line, capture_output=True, text=True, check=True, timeout=110, env=env)
    summary: dict[str, Any] = json.loads(done.stdout)
    return summary


@pytest.mark.parametrize(("runtime", "name"), [("cpython", "cpython"), ("micropython", "micropython")])
def test_one_json_object_with_everything(runtime: str, name: str) -> None:
    summary = demo(runtime)
    assert set(summary) == KEYS
    assert summary["runtime"].startswith(name)
    assert len(summary["doses"]) == 30
    for dose in summary["doses"]:
        assert set(dose) >= DOSE_KEYS
        assert dose["result"] == "Delivered"
    assert set(summary["fractional"]) >= RUN_KEYS


def test_two_accounts_of_every_dose_agree() -> None:
    summary = demo("micropython")
    for dose in summary["doses"]:
        assert dose["delivered_nl"] == pytest.approx(dose["plant_nl"], rel=0.05)
        assert dose["delivered_nl"] == pytest.approx(dose["asked_nl"], rel=0.05)
        assert dose["plant_skin_nl"] == pytest.approx(dose["asked_nl"], rel=0.05)
        assert dose["lower_nl"] <= dose["plant_nl"] <= dose["upper_nl"]
    assert summary["ledger_total_nl"] == pytest.approx(summary["plant_total_nl"], rel=0.05)
    assert summary["ledger_total_nl"] == summary["prime_nl"] + sum(d["delivered_nl"] for d in summary["doses"])


def test_cadence_is_exact_by_the_device_clock() -> None:
    run = demo("micropython")["fractional"]
    assert run["strokes"] == 1800
    assert run["set_per_min"] == 900
    assert run["mean_per_min"] == pytest.approx(900, rel=1e-6)
    # index pulses are read in whole microseconds
    assert run["worst_interval_error_us"] < 1.0
    assert run["worst_depth_error_um"] <= limits.DEPTH_TOLERANCE_UM


def test_both_runtimes_give_the_same_trace() -> None:
    assert demo("cpython")["trace_sha256"] == demo("micropython")["trace_sha256"]
    assert demo("cpython")["trace_records"] == demo("micropython")["trace_records"] > 50_000


def test_the_trace_is_the_recorded_one() -> None:
    """A change of behaviour is a change somebody reviews: put the new hash here if it is meant."""
    assert demo("cpython")["trace_sha256"] == json.loads(HASHES.read_text())["demo, seed 1"]


def test_the_host_process_never_imports_the_firmware(tmp_path: Path) -> None:
    program = (
        "import sys\n"
        "from mesoinjector import Injector\n"
        f"with Injector.open('sim://micropython', {str(tmp_path / 'j.sqlite')!r}) as injector:\n"
        "    injector.begin_treatment()\n"
        "    injector.prime(0.1)\n"
        "    print(injector.runtime)\n"
        "device = [m for m in sys.modules if m.startswith(('mesofirmware.', 'mesosim.world', 'mesosim.device'))]\n"
        # what is built for a board is a tool's, and a manifest's with the version, and nothing that runs there
        "own = ('mesofirmware.build', 'mesofirmware.start', 'mesofirmware.version')\n"
        "print([m for m in device if not m.startswith(own)])\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == "micropython 1.29.0\n[]\n"


def hello_trace(runtime: str = "cpython") -> str:
    """The hash of the shortest scenario: boot and HELLO."""
    device = simulator.start(runtime, 1)
    try:
        from mesoinjector.connection import Connection

        device.run(1000, Connection().greet(b"12345678", "test"))
        digest: str = device.control("trace")["sha256"]
    finally:
        device.close()
    return digest


@pytest.mark.parametrize("name", limits.NAMES)
def test_the_trace_changes_with_every_limit(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    before = hello_trace()
    monkeypatch.setattr(limits, name, getattr(limits, name) + 1)
    assert hello_trace() != before


def test_the_trace_holds_frames_board_calls_and_plant_events(tmp_path: Path) -> None:
    """Parsed from the file that the hash is made of: nothing is hashed that is not written, and the reverse."""
    path = tmp_path / "trace.bin"
    device = simulator.start("cpython", 1, str(path))
    bench = Bench(device, tmp_path / "j.sqlite")
    injector = bench.ready()
    injector.dose(volume_ml=0.02, depth_mm=1.0, zone="cheek")
    told = device.control("trace")
    assert hashlib.sha256(path.read_bytes()).hexdigest() == told["sha256"]


@pytest.mark.parametrize("hash_seed", ["0", "1", "random"])
def test_the_trace_does_not_depend_on_pythons_hash_seed(hash_seed: str) -> None:
    recorded = json.loads(HASHES.read_text())["demo, seed 1"]
    assert demo("cpython", hash_seed)["trace_sha256"] == recorded
