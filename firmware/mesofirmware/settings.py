"""What is set for one device and stays: its name, and what its sensors were calibrated to.

Two files, `settings.a` and `settings.b`, written in turn, each with a generation and a CRC: a power cut leaves the
former settings or the new ones, and no damaged file. Whatever does not read, or is not there where it should be,
makes the settings `damaged`: they stay so, are not written, and the values are the defaults. Never are older values
taken in silence. A flash erase stops everything else, so nothing may move meanwhile.
"""

from mesofirmware import records
from mesoprotocol import bulk, codec, wire

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mesofirmware.boards.port import Files
    from mesofirmware.readings import Readings

NAME = 16
_COPY = 64
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


_SIZE = codec.size(FIELDS) + 4


class Settings:
    """The settings of one device, `values` as in FIELDS. Change them by `save`."""

    def __init__(self, files: "Files") -> None:
        self._files = files
        self._buf = bytearray(_COPY)
        self._records = records.Records(_TwoFiles(files), b"SETTINGS1")
        self.values: list = list(DEFAULTS)
        self.values[S_NAME] = bytearray(NAME)
        self._told: list = [0, self.values[S_NAME], 0, 0, 0]
        first, first_generation = self._look(0)
        second, second_generation = self._look(1)
        newer = max(first_generation, second_generation)
        self.damaged = first == records.DAMAGED or second == records.DAMAGED
        if newer > 0 and first_generation + second_generation != 2 * newer - 1:
            self.damaged = True  # the other copy is of the generation before
        self._take(newer & 1 if newer and not self.damaged else -1)

    @property
    def generation(self) -> int:
        """How often they were written."""
        generation: int = self.values[S_GENERATION]
        return generation

    def _look(self, copy: int) -> tuple:
        """State and generation of one copy; 0 if it was never written, and if it is damaged."""
        n = self._files.read(FILES[copy], self._buf)
        if n <= 0:
            return records.BLANK, 0  # a cut within the first write of a file leaves it empty
        found = self._records.read(copy * _COPY, FIELDS, self.values)
        generation = self.values[S_GENERATION]
        if found != records.VALID or n != _SIZE or self.values[S_VERSION] != VERSION or generation & 1 != copy:
            return records.DAMAGED, 0
        return records.VALID, generation

    def _take(self, copy: int) -> None:
        """The values of a copy; of none: the defaults."""
        if copy >= 0:
            self._records.read(copy * _COPY, FIELDS, self.values)
            return
        for i in range(len(self.values)):
            if i != S_NAME:
                self.values[i] = DEFAULTS[i]
        for i in range(NAME):
            self.values[S_NAME][i] = 0

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

    def save(self, at_rest: bool, name: bytes, carrier_zero_um: int, pressure_zero_pa: int, gain_ppm: int) -> int:
        """Make these last, and the values; a status. Zeros may be negative.

        What is damaged, or would be written while something moves, is refused, and so is what is out of range.
        """
        if self.damaged:
            return wire.S_SETTINGS_DAMAGED
        if not at_rest:
            return wire.S_WRONG_STATE
        new = [self.generation, VERSION, name, carrier_zero_um + _CARRIER_MIDDLE, 0, gain_ppm]
        new[S_PRESSURE_ZERO] = pressure_zero_pa + _PRESSURE_MIDDLE
        for i in range(len(FIELDS)):
            kind, _, least, most = FIELDS[i]
            if kind == codec.UINT and not least <= new[i] <= most:
                return wire.S_RANGE
        try:
            self._records.write_newer(0, _COPY, FIELDS, new)
        except records.StoreFailed:
            return wire.S_STORE_FAILED
        self._take(new[S_GENERATION] & 1)
        return wire.S_OK


class _TwoFiles:
    """Two files as a store of two copies; one that is not there reads as never written."""

    def __init__(self, files: "Files") -> None:
        self._files = files
        self._buf = bytearray(_COPY)

    def read(self, at: int, buf: bytearray, n: int) -> None:
        """See the port's `Store`."""
        found = self._files.read(FILES[at // _COPY], self._buf)
        for i in range(n):
            buf[i] = self._buf[i] if i < found else 0

    def write(self, at: int, buf: bytearray, n: int) -> None:
        """See the port's `Store`."""
        bulk.copy(buf, 0, self._buf, 0, n)
        self._files.write(FILES[at // _COPY], self._buf, n)
