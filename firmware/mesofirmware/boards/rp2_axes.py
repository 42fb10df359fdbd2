"""The three motors of the handpiece, and what stops each of them in hardware.

| motor | steps while this pin is high | looked at |
|---|---|---|
| drive | PERMIT_DRIVE | before a revolution's first step |
| depth | MOTOR_ENABLE; DEPTH_HOME when homing | before each step |
| plunger | PERMIT_PLUNGER | before each step |
"""

from array import array

from machine import Pin, mem32

from mesofirmware.boards import pins, rp2_programs
from mesofirmware.boards.rp2_axis import Feed, Motor

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mesofirmware.boards.rp2_counter import Counter

_TURN = 3200
_DRIVE, _DEPTH, _PLUNGER = 0, 1, 2
"""State machines of PIO 0; the fourth is the dead-man's."""
_JMP_PIN_FLIP = 0x50200000 + 0x1000 + 0xCC + 0x18 * _DEPTH
"""EXECCTRL of the depth stop's state machine, at the address that flips bits; JMP_PIN is its bits 24 to 28."""
_IN_BASE_FLIP = 0x50200000 + 0x1000 + 0xDC + 0x18 * _DRIVE
"""PINCTRL of the drive's, alike; IN_BASE is its bits 15 to 19."""
_HOLD_OR_RELEASE = (pins.PERMIT_PLUNGER ^ pins.DRIVE_STEP) << 15
_HOME_OR_MOVE = (pins.DEPTH_HOME ^ pins.MOTOR_ENABLE) << 24
_HOME_WORDS = array("i", [(700 - 1) << 1, 12_500])
"""Backwards at 2,000 steps a second, further than the stop can ever be from its switch."""


class Drive(Motor):
    """The needle drive. It begins no revolution while PERMIT_DRIVE is low, and then none until it is fed anew."""

    def __init__(self, odometer: "Counter") -> None:
        self._permit = Pin(pins.PERMIT_DRIVE, Pin.IN)
        self._arm = Pin(pins.ARM_DRIVE, Pin.OUT, value=0)
        self._released = False
        drive = rp2_programs.DRIVE
        held = Pin(pins.PERMIT_PLUNGER)
        super().__init__(_DRIVE, drive, odometer, pins.DRIVE_STEP, pins.DRIVE_DIR, self._permit, held)

    def feed(self, words: "array", n: int, cycles: int, hold: bool) -> None:
        """See the port."""
        self.settle()
        if self._queued == 0 and self.powered:
            self.clear()
            self._arm.value(1)
        if hold:
            self._hold()
        super().feed(words, n, cycles, hold)

    def park(self) -> None:
        """See the port. Only stores a level: an interrupt may call it."""
        self._arm.value(0)

    def release(self) -> None:
        """See the port."""
        if not self._released:
            self._released = True
            mem32[_IN_BASE_FLIP] = _HOLD_OR_RELEASE

    def is_armed(self) -> bool:
        """Whether it may begin a revolution, as far as the firmware is concerned."""
        return self._arm.value() == 1

    def may_step(self) -> bool:
        """See `Motor`."""
        return self.powered and self._arm.value() == 1 and self._permit.value() == 1

    def halted(self) -> bool:
        """See `Motor`."""
        return not self.powered or (self._permit.value() == 0 and self.position() % _TURN == 0)

    def _hold(self) -> None:
        if self._released:
            self._released = False
            mem32[_IN_BASE_FLIP] = _HOLD_OR_RELEASE

    def come_home(self) -> None:
        """The index has come without motor power: the spring has turned the cam to the end of its revolution."""
        self.set_origin((self.position() + _TURN - 1) // _TURN * _TURN)

    def _compile(self, feed: Feed, words: "array", n: int, cycles: int, hold: bool, start: int) -> int:
        return rp2_programs.compile_drive(words, n, cycles > 1, start % _TURN == 0, hold, feed.table, feed.first)


class Depth(Motor):
    """The depth stop. Homing ends at the switch in hardware; what is fed meanwhile starts from there."""

    def __init__(self, odometer: "Counter") -> None:
        self._home = Pin(pins.DEPTH_HOME, Pin.IN)
        self._homing = False
        self._waiting = False
        self._words = _HOME_WORDS
        self._n = 0
        self._cycles = 0
        self.lost = False
        """Homing has not found the switch."""
        stepper = rp2_programs.STEPPER
        super().__init__(_DEPTH, stepper, odometer, pins.DEPTH_STEP, pins.DEPTH_DIR, Pin(pins.MOTOR_ENABLE))

    def home(self) -> None:
        """See the port."""
        if not self.powered:
            return
        self.stop()
        if self._home.value() == 0:
            self.set_origin(0)
            self.lost = False
            return
        mem32[_JMP_PIN_FLIP] = _HOME_OR_MOVE
        super().feed(_HOME_WORDS, 2, 1, False)
        self._homing = True

    def feed(self, words: "array", n: int, cycles: int, hold: bool) -> None:
        """See the port."""
        self.settle()
        if not self._homing:
            super().feed(words, n, cycles, hold)
            return
        if self._waiting:
            raise ValueError("two batches are queued")
        self._words, self._n, self._cycles = words, n, cycles
        self._waiting = True

    def room(self) -> int:
        """See the port."""
        self.settle()
        if self._homing:
            return 0 if self._waiting else 1
        return 2 - self._queued

    def is_homing(self) -> bool:
        """Whether it is on its way to the switch."""
        return self._homing

    def settle(self) -> bool:
        """See `Motor`."""
        if not self._homing:
            return super().settle()
        at_home = self._home.value() == 0
        if not at_home and not super().settle():
            return False
        waiting = self._waiting
        self.clear()
        self.lost = not at_home
        if at_home:
            self.set_origin(0)
            if waiting:
                super().feed(self._words, self._n, self._cycles, False)
        return True

    def clear(self) -> None:
        """See `Motor`."""
        super().clear()
        if self._homing:
            self._homing = False
            mem32[_JMP_PIN_FLIP] = _HOME_OR_MOVE
        self._waiting = False


class Plunger(Motor):
    """The plunger. When its permit has fallen, what is queued is dropped."""

    def __init__(self, odometer: "Counter") -> None:
        self._permit = Pin(pins.PERMIT_PLUNGER, Pin.IN)
        stepper = rp2_programs.STEPPER
        super().__init__(_PLUNGER, stepper, odometer, pins.PLUNGER_STEP, pins.PLUNGER_DIR, self._permit)

    def may_step(self) -> bool:
        """See `Motor`."""
        return self.powered and self._permit.value() == 1
