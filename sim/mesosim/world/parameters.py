"""The plant's numbers, each with its unit and its source. "estimate" means what it says."""

STEPS_PER_TURN = 3200
"""Steps of the needle drive a revolution; reference handpiece."""
CARRIAGE_UM = 6000.0
"""Stroke of the needle carriage, um; estimate: 4 mm of depth and 2 mm behind the nose."""
UM_PER_DEPTH_STEP = 10.0
"""Reference handpiece."""
DEPTH_AT_FIRST_BOOT = 37
"""Steps of the depth stop from its switch when the device is new: any number, unknown to it."""
DEPTH_HOME_STEPS_PER_S = 2000
"""Speed of homing the depth stop; choice."""

UL_PER_STEP = 0.005607860
"""Plunger, ul: pi/4 * 4.78^2 mm^2 * 0.3125 um; reference handpiece, 1 ml syringe."""
UM_PER_PLUNGER_STEP = 0.3125
"""Reference handpiece."""
FREE_PLAY_UM = 600.0
"""Slack and air ahead of the plunger when a syringe is new, um; estimate (10.8 ul)."""
BACKLASH_UM = 20.0
"""Play of nut and plunger rod on reversal, um; estimate 5-80."""
COMPLIANCE_UL_PER_KPA = 0.21
"""Syringe, seal and tube; estimate 0.1-1.5 for 1-5 ml syringes. The firmware's profile says 0.2."""
NEEDLE_KPA_S_PER_UL = 0.255
"""30G x 4 mm, water: Hagen-Poiseuille, 8 mu L / (pi r^4)."""
TISSUE_KPA_S_PER_UL = 0.5
"""Flow-dependent back-pressure of skin; estimate 0.05-1."""
TISSUE_KPA = 1.0
"""Back-pressure of skin at rest; estimate 0-3."""
BLOCKED = 1.0e6
"""Factor of the needle's resistance when it is blocked."""

PRESSURE_NOISE_PA = 500
"""Half width of the triangular noise; standard deviation 205 Pa. A-23 allows 1 kPa."""
PRESSURE_STEP_PA = 100
"""Resolution; A-23 allows 300."""
CARRIER_NOISE_UM = 36
"""Half width of the triangular noise; standard deviation 15 um; estimate."""
BATTERY_MV = 3900
"""A charged cell; reference handpiece 3.7 V nominal."""
MOTOR_POWER_OFF_TICKS = 3750000
"""150 ms after the emergency stop; amendment 1 of the design."""
FRAM_BYTES = 32768
"""Reference handpiece."""
