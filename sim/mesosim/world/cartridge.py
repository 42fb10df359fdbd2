"""The cartridge that is mounted: its identity chip, 128 bytes on one wire, as the factory has written it."""

from mesoprotocol import codec, crc

MEMORY = 128
LABEL_AT, MARK_AT = 0, 32
_TAG = b"CARTRIDGE1"
# version, kind, needles, gauge, lot, expiry (days since 2000-01-01)
_LABEL = (
    (codec.UINT, 1, 0, 255),
    (codec.UINT, 1, 0, 255),
    (codec.UINT, 1, 0, 255),
    (codec.UINT, 1, 0, 255),
    (codec.TEXT, 12, 0, 0),
    (codec.UINT, 2, 0, 0xFFFF),
)
# device, and which of its treatments
_MARK = ((codec.BYTES, 8, 0, 0), (codec.UINT, 3, 0, 0xFFFFFF))
SERIAL, KIND, NEEDLES, GAUGE, EXPIRY_DAY = 1, 1, 12, 33, 36_524
"""A new one's: needles for punctures, good until 2099-12-31."""


class Cartridge:
    """One cartridge: `serial` is its chip's, None if none answers; `memory` is what can be read and written."""

    def __init__(
        self,
        serial: int = SERIAL,
        kind: int = KIND,
        needles: int = NEEDLES,
        gauge: int = GAUGE,
        lot: str = "LOT-2601",
        expiry_day: int = EXPIRY_DAY,
        used: "list | None" = None,
        chip: bool = True,
    ) -> None:
        """`used`: uid of a device in hex, and which of its treatments; `chip`: whether it has one."""
        self.chip = chip
        self.serial = b"\x2d" + bytes((serial >> 8 * i & 255 for i in range(7)))
        self.memory = bytearray(b"\xff" * MEMORY)
        _put(self.memory, LABEL_AT, _LABEL, [1, kind, needles, gauge, lot.encode(), expiry_day])
        if used is not None:
            _put(self.memory, MARK_AT, _MARK, [bytes.fromhex(used[0]), used[1]])


def _put(memory: bytearray, at: int, fields: tuple, values: list) -> None:
    buf = bytearray(64)
    n = codec.write(fields, values, buf, 0)
    crc.put(buf, n, crc.seed(_TAG))
    memory[at : at + n + 4] = buf[: n + 4]
