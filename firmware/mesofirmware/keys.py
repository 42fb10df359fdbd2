"""The keys of the roles, in non-volatile memory: set, replaced, used for proofs, never told.

Two copies, each with a CRC, both written with each key: no cut brings a former key back. If one is damaged nobody is
let in: `damaged` is not the same as never provisioned.
"""

from mesofirmware import records
from mesoprotocol import bulk, codec, wire

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mesofirmware.boards.port import Store
    from mesoprotocol.mac import Mac

SIZE = 32
_AT = 26880
_COPY = 128
# generation, bits of the roles that have a key, operator's, service's
_FIELDS = (
    (codec.UINT, 4, 0, 0x3FFFFFFF),
    (codec.UINT, 1, 0, 255),
    (codec.BYTES, SIZE, 0, 0),
    (codec.BYTES, SIZE, 0, 0),
)


class Keys:
    """The keys of one device."""

    def __init__(self, store: "Store") -> None:
        self._records = records.Records(store, b"KEYS1")
        self._values: list = [0, 0, bytearray(SIZE), bytearray(SIZE)]
        self.damaged = False
        self._read()

    def _read(self) -> None:
        self.damaged = self._records.read_newer(_AT, _COPY, _FIELDS, self._values) == records.DAMAGED

    def any(self) -> bool:
        """Whether somebody must prove who it is."""
        return self.damaged or self._values[1] != 0

    def has(self, role: int) -> bool:
        """Whether this role has a key."""
        return self._values[1] & 1 << role != 0

    def lend(self, role: int, mac: "Mac") -> None:
        """Let `mac` make codes with the key of a role."""
        mac.rekey(self._values[1 + role])

    def provision(self, role: int, source: "bytearray | bytes", at: int) -> int:
        """Set the key of a role to source[at:at+SIZE], durably; a status. Raises `StoreFailed`."""
        if self.damaged:
            return wire.S_KEYS_DAMAGED
        if role != wire.ROLE_SERVICE and not self.has(wire.ROLE_SERVICE):
            return wire.S_NO_KEY
        zeros = 0
        i = 0
        while i < SIZE:
            zeros |= source[at + i]
            i += 1
        if zeros == 0:
            return wire.S_RANGE
        key = self._values[1 + role]
        bulk.copy(source, at, key, 0, SIZE)
        self._values[1] |= 1 << role
        try:
            self._records.write_newer(_AT, _COPY, _FIELDS, self._values)
            self._records.write_newer(_AT, _COPY, _FIELDS, self._values)
        except records.StoreFailed:
            self._read()  # what stands in the memory is in force, now as after a restart
            raise
        return wire.S_OK
