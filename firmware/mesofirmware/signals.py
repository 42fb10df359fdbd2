"""What the handpiece shows to the hand that holds it: the device's state, and over it the most urgent alarm."""

from mesoprotocol import wire

LIGHT_IDLE = 0
LIGHT_PREPARED = 1
LIGHT_ARMED_SKIN = 2
"""Armed: set to the skin and press."""
LIGHT_ARMED_AWAY = 3
"""Armed for priming, or service: hold away from the skin and press."""
LIGHT_RUNNING = 4
LIGHT_HELD = 5
LIGHT_ARMED_CARTRIDGE = 7
"""Armed for a fractional run: mount the cartridge, set to the skin, press and hold."""
LIGHT_LATCHED = 6
"""A latch stands: nothing will start before it is cleared."""
ALARM_NONE = 8
"""This and what follows is shown over the state's light, which stays: no alarm stands."""
ALARM_LOW = 9
ALARM_MEDIUM = 10
ALARM_HIGH = 11

PATTERNS: tuple = (
    (0, 0, 0, 0, 0, 0, 0),
    (0x00FFFF, 0, 0, 1, 180, 330, 0),
    (0xFFFF00, 1_000, 1_000, 3, 180, 440, 7_500),
    (0xFF0000, 250, 250, 10, 120, 520, 5_000),
)
"""By `code - ALARM_NONE`: colour (RGB), ms on and ms off (0: steady), pulses of a burst, ms of a pulse, its tone in Hz,
ms from burst to burst (0: one burst only).

Colours, pulses (high: two groups of five) and tones (150-1,000 Hz) after IEC 60601-1-8; times are choice.
"""


def of_state(state: int, is_run: bool, is_away: bool, is_latched: bool) -> int:
    """The light of a state with what is planned."""
    if state == wire.STATE_IDLE:
        return LIGHT_LATCHED if is_latched else LIGHT_IDLE
    if state == wire.STATE_PREPARED:
        return LIGHT_PREPARED
    if state == wire.STATE_ARMED:
        if is_away:
            return LIGHT_ARMED_AWAY
        return LIGHT_ARMED_CARTRIDGE if is_run else LIGHT_ARMED_SKIN
    return LIGHT_RUNNING if state == wire.STATE_RUNNING else LIGHT_HELD
