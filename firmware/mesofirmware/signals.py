"""What the handpiece shows to the hand that holds it."""

LIGHT_IDLE = 0
LIGHT_PREPARED = 1
LIGHT_ARMED_SKIN = 2
"""Armed: set to the skin and press."""
LIGHT_ARMED_AWAY = 3
"""Armed for priming: hold away from the skin and press."""
LIGHT_RUNNING = 4
LIGHT_HELD = 5
LIGHT_ARMED_CARTRIDGE = 7
"""Armed for a fractional run: mount the cartridge, set to the skin, press and hold."""
LIGHT_LATCHED = 6
"""A latch stands: nothing will start before it is cleared."""
