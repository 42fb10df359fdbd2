"""Frames: `00 | COBS( header 10 | payload <= 220 | tag 0 or 8 | CRC-32 ) | 00`, the same code on both sides.

Header: major u8, kind u8, message id u16, seq u16, session u16, payload length u8, zero u8. A request whose
kind bears TAGGED has a tag behind its payload. The CRC starts from crc32("MESO" + major), so that no other
protocol's frames and no other major's pass for ours. A body has at most 242 bytes, hence COBS codes of 0xFF
never occur and each body has exactly one encoding: any other is refused. Refused frames are counted, nothing
raises.
"""

from struct import pack_into

from mesoprotocol import bulk, crc

HEADER = 10
PAYLOAD_MAX = 220
TAG = 8
BODY_MAX = HEADER + PAYLOAD_MAX + TAG + 4
WIRE_MAX = BODY_MAX + 3

REQUEST, REPLY, EVENT, STREAM = 0, 1, 2, 3
TAGGED = 0x80
"""Flag of a request's kind: a tag stands between payload and CRC."""


def frame_seed(major: int) -> bytes:
    """The CRC seed of frames of one major version."""
    return crc.seed(b"MESO" + bytes((major,)))


class Builder:
    """Makes untagged frames in a buffer of its own. Write the payload at `body[HEADER:]`, then call `build`."""

    def __init__(self, major: int) -> None:
        self.major = major
        self._seed = frame_seed(major)
        self.body = bytearray(BODY_MAX)
        self.wire = bytearray(WIRE_MAX)

    def build(self, kind: int, msg_id: int, seq: int, session: int, n: int) -> int:
        """Frame a payload of `n` bytes; return the number of bytes now in `wire`."""
        if n < 0 or n > PAYLOAD_MAX:
            raise ValueError("payload of %d bytes, at most %d" % (n, PAYLOAD_MAX))
        body = self.body
        pack_into("<BBHHHH", body, 0, self.major, kind, msg_id, seq, session, n)
        n += HEADER
        crc.put(body, n, self._seed)
        return bulk.stuff(body, n + 4, self.wire)


class Reader:
    """Finds frames in a stream of bytes. After `feed` returns, `length` > 0 says that `body` holds a frame:
    header and payload are body[:length], a tagged request's tag follows.

    `majors` are the versions whose frames are read: header and CRC are frozen across majors, so that HELLO
    can say which side to update. `bad` counts refused frames. Memory is bounded whatever comes in.
    """

    def __init__(self, majors: tuple) -> None:
        self._seeds = [(major, frame_seed(major)) for major in majors]
        self._raw = bytearray(WIRE_MAX)
        self._n = 0
        self._overrun = False
        self.body = bytearray(BODY_MAX)
        self.length = 0
        self.bad = 0

    def feed(self, data: bytearray, at: int, end: int) -> int:
        """Take data[at:end] until a frame is complete; return the offset behind what was taken."""
        self.length = 0
        n = self._n
        while at < end and not self.length:
            stop = bulk.find_zero(data, at, end)
            k = stop - at
            if n + k > BODY_MAX + 1:
                self._overrun = True
                k = BODY_MAX + 1 - n
            if k:
                bulk.copy(data, at, self._raw, n, k)
                n += k
            at = stop
            if stop < end:
                at += 1
                if n and (self._overrun or not self._take(n)):
                    self.bad = (self.bad + 1) & 0xFFFF
                self._overrun = False
                n = 0
        self._n = n
        return at

    def _take(self, n: int) -> bool:
        """Unstuff n bytes, check header and CRC; set `length` if `body` holds a frame for us."""
        body = self.body
        out = bulk.unstuff(self._raw, n, body)
        kind = body[1]
        rest = 4
        if kind == REQUEST | TAGGED:
            rest += TAG
        elif kind > STREAM:
            return False
        if out < HEADER + rest or body[8] + HEADER + rest != out or body[9]:
            return False
        for major, seed in self._seeds:
            if body[0] == major:
                if not crc.matches(body, out - 4, seed):
                    return False
                self.length = out - rest
                return True
        return False
