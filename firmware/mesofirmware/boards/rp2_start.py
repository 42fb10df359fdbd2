"""The safe-mode window: for two seconds after a start, a hand or a computer can ask for something else.

BOOTSEL, or trigger line A held from its first moment to its last: the safe application. A reset in a dose finds the
trigger held, too, by a hand that lets go then. Return and Ctrl-C, which is what `mpremote` sends when it connects: the
prompt. Single Ctrl-C does nothing, since a frame of the protocol may hold one.
"""

import select
import sys
import time

import micropython
import rp2
from machine import Pin

from mesofirmware.boards import pins

APPLICATION, SAFE, PROMPT = range(3)

_WINDOW_MS = 2000
_LOOK_MS = 10
_RETURN, _CTRL_C = 0x0D, 0x03


def window() -> int:
    """What to start. Ctrl-C is an interrupt afterwards only at the prompt."""
    micropython.kbd_intr(-1)
    trigger_a = Pin(pins.TRIGGER_A, Pin.IN)
    readable = select.poll()
    readable.register(sys.stdin.buffer, select.POLLIN)
    byte = bytearray(1)
    held = True
    began = time.ticks_ms()
    while time.ticks_diff(time.ticks_ms(), began) < _WINDOW_MS:
        if rp2.bootsel_button():
            return SAFE
        held = held and trigger_a.value() == 0
        if not readable.poll(0):
            time.sleep_ms(_LOOK_MS)
            continue
        before = byte[0]
        sys.stdin.buffer.readinto(byte)
        if before == _RETURN and byte[0] == _CTRL_C:
            micropython.kbd_intr(_CTRL_C)
            return PROMPT
    return SAFE if held else APPLICATION
