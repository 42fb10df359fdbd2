"""From a board at MicroPython's prompt to a self-test that has passed, on the virtual board; computed for a real Pico.

Nothing here is judged by time; one table is printed at the end. What the virtual board does not cost is computed from
what it counts: blocks erased and pages programmed (W25Q16JV, typical: 45 ms, 0.4 ms), bytes and turns on the line (USB
full speed: a turn takes two frames of 1 ms; raw paste has one each 128 bytes, a command three more).
"""

from __future__ import annotations

import contextlib
import json
import time
from pathlib import Path

import pytest

from mesoinjector.prompt import Prompt
from mesosim.blank import Blank
from mesosim.micropython import NoMicroPython
from tests.blank_board import built, opened

ROUNDS = 5
STEPS = ("to the prompt", "install, verified on the board", "restart to HELLO, 2 s of it the window", "self-test")
COUNTED = "from mesosim.rp2.started import Flash\nimport json\nprint(json.dumps([Flash.erased, Flash.written]))"
ERASE_S, PAGE_S, PAGE_BYTES = 0.045, 0.0004, 256
TURN_S, WINDOW_BYTES, TURNS_A_COMMAND = 0.002, 128, 3
WINDOW_S, LOAD_S = 2.0, 3.0
"""The safe-mode window of a start, and loading the application: an estimate."""
ENOUGH = 1 << 30


def test_from_the_prompt_to_a_passed_self_test(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Seconds of each step stand by its name."""
    application = built(tmp_path / "app")
    measured: dict[str, list[float]] = {}
    commands = 0
    run = Prompt.run

    def counted(prompt: Prompt, program: str) -> str:
        nonlocal commands
        commands += 1
        return run(prompt, program)

    monkeypatch.setattr(Prompt, "run", counted)
    erased = written = sent = 0
    for n in range(ROUNDS):
        folder = tmp_path / str(n)
        folder.mkdir()
        try:
            board = Blank(folder)
        except NoMicroPython as missing:
            pytest.skip(str(missing))
        with contextlib.closing(board):
            board.unplug_after = ENOUGH
            at = [time.perf_counter()]
            with Prompt(board.path) as prompt:
                at.append(time.perf_counter())
                before = json.loads(prompt.run(COUNTED))
                commands = 0
                prompt.install(application, bytes(384), lambda done, total: None)
                at.append(time.perf_counter())
                after = json.loads(prompt.run(COUNTED))
                erased, written = after[0] - before[0], after[1] - before[1]
                prompt.restart()
            sent = ENOUGH - board.unplug_after
            with opened(board.path, folder / "journal.sqlite") as injector:
                at.append(time.perf_counter())
                assert injector.self_test().failed_checks == 0
                at.append(time.perf_counter())
        for i, name in enumerate(STEPS):
            measured.setdefault(name, []).append(at[i + 1] - at[i])
        measured.setdefault("all of it", []).append(at[-1] - at[0])
    print("\n\na virtual board from the prompt to a passed self-test, wall time")
    print(f"{'':48}{'n':>4}{'p50 s':>9}{'most s':>9}")
    for name, seconds in measured.items():
        print(f"{name:48}{len(seconds):4}{sorted(seconds)[len(seconds) // 2]:9.3f}{max(seconds):9.3f}")
    flash_s = erased * ERASE_S + written / PAGE_BYTES * PAGE_S
    line_s = (sent / WINDOW_BYTES + commands * TURNS_A_COMMAND) * TURN_S
    print(
        f"a real Pico, computed: {erased} blocks erased, {written} bytes programmed: {flash_s:.1f} s; {sent} bytes and"
    )
    print(f"{commands} commands on the line: {line_s:.1f} s; window and load {WINDOW_S + LOAD_S:.0f} s: ", end="")
    print(f"{flash_s + line_s + WINDOW_S + LOAD_S:.0f} s in all, without MicroPython itself")
