"""A world for the firmware to run in: plant physics, a virtual clock, an operator's hand, two runtimes.

``mesosim.world`` and ``mesosim.device`` run on CPython and on MicroPython; the rest starts and drives them.
"""
