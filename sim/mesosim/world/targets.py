"""Every value of the world that a fault can reach, by name: inputs, supply, defects, and the plant's parameters.

`input.*` are levels that the hand, the skin or a switch sets; a stuck one keeps its level whoever changes it.
"""

from mesoprotocol import wire

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable

    from mesosim.world import plant

INPUTS = (
    ("input.trigger_a", wire.INPUT_TRIGGER_A),
    ("input.trigger_b", wire.INPUT_TRIGGER_B),
    ("input.contact", wire.INPUT_CONTACT),
    ("input.estop", wire.INPUT_ESTOP),
    ("input.syringe", wire.INPUT_SYRINGE),
    ("input.cartridge", wire.INPUT_CARTRIDGE),
    ("input.drive_fault", wire.INPUT_DRIVE_FAULT),
)
BLOCKED = 1e6
"""What a blocked needle multiplies its resistance by."""


class Targets:
    """Gets and sets by name. `wakes` says after a `set` whether the firmware sees a level change."""

    def __init__(self, thing: "plant.Plant", power: "Callable[[bool], None]") -> None:
        self._plant = thing
        self._power = power
        self._cut = False
        self._stuck = 0
        self._meant = 0
        self.wakes = False

    def get(self, name: str) -> "int | float":
        """The present value. An unknown name is a ValueError."""
        bit = _bit(name)
        if bit:
            return 1 if self._plant.levels & bit else 0
        if name == "index.dead":
            return 1 if self._plant.carriage.index_dead else 0
        if name == "encoder.slip_counts":
            return -int(self._plant.get("sensor.encoder.offset_counts"))
        if name == "needle.blocked":
            return 1 if self._plant.get("needle.occlusion") >= BLOCKED else 0
        if name in ("power.cut", "power.reset", "hand.release"):
            return 1 if self._cut and name == "power.cut" else 0
        return self._plant.get(name)

    def set(self, t: int, name: str, value: "int | float") -> None:
        """Change a value at time t, which is now. An unknown name is a ValueError."""
        bit = _bit(name)
        self.wakes = bit != 0
        if bit:
            self._plant.set_input(t, bit, value != 0)
        elif name == "index.dead":
            self._plant.carriage.index_dead = value != 0
        elif name == "encoder.slip_counts":
            self._plant.set(t, "sensor.encoder.offset_counts", -value)
        elif name == "needle.blocked":
            self._plant.set(t, "needle.occlusion", BLOCKED if value else 1.0)
        elif name == "power.reset":
            if value:
                self._power(True)
        elif name == "hand.release":
            self.wakes = value != 0
            if value:
                self.move(t, wire.INPUT_TRIGGER_A, False)
                self.move(t, wire.INPUT_TRIGGER_B, False)
        elif name == "power.cut":
            self._cut = value != 0
            self._power(not self._cut)
        else:
            self._plant.set(t, name, value)

    def move(self, t: int, bit: int, on: bool) -> None:
        """The hand changes an input; a stuck one stays as it is until it is loosened."""
        if bit & self._stuck:
            self._meant = self._meant | bit if on else self._meant & ~bit
        else:
            self._plant.set_input(t, bit, on)

    def stick(self, name: str, stuck: bool) -> None:
        """Hold an input at its level, or let it follow again."""
        bit = _bit(name)
        if stuck:
            self._stuck |= bit
            self._meant = self._meant | bit if self._plant.levels & bit else self._meant & ~bit
        else:
            self._stuck &= ~bit

    def can_stick(self, name: str) -> bool:
        """Whether something but a fault changes it."""
        return _bit(name) != 0

    def meant(self, name: str) -> int:
        """Where a stuck input would stand had it not been stuck."""
        return 1 if self._meant & _bit(name) else 0


def _bit(name: str) -> int:
    """The input of that name; 0 if there is none."""
    for known, bit in INPUTS:
        if known == name:
            return bit
    return 0
