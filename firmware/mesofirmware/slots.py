"""Which application folder is started: A or B, one on trial beside one that is known to work, or neither.

A new application is staged into the folder that does not run, and tried: so often as `tries_left` says, each try noted
before it begins. Until somebody confirms it, the next start after the last try goes back to the other folder. What is
started is whole: every file is held against the folder's manifest (`start.manifest`). A folder that is not whole, or a
record that does not read, is never repaired nor worked around: then the safe application runs, and says so.
"""

from mesofirmware import copies
from mesofirmware.records import StoreFailed
from mesoprotocol import codec, wire

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable

    from mesofirmware.boards.port import Files

FOLDERS = ("/app_a", "/app_b")
_FILES = ("slots.a", "slots.b")
_TRIES = 3
"""Starts of an application that nobody confirms; choice."""
# generation, version, slot that runs, whether it is on trial, tries left, whether a trial was given up
_FIELDS = (
    (codec.UINT, 4, 0, 0x3FFFFFFF),
    (codec.UINT, 1, 0, 255),
    (codec.UINT, 1, 0, 1),
    (codec.UINT, 1, 0, 1),
    (codec.UINT, 1, 0, _TRIES),
    (codec.UINT, 1, 0, 1),
)
_SLOT, _ON_TRIAL, _TRIES_LEFT, _ROLLED_BACK = range(2, 6)
_DEFAULTS = (0, 1, 0, 0, 0, 0)


class Slots(copies.Copies):
    """The record of one device's applications."""

    def __init__(self, files: "Files") -> None:
        super().__init__(files, _FILES, b"SLOTS1", _FIELDS, _DEFAULTS)

    @property
    def slot(self) -> int:
        """Which of FOLDERS would be started."""
        slot: int = self.values[_SLOT]
        return slot

    @property
    def is_on_trial(self) -> bool:
        """Whether that one is on trial, and the other folder the way back."""
        return self.values[_ON_TRIAL] != 0

    def choose(self, is_whole: "Callable[[str], bool]") -> str:
        """The folder to start, after what this start costs is durable; "" for the safe application.

        `is_whole(folder)` holds a folder against its manifest.
        """
        if self.damaged:
            return ""
        v = self.values
        try:
            if v[_ON_TRIAL] and v[_TRIES_LEFT] and is_whole(FOLDERS[v[_SLOT]]):
                self.save([0, 0, v[_SLOT], 1, v[_TRIES_LEFT] - 1, 0])
                return FOLDERS[v[_SLOT]]
            if v[_ON_TRIAL]:
                self.save([0, 0, 1 - v[_SLOT], 0, 0, 1])
        except StoreFailed:
            return ""
        folder = FOLDERS[v[_SLOT]]
        return folder if is_whole(folder) else ""

    def upcoming(self) -> str:
        """The folder that `choose` will try first, without a note of it; "" if the record is damaged."""
        v = self.values
        if self.damaged:
            return ""
        return FOLDERS[1 - v[_SLOT] if v[_ON_TRIAL] and not v[_TRIES_LEFT] else v[_SLOT]]

    def stage(self, is_whole: "Callable[[str], bool]") -> int:
        """Try the other folder from the next start on: a status. Refused while one is on trial."""
        v = self.values
        if self.damaged or v[_ON_TRIAL]:
            return wire.S_WRONG_STATE
        if not is_whole(FOLDERS[1 - v[_SLOT]]):
            return wire.S_NOT_WHOLE
        return self._keep([0, 0, 1 - v[_SLOT], 1, _TRIES, 0])

    def confirm(self) -> int:
        """What is on trial works: it is started from now on. A status; what is not on trial stays as it is.

        Refused for what was staged and never started: what asks is what was there before.
        """
        v = self.values
        if self.damaged or (v[_ON_TRIAL] and v[_TRIES_LEFT] == _TRIES):
            return wire.S_WRONG_STATE
        if not v[_ON_TRIAL]:
            return wire.S_OK
        return self._keep([0, 0, v[_SLOT], 0, 0, 0])

    def tell(self, is_safe: bool, values: list) -> None:
        """Fill the fields of UPDATE's reply."""
        v = self.values
        update = wire.UPDATE_CONFIRMED
        if self.damaged:
            update = wire.UPDATE_DAMAGED
        elif v[_ON_TRIAL]:
            update = wire.UPDATE_PENDING
        elif v[_ROLLED_BACK]:
            update = wire.UPDATE_ROLLED_BACK
        values[wire.UPDATE_REPLY_SLOT] = v[_SLOT]
        values[wire.UPDATE_REPLY_UPDATE] = update
        values[wire.UPDATE_REPLY_TRIES_LEFT] = v[_TRIES_LEFT]
        values[wire.UPDATE_REPLY_SAFE] = 1 if is_safe else 0

    def _keep(self, new: list) -> int:
        try:
            self.save(new)
        except StoreFailed:
            return wire.S_STORE_FAILED
        return wire.S_OK
