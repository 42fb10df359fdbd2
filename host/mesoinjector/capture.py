"""A recording as a capture file for Wireshark: classic pcap, microseconds, link type USER0.

A packet is one byte of direction (0 host to device, 1 device to host) and one frame with both its delimiters;
bytes that are no frame are a packet too. `DISSECTOR` reads it.
"""

from __future__ import annotations

import struct
from datetime import timedelta
from importlib import resources
from pathlib import Path

from mesoinjector import errors
from mesoinjector.listing import Listing

LINK_TYPE = 147
"""LINKTYPE_USER0."""
DISSECTOR = resources.files("mesoprotocol").joinpath("wireshark", "mesoinjector.lua")


def write(listing: Listing, path: Path) -> int:
    """Write the capture; the number of its packets. Raises `RecordingError`."""
    packets: list[bytes] = []
    for row in listing.rows:
        if isinstance(row.entry, str):
            continue
        at = listing.start + timedelta(microseconds=row.t_us - listing.start_us)
        data = (b"\0" if row.to_device else b"\1") + row.entry.data
        packets.append(struct.pack("<IIII", int(at.timestamp()), at.microsecond, len(data), len(data)) + data)
    head = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, LINK_TYPE)
    try:
        path.write_bytes(head + b"".join(packets))
    except OSError as error:
        raise errors.RecordingError(
            f"{path}: a capture cannot be written there ({error.strerror or error}). Next: name a file in a folder "
            "that exists."
        ) from None
    return len(packets)
