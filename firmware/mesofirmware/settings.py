"""What is set for one device and stays: its name, and what its sensors were calibrated to.

Two files, `settings.a` and `settings.b`, written in turn, each with a generation and a CRC, as the ledger's header is:
a power cut leaves the former settings or the new ones. What cannot be read is never reformatted: the settings are
`damaged` then, stay so, and are not written. A flash erase stops everything else, so nothing may move meanwhile.
"""

from mesofirmware import records
from mesoprotocol import bulk, codec, wire

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mesofirmware.boards.port import Files

NAME = 16
_COPY = 64
_FILES = ("settings.a", "settings.b")
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
S_GENERATION, S_VERSION, S_NAME, S_CARRIER_ZERO, S_PRESSURE_ZERO, S_ENCODER_GAIN = range(6)
DEFAULTS = (0, VERSION, None, 1_000, 50_000, 1_000_000)


class Settings:
    """The settings of one device, `values` as in FIELDS. Change them there, then `save`."""

    def __init__(self, files: "Files") -> None:
        self._records = records.Records(_TwoFiles(files), b"SETTINGS1")
        self.values: list = list(DEFAULTS)
        self.values[S_NAME] = bytearray(NAME)
        found = self._records.read_newer(0, _COPY, FIELDS, self.values)
        self.damaged = found == records.DAMAGED or (found == records.VALID and self.values[S_VERSION] != VERSION)
        if found != records.VALID:
            for i in range(len(self.values)):
                if i != S_NAME:
                    self.values[i] = DEFAULTS[i]

    def save(self, at_rest: bool) -> int:
        """Make `values` last; a status. What is damaged, or would be written while something moves, is refused."""
        if self.damaged:
            return wire.S_STORE_FAILED
        if not at_rest:
            return wire.S_WRONG_STATE
        for i in range(len(FIELDS)):
            kind, _, least, most = FIELDS[i]
            if kind == codec.UINT and not least <= self.values[i] <= most:
                return wire.S_RANGE
        try:
            self._records.write_newer(0, _COPY, FIELDS, self.values)
        except records.StoreFailed:
            return wire.S_STORE_FAILED
        return wire.S_OK


class _TwoFiles:
    """Two files as a store of two copies; one that is not there reads as never written."""

    def __init__(self, files: "Files") -> None:
        self._files = files
        self._buf = bytearray(_COPY)

    def read(self, at: int, buf: bytearray, n: int) -> None:
        """See the port's `Store`."""
        found = self._files.read(_FILES[at // _COPY], self._buf)
        for i in range(n):
            buf[i] = self._buf[i] if i < found else 0

    def write(self, at: int, buf: bytearray, n: int) -> None:
        """See the port's `Store`."""
        bulk.copy(buf, 0, self._buf, 0, n)
        self._files.write(_FILES[at // _COPY], self._buf, n)
