"""What is set for one device and stays: its name, and what its sensors were calibrated to.

In two files, see `copies`. A flash erase stops everything else, so nothing may move while they are written.
"""

from mesofirmware import copies, records
from mesoprotocol import codec, wire

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mesofirmware.boards.port import Files
    from mesofirmware.readings import Readings

NAME = 16
FILES = ("settings.a", "settings.b")
# generation, version, name, zero of the carrier sensor + 1 mm (um), zero of the pressure sensor + 50 kPa (Pa), gain
# of the encoder (ppm)
FIELDS = (
    (codec.UINT, 4, 0, 0x3FFFFFFF),
    (codec.UINT, 1, 0, 255),
    (codec.BYTES, NAME, 0, 0),
    (codec.UINT, 2, 0, 2_000),
    (codec.UINT, 4, 0, 100_000),
    (codec.UINT, 4, 900_000, 1_100_000),
)
VERSION = 1
_CARRIER_MIDDLE, _PRESSURE_MIDDLE = 1_000, 50_000
"""What is added to a zero, which may be negative."""
S_GENERATION, S_VERSION, S_NAME, S_CARRIER_ZERO, S_PRESSURE_ZERO, S_ENCODER_GAIN = range(6)
DEFAULTS = (0, VERSION, None, _CARRIER_MIDDLE, _PRESSURE_MIDDLE, 1_000_000)


class Settings(copies.Copies):
    """The settings of one device, `values` as in FIELDS."""

    def __init__(self, files: "Files") -> None:
        super().__init__(files, FILES, b"SETTINGS1", FIELDS, DEFAULTS)
        self._told: list = [0, self.values[S_NAME], 0, 0, 0]

    def expect(self, generation: int) -> None:
        """The log knows `generation`: these are damaged if it is not that one, nor one that was being written."""
        if not generation <= self.generation <= generation + 1:
            self.damaged = True

    def calibrate(self, readings: "Readings") -> None:
        """Put them in force."""
        v = self.values
        readings.calibrate(
            v[S_CARRIER_ZERO] - _CARRIER_MIDDLE, v[S_PRESSURE_ZERO] - _PRESSURE_MIDDLE, v[S_ENCODER_GAIN]
        )

    def told(self) -> list:
        """The fields of SETTINGS' reply; allocates nothing."""
        v = self.values
        t = self._told
        t[wire.SETTINGS_REPLY_GENERATION] = v[S_GENERATION]
        t[wire.SETTINGS_REPLY_CARRIER_ZERO_UM] = v[S_CARRIER_ZERO] - _CARRIER_MIDDLE
        t[wire.SETTINGS_REPLY_PRESSURE_ZERO_PA] = v[S_PRESSURE_ZERO] - _PRESSURE_MIDDLE
        t[wire.SETTINGS_REPLY_ENCODER_GAIN_PPM] = v[S_ENCODER_GAIN]
        return t

    def change(self, at_rest: bool, name: bytes, carrier_zero_um: int, pressure_zero_pa: int, gain_ppm: int) -> int:
        """Make these last, and the values; a status. Zeros may be negative.

        What is damaged, or would be written while something moves, is refused, and so is what is out of range.
        """
        if self.damaged:
            return wire.S_SETTINGS_DAMAGED
        if not at_rest:
            return wire.S_WRONG_STATE
        new = [0, 0, name, carrier_zero_um + _CARRIER_MIDDLE, pressure_zero_pa + _PRESSURE_MIDDLE, gain_ppm]
        for i in range(S_CARRIER_ZERO, len(FIELDS)):
            if not FIELDS[i][2] <= new[i] <= FIELDS[i][3]:
                return wire.S_RANGE
        try:
            self.save(new)
        except records.StoreFailed:
            return wire.S_STORE_FAILED
        return wire.S_OK
