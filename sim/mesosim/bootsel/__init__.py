"""Boards in their bootloader, as USB sees them: PICOBOOT of both chips' boot ROMs, over a simulated flash.

`flash` is the plant, `rom` the boot ROM's side of the protocol, `bus` what pyusb calls, with faults, `images` makes
images that start. Behaviour by Raspberry Pi's published boot ROM sources (pico-bootrom-rp2040, pico-bootrom-rp2350)
and the datasheets (RP2040 2.8.5, RP2350 5.6).
"""
