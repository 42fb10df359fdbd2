"""The time that the firmware takes on a board, by its calls: counted by the profiler while a world runs.

Figures are those measured on an emulated RP2040 at 125 MHz, doubled for flash and bus of silicon; a hash's block and a
builtin are estimates. Counted are calls of the application, of the protocol and of the Board.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

from mesofirmware.app import App
from mesoprotocol import wire
from mesosim.runtime import InProcess
from mesosim.world.board import SimulatedBoard
from mesosim.world.trace import Trace
from mesosim.world.world import World

SILICON = 2
CALL_US = 35
BUILTIN_US = 10
VIPER_US = 45
"""A call of machine code, with a CRC or a copy of 64 bytes."""
SHA_BLOCK_US = 150
"""64 bytes, by viper: some 14,000 instructions."""

_OURS = ("mesofirmware", "mesoprotocol")
_VIPER = ("mesoprotocol.crc_plain", "mesoprotocol.bulk_plain")
_SHA = "mesoprotocol.sha256_plain"
_USB = "mesosim.rp2.usb"
_STATES = ("idle", "prepared", "armed", "running", "held")
_RECEIVE = SimulatedBoard.receive.__code__
_HANDLERS = (("mesofirmware.safety", "halt"), ("mesofirmware.session", "stop"))


class Stopwatch:
    """Times one step. Bytes that come while it runs are seen by the next look at the line, or by the next step."""

    def __init__(self) -> None:
        self.us = 0
        self.longest_us = 0
        """From one look at the line to the next, or to the end."""
        self.stopped_us = -1
        """From the look that found STOP to where its handling began; -1: there was none."""
        self._looked_us = 0
        self._outside = 0

    def __call__(self, frame: FrameType, event: str, argument: Any) -> None:
        """The profiler's hook."""
        if self._outside:
            # within the Board, or within the twin of machine code
            self._outside += (event == "call") - (event == "return")
            return
        module = frame.f_globals.get("__name__", "")
        if event == "call":
            if frame.f_code is _RECEIVE:
                self.look()
            if module == _SHA:
                cost = SHA_BLOCK_US * ((frame.f_locals["n"] + 8) // 64 + 1)
            else:
                cost = VIPER_US if module in _VIPER else CALL_US
            self._outside = int(not module.startswith(_OURS) or module in _VIPER or module == _SHA)
            self.us += cost * SILICON
            if self.stopped_us < 0 and (module, frame.f_code.co_name) in _HANDLERS:
                self.stopped_us = self.us - self._looked_us
        elif event == "c_call":
            self.us += BUILTIN_US * SILICON

    def look(self) -> None:
        """The firmware looks at the line now, or its step ends."""
        self.longest_us = max(self.longest_us, self.us - self._looked_us)
        self._looked_us = self.us


def link_us(act: Callable[[], object]) -> int:
    """How long the board file's link takes for what is done, by its calls: its own, and MicroPython's, for which the
    twin's functions stand."""
    us = outside = 0

    def count(frame: FrameType, event: str, argument: Any) -> None:
        nonlocal us, outside
        if outside:
            outside += (event == "call") - (event == "return")
        elif event == "c_call":
            us += BUILTIN_US
        elif event == "call":
            module = frame.f_globals.get("__name__", "")
            if module.startswith("mesofirmware"):
                us += CALL_US
            elif module == _USB or module in _VIPER:
                us += BUILTIN_US if module == _USB else VIPER_US
                outside = 1

    sys.setprofile(count)
    try:
        act()
    finally:
        sys.setprofile(None)
    return us * SILICON


class Timed:
    """The application, timed."""

    def __init__(self, board: Any) -> None:
        self.application = App(board)
        self.longest_us: dict[str, int] = {}
        """The longest that the line went unseen, by what the device did then."""
        self.stopped_us: dict[str, int] = {}
        """From the look that found STOP to its handling."""

    def mode(self) -> str:
        """What the device does, in words."""
        transaction = self.application._transaction
        state = _STATES[transaction.state]
        if transaction.state < wire.STATE_ARMED:
            return state
        return f"{_kind(transaction.plan)}: {state}"

    def step(self, now: int) -> int:
        """See `App.step`."""
        before = self.mode()
        watch = Stopwatch()
        sys.setprofile(watch)
        try:
            wait = self.application.step(now)
        finally:
            sys.setprofile(None)
        watch.look()
        after = self.mode()
        mode = before if before == after else f"{before} > {after}"
        self.longest_us[mode] = max(self.longest_us.get(mode, 0), watch.longest_us)
        if watch.stopped_us >= 0:
            self.stopped_us[before] = max(self.stopped_us.get(before, 0), watch.stopped_us)
        return wait


def _kind(plan: Any) -> str:
    return "run" if plan.is_run else "home" if plan.is_homing else "prime" if plan.is_prime else "dose"


class TimedWorld(World):
    """A world whose firmware is timed."""

    def firmware(self) -> Any:
        """See `World`."""
        self.timed = Timed(self.board)
        return self.timed


class TimedDevice(InProcess):
    """A device in this process whose firmware is timed."""

    def __init__(self, seed: int) -> None:
        self.world: TimedWorld = TimedWorld(seed, Trace(""))
