"""What a computer asks of a board at its prompt when it has written an application: by `mesoinjector.prompt`."""

from mesofirmware import slots
from mesofirmware.boards import rp2_files, rp2_shelf
from mesofirmware.start import main, manifest


def folder() -> str:
    """Which folder the next start will try, without a note of it; "" if the record does not read."""
    return slots.Slots(rp2_files.Files(main.FILES_FOLDER)).upcoming()


def is_whole(folder: str) -> bool:
    """Whether a folder is what its manifest says; at the prompt no watchdog waits."""
    return manifest.is_whole(rp2_shelf.Shelf(_nothing), folder)


def _nothing() -> None:
    """There is no watchdog to feed."""
