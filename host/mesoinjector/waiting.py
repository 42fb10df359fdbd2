"""How a thread waits for another and for a simulated device: by itself, unless an event loop has it otherwise.

A loop in virtual time runs what blocks in threads of which one goes at a time (`virtual_time`), and says so here.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any


class Waiting(threading.local):
    """Each thread has its own."""

    def __init__(self) -> None:
        self.for_turn: Callable[[threading.Event], object] = threading.Event.wait
        """Wait until another thread has set this event."""
        self.hold: Callable[[Any], Any] = _as_it_is
        """The device to put in a simulated device's place."""


def _as_it_is(device: Any) -> Any:
    return device


waiting: Waiting = Waiting()
