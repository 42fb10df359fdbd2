"""Everything around the firmware: plant, sensors, operator, clock. Runs on CPython and on MicroPython."""
