"""What MicroPython runs first: every pin safe, and nothing else. USB comes up only after this has ended.

It is found in /lib, with the safe application, which no update touches.
"""

from mesofirmware.boards import rp2_safe

rp2_safe.make_safe()
