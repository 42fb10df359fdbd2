"""A device whose firmware runs in another process, on another interpreter: its Board's calls come over a pipe."""

from __future__ import annotations

import copy
import json
import subprocess
from typing import Any

from mesofirmware.boards import port
from mesosim.runtime import InProcess
from mesosim.world.trace import Trace
from mesosim.world.world import World


class Elsewhere:
    """The application as a world sees it: started by a boot, stepped, and ended by the next boot."""

    def __init__(self, board: Any, command: list[str]) -> None:
        self._board = board
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        parts = {name: getattr(board, name) for name in port.Board.__annotations__}
        self._say(["start", {name: _known(part) for name, part in parts.items()}])
        self.live_bytes = self._serve()
        """Of its heap, once it has started."""

    def step(self, now: int) -> int:
        """See `App.step`."""
        self._say(["step", now])
        return self._serve()

    def close(self) -> None:
        """End it. Idempotent."""
        self._process.communicate()

    def _say(self, what: object) -> None:
        assert self._process.stdin
        self._process.stdin.write(json.dumps(what) + "\n")
        self._process.stdin.flush()

    def _serve(self) -> int:
        """Answer calls of the board until it is done; what it says then."""
        assert self._process.stdout
        while True:
            line = self._process.stdout.readline()
            if not line.startswith("["):
                raise RuntimeError(f"the firmware's process ended: {line}{self._process.communicate()[1]}")
            name, args = json.loads(line)
            if name == "done":
                return int(args)
            target = self._board
            *path, call = name.split(".")
            for part in path:
                target = getattr(target, part)
            before = [port_array(arg) if isinstance(arg, list) else arg for arg in args]
            args = [copy.copy(arg) for arg in before]
            result = getattr(target, call)(*args)
            changed = [isinstance(arg, bytearray) and arg != old for arg, old in zip(args, before, strict=True)]
            self._say([result, [arg.hex() if has else None for arg, has in zip(args, changed, strict=True)]])


def _known(part: Any) -> list[int] | int | None:
    """Bytes and integers go over once; a part is asked."""
    return list(part) if isinstance(part, bytes) else part if isinstance(part, int) else None


def port_array(values: list[Any]) -> Any:
    """A buffer of bytes, or a table of words, which no board changes."""
    return bytearray.fromhex(values[0]) if isinstance(values[0], str) else values


class FarWorld(World):
    """A world whose firmware is elsewhere."""

    def __init__(self, seed: int, command: list[str]) -> None:
        self._command = command
        super().__init__(seed, Trace(""))

    def firmware(self) -> Any:
        """See `World`."""
        self.close()
        self.elsewhere = Elsewhere(self.board, self._command)
        return self.elsewhere

    def close(self) -> None:
        """End the firmware's process."""
        if hasattr(self, "elsewhere"):
            self.elsewhere.close()


class FarDevice(InProcess):
    """A device in this process but for its firmware."""

    def __init__(self, seed: int, command: list[str]) -> None:
        self.world: FarWorld = FarWorld(seed, command)

    def close(self) -> None:
        """See `Device`."""
        self.world.close()
