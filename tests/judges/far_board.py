"""For MicroPython: the firmware here, its Board in another process.

Each line is JSON. From there: `["start", {name: an integer, bytes as a list, or null for a part}]`, then
`["step", tick]`; from here: `["done", wait]`, or `[call, arguments]`, answered by `[result, buffers that changed]`.
A buffer is `[hex]`, which takes less of the heap that is judged than a list of its bytes.
"""

import gc
import json
import sys
from array import array

TIDY_BYTES = 2048
"""As `mesofirmware.start.main` has it."""


class Far:
    """A board, or a part of it: each method asks there."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, call: str):
        name = self._name + call

        def ask(*args):
            return _ask(name, args)

        return ask


def _ask(name: str, args: tuple):
    _say([name, [_plain(arg) for arg in args]])
    result, buffers = json.loads(sys.stdin.readline())
    for i in range(len(args)):
        if buffers[i] is not None:
            args[i][:] = bytes.fromhex(buffers[i])
    return result


def _plain(arg):
    if isinstance(arg, (bytearray, bytes)):
        return [arg.hex()]
    return list(arg) if isinstance(arg, array) else arg


def _say(what: list) -> None:
    print(json.dumps(what))


def main() -> None:
    """Serve one boot."""
    gc.threshold(TIDY_BYTES)
    from mesofirmware import app

    board = Far("")
    for name, data in json.loads(sys.stdin.readline())[1].items():
        value = Far(name + ".") if data is None else data
        setattr(board, name, bytes(data) if isinstance(data, list) else value)
    device = app.App(board)
    gc.threshold(-1)
    gc.collect()
    _say(["done", gc.mem_alloc()])
    while True:
        line = sys.stdin.readline()
        if not line:
            return
        _say(["done", device.step(json.loads(line)[1])])
