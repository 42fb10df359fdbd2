"""Values in two files, written in turn, each with a generation, a version and a CRC.

A power cut leaves the former values or the new ones, and no damaged file. Whatever does not read, or is not there where
it should be, makes the whole `damaged`: it stays so, is not written, and the values are the defaults. Never are older
values taken in silence.
"""

from mesofirmware import records
from mesoprotocol import bulk, codec

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mesofirmware.boards.port import Files

GENERATION, VERSION = 0, 1
"""The first two fields: u30 and u8."""
_COPY = 64


class Copies:
    """`values` as in `fields`, of which no record is longer than 60 bytes. Change them by `save`."""

    def __init__(self, files: "Files", names: tuple, tag: bytes, fields: tuple, defaults: tuple) -> None:
        self._files = files
        self._names = names
        self._fields = fields
        self._defaults = defaults
        self._size = codec.size(fields) + 4
        self._buf = bytearray(_COPY)
        self._records = records.Records(self, tag)
        self.values: list = list(defaults)
        for i in range(len(fields)):
            if fields[i][0] == codec.BYTES:
                self.values[i] = bytearray(fields[i][1])
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
        generation: int = self.values[GENERATION]
        return generation

    def save(self, new: list) -> None:
        """Make these last, but for generation and version, and the values. Raises `records.StoreFailed`."""
        if self.damaged:
            raise records.StoreFailed(self._names[0])
        new[GENERATION] = self.generation + 1
        new[VERSION] = self._defaults[VERSION]
        self._records.write((new[GENERATION] & 1) * _COPY, self._fields, new)
        self._take(new[GENERATION] & 1)

    def _look(self, copy: int) -> tuple:
        """State and generation of one copy; 0 if it was never written, and if it is damaged."""
        n = self._files.read(self._names[copy], self._buf)
        if n <= 0:
            return records.BLANK, 0  # a cut within the first write of a file leaves it empty
        found = self._records.read(copy * _COPY, self._fields, self.values)
        generation = self.values[GENERATION]
        is_mine = self.values[VERSION] == self._defaults[VERSION] and generation & 1 == copy
        if found != records.VALID or n != self._size or not is_mine:
            return records.DAMAGED, 0
        return records.VALID, generation

    def _take(self, copy: int) -> None:
        """The values of a copy; of none: the defaults."""
        if copy >= 0:
            self._records.read(copy * _COPY, self._fields, self.values)
            return
        for i in range(len(self.values)):
            if self._fields[i][0] != codec.BYTES:
                self.values[i] = self._defaults[i]
            else:
                for k in range(self._fields[i][1]):
                    self.values[i][k] = 0

    # --- Two files as a store of two copies; one that is not there reads as never written ---------------

    def read(self, at: int, buf: bytearray, n: int) -> None:
        """See the port's `Store`."""
        found = self._files.read(self._names[at // _COPY], self._buf)
        for i in range(n):
            buf[i] = self._buf[i] if i < found else 0

    def write(self, at: int, buf: bytearray, n: int) -> None:
        """See the port's `Store`."""
        bulk.copy(buf, 0, self._buf, 0, n)
        self._files.write(self._names[at // _COPY], self._buf, n)
