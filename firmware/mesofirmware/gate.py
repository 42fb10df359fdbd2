"""The hand at the handpiece: both trigger lines and skin contact, from ARMED to the press that starts motion.

The trigger must be seen released, then both lines pressed within TRIGGER_PAIR_MS of each other, with contact
as the mode wants it, steady for CONTACT_STEADY_MS (or, when priming, open).
"""

from mesofirmware import clock
from mesoprotocol import limits, tick, wire

WAIT, GO, DISAGREE = 0, 1, 2

_BOTH = wire.INPUT_TRIGGER_A | wire.INPUT_TRIGGER_B


class Gate:
    """Watches inputs. `wait_us` is when to look again even if no input changes."""

    def __init__(self) -> None:
        self._away = False
        self._needs_fresh_contact = False
        self._released = False
        self._pressing = False
        self._pressed_at = 0
        self._contact = False
        self._contact_at = 0
        self._contact_was_open = True
        self.wait_us = clock.FOREVER

    def arm(self, now: int, inputs: int, away: bool, needs_fresh_contact: bool) -> None:
        """Begin to watch. With `needs_fresh_contact`, contact must have been open since the last dose."""
        self._away = away
        self._needs_fresh_contact = needs_fresh_contact
        self._released = False
        self._pressing = False
        self.look(inputs)
        self._contact = bool(inputs & wire.INPUT_CONTACT)
        self._contact_at = now

    def look(self, inputs: int) -> None:
        """See whether contact is open, also while nothing is armed."""
        if not inputs & wire.INPUT_CONTACT:
            self._contact_was_open = True

    def used(self) -> None:
        """A dose was given at this contact."""
        self._contact_was_open = False

    def step(self, now: int, inputs: int) -> int:
        """WAIT, GO, or DISAGREE: only one trigger line closed."""
        self.wait_us = clock.FOREVER
        contact = bool(inputs & wire.INPUT_CONTACT)
        if contact != self._contact:
            self._contact = contact
            self._contact_at = now
        self.look(inputs)
        trigger = inputs & _BOTH
        if trigger == 0:
            self._released = True
            self._pressing = False
            return WAIT
        if not self._released:
            return WAIT
        if not self._pressing:
            self._pressing = True
            self._pressed_at = now
        if trigger != _BOTH:
            left = limits.TRIGGER_PAIR_MS * 1000 - tick.diff(now, self._pressed_at)
            if left <= 0:
                return DISAGREE
            self.wait_us = left
            return WAIT
        if not self._contact_allows(now):
            self._released = False  # a press that came too early counts for nothing: release and press again
            return WAIT
        return GO

    def _contact_allows(self, now: int) -> bool:
        if self._away:
            return not self._contact
        if not self._contact or (self._needs_fresh_contact and not self._contact_was_open):
            return False
        return tick.diff(now, self._contact_at) >= limits.CONTACT_STEADY_MS * 1000
