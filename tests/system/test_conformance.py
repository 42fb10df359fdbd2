"""The conformance suite as others run it, from outside any checkout; and the plugin's fixtures."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from mesosim import micropython
from tests.house.rooms import ROOT
from tests.system.planted_device import MISTAKES

OURS = """
def test_a_dose(injector, plant):
    injector.begin_treatment()
    injector.prime(0.1)
    before = plant()["tip_nl"]
    given = injector.dose(volume_ml=0.02, depth_mm=1.0, zone="cheek")
    assert abs(plant()["tip_nl"] - before - given.delivered_nl) < 1_000

def test_a_fault_ends_with_its_test(injector, faults, device):
    injector.begin_treatment()
    injector.prime(0.1)
    faults.inject("occlusion")
    assert injector.dose(volume_ml=0.02, depth_mm=1.0, zone="cheek").reason == "occlusion"
    assert device.control("faults")
    faults.clear("occlusion")
    assert not device.control("faults")

def test_time_passes_when_it_is_told_to(injector, virtual_time):
    before = virtual_time.now_us
    assert virtual_time.advance(3600.0) == before + 3_600_000_000
    assert injector.device_time().time_us >= 3_600_000_000

def test_nothing_is_known_of_a_device_of_before(injector):
    assert injector.hello.next_n == 1
"""


def pytest_outside(folder: Path, *options: str, planted: str = "", timeout_s: int = 110) -> tuple[int, str]:
    """Exit code and what was said; pytest starts in an empty folder, with the installed packages."""
    line = [sys.executable, "-m", "pytest", "-p", "mesosim.lab.plugin", "-p", "no:cacheprovider", "-q", *options]
    if planted:
        line += ["-p", "tests.system.planted_device", "-x"]
    path = os.pathsep.join([*(each for each in sys.path if each), str(ROOT)])
    env = {**os.environ, "PYTHONPATH": path, "PLANTED": planted}
    env.pop("PYTEST_ADDOPTS", None)
    done = subprocess.run(line, capture_output=True, text=True, cwd=folder, env=env, check=False, timeout=timeout_s)
    return done.returncode, done.stdout + done.stderr


def conformance(folder: Path, *options: str, planted: str = "", timeout_s: int = 110) -> tuple[int, str]:
    options = ("--pyargs", "mesosim.lab.conformance", *options)
    return pytest_outside(folder, *options, planted=planted, timeout_s=timeout_s)


def skip_without_micropython() -> None:
    try:
        micropython.line("")
    except micropython.NoMicroPython as missing:
        pytest.skip(str(missing))


def assert_all_passed(code: int, said: str) -> None:
    assert code == 0, said
    assert "skipped" not in said and int(re.findall(r"(\d+) passed", said)[0]) >= 57


@pytest.mark.parametrize("device", ["sim", "micropython", "sim://cpython?line=pty", "sim://micropython?line=pty"])
def test_the_simulated_device_conforms(device: str, tmp_path: Path) -> None:
    if "micropython" in device:
        skip_without_micropython()
    assert_all_passed(*conformance(tmp_path, f"--mesoinjector={device}", "--junit-xml=found.xml"))
    tree = ET.parse(tmp_path / "found.xml")
    held = {each.get("value") for each in tree.iter("property") if each.get("name") == "requirement"}
    assert {"SR-01", "SR-25", "SR-26", "SR-29", "SR-30"} <= held


@pytest.mark.timeout(360)
def test_a_device_on_a_port_conforms(tmp_path: Path) -> None:
    """MicroPython in real time: one by the name of a serial port, as /dev/ttyACM0 is, and one by TCP, both at once."""
    skip_without_micropython()
    command = [sys.executable, "-m", "mesoinjector", "sim", "serve", "--runtime", "micropython", "--devices", "2"]
    command += ["--pty", "port", "--tcp", "127.0.0.1:0", "--seed", "1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=tmp_path) as serve:
        try:
            assert serve.stdout
            _, second = (serve.stdout.readline() for _ in range(2))
            devices = [str(tmp_path / "port"), second.split()[-1]]
            assert devices[1].startswith("socket://127.0.0.1:")

            def conforms(device: str) -> tuple[int, str]:
                return conformance(tmp_path, f"--mesoinjector={device}", timeout_s=300)

            with ThreadPoolExecutor(2) as both:
                outcomes = list(both.map(conforms, devices))
        finally:
            serve.terminate()
    for outcome in outcomes:
        assert_all_passed(*outcome)


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_device_with_a_mistake_does_not_conform(mistake: str, tmp_path: Path) -> None:
    code, said = conformance(tmp_path, "-m", "not operator", planted=mistake)
    assert code == 1 and ("1 failed" in said or "1 error" in said), said


def test_nothing_moves_on_a_real_device_without_a_person(tmp_path: Path) -> None:
    """A device whose identity is not a simulated one's: what needs a hand is skipped, and says what for."""
    (tmp_path / "real.py").write_text("from mesosim.lab.conformance import host\nhost.SIMULATED = b'none'\n")
    code, said = conformance(tmp_path, "-p", "real", "-rs", "-m", "operator", f"--rootdir={tmp_path}")
    assert code == 0, said
    assert "needs a person to hold the handpiece away from the skin" in said and "4 skipped" in said


def test_a_project_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "test_mine.py").write_text(OURS)
    code, said = pytest_outside(tmp_path, "--mesoinjector=sim")
    assert code == 0 and "4 passed" in said, said
    code, said = pytest_outside(tmp_path, "--mesoinjector=sim://cpython?seed=9", "-k", "dose")
    assert code == 0, said


@pytest.mark.parametrize(
    ("device", "said", "next_step"),
    [
        ("/dev/nowhere", "there is nothing there", "Next: plug the device in and check the port's name."),
        ("socket://127.0.0.1:1", "there is nothing there", "Next: "),
        ("sim://jython", "choose one of cpython, micropython, wasm", ""),
    ],
)
def test_a_device_that_is_not_there_is_an_error(device: str, said: str, next_step: str, tmp_path: Path) -> None:
    (tmp_path / "test_mine.py").write_text(OURS)
    code, told = pytest_outside(tmp_path, f"--mesoinjector={device}", "-k", "dose")
    assert code == 1 and said in told and next_step in told
    assert "During handling" not in told and "plugin.py" not in told, "a message, not a traceback"


def test_a_runtime_that_is_not_installed_is_skipped_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "test_mine.py").write_text(OURS)
    line = f"import os\nos.environ['PATH'] = {str(tmp_path)!r}\n"
    (tmp_path / "bare.py").write_text(line)
    code, told = pytest_outside(tmp_path, "--mesoinjector=wasm", "-p", "bare", "-rs", f"--rootdir={tmp_path}")
    assert code == 0 and "4 skipped" in told and "node is not installed" in told


def test_the_plugin_costs_a_pytest_without_it_nothing() -> None:
    """It imports nothing that a project which does not use it would wait for."""
    program = "import sys, mesosim.lab.plugin as _; print(sorted(m for m in sys.modules if m.split('.')[0] in "
    program += "('mesoinjector', 'mesofirmware', 'mesoprotocol', 'numpy', 'pydantic', 'serial', 'mesosim')))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['mesosim', 'mesosim.lab', 'mesosim.lab.plugin']"
