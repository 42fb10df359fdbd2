"""MicroPython behind a pty, as what the driver is measured beside: a bare echo, and a REPL with the firmware in it."""

from __future__ import annotations

import ast
import subprocess
import sys

import serial
from mpremote.transport_serial import SerialTransport

from mesoprotocol import frame, messages, packing, stream, typed, wire
from mesosim import micropython
from mesosim.process import BehindPty

ECHO = """
import select
source, sink = open(0, "rb", buffering=0), open(1, "wb", buffering=0)
poll = select.poll(); poll.register(source, select.POLLIN)
got = b""
while True:
    poll.poll()
    got += source.read(512) or b""
    while len(got) >= {asked}:
        sink.write((got[:{asked}] * {times})[:{answered}])
        got = got[{asked}:]
"""

FIRMWARE = f"""
import sys
sys.path[:] = [{{path!r}}, ".frozen"]
from mesosim.world import trace, world
answers = world.World(1, trace.Untraced()).app._answers
STATUS = {wire.STATUS}
"""
QUERY = "answers.answer(STATUS, None, None); print(answers.values)"
"""What the firmware does to answer STATUS, and all that its answer has."""


class Peer:
    """A MicroPython of its own behind a pty."""

    def __init__(self, *arguments: str) -> None:
        command = [sys.executable, "-m", "micropython_unix", *arguments]
        self._behind = BehindPty(lambda _: command, blocking=not arguments)
        self.path = self._behind.path

    def close(self) -> None:
        """End it."""
        self._behind.process.kill()
        self._behind.close()


class Echo(Peer):
    """Answers as many bytes as STATUS asks with as many as its answer has: the same again and again."""

    def __init__(self, status: messages.StatusReply) -> None:
        _, layout = stream.MESSAGES[frame.REPLY, wire.STATUS]
        self._request = typed.write_request(messages.Status(), 1, 1)
        self.asked = len(self._request)
        self.answered = len(packing.encode(frame.REPLY, wire.STATUS, 1, 1, layout.pack(status)))
        times = self.answered // self.asked + 1
        self.answer = (self._request * times)[: self.answered]
        super().__init__("-c", ECHO.format(asked=self.asked, answered=self.answered, times=times))
        self._port = serial.Serial(self.path, timeout=10)

    def exchange(self) -> bytes:
        """One round trip by pyserial and nothing else; returns `answer`."""
        self._port.write(self._request)
        got: bytes = self._port.read(self.answered)
        return got

    def close(self) -> None:
        """See `Peer`."""
        self._port.close()
        super().close()


class Repl(Peer):
    """MicroPython's own REPL, with the firmware on a simulated board in it, and mpremote at the line."""

    def __init__(self) -> None:
        super().__init__()
        self._transport = SerialTransport(self.path)
        # the unix port ends by a soft reset
        self._transport.enter_raw_repl(soft_reset=False)
        self._transport.exec(FIRMWARE.format(path=str(micropython.compiled())))

    def query(self) -> list[object]:
        """STATUS by mpremote's transport, which stays in the raw REPL."""
        return read(self._transport.exec(QUERY))

    def leave(self) -> None:
        """Give the line up, for programs of their own."""
        self._transport.exit_raw_repl()
        self._transport.close()

    def by_program(self) -> list[object]:
        """STATUS as a user asks at a shell's prompt. `resume`: without a soft reset."""
        command = [sys.executable, "-m", "mpremote", "connect", self.path, "resume", "exec", QUERY]
        return read(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)


def read(printed: bytes) -> list[object]:
    """Of what QUERY prints: the latches and what follows them in STATUS' answer."""
    _, *found = ast.literal_eval(printed.decode())
    return found
