"""For MicroPython: an application replays a recorded session, and what is found is printed as JSON.

The heap is locked from arming to disarming: what allocates there raises MemoryError, and its line is told.
"""

import gc
import json

import micropython
import replay_board

from mesofirmware import app
from mesoprotocol import bulk, crc, sha256

STEP = -1
IDLE, ARMED = 0, 2


def replay(device: app.App, live: int, loaded: int, twins: str) -> None:
    """Replay all steps. `live`: bytes of the application, once started; `loaded`: of what an update needs beside.

    `twins`: a program that opens the heap where machine code has a plain twin.
    """
    entries = replay_board.entries
    modules = [(module, dict(module.__dict__)) for module in (bulk, crc, sha256)]
    steps = grown = 0
    state = IDLE
    while replay_board.at < len(entries):
        at = replay_board.at
        if entries[at] != STEP:
            raise ValueError(f"entry {at}: the firmware has left out call {entries[at]}")
        now, wait, then = entries[at + 1], entries[at + 2], entries[at + 3]
        replay_board.at = at + 4
        if state < ARMED and then < ARMED:
            said = device.step(now)
        else:
            if state < ARMED:
                exec(twins)
                gc.collect()
                gc.disable()
            used = gc.mem_alloc()
            said = _locked(device, now)
            grown += gc.mem_alloc() - used
            steps += 1
            if then < ARMED:
                gc.enable()
                for module, names in modules:
                    module.__dict__.update(names)
        if said != wait:
            raise ValueError(f"entry {at}: step says {said}, not {wait}")
        state = then
    print(json.dumps({"live": live, "loaded": loaded, "locked_steps": steps, "allocated": grown}))


def _locked(device: app.App, now: int) -> int:
    micropython.heap_lock()
    try:
        return device.step(now)
    except MemoryError:
        micropython.heap_unlock()
        raise ValueError(f"step at {now}, before entry {replay_board.at}: allocates") from None
    finally:
        micropython.heap_unlock()
