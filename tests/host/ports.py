"""Ports for the tests of finding and doctor: as the system lists them, and ptys with something behind them."""

from __future__ import annotations

import contextlib
import os
import threading
import tty
from collections.abc import Callable

from serial.tools.list_ports_common import ListPortInfo

from mesoprotocol import frame, messages, packing, stream, typed, wire

PROMPT = b"MicroPython v1.28.0 on 2026-01-01; Raspberry Pi Pico\r\n>>> "


def listed(port: str, serial: str | None, vid: int | None = 0x2E8A, pid: int | None = 0x0005) -> ListPortInfo:
    """A port as pyserial lists it."""
    info = ListPortInfo(port)
    info.vid, info.pid, info.serial_number, info.product = vid, pid, serial, "Board in FS mode"
    return info


class Answering:
    """A pty on which each write is answered; with nothing: silence."""

    def __init__(self, answer: Callable[[bytes], bytes]) -> None:
        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)
        self.path = os.ttyname(self._slave)
        self.heard = b""
        self._say = answer
        self._thread = threading.Thread(target=self._answer)
        self._thread.start()

    def _answer(self) -> None:
        with contextlib.suppress(OSError):
            while data := os.read(self._master, 4096):
                if data == b"END":
                    return
                self.heard += data
                said = self._say(data)
                if said:
                    os.write(self._master, said)

    def close(self) -> None:
        """End it; what reads there ends too."""
        os.write(self._slave, b"END")
        self._thread.join()
        os.close(self._slave)
        os.close(self._master)


def reply(question: bytes, told: messages.HelloReply) -> bytes:
    """HELLO's answer to a question."""
    asked = stream.Decoder().feed(question)[0].message
    fields = typed.REPLY_HEAD + messages.REPLIES[wire.HELLO][1]
    payload = packing.Layout(fields).pack(told._replace(status=wire.S_VERSION, nonce=asked.nonce))
    return packing.encode(frame.REPLY, wire.HELLO, 0, 0, payload)
