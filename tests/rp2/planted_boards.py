"""Boards with one defect each, for the board conformance suite: the simulator's, but for what a class says."""

from __future__ import annotations

from typing import Any

from mesoprotocol import wire
from mesosim.lab.board_conformance.rigs import SimulatedRig
from mesosim.world import plant, world


class Wrapped:
    """Everything is the other's, but what a subclass says."""

    def __init__(self, inner: Any) -> None:
        object.__setattr__(self, "inner", inner)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self.inner, name, value)


class PlantedRig(SimulatedRig):
    """A rig whose every boot is spoilt."""

    def __init__(self, defect: Any) -> None:
        self._defect = defect
        self._kept: dict[str, Any] = {}
        """What a defect remembers over a restart, as hardware would."""
        self._spoilt: Any = None
        super().__init__(world.World)

    def _settle(self) -> None:
        super()._settle()
        if self._spoilt is None or self._spoilt.inner is not self.board:
            self._spoilt = self._defect(self.board, self)
        self.board = self._spoilt


class OneStepTooMany(Wrapped):
    """Of each batch of more than ten."""

    def __init__(self, inner: Any, rig: PlantedRig) -> None:
        super().__init__(inner)

        class Axis(Wrapped):
            def feed(self, words: Any, n: int, cycles: int, hold: bool) -> None:
                words[0] += 2 * (words[0] > 20)
                self.inner.feed(words, n, cycles, hold)

        object.__setattr__(self, "depth", Axis(inner.depth))


class StepsOnPaper(Wrapped):
    """The position is what was fed, not what was made: it says so while steps are still to come."""

    def __init__(self, inner: Any, rig: PlantedRig) -> None:
        super().__init__(inner)

        class Axis(Wrapped):
            def stop(self) -> int:
                at: int = self.inner.stop()
                return at + 3

        object.__setattr__(self, "drive", Axis(inner.drive))


class PermitThatRisesAlone(Wrapped):
    """A gate where a latch should be: as soon as all is closed again it is up."""

    def __init__(self, inner: Any, rig: PlantedRig) -> None:
        super().__init__(inner)
        object.__setattr__(self, "wanted", False)

    def permit(self, on: bool, away: bool) -> None:
        object.__setattr__(self, "wanted", on)
        self.inner.permit(on, away)

    def feed_deadman(self) -> None:
        self.inner.feed_deadman()
        if self.wanted:
            self.inner.permit(True, False)


class TriggerOnOneLine(Wrapped):
    """The permit does not look at line B."""

    def __init__(self, inner: Any, rig: PlantedRig) -> None:
        super().__init__(inner)
        inner.plant.levels |= wire.INPUT_TRIGGER_B
        real = inner.plant.set_input
        inner.plant.set_input = lambda t, bit, on: real(t, bit, on or bit == wire.INPUT_TRIGGER_B)


class FileInMemory(Wrapped):
    """A file that is written when the next one is."""

    def __init__(self, inner: Any, rig: PlantedRig) -> None:
        super().__init__(inner)

        class Files(Wrapped):
            cached: Any = None

            def write(self, name: str, buf: bytearray, n: int) -> None:
                if "last" in vars(self):
                    self.inner.write(*vars(self)["last"])
                vars(self)["last"] = name, bytearray(buf), n

            def read(self, name: str, buf: bytearray) -> int:
                n: int = self.inner.read(name, buf)
                return n

        object.__setattr__(self, "files", Files(inner.files))


class ShelfWithoutEnds(Wrapped):
    """What is written last waits in a buffer, and nothing at the end passes it on."""

    def __init__(self, inner: Any, rig: PlantedRig) -> None:
        super().__init__(inner)

        class Shelf(Wrapped):
            def begin(self, path: str) -> None:
                vars(self).pop("waits", None)
                self.inner.begin(path)

            def write(self, buf: bytearray, at: int, n: int) -> None:
                waits = vars(self).pop("waits", b"") + bytes(buf[at : at + n])
                whole = len(waits) // 256 * 256
                self.inner.write(waits, 0, whole)
                vars(self)["waits"] = waits[whole:]

        object.__setattr__(self, "shelf", Shelf(inner.shelf))


class StoreThatTears(Wrapped):
    """An EEPROM: the page is there, the last of it when the next one is written."""

    def __init__(self, inner: Any, rig: PlantedRig) -> None:
        super().__init__(inner)

        class Store(Wrapped):
            def write(self, at: int, buf: bytearray, n: int) -> None:
                late = vars(self).pop("late", None)
                if late is not None:
                    self.inner.write(*late)
                whole = n // 32 * 32
                self.inner.write(at, buf, whole)
                vars(self)["late"] = at + whole, bytearray(buf[whole:]), n - whole

        object.__setattr__(self, "store", Store(inner.store))


class StoreWithPages(Wrapped):
    """A write over a page's end begins at its front again."""

    def __init__(self, inner: Any, rig: PlantedRig) -> None:
        super().__init__(inner)

        class Store(Wrapped):
            def write(self, at: int, buf: bytearray, n: int) -> None:
                for i in range(n):
                    self.inner.write(at // 64 * 64 + (at + i) % 64, bytearray(buf[i : i + 1]), 1)

        object.__setattr__(self, "store", Store(inner.store))


class SendThatWaits(Wrapped):
    """Until there is room."""

    def __init__(self, inner: Any, rig: PlantedRig) -> None:
        super().__init__(inner)
        object.__setattr__(self, "rig", rig)

    def send(self, buf: bytearray, n: int) -> bool:
        while not self.inner.send(buf, n):
            self.rig.run(1_000)
            self.inner.t = self.rig.world._t
        return True


class SendOfHalves(Wrapped):
    """As much as there is room for."""

    def __init__(self, inner: Any, rig: PlantedRig) -> None:
        super().__init__(inner)

    def send(self, buf: bytearray, n: int) -> bool:
        if self.inner.send(buf, n):
            return True
        self.inner.send(buf, n // 3)
        return False


class DeadmanThatNeverEnds(Wrapped):
    """Fed once is fed for ever."""

    def __init__(self, inner: Any, rig: PlantedRig) -> None:
        super().__init__(inner)

    def feed_deadman(self) -> None:
        self.inner.feed_deadman()
        self.inner.plant._deadman_at = plant.NEVER


class ParkAtOnce(Wrapped):
    """Where the drive happens to be."""

    def __init__(self, inner: Any, rig: PlantedRig) -> None:
        super().__init__(inner)

        class Axis(Wrapped):
            def park(self) -> None:
                self.inner.stop()

        object.__setattr__(self, "drive", Axis(inner.drive))


class PowerInSpiteOfAll(Wrapped):
    """The latch of the motor power is set, whatever holds it cleared."""

    def __init__(self, inner: Any, rig: PlantedRig) -> None:
        super().__init__(inner)

    def enable(self, on: bool) -> None:
        self.inner.plant._held_off = False
        self.inner.enable(on)


class SameBootTwice(Wrapped):
    """A boot id from a clock that begins anew."""

    boot_id = b"\0\0\0\1"

    def __init__(self, inner: Any, rig: PlantedRig) -> None:
        super().__init__(inner)


DEFECTS: dict[str, tuple[type[Wrapped], str]] = {
    "step_too_many": (OneStepTooMany, "test_steps_are_made_and_counted"),
    "steps_on_paper": (StepsOnPaper, "test_stop_stops_at_the_position_that_it_says"),
    "permit_rises_alone": (PermitThatRisesAlone, "test_the_permit_falls_for_good"),
    "one_trigger_line": (TriggerOnOneLine, "test_it_is_not_raised_while_something_is_missing"),
    "deadman_never_ends": (DeadmanThatNeverEnds, "test_stop_in_hardware_ends_the_drive"),
    "power_in_spite": (PowerInSpiteOfAll, "test_no_motor_power_while_the_emergency_stop_is_pressed"),
    "park_at_once": (ParkAtOnce, "test_park_ends_at_the_end_of_the_revolution"),
    "file_in_memory": (FileInMemory, "test_files_last_and_are_replaced_whole"),
    "shelf_without_ends": (ShelfWithoutEnds, "test_the_shelf_keeps_what_has_ended"),
    "store_tears": (StoreThatTears, "test_the_store_keeps_every_byte"),
    "store_of_pages": (StoreWithPages, "test_the_store_keeps_every_byte"),
    "send_waits": (SendThatWaits, "test_what_is_sent_is_sent_whole"),
    "send_halves": (SendOfHalves, "test_what_is_sent_is_sent_whole"),
    "same_boot_twice": (SameBootTwice, "test_identity_is_the_device_s"),
}
"""By name: the defect, and the test that finds it."""


def __getattr__(name: str) -> Any:
    if name in DEFECTS:
        return lambda: PlantedRig(DEFECTS[name][0])
    raise AttributeError(name)
