"""An application that hangs or ends, wherever it does: the board starts another by itself, and nothing moves.

It comes over the line, as every update does, and is started from its folder. The plant is the witness.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from mesofirmware import app, build, version
from mesoinjector import Service, application, errors, signing, updating
from mesoinjector.application import Application
from mesoprotocol import messages, wire
from tests.bench_of_one import SERVICE, Bench, world
from tests.rp2.started import Started

START_US = 2_100_000
"""The window, and what follows until the line is answered."""
LOADING_US = 8_000_000
LOOP_US = 2_000_000
"""How long the watchdog waits."""
MANY_US = 60_000_000
"""For seven starts."""

HANGS = "import machine\ndef hang(*given):\n    while True:\n        machine.idle()\n"
"""A wait for what never comes, in which the watchdog is not once fed."""
APP = "class App:\n    def __init__(self, *given):\n        pass\n"
HANGING = {
    "when imported": (HANGS + "hang()", LOADING_US),
    "in Pico()": (HANGS + "from mesofirmware.boards import rp2_pico\nrp2_pico.Pico, App = hang, None", LOADING_US),
    "in App()": (HANGS + "App = hang", LOADING_US),
    "in step()": (HANGS + APP + "    step = hang", LOOP_US),
}
ENDING = {
    "when imported": ("raise SystemExit", b"SystemExit()"),
    "in App()": ("def App(*given):\n    raise KeyboardInterrupt", b"KeyboardInterrupt()"),
    "in step()": (APP + "    def step(self, now):\n        raise MemoryError", b"MemoryError()"),
    "by a reset of its own": ("import machine\nmachine.reset()", b""),
}
SLOW = """
import machine
from mesofirmware.boards import rp2_pico

def wait():
    began = rp2_pico.time.ticks_ms()
    while rp2_pico.time.ticks_diff(rp2_pico.time.ticks_ms(), began) < 6000:
        machine.idle()

def slowly(make):
    def made(*given):
        wait()
        return make(*given)
    return made

wait()
App, rp2_pico.Pico = slowly(App), slowly(rp2_pico.Pico)
"""

Make = Callable[[str], Application]


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("keys") / "signer"
    signing.new_key(path)
    return path


@pytest.fixture
def bench(tmp_path: Path, key: Path) -> Iterator[Bench]:
    """A board that runs /app_a, has service's key, and knows its signer."""
    device = Started(tmp_path / "flash")
    bench = Bench(device, tmp_path / "journal.sqlite")
    bench.rest(START_US)
    bench.connect().provision(SERVICE)
    disk(bench).put("/settings/signer", signing.modulus(key.read_bytes()))
    yield bench
    device.close()


@pytest.fixture
def make(tmp_path: Path, key: Path) -> Make:
    """Makes a signed application of one file."""

    def made(text: str) -> Application:
        file = tmp_path / "app" / "mesofirmware" / "app.py"
        file.parent.mkdir(parents=True)
        file.write_text(text)
        build.seal(tmp_path / "app", number=version.FIRMWARE)
        return application.sign(tmp_path / "app", key.read_bytes())

    return made


def disk(bench: Bench) -> Any:
    return world(bench)._disk


def traceback(bench: Bench) -> bytes:
    kept: bytes = disk(bench).files.get("/failure.txt", b"")
    return kept


def given_up(bench: Bench, wanted: Application) -> int:
    """An application that does not live goes to the board, is tried there and given up; how long that takes, us."""
    before = bench.plant()
    injector = bench.connect(SERVICE)
    with pytest.raises(errors.UpdateFailed, match=r"did not start or stay, and the device went back: A runs.*Next: "):
        updating.install(injector, wanted)
    assert how(Service(injector).update()) == (0, wire.UPDATE_ROLLED_BACK, 0)
    assert injector.status().latches == 0
    after = bench.plant()
    lies_still(before, after)
    took_us: int = after["t_us"] - before["t_us"]
    return took_us


def how(found: messages.UpdateReply) -> tuple[int, int, int]:
    return found.slot, found.update, found.safe


def lies_still(before: dict[str, Any], after: dict[str, Any]) -> None:
    for moved in ("skin_nl", "tip_nl", "punctures", "plunger_steps"):
        assert after[moved] == before[moved], moved
    assert after["needle_home"] and not after["moving"]


@pytest.mark.requirement("SR-13", "SR-34")
@pytest.mark.parametrize(("text", "waits_us"), HANGING.values(), ids=HANGING)
def test_one_on_trial_that_hangs_is_given_up_by_itself(bench: Bench, make: Make, text: str, waits_us: int) -> None:
    took_us = given_up(bench, make(text))
    least_us = 3 * waits_us + 4 * (START_US - 100_000)
    assert least_us < took_us < least_us + 1_000_000
    assert traceback(bench) == b""


@pytest.mark.requirement("SR-13", "SR-34")
@pytest.mark.parametrize(("text", "said"), ENDING.values(), ids=ENDING)
def test_one_on_trial_that_ends_is_given_up_by_itself(bench: Bench, make: Make, text: str, said: bytes) -> None:
    given_up(bench, make(text))
    assert traceback(bench) == said


def test_one_that_takes_six_seconds_for_each_step_of_loading_is_kept(bench: Bench, make: Make) -> None:
    injector = bench.connect(SERVICE)
    found = updating.install(injector, make(Path(app.__file__).read_text() + SLOW))
    assert how(found) == (1, wire.UPDATE_CONFIRMED, 0)
    assert bench.connect(SERVICE).hello.boot_id == injector.hello.boot_id


@pytest.mark.requirement("SR-13", "SR-34")
@pytest.mark.parametrize("text", [HANGING["when imported"][0], ENDING["by a reset of its own"][0]])
def test_one_that_is_confirmed_and_fails_three_times_makes_way_for_the_safe_one(
    bench: Bench, make: Make, text: str
) -> None:
    before = bench.plant()
    wanted = make(text)
    disk(bench).put("/app_a/manifest", wanted.manifest)
    disk(bench).put("/app_a/mesofirmware/app.py", wanted.files[0][1])
    bench.device.control("reset")
    bench.rest(MANY_US)
    injector = bench.connect(SERVICE)
    assert how(Service(injector).update()) == (0, wire.UPDATE_CONFIRMED, 1)
    assert injector.status().latches & wire.LATCH_SAFE_APPLICATION
    lies_still(before, bench.plant())
