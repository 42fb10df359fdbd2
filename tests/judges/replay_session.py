"""For MicroPython: replays a recorded session, `replay_session.main(where)`, and prints what it has found as JSON.

The heap is locked from arming to disarming: what allocates there raises MemoryError, and its line is told.
"""

import gc
import json

import micropython
import replay_board

STEP = -1
IDLE, ARMED = 0, 2


def main(recording: str, twins: str = "") -> None:
    """Boot, measure, replay. `twins`: a program that opens the heap where machine code has a plain twin."""
    replay_board.load(recording)
    gc.collect()
    before = gc.mem_alloc()
    from mesofirmware import app

    device = app.App(replay_board.board)
    gc.collect()
    live = gc.mem_alloc() - before
    exec(twins)
    steps, grown = _replay(device)
    print(json.dumps({"live": live, "locked_steps": steps, "allocated": grown}))


def _replay(device) -> "tuple[int, int]":
    """All steps; how many of them with the heap locked, and how many bytes those have allocated."""
    entries = replay_board.entries
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
                gc.collect()
                gc.disable()
            used = gc.mem_alloc()
            said = _locked(device, now)
            grown += gc.mem_alloc() - used
            steps += 1
            if then < ARMED:
                gc.enable()
        if said != wait:
            raise ValueError(f"entry {at}: step says {said}, not {wait}")
        state = then
    return steps, grown


def _locked(device, now: int) -> int:
    micropython.heap_lock()
    try:
        return device.step(now)
    except MemoryError:
        micropython.heap_unlock()
        raise ValueError(f"step at {now}, before entry {replay_board.at}: allocates") from None
    finally:
        micropython.heap_unlock()
