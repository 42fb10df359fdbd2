"""What a computer asks of a board at its prompt when it has written an application: by `mesoinjector.prompt`."""

from mesofirmware import slots
from mesofirmware.boards import rp2_files
from mesofirmware.start import main


def folder() -> str:
    """Which folder the next start will try, without a note of it; "" if the record does not read."""
    return slots.Slots(rp2_files.Files(main.FILES_FOLDER)).upcoming()
