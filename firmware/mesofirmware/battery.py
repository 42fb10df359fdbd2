"""The battery: whether it is good for another dose or run (SR-35)."""

from mesoprotocol import limits, wire

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mesofirmware.alarms import Alarms


def allows(mv: int, alarms: "Alarms") -> bool:
    """Whether something may start at `mv` millivolts, at rest; says so once it becomes low."""
    alarms.so(wire.ALARM_BATTERY_LOW, mv < limits.BATTERY_LOW_MV, mv)
    return mv >= limits.BATTERY_START_MV
