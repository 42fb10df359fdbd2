"""Latches: what forbids therapy until a person has looked and cleared it, also after a restart."""

from mesoprotocol import wire

_DAMAGE = wire.LATCH_LEDGER_CORRUPT | wire.LATCH_SETTINGS_DAMAGED | wire.LATCH_LOG_DAMAGED
_FOUND_AT_BOOT = wire.LATCH_INTERRUPTED | wire.LATCH_SAFE_APPLICATION | _DAMAGE


class Latches:
    """`bits` of the schema's `latch`. `count` rises each time one is raised: CLEAR names what was seen."""

    def __init__(self) -> None:
        self.bits = 0
        self.count = 0
        self.stop_count = 0

    def up(self, bit: int) -> None:
        """Raise a latch."""
        self.bits |= bit
        self.count = (self.count + 1) & 0xFFFF

    def stop(self) -> None:
        """STOP came, once more."""
        self.stop_count = (self.stop_count + 1) & 0xFFFF
        self.up(wire.LATCH_STOPPED)

    def clear(self, bits: int) -> None:
        """Clear latches that a person may clear by CLEAR; the others stay."""
        self.bits &= ~bits | _FOUND_AT_BOOT

    def status(self) -> int:
        """Why therapy is refused: OK if nothing stands."""
        if self.bits & wire.LATCH_SAFE_APPLICATION:
            return wire.S_SAFE_APPLICATION
        if self.bits & wire.LATCH_SETTINGS_DAMAGED:
            return wire.S_SETTINGS_DAMAGED
        if self.bits & wire.LATCH_LOG_DAMAGED:
            return wire.S_LOG_DAMAGED
        return wire.S_LATCHED if self.bits else wire.S_OK

    def lasting(self) -> int:
        """Those that must be kept in memory; the others are found again at boot."""
        return self.bits & ~(_FOUND_AT_BOOT | wire.LATCH_SELF_TEST)
