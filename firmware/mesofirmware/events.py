"""Numbered events: told as they happen, and kept for whoever has missed one."""

from mesoprotocol import codec, frame, limits, wire

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mesofirmware.link import Link

_LONGEST = 80


class Events:
    """The last events, by number. Numbers begin at 1 and wrap after 65,535."""

    def __init__(self, link: "Link") -> None:
        self._link = link
        self._ids = [0] * limits.EVENTS_KEPT
        self._lengths = [0] * limits.EVENTS_KEPT
        self._payloads = [bytearray(_LONGEST) for _ in range(limits.EVENTS_KEPT)]
        self.newest = 0

    def tell(self, msg_id: int, session: int, fields: tuple, values: list) -> None:
        """Keep an event and send it."""
        self.newest = (self.newest + 1) & 0xFFFF
        slot = self.newest % limits.EVENTS_KEPT
        kept = self._payloads[slot]
        self._ids[slot] = msg_id
        self._lengths[slot] = codec.write(fields, values, kept, 0)
        self._link.notify(frame.EVENT, msg_id, self.newest, session, kept, self._lengths[slot])

    def read(self, index: int, values: list) -> None:
        """Fill the fields of READ_EVENT's reply with event `index`."""
        age = (self.newest - index) & 0xFFFF
        slot = index % limits.EVENTS_KEPT
        kept = age < limits.EVENTS_KEPT and self._ids[slot] != 0
        tail = values[wire.READ_EVENT_REPLY_PAYLOAD]
        values[wire.READ_EVENT_REPLY_NEWEST] = self.newest
        values[wire.READ_EVENT_REPLY_INDEX] = index
        values[wire.READ_EVENT_REPLY_MSG_ID] = self._ids[slot] if kept else 0
        tail[0] = self._payloads[slot]
        tail[2] = self._lengths[slot] if kept else 0
