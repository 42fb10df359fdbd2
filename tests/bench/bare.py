"""How fast an interpreter calls methods: a peer for what this project does in one."""

from __future__ import annotations

import os
import subprocess
import sys

from mesosim import micropython, wasm

CALLS = 4_000_000
BARE = f"""
class Counter:
    def __init__(self):
        self.n = 0

    def up(self, by):
        self.n = (self.n + by) & 0xFFFF

def count():
    counter = Counter()
    i = {CALLS}
    while i:
        counter.up(i)
        i -= 1

count()
"""


def calls(runtime: str) -> float:
    """Hundreds of thousands of bare method calls in a second of work, the interpreter's start included."""
    lines = {"micropython": micropython.line, "wasm": wasm.line}
    line = lines[runtime](BARE) if runtime in lines else [sys.executable, "-c", BARE]
    before = children_s()
    subprocess.run(line, check=True, stdin=subprocess.DEVNULL)
    return CALLS / 1e5 / (children_s() - before)


def children_s() -> float:
    """What processes that have ended worked, seconds."""
    ended = os.times()
    return ended.children_user + ended.children_system
