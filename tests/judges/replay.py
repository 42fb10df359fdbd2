"""A session recorded as integers: what each Board call gave, in order; and the Board, as source, that gives it again.

A recording is a list of entries: `CALL number result n n-bytes`, the bytes being what the call has put into its
buffer, and `STEP tick wait state` before the calls of that step. Calls are numbered by their place in the port.
"""

from __future__ import annotations

import ast
import inspect
from array import array
from pathlib import Path
from typing import Any

from mesofirmware.app import App
from mesofirmware.boards import port
from mesosim.runtime import InProcess
from mesosim.world.trace import Trace
from mesosim.world.world import World

STEP = -1


class Method:
    """A method of the port: the part it belongs to, its name, its parameters."""

    def __init__(self, part: str, node: ast.FunctionDef) -> None:
        self.part = part
        self.name = node.name
        self.parameters = [each.arg for each in node.args.args[1:]]
        annotations = [ast.unparse(each.annotation) for each in node.args.args[1:] if each.annotation]
        self.buffer = annotations.index("bytearray") if "bytearray" in annotations else -1


def parts() -> dict[str, str]:
    """Attributes of a board that are parts of it, with their classes in the port; the board itself is ""."""
    classes = {name for name, kind in vars(port).items() if isinstance(kind, type)}
    return {"": "Board", **{name: kind for name, kind in attributes().items() if kind in classes}}


def attributes() -> dict[str, str]:
    """All attributes that the port says a board has, with their classes' names."""
    board = next(each for each in ast.parse(inspect.getsource(port)).body if getattr(each, "name", "") == "Board")
    assert isinstance(board, ast.ClassDef)
    rows = [each for each in board.body if isinstance(each, ast.AnnAssign)]
    return {ast.unparse(each.target): ast.unparse(each.annotation).strip("'\"") for each in rows}


def methods() -> list[Method]:
    """All calls of the port, in order."""
    classes = {each.name: each for each in ast.parse(inspect.getsource(port)).body if isinstance(each, ast.ClassDef)}
    return [
        Method(part, node)
        for part, kind in parts().items()
        for node in classes[kind].body
        if isinstance(node, ast.FunctionDef)
    ]


def source(board: Any) -> str:
    """The Board that replays, for MicroPython: it allocates nothing in a call. `load` first."""
    text = [inspect.cleandoc(_HEAD)]
    for part in parts():
        text += [f"class {part.capitalize() or 'Board'}:"]
        for number, method in enumerate(methods()):
            if method.part == part:
                buffer = method.parameters[method.buffer] if method.buffer >= 0 else "None"
                text += [f"    def {method.name}(self, {', '.join(method.parameters)}):".replace(", )", ")")]
                text += [f"        return take({number}, {buffer})"]
    text += [f"Board.{part} = {part.capitalize()}()" for part in parts() if part]
    for name in attributes().keys() - parts().keys():
        value = getattr(board, name)
        if isinstance(value, bytes | int):
            text += [f"Board.{name} = {value!r}"]
        else:  # the firmware's own, which the board only holds
            kind = type(value)
            text += [f"from {kind.__module__} import {kind.__name__}", f"Board.{name} = {kind.__name__}()"]
    return "\n".join([*text, "board = Board()", ""])


_HEAD = """
from array import array

entries = array("i")
at = 0


def load(path):
    global entries
    with open(path, "rb") as file:
        n = file.seek(0, 2) // 4
        file.seek(0)
        entries = array("i", (0 for _ in range(n)))
        file.readinto(entries)


def take(number, buf):
    global at
    here = at
    if entries[here] != number:
        raise ValueError("entry %d: the firmware calls %d, not %d" % (here, number, entries[here]))
    n = entries[here + 2]
    i = 0
    while i < n:
        buf[i] = entries[here + 3 + i]
        i += 1
    at = here + 3 + n
    return entries[here + 1]
"""


class Recorded:
    """A part of a board that records what its calls give."""

    def __init__(self, target: Any, part: str, entries: array[int]) -> None:
        for number, method in enumerate(methods()):
            if method.part == part:
                setattr(self, method.name, self._recorder(getattr(target, method.name), number, method, entries))

    @staticmethod
    def _recorder(call: Any, number: int, method: Method, entries: array[int]) -> Any:
        def recorded(*args: Any) -> Any:
            given = args[method.buffer] if method.buffer >= 0 else b""
            before = bytes(given)
            result = call(*args)
            n = len(before)
            while n and given[n - 1] == before[n - 1]:
                n -= 1
            entries.extend([number, int(result or 0), n, *given[:n]])
            return result

        return recorded


class Recording(World):
    """A world that records its one boot."""

    def __init__(self, seed: int) -> None:
        self.entries = array("i")
        super().__init__(seed, Trace(""))

    def firmware(self) -> Any:
        """See `World`."""
        assert not self.entries, "one boot only"
        recorded: Any = Recorded(self.board, "", self.entries)
        for name in attributes():
            part = getattr(self.board, name)
            setattr(recorded, name, Recorded(part, name, self.entries) if name in parts() else part)
        self._application = App(recorded)
        return self

    def step(self, now: int) -> int:
        """See `App.step`."""
        at = len(self.entries)
        self.entries.extend((STEP, now, 0, 0))
        wait = self._application.step(now)
        self.entries[at + 2] = wait
        self.entries[at + 3] = self._application._transaction.state
        return wait


class RecordedDevice(InProcess):
    """A device whose session is recorded."""

    def __init__(self, seed: int) -> None:
        self.world: Recording = Recording(seed)

    def write(self, folder: Path) -> None:
        """The recording and the board that replays it, as `recording.bin` and `replay_board.py`."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "recording.bin").write_bytes(self.world.entries.tobytes())
        (folder / "replay_board.py").write_text(source(self.world.board))
