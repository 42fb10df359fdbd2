"""The whole device as a process, on CPython and on MicroPython.

`lockstep SEED TRACE [CONTROL_FD]`: virtual time. A request is one letter, `n:u32` and n bytes, its answer `n:u32` and
n bytes, little-endian. `C json` -> `json` is control. Without CONTROL_FD requests come on stdin, answers leave on
stdout, and the line's bytes are in them: `R until_us:u64 rx` -> `t_us:u64 tx`. With it stdin and stdout are the serial
line itself, and how many bytes have passed there since the start is said beside it:
`R until_us:u64 sent:u64` -> `t_us:u64 received:u64`. TRACE names the trace's file, empty for none.

`paced SEED CONTROL_FD SPEED`: SPEED per mille of wall time. stdin and stdout are the serial line itself; control
requests come as lines of JSON on CONTROL_FD and are answered there. The process ends when its control line is closed.

SEED may be followed by a colon and one specimen's values as `mesosim.handpiece` gives them, with commas between them.
A control request is `[name, value]`, its answer `[null, result]` or `[error, null]`; see `World.control`.
"""

import json
import select
import struct
import sys
import time

from mesosim.world import trace, world

TYPE_CHECKING = False
if TYPE_CHECKING:
    from io import FileIO

_CONTROL = ord("C")
_LONGEST_MS = 50
_UNPLUGGED_MS = 5
_LINE_BYTES = 65536


def main(argv: list) -> None:
    """Run one device until its standard input, or its control line, is closed."""
    seed, _, listed = argv[1].partition(":")
    values = tuple([int(value) for value in listed.split(",")]) if listed else None
    if argv[0] == "paced":
        _paced(world.World(int(seed), trace.Untraced(), values), int(argv[2]), int(argv[3]))
        return
    device = world.World(int(seed), trace.Trace(argv[2]), values)
    line_in = open(0, "rb", buffering=0)
    line_out = open(1, "wb", buffering=0)
    if len(argv) == 3:
        _lockstep(device, line_in, line_out, None)
    else:
        control = open(int(argv[3]), "r+b", buffering=0)
        _lockstep(device, control, control, Line(line_in, line_out))


class Line:
    """A serial line beside the requests, and how many bytes have passed on it."""

    def __init__(self, source: "FileIO", sink: "FileIO") -> None:
        self._source = source
        self._sink = sink
        self._taken = 0
        self._sent = 0

    def run(self, device: world.World, until: int, sent: int) -> "tuple[int, int]":
        """Take what the host has sent in all, run, send; the time, and how many bytes the host has coming in all."""
        rx = _read(self._source, sent - self._taken)
        self._taken = sent
        t, tx = device.run(until, rx)
        _write(self._sink, tx)
        self._sent += len(tx)
        return t, self._sent


def _control(device: world.World, request: bytes) -> bytes:
    try:
        name, value = json.loads(request)
        answer = [None, device.control(name, value)]
    except (AttributeError, KeyError, RuntimeError, TypeError, ValueError) as error:  # RuntimeError: nested too deeply
        answer = [str(error), None]
    return json.dumps(answer).encode()


def _lockstep(device: world.World, source: "FileIO", sink: "FileIO", line: "Line | None") -> None:
    while True:
        op, n = struct.unpack("<BI", _read(source, 5))
        request = _read(source, n)
        if op == _CONTROL:
            answer = _control(device, request)
        elif line is None:
            t, tx = device.run(struct.unpack_from("<Q", request)[0], request[8:])
            answer = struct.pack("<Q", t) + tx
        else:
            until, sent = struct.unpack("<QQ", request)
            answer = struct.pack("<QQ", *line.run(device, until, sent))
        _write(sink, struct.pack("<I", len(answer)) + answer)


def _paced(device: world.World, control_fd: int, per_mille: int) -> None:
    line_in = open(0, "rb", buffering=0)
    line_out = open(1, "wb", buffering=0)
    control = open(control_fd, "r+b", buffering=0)
    poll = select.poll()
    poll.register(line_in, select.POLLIN)
    poll.register(control, select.POLLIN)
    start = time.time_ns()
    rx = b""
    pending = b""
    plugged = True
    while True:
        now_us = (time.time_ns() - start) // 1000 * per_mille // 1000
        t, tx = device.run(now_us, b"")
        if rx and t == now_us:
            # what has come is heard now, not at the device's last event
            t, said = device.run(now_us, rx)
            tx += said
            rx = b""
        if len(pending) < _LINE_BYTES:
            pending += tx
        asked = heard = False
        try:
            if pending:
                # a host that does not read stops nothing: what does not fit now is tried again
                pending = pending[line_out.write(pending) or 0 :]
            if t < now_us:
                continue
            wait_us = (device.next_us() - now_us) * 1000 // per_mille
            for item in poll.poll(max(0, min(1 if pending else _LONGEST_MS, wait_us // 1000))):
                # MicroPython names the object that was registered, CPython its number
                if item[0] in (control, control_fd):
                    asked = True
                else:
                    heard = True
            if heard or not plugged:
                rx = line_in.read(512) or b""
            if not plugged:
                poll.register(line_in, select.POLLIN)
                plugged = True
        except OSError:
            # nobody holds the other end of the line: what was on its way is lost; look again a little later
            pending = b""
            if plugged:
                poll.unregister(line_in)
                plugged = False
            asked = asked or bool(poll.poll(_UNPLUGGED_MS))
        if asked:
            request = control.readline()
            if not request:
                return
            _write(control, _control(device, request.strip()) + b"\n")


def _read(source: "FileIO", n: int) -> bytes:
    data = source.read(n)
    while len(data) < n:
        piece = source.read(n - len(data))
        if not piece:
            sys.exit(0)
        data += piece
    return data


def _write(sink: "FileIO", data: bytes) -> None:
    n = sink.write(data)
    while n < len(data):
        n += sink.write(data[n:])


if __name__ == "__main__":
    main(sys.argv[1:])
