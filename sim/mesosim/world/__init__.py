"""Everything around the firmware: plant, sensors, operator, virtual clock. Runs on CPython and MicroPython."""
