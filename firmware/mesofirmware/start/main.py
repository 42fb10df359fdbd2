"""What MicroPython runs second: the safe-mode window, then the application until it fails or the power goes.

The window is the only way to a prompt: afterwards Ctrl-C is a byte like any other, and the watchdog waits, for what is
loaded as for what runs. An application that ends leaves every pin safe and its traceback in a file, and the board
restarts, as by the watchdog if it hangs; after three such starts since the power came the safe one runs. One on trial
has its own three, and after them the one before, which begins to count anew.
"""

import gc
import sys

from mesofirmware import slots
from mesofirmware.boards import rp2_files, rp2_safe, rp2_shelf, rp2_start, rp2_watchdog
from mesofirmware.start import manifest
from mesoprotocol import wire

SAFE_FOLDER = "/lib"
"""The safe application, with what this module has imported."""
FILES_FOLDER = "/settings"
"""Where the board's files lie: `rp2_pico`."""
_FAILURES = 3
_TRACEBACK = "/failure.txt"
_TIDY_BYTES = 2048
"""Garbage is collected so often while an application is loaded: what stays lies close, and long buffers find room."""


def folder(watchdog: rp2_watchdog.Watchdog, answer: int) -> str:
    """Where the application is loaded from: the one place where that is chosen.

    One on trial that fails at each start is given up for the one before, which may fail as often as any other. What
    the safe one has put on trial is started if that asked for it: else it is the choice that has failed so often.
    """
    if answer == rp2_start.SAFE:
        return SAFE_FOLDER
    has_failed = watchdog.failures >= _FAILURES
    try:
        shelf = rp2_shelf.Shelf(watchdog.feed)
        record = slots.Slots(rp2_files.Files(FILES_FOLDER))
        was_on_trial = record.is_on_trial
        if has_failed and not (was_on_trial and watchdog.reason == wire.RESET_ASKED):
            return SAFE_FOLDER
        chosen = record.choose(lambda folder: manifest.is_whole(shelf, folder))
        if was_on_trial:
            watchdog.count_anew()  # its starts are counted by the record
        return chosen or SAFE_FOLDER
    except OSError:
        if not has_failed:
            raise
        return SAFE_FOLDER


def run(watchdog: rp2_watchdog.Watchdog, path: str) -> None:
    """Load the application from a folder, and call it for ever."""
    if path != SAFE_FOLDER:
        sys.path.insert(0, path)
        for name in sorted(sys.modules):
            if name.split(".")[0] in ("mesofirmware", "mesoprotocol"):
                del sys.modules[name]
    gc.threshold(_TIDY_BYTES)
    from mesofirmware.app import App
    from mesofirmware.boards.rp2_pico import Pico

    watchdog.feed()
    is_safe = path == SAFE_FOLDER
    board = Pico(watchdog, "" if is_safe else path)
    watchdog.feed()
    application = App(board, is_safe)
    gc.threshold(-1)
    watchdog.start(rp2_watchdog.LOOP_MS)
    while True:
        now = board.now()
        board.wait(now, application.step(now))


def main() -> None:
    """Never returns, unless a prompt is wanted."""
    watchdog = rp2_watchdog.Watchdog()
    answer = rp2_start.window()
    if answer == rp2_start.PROMPT:
        watchdog.count_anew()  # who is at the prompt may put another one there
        return
    watchdog.start(rp2_watchdog.LOADING_MS)
    try:
        run(watchdog, folder(watchdog, answer))
    except (Exception, KeyboardInterrupt, SystemExit) as error:
        rp2_safe.make_safe()
        with open(_TRACEBACK, "w") as file:
            sys.print_exception(error, file)
    finally:
        watchdog.restart(wire.RESET_WATCHDOG)


if __name__ == "__main__":
    main()
