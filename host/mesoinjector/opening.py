"""Opening a session: HELLO, and what may be wrong with whoever answers it."""

from __future__ import annotations

from mesoinjector import errors
from mesoinjector.pump import Pump
from mesoprotocol import limits, messages, wire

CLIENT = "mesoinjector 0.1"
AGAIN_US = 600_000
"""After this time HELLO is sent again; the same nonce gets the same answer."""
SILENT_US = 3_000_000
"""Wait for an answer from something that has sent no frame yet."""
BUSY_US = 15_000_000
"""Wait while the device ends a dose first: dispensing, settling (5 s) and coming to rest (5 s)."""


def greet(pump: Pump) -> messages.HelloReply:
    """Open a session: whose it is, its limits and version are checked. Moves nothing; ends what was under way.

    Raises `DeviceNotFound`, `FirmwareNotRunning`, `VersionMismatch`, `LinkLost`.
    """
    link = pump.link
    connection = pump.connection
    data = connection.greet(link.token(8), CLIENT)
    start = link.now_us()
    while connection.hello is None:
        pump.send(data)
        pump.until(link.now_us() + AGAIN_US, lambda: connection.hello is not None)
        waited = link.now_us() - start
        if waited > (BUSY_US if connection.frames else SILENT_US) and connection.hello is None:
            raise _no_answer(link.url, connection.junk)
    hello: messages.HelloReply = connection.hello
    if hello.status == wire.S_VERSION:
        theirs = f"{hello.major_min} to {hello.major_max}" if hello.major_min != hello.major_max else hello.major_max
        newer = hello.major_min > wire.MAJOR
        side = "this host: pip install -U mesoinjector" if newer else "the device's firmware"
        raise errors.VersionMismatch(
            f"{link.url} speaks protocol version {theirs}, this host version {wire.MAJOR}. Next: update {side}."
        )
    if hello.limits_crc != limits.fingerprint():
        raise errors.VersionMismatch(
            f"{link.url} (firmware {hello.firmware}) enforces other limits than this host knows. Next: bring "
            "firmware and host to the same release."
        )
    return hello


def _no_answer(url: str, junk: str) -> errors.MesoError:
    if "Traceback" in junk or ">>>" in junk or "MicroPython" in junk:
        return errors.FirmwareNotRunning(
            f"{url}: MicroPython answers, but the firmware does not run. It said: {junk.strip()[-200:]!r}. Next: "
            "restart the device; if it comes back, flash the firmware again."
        )
    said = f"; it sent {junk[:60]!r}" if junk else ""
    return errors.DeviceNotFound(
        f"{url}: what is connected there does not answer as a mesoinjector{said}. Next: check that it is the "
        "right port."
    )
