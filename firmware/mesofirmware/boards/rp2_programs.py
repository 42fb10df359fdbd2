"""The PIO programs, as words, and what turns a batch of segments into theirs.

Each program is what `StateMachine` takes in place of an assembled function. Sources with comments, and the test that
they come to these words: tests/pio. Ticks are of 40 ns: STEPPER, DRIVE and DEADMAN are to run at 25 MHz, the counters
at the system's clock.

| program | words | pins |
|---|---|---|
| STEPPER | 9 | sideset_base STEP, out_base DIR, jmp_pin: high permits each pulse |
| DRIVE | 16 | the same, but jmp_pin permits a gated segment; in_base: low lets a held segment start |
| DEADMAN | 5 | sideset_base: high while fed |
| ODOMETER | 10 | in_base STEP, jmp_pin DIR |
| ENCODER | 22 | in_base A, the pin after it B, jmp_pin B too |

A step comes at the end of its interval, exactly, also where a segment follows another without a gap; STEP is then high
for 8 ticks. The first step of a batch that starts from rest comes 7 ticks early, that of a held one 10 ticks. A step
generator without permit halts for good, right before the pulse, with X + 1 steps of its segment not made; it needs its
FIFO drained and a restart. What is held starts at once when IN_BASE is pointed at the drive's own STEP, which is low
while it waits.

DEADMAN begins with its first word and lives for so many rounds; each word is a new number of rounds. Dead, it stays
dead until it is restarted. ODOMETER and ENCODER give their count, a signed word, after each change; ODOMETER begins by
giving 0, ENCODER may begin with a count of 1 or -1, for levels that it finds. Its edges must be 25 clocks apart.
"""

from array import array

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Optional

_OUT_LOW = 2


def _program(
    words: list, wrap_target: int, wrap: int, shiftctrl: int, out: "Optional[int]", side: "Optional[int]"
) -> list:
    return [array("H", words), -1, -1, -1, wrap << 12 | wrap_target << 7, shiftctrl, out, None, side]


_OUT_RIGHT_AUTOPULL = 1 << 19 | 1 << 17

# fmt: off
STEPPER = _program([
    0x6001, 0x603F, 0x60C0, 0xA046, 0x0084, 0x00C7, 0x0006, 0x1748, 0x0203,
], 0, 7, _OUT_RIGHT_AUTOPULL, _OUT_LOW, _OUT_LOW)
DRIVE = _program([
    0x6001, 0x6041, 0x0064, 0x2020, 0x6041, 0x603D, 0x60C0, 0x006C,
    0xA046, 0x0089, 0x00CE, 0x000B, 0xA146, 0x008D, 0x174F, 0x060C,
], 0, 14, _OUT_RIGHT_AUTOPULL, _OUT_LOW, _OUT_LOW)
DEADMAN = _program([
    0x80A0, 0xB027, 0x1044, 0x0003, 0x9080,
], 1, 4, 0, None, _OUT_LOW)
ODOMETER = _program([
    0xA02B, 0xA029, 0x0043, 0xA029, 0xA0C1, 0x8000, 0x2020, 0x20A0, 0x00C1, 0x0044,
], 4, 9, 0, None, None)
ENCODER = _program([
    0xA0E3, 0xA0C3, 0x4002, 0xA026, 0x00A5, 0xA0C3, 0x4041, 0xA041, 0xA026, 0x00D1, 0x0032,
    0xA027, 0x004D, 0xA0E1, 0xA0C1, 0x8000, 0x0001, 0x002B, 0xA02F, 0x0054, 0xA029, 0x000D,
], 1, 4, 0, None, None)
# fmt: on

STEPPER_TICKS = 14
DRIVE_TICKS = 18
"""Ticks that a step takes beside its delay loop: the shortest intervals."""
PULSE_TICKS = 8
DEADMAN_CLOCKS = 3
"""Clocks of a round."""
HELD_BIT, GATED_BIT = 2, 4
"""Of DRIVE's first word of a segment: bit 0 direction, then these two, from bit 3 on its steps - 1."""
_MOST_STEPS = 1 << 26


def compile_batch(words: "array", n: int, cyclic: bool, table: "array", first: int) -> int:
    """STEPPER's words for the segments in words[:n], into table[first:]; returns how many words.

    A cyclic batch is brought to 2^k words, for a ring: single steps are split off its segments. Raises ValueError for
    an interval below STEPPER_TICKS, and for what the table cannot hold.
    """
    return _compile(words, n, cyclic, table, first, 1, 0, STEPPER_TICKS)


def compile_drive(words: "array", n: int, cyclic: bool, gated: bool, held: bool, table: "array", first: int) -> int:
    """DRIVE's words, as `compile_batch` does: gated, each cycle's first step needs the permit; held, it waits."""
    flags = (GATED_BIT if gated else 0) | (HELD_BIT if held else 0)
    return _compile(words, n, cyclic, table, first, 3, flags, DRIVE_TICKS)


def _compile(
    words: "array", n: int, cyclic: bool, table: "array", first: int, shift: int, flags: int, least: int
) -> int:
    size = n
    if cyclic:
        size = 2
        while size < n:
            size *= 2
    if first + size > len(table):
        raise ValueError("batch of %d words: at most %d" % (size, len(table) - first))
    spare = (size - n) // 2
    at = first
    i = 0
    while i < n:
        left = words[i] >> 1
        interval = words[i + 1] - least
        if interval < 0 or left >= _MOST_STEPS:
            raise ValueError(
                "segment of %d steps, %d ticks: at most %d, at least %d" % (left + 1, words[i + 1], _MOST_STEPS, least)
            )
        while True:
            more = left > 0 and spare > 0
            table[at] = words[i] & 1 | flags | (0 if more else left << shift)
            table[at + 1] = interval
            at += 2
            flags = 0
            if not more:
                break
            left -= 1
            spare -= 1
        i += 2
    if spare:
        raise ValueError("cyclic batch of %d steps: at least %d" % (size // 2 - spare, size // 2))
    return size
