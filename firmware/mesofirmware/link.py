"""Frames in and out of the board's byte link.

Sending never waits: a frame is taken whole or dropped and counted. A dropped reply is asked for again by the
host and comes from its session's cache; a dropped event is re-readable; a dropped stream frame is lost.
STOP is recognised here, before any queue or session: whoever has done a part of what takes long looks at the line,
and STOP overtakes what is in hand. It is answered in its turn.
"""

from mesoprotocol import bulk, codec, frame, wire

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable

    from mesofirmware.boards.port import Board, Store
    from mesofirmware.peer import Peer

MAJORS = (wire.MAJOR, 1, 2, 3, 4, 5, 6, 7, 8)
"""Majors whose frames can be read at all: enough to answer their HELLO with what to update."""
_WAITING = 256
"""Bytes that may wait while a request is handled: more than a host in order sends. The Board keeps what follows."""


class Link:
    """One byte link. After `poll` returns True, the request's header stands in the attributes."""

    def __init__(self, board: "Board", on_stop: "Callable[[], None]") -> None:
        """`on_stop` is called when STOP has come, which may be in the midst of anything."""
        self._board = board
        self._on_stop = on_stop
        self._rx = bytearray(64)
        self._waiting = bytearray(_WAITING)
        self._at = 0
        self._end = 0
        self._seen = 0
        """Where the first frame begins that has not come whole yet."""
        self._reader = frame.Reader(MAJORS)
        self._builder = frame.Builder(wire.MAJOR)
        n = self._builder.build(frame.REQUEST, wire.STOP, 0, 0, 0)
        self._stop = bytes(self._builder.wire[1 : n - 1])
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

    def look(self) -> None:
        """Take what has come, and see whether STOP is in it."""
        at = self._end
        waiting = self._waiting
        if at > _WAITING - len(self._rx):
            return
        n = self._board.receive(self._rx)
        if n == 0:
            return
        bulk.copy(self._rx, 0, waiting, at, n)
        self._end = end = at + n
        while True:
            at = bulk.find_zero(waiting, at, end)
            if at == end:
                return
            if at - self._seen == len(self._stop) and bulk.same(waiting, self._seen, self._stop, 0, len(self._stop)):
                self._on_stop()
            at += 1
            self._seen = at

    def is_behind(self) -> bool:
        """Whether something has come that is not handled yet."""
        return self._at < self._end

    def poll(self) -> bool:
        """Find the next request among received bytes; False when there is none left."""
        while True:
            if self._at == self._end:
                # a frame's beginning stays, as far as it may be that of STOP
                n = min(self._end - self._seen, len(self._stop) + 1)
                if n:
                    bulk.copy(self._waiting, self._seen, self._waiting, 0, n)
                self._seen = 0
                self._at = self._end = n
                self.look()
                if self._at == self._end:
                    return False
            self._at = self._reader.feed(self._waiting, self._at, self._end)
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
        self.look()


class Watched:
    """A store that looks at the line before it is written: writes are what takes long."""

    def __init__(self, store: "Store", link: Link) -> None:
        self._store = store
        self.look = link.look

    def read(self, at: int, buf: bytearray, n: int) -> None:
        """See the port."""
        self._store.read(at, buf, n)

    def write(self, at: int, buf: bytearray, n: int) -> None:
        """See the port."""
        self.look()
        self._store.write(at, buf, n)
