"""One session as the device sees it: its number, its role, where its order of requests stands."""

from mesofirmware import keys
from mesoprotocol import bulk, frame, mac, wire


class Peer:
    """Number 0 is nobody. `seq` is the newest request's; its answer is kept for a repeat."""

    def __init__(self) -> None:
        self.number = 0
        self.role = wire.ROLE_OBSERVER
        self.tagged = False
        """Whether every request must bear a tag."""
        self.mac = mac.Mac(frame.HEADER + frame.PAYLOAD_MAX)
        self.seq = 0
        self.beat = 0
        self.cached = bytearray(frame.WIRE_MAX)
        self.cached_n = 0
        self._pad = bytearray(len(_PAD) + frame.HEADER)

    def open(self, number: int, role: int) -> None:
        """Begin a session; 0 ends it."""
        self.number = number
        self.role = role
        self.tagged = False
        self.seq = 0
        self.beat = 0
        self.cached_n = 0

    def genuine(self, body: bytearray, n: int) -> bool:
        """Whether the tag behind body[:n] was made with this session's key."""
        return self.tagged and mac.equal(self.mac.of(body, n), 0, body, n, frame.TAG)

    def uncover(self, body: bytearray, at: int) -> None:
        """Take the pad of this request off the key at body[at:]; see Keys in the protocol."""
        if not self.tagged:
            return
        bulk.copy(_PAD, 0, self._pad, 0, len(_PAD))
        bulk.copy(body, 0, self._pad, len(_PAD), frame.HEADER)
        code = self.mac.of(self._pad, len(self._pad))
        i = 0
        while i < keys.SIZE:
            body[at + i] ^= code[i]
            i += 1


_PAD = b"meso1 pad"
