"""The Board port: what a piece of hardware must give the firmware, and what it may.

A board is any object with these attributes and methods; nothing is inherited. Ticks are microseconds in
30 bits (`mesoprotocol.tick`), segment times are in ticks of 40 ns (25 MHz).

**Wakes.** The board calls `App.step(now)` when the time that `step` asked for has come, when bytes have
arrived, when an input of `inputs()` has changed, when a batch of an axis has ended, and at every index pulse.

**Must, in hardware, without the firmware:**

- PERMIT_PLUNGER = permitted by the firmware, and both trigger lines closed, and emergency stop not pressed,
  and dead-man fed, and skin contact closed (open, when permitted `away`). It falls for good: only `permit`
  raises it again. While it is low the plunger makes no step.
- A batch fed with `hold` starts when `release` is called or PERMIT_PLUNGER is low: the needle's way out
  needs no firmware.
- The dead-man, not fed for DEADMAN_MS, makes PERMIT_PLUNGER fall and the drive park at the end of its revolution.
- The emergency stop makes the drive park at the end of its revolution and takes motor power away 150 ms
  later.
- A reset drops PERMIT_PLUNGER and motor power; the spring takes the needle home.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from array import array
    from typing import Protocol

    from mesofirmware.readings import Readings
else:
    Protocol = object


class Axis(Protocol):
    """One motor: `needle drive`, `depth` or `plunger`. Steps are counted by hardware, of the pulses made."""

    def feed(self, words: "array", n: int, cycles: int, hold: bool) -> None:
        """Queue a batch: `cycles` times the segments in words[:n], behind what is queued.

        A segment is two words: `direction | (steps - 1) << 1` and the interval in ticks before each of its
        steps. The caller leaves `words` alone until the batch has ended. Raises if two batches are queued.
        """

    def room(self) -> int:
        """How many batches can be fed now: 0, 1 or 2."""

    def busy(self) -> bool:
        """Whether a batch is running or waiting. A parked or stopped axis is not busy."""

    def position(self) -> int:
        """Steps made since the origin, forward positive."""

    def stop(self) -> int:
        """Stop now, drop what is queued, return the exact position."""

    def park(self) -> None:
        """Needle drive only: stop at the end of the running cycle, drop what is queued behind it."""

    def release(self) -> None:
        """Needle drive only: let a held batch start."""

    def home(self) -> None:
        """Depth only: move to the home switch and make that the origin. Nothing happens without motor power."""


class Store(Protocol):
    """A small non-volatile memory (FRAM): bytes stay written when the power goes at any moment."""

    def read(self, at: int, buf: bytearray, n: int) -> None:
        """Read n bytes at offset `at` into buf[:n]."""

    def write(self, at: int, buf: bytearray, n: int) -> None:
        """Write buf[:n] at offset `at`."""


class Files(Protocol):
    """Named files on flash: after a power cut a file is as it was before a write, or as after it."""

    def read(self, name: str, buf: bytearray) -> int:
        """Read a file into buf, at most its length; how many bytes, -1 if there is no such file."""

    def write(self, name: str, buf: bytearray, n: int) -> None:
        """Make buf[:n] a file's whole content, lasting when this returns."""


class Shelf(Protocol):
    """The folders on flash that applications lie in, by paths from the root: `/app_a/mesofirmware/app.mpy`.

    All of it takes its time and allocates: only while nothing moves and nothing is armed. OSError: the flash is full or
    defective.
    """

    def names(self, folder: str) -> list:
        """What is in a folder, sorted; names of folders end in a slash. Nothing if there is no such folder."""

    def read(self, path: str, at: int, buf: bytearray) -> int:
        """Read a file from offset `at` into buf, at most its length; how many bytes, -1 if there is no such file."""

    def begin(self, path: str) -> None:
        """Make an empty file, and the folders it lies in; one that is there is replaced. One at a time is written."""

    def write(self, buf: "bytes | bytearray", at: int, n: int) -> None:
        """Append buf[at:at+n] to the file that was begun."""

    def end(self) -> None:
        """The file that was begun is whole, and lasting when this returns. Nothing if there is none.

        After a power cut before, it may be there with any of what was written, or not at all.
        """

    def remove(self, path: str) -> None:
        """Remove a file, or an empty folder, whose path ends in a slash; lasting when this returns."""


class Chip(Protocol):
    """The identity chip of the cartridge that is mounted, on one wire: asked and written only while nothing is armed.

    Where no chip answers every byte reads as 255, and what is written is lost.
    """

    def identity(self, buf: bytearray) -> bool:
        """Read the eight bytes that no other chip has into buf; False if none answers, or not the same bytes twice."""

    def read(self, at: int, buf: bytearray, n: int) -> None:
        """Read n bytes of its memory at offset `at` into buf[:n]."""

    def write(self, at: int, buf: bytearray, n: int) -> None:
        """Write buf[:n] at offset `at`, lasting when this returns."""


class Board(Protocol):
    """The whole piece of hardware."""

    drive: Axis
    """3,200 steps a revolution, one revolution a puncture, origin at top dead centre."""
    depth: Axis
    """10 um a step, origin at the home switch."""
    plunger: Axis
    """0.3125 um a step, forward pushes."""
    store: Store
    files: Files
    shelf: Shelf
    chip: Chip
    readings: "Readings"
    """What `protrusion_um`, `needle_um`, `pressure_pa` and `encoder` pass through before they are returned."""
    reset_reason: int
    """Why this boot: one of the schema's `reset_reason`, as hardware and a note made before the reset say."""
    model: bytes
    """For which board an application must be built to run here: `pico` or `pico2`, as its manifest names them."""
    uid: bytes
    """Eight bytes, unique to the device."""
    boot_id: bytes
    """Four bytes, random for each boot."""

    def now(self) -> int:
        """The tick now."""

    def nonce(self, buf: bytearray) -> None:
        """Fill buf with random bytes."""

    def receive(self, buf: bytearray) -> int:
        """Move received bytes into buf, return how many; 0 if none."""

    def send(self, buf: bytearray, n: int) -> bool:
        """Send buf[:n] whole and without waiting, or not at all: whether it was taken."""

    def inputs(self) -> int:
        """Levels of all inputs, bits of the schema's `input`."""

    def index_count(self) -> int:
        """Index pulses since boot, 30 bits."""

    def index_tick(self) -> int:
        """Tick of the last index pulse, captured by hardware."""

    def index_position(self) -> int:
        """Position of the drive at the last index pulse."""

    def protrusion_um(self) -> int:
        """Protrusion by the carrier sensor at the last bottom dead centre."""

    def needle_um(self) -> int:
        """Protrusion by the carrier sensor now; negative behind the nose."""

    def pressure_pa(self) -> int:
        """Pressure at the luer."""

    def encoder(self) -> int:
        """Counts of the plunger's linear encoder since boot, 0.5 um each."""

    def battery_mv(self) -> int:
        """Supply voltage."""

    def enable(self, on: bool) -> None:
        """Motor power."""

    def permit(self, on: bool, away: bool) -> None:
        """Permit plunger steps, towards skin or `away` from it; False forbids them at once."""

    def feed_deadman(self) -> None:
        """Keep the dead-man alive for another DEADMAN_MS."""

    def program_intact(self) -> bool:
        """Whether the installed program has the CRC that it was installed with; True if there is none to compare."""

    def light(self, code: int) -> None:
        """Show a state, or over it an alarm (codes from `ALARM_NONE` on): see `mesofirmware.signals`, sounds too."""

    def restart(self, into: int) -> None:
        """Start anew once what was sent has left: 0, the application, 1, the chip's boot ROM. Only at rest.

        It does not return, but in the simulator, where it happens when `step` has returned.
        """
