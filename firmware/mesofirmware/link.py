"""Frames in and out of the board's byte link.

Sending never waits: a frame is taken whole or dropped and counted. A dropped reply is asked for again by the
host and comes from its session's cache; a dropped event is re-readable; a dropped stream frame is lost.
STOP is recognised here, before any queue or session.
"""

from mesoprotocol import bulk, codec, frame, wire

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mesofirmware.boards.port import Board
    from mesofirmware.peer import Peer

MAJORS = (wire.MAJOR, 1, 2, 3, 4, 5, 6, 7, 8)
"""Majors whose frames can be read at all: enough to answer their HELLO with what to update."""


class Link:
    """One byte link. After `poll` returns True, the request's header stands in the attributes."""

    def __init__(self, board: "Board") -> None:
        self._board = board
        self._rx = bytearray(64)
        self._at = 0
        self._end = 0
        self._reader = frame.Reader(MAJORS)
        self._builder = frame.Builder(wire.MAJOR)
        self.dropped = 0
        self.body = self._reader.body
        self.major = 0
        self.msg_id = 0
        self.seq = 0
        self.session = 0
        self.length = 0
        """Bytes of the request's payload, which begins at body[HEADER]."""
        self.is_tagged = False

    @property
    def bad(self) -> int:
        """Frames refused since boot."""
        return self._reader.bad

    def poll(self) -> bool:
        """Find the next request among received bytes; False when there is none left."""
        while True:
            if self._at == self._end:
                # also behind what came in one piece: STOP may have come while a request was answered
                self._at = 0
                self._end = self._board.receive(self._rx)
                if self._end == 0:
                    return False
            self._at = self._reader.feed(self._rx, self._at, self._end)
            body = self.body
            if self._reader.length and body[1] & ~frame.TAGGED == frame.REQUEST:
                self.major = body[0]
                self.msg_id = body[2] | body[3] << 8
                self.seq = body[4] | body[5] << 8
                self.session = body[6] | body[7] << 8
                self.length = body[8]
                self.is_tagged = body[1] != frame.REQUEST
                return True

    def is_stop(self) -> bool:
        """Whether the request is STOP. Its bytes are constant, but any frame that says STOP is taken as one."""
        return self.msg_id == wire.STOP

    def reply(self, peer: "Peer", status: int, state: int, fields: tuple, values: list) -> None:
        """Answer the present request of `peer`, which keeps the answer. A refusal has no fields."""
        n = self._answer(self._builder, peer.number, status, state, fields, values)
        self._put(n)
        bulk.copy(self._builder.wire, 0, peer.cached, 0, n)
        peer.cached_n = n

    def reply_uncached(self, state: int, status: int, fields: tuple, values: list) -> None:
        """Answer HELLO, STOP, HEARTBEAT or a stranger, which stand outside the order of requests."""
        self._put(self._answer(self._builder, self.session, status, state, fields, values))

    def reply_foreign(self, status: int, state: int, fields: tuple, values: list) -> None:
        """Answer a HELLO of another major, in its own major. Allocates."""
        builder = frame.Builder(self.major)
        n = self._answer(builder, 0, status, state, fields, values)
        if not self._board.send(builder.wire, n):
            self.dropped += 1

    def _answer(
        self, builder: frame.Builder, session: int, status: int, state: int, fields: tuple, values: list
    ) -> int:
        """Frame an answer to the present request; the number of bytes in the builder's `wire`."""
        body = builder.body
        at = frame.HEADER
        body[at] = status & 255
        body[at + 1] = status >> 8
        body[at + 2] = state
        end = codec.write(fields, values, body, at + 3)
        return builder.build(frame.REPLY, self.msg_id, self.seq, session, end - at)

    def repeat(self, peer: "Peer") -> None:
        """Send the answer to the newest request of `peer` again, if there has been one."""
        if peer.cached_n and not self._board.send(peer.cached, peer.cached_n):
            self.dropped += 1

    def notify(self, kind: int, msg_id: int, number: int, session: int, payload: bytearray, n: int) -> None:
        """Send an event, or a stream frame; `number` is the event's, or that of the last one."""
        bulk.copy(payload, 0, self._builder.body, frame.HEADER, n)
        self._put(self._builder.build(kind, msg_id, number, session, n))

    def _put(self, n: int) -> None:
        if not self._board.send(self._builder.wire, n):
            self.dropped += 1
