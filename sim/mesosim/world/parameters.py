"""The geometry of the reference handpiece. What varies between specimens is in `handpiece.toml`."""

STEPS_PER_TURN = 3200
"""Steps of the needle drive a revolution."""
CARRIAGE_UM = 6000.0
"""Stroke of the needle carriage: 4 mm of depth and 2 mm behind the nose; choice."""
UM_PER_DEPTH_STEP = 10.0
DEPTH_AT_FIRST_BOOT = 37
"""Steps of the depth stop from its switch when the device is new: any number, unknown to it."""
DEPTH_HOME_STEPS_PER_S = 2000
"""Speed of homing the depth stop; choice."""
UM_PER_PLUNGER_STEP = 0.3125
UM_PER_COUNT = 0.5
"""The plunger's linear encoder."""
BLOCK_STEPS = 64
"""A rotor that loses steps loses four full ones."""
MOTOR_POWER_OFF_TICKS = 3750000
"""150 ms after the emergency stop; amendment 1 of the design."""
FRAM_BYTES = 32768
