"""Single keys of a terminal while a treatment runs. Ctrl-C stays what it is: STOP."""

from __future__ import annotations

import contextlib
import os
import select
import sys
import threading
from collections.abc import Callable, Generator, Mapping

LOOK_S = 0.1


@contextlib.contextmanager
def keys(actions: Mapping[str, Callable[[], None]], fd: int | None = None) -> Generator[bool]:
    """Call what a key stands for, in a thread of its own; whether there is a terminal to press keys at."""
    fd = _stdin() if fd is None else fd
    if os.name != "posix" or fd is None or not os.isatty(fd):
        yield False
        return
    import termios  # there is none elsewhere
    import tty

    before = termios.tcgetattr(fd)
    ended = threading.Event()
    thread = threading.Thread(target=_listen, args=(fd, actions, ended), daemon=True)
    tty.setcbreak(fd)  # signals stay: Ctrl-C is no key here
    thread.start()
    try:
        yield True
    finally:
        ended.set()
        thread.join()
        termios.tcsetattr(fd, termios.TCSADRAIN, before)


def _stdin() -> int | None:
    with contextlib.suppress(AttributeError, OSError, ValueError):  # none, closed, or no file
        return sys.stdin.fileno()
    return None


def _listen(fd: int, actions: Mapping[str, Callable[[], None]], ended: threading.Event) -> None:
    while not ended.is_set():
        if select.select([fd], [], [], LOOK_S)[0]:
            pressed = os.read(fd, 1).decode(errors="ignore").lower()
            if not pressed and not os.isatty(fd):
                return
            if pressed in actions:
                actions[pressed]()
