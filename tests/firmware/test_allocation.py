"""While armed nothing is allocated: every request is taken and answered with MicroPython's heap locked."""

from __future__ import annotations

import hmac
import json
import subprocess
from types import ModuleType

import pytest

from mesoprotocol import messages, packing, typed, wire
from mesosim import micropython, wasm

KEY = bytes(range(1, 33))
DOSE_ID = b"dose-id."

PLAIN = """
# Where machine code does it on a board, its plain twin stands in, which allocates: the heap is open for that long.
import micropython
from mesoprotocol import bulk, crc, sha256


def twin(plain, n):
    def three(a, b, c, f=plain):
        micropython.heap_unlock()
        result = f(a, b, c)
        micropython.heap_lock()
        return result

    def five(a, b, c, d, e, f=plain):
        micropython.heap_unlock()
        result = f(a, b, c, d, e)
        micropython.heap_lock()
        return result

    return three if n == 3 else five


for module, name, n in ((bulk, 'copy', 5), (bulk, 'same', 5), (bulk, 'find_zero', 3), (bulk, 'stuff', 3),
                        (bulk, 'unstuff', 3), (crc, 'put', 3), (crc, 'matches', 3), (sha256, 'digest', 3)):
    setattr(module, name, twin(getattr(module, name), n))
"""

PROGRAM = """
import json, micropython
from mesofirmware import app, readings
from mesoprotocol import wire


class Axis:
    def feed(self, words, n, cycles, hold): pass
    def room(self): return 2
    def busy(self): return False
    def position(self): return 0
    def stop(self): return 0
    def park(self): pass
    def release(self): pass
    def home(self): pass


class Store:
    def __init__(self): self.content = bytearray(32768)

    def read(self, at, buf, n):
        i = 0
        while i < n:
            buf[i] = self.content[at + i]
            i += 1

    def write(self, at, buf, n):
        i = 0
        while i < n:
            self.content[at + i] = buf[i]
            i += 1


class Files:
    def read(self, name, buf): return -1


class Board:
    # a board that does nothing, and allocates nothing for it
    uid = b'12345678'
    boot_id = b'boot'

    def __init__(self):
        self.drive = self.depth = self.plunger = Axis()
        self.store = Store()
        self.files = Files()
        self.chip = self.store
        self.readings = readings.Readings()
        self.reset_reason = 0
        self.rx = b''
        self.rx_at = 0
        self.tx = bytearray(256)
        self.sent = 0
        self.level = wire.INPUT_SYRINGE | wire.INPUT_CARTRIDGE | wire.INPUT_NEEDLE_HOME

    def now(self): return 5
    def nonce(self, buf): pass

    def receive(self, buf):
        n = min(len(buf), len(self.rx) - self.rx_at)
        i = 0
        while i < n:
            buf[i] = self.rx[self.rx_at]
            self.rx_at += 1
            i += 1
        return n

    def send(self, buf, n):
        i = 0
        while i < n:
            self.tx[i] = buf[i]
            i += 1
        self.sent = n
        return True

    def inputs(self): return self.level
    def index_count(self): return 0
    def index_tick(self): return 0
    def index_position(self): return 0
    def protrusion_um(self): return 0
    def needle_um(self): return 0
    def pressure_pa(self): return 0
    def encoder(self): return 0
    def battery_mv(self): return 4000
    def program_intact(self): return True
    def enable(self, on): pass
    def permit(self, on, away): pass
    def feed_deadman(self): pass
    def light(self, code): pass


said = ''
board = Board()
device = app.App(board)
me = device._access._command
me.open(7, wire.ROLE_OPERATOR)
me.tagged = True
me.mac.rekey(bytes(range(1, 33)))
device._access._keys._values[1] = 6
device.step(6)
%s
for name, data in json.loads(%r):
    if name == 'Commit':
        # the plan's CRC is known only now: the tag is not this test's matter
        me.tagged = False
        device._transaction.plan.crc[:] = b'crc!'
    device._transaction.primed = True
    board.rx = bytes.fromhex(data)
    board.rx_at = 0
    board.sent = 0
    micropython.heap_lock()
    try:
        device.step(6)
        said = 'ok'
    except MemoryError:
        said = 'allocates'
    micropython.heap_unlock()
    me.tagged = True
    if board.sent:
        # status, behind the first stuffing code and the header
        body = device._link._builder.body
        print(name, said, body[10] | body[11] << 8, device._transaction.state)
    else:
        print(name, said, 'silent', device._transaction.state)
"""


def tag(body: bytes) -> bytes:
    return hmac.digest(KEY, body, "sha256")[:8]


def requests() -> list[tuple[str, str]]:
    """A dose up to ARMED, and every other request while it is."""
    prepare = messages.Prepare(DOSE_ID, 1, 20_000, 1000, wire.MODE_SINGLE, 1, 6, 0)
    begun = [messages.StartTreatment(5), prepare, messages.Commit(DOSE_ID, b"crc!", b"boot", 1000)]
    armed = [
        *(messages.Status(), messages.Sync(), messages.Query(DOSE_ID, 1), messages.Query(b"another!", 1)),
        *(messages.Ledger(1), messages.Ledger(0), messages.Strokes(0), messages.ReadEvent(1), messages.ReadEvent(99)),
        *(prepare, messages.Commit(DOSE_ID, b"crc!", b"boot", 1000), messages.Clear(0, 0), messages.Ack(1, "me")),
        *(
            messages.StartTreatment(6),
            messages.Auth(1, bytes(16)),
            messages.Provision(1, KEY),
            messages.Settings(),
            messages.Update(),
            messages.Confirm(),
            messages.UpdateBegin(1, bytes(32), 0),
            messages.UpdateWrite(0, 0, 1, bytes(192)),
            messages.UpdateStage(),
            messages.Restart(1),
            messages.Cartridge(),
            messages.SetDate(9_600),
            messages.Log(1),
            messages.Calibrate("me", 0, 0, 10**6),
        ),
    ]
    frames = []
    for seq, request in enumerate([*begun, *armed], 1):
        untagged = isinstance(request, messages.Commit)
        frames.append((type(request).__name__, typed.write_request(request, seq, 7, None if untagged else tag)))
    for counter in (1, 2):
        frames.append(("Heartbeat", typed.write_request(messages.Heartbeat(counter, 6, DOSE_ID), 0, 7, tag)))
    frames.append(("repeated", frames[-3][1]))
    frames.append(("forged", typed.write_request(messages.Clear(0, 0), 90, 7, lambda _: bytes(8))))
    frames.append(("stranger", typed.write_request(messages.Status(), 1, 99)))
    frames.append(("unknown", packing.encode(0, 0x3FF, 91, 7, b"?")))
    frames.append(("garbage", bytes(range(200))))
    frames.append(("Hello", b"\0\0" + typed.write_request(messages.Hello(b"nonce...", 1, 1, "somebody"), 0, 0)))
    frames.append(("Stop", typed.write_request(messages.Stop(), 0, 0)))
    return [(name, data.hex()) for name, data in frames]


@pytest.mark.parametrize(("port", "twins"), [(micropython, ""), (wasm, PLAIN)], ids=["64 bits", "32 bits"])
def test_no_request_allocates(port: ModuleType, twins: str) -> None:
    """On 64 bits, and on 32, where every integer from 2^30 on would be allocated."""
    asked = requests()
    try:
        command = port.line(PROGRAM % (twins, json.dumps(asked)))
    except micropython.NoMicroPython as missing:
        pytest.skip(str(missing))
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    said = [line.split() for line in (done.stdout or done.stderr).splitlines()]
    assert [row[0] for row in said] == [name for name, _ in asked], done.stderr
    assert [row for row in said if row[1] != "ok"] == []
    # it was really armed, and ended by STOP
    assert said[2] == ["Commit", "ok", "0", str(wire.STATE_ARMED)], said[:4]
    assert said[-2][3] == str(wire.STATE_ARMED) and said[-1][3] == str(wire.STATE_IDLE)
