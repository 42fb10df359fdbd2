"""An application that comes over the line, into the folder that does not run: see the schema's UPDATE_BEGIN.

In order: the manifest, its signature, the files that the manifest lists. The first two are kept in memory until they
are verified: signer, board, version; only then is the folder emptied and written. Each file is verified when it is
there, all of it again before it is staged. What runs and the record of what is started are not touched until
`Slots.stage`, which is last: a power cut before it leaves what was. What is refused is given up, but for a file that is
not as listed, which comes again.

This allocates and takes its time; it is loaded with the first UPDATE_BEGIN only, when nothing is armed and nothing
moves, and costs nothing before.
"""

import gc
import hashlib

from mesofirmware import signature, slots, version
from mesofirmware.start import manifest
from mesoprotocol import bulk, wire

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mesofirmware.boards.port import Board
    from mesofirmware.log import Log

SIGNER = "signer"
"""The board's file with the signer's public modulus, written when the board is flashed."""
_FIRST = 32
"""Bytes of a manifest that have product and version."""


class Update:
    """The transfer under way, if there is one. `version`: of what was announced last, 0 while that is not verified."""

    def __init__(self, board: "Board", record: slots.Slots, log: "Log") -> None:
        self._board = board
        self._shelf = board.shelf
        self._slots = record
        self._log = log
        self._folder = ""
        """The folder that is filled; "" while nothing is under way."""
        self._digest = b""
        self._older = False
        self._text = self._signed = bytearray(0)
        """Manifest and signature, until they are verified."""
        self._files: list = []
        """Of the manifest, once it is verified."""
        self._signer = b""
        self.version = 0
        self._is_older = False
        """Whether `version` is older than what is on the device."""
        self._place: list = [0, 0]
        """File and offset of what is to come next."""
        self.fields: tuple = ()
        self.values: list = self._place

    def take(self, msg_id: int, args: list, body: bytearray) -> int:
        """UPDATE_BEGIN, UPDATE_WRITE or UPDATE_STAGE: a status; if it is S_OK, `fields` and `values` are the answer."""
        self.fields = wire.UPDATE_WRITE_REPLY_FIELDS
        self.values = self._place
        if msg_id == wire.UPDATE_BEGIN:
            at = args[wire.UPDATE_BEGIN_DIGEST]
            digest = bytes(body[at : at + 32])
            return self._begin(args[wire.UPDATE_BEGIN_SIZE], digest, args[wire.UPDATE_BEGIN_OLDER] != 0)
        if not self._folder:
            self.version = 0
            return wire.S_NO_UPDATE
        if msg_id == wire.UPDATE_WRITE:
            file, offset, count, at = args[:4]
            return self._write(file, offset, count, body, at)
        self.fields = wire.UPDATE_STAGE_REPLY_FIELDS
        self.values = [wire.UPDATE_PENDING]
        return self._stage()

    def _begin(self, size: int, digest: bytes, older: bool) -> int:
        """Announce a manifest; a status. If the folder's is this one, its files that are as listed are kept."""
        self._forget()
        self.version = 0
        if self._slots.damaged:
            return wire.S_WRONG_STATE
        signer = bytearray(signature.SIZE + 1)
        self._signer = bytes(signer[: max(0, self._board.files.read(SIGNER, signer))])
        if not signature.is_modulus(self._signer):
            return wire.S_NO_SIGNER
        self._digest = digest
        self._older = older
        self._folder = slots.FOLDERS[1 - self._slots.slot]
        try:
            self._shelf.end()
            status = self._verify_folder()
            if status in (wire.S_BAD_MANIFEST, wire.S_BAD_SIGNATURE):
                status = wire.S_OK
                self._text = bytearray(size)
                self._signed = bytearray(signature.SIZE)
                self._go(0)
            elif status == wire.S_OK:
                self._go(2)
        except OSError:
            status = wire.S_FLASH_FAILED
        if status != wire.S_OK:
            self._forget()
        return status

    def _write(self, file: int, offset: int, count: int, buf: bytearray, at: int) -> int:
        """Take buf[at:at+count] if they are what is to come next; a status."""
        place = self._place
        if file != place[0] or offset != place[1] or file == len(self._files) + 2:
            return wire.S_OK
        held = self._text if file == 0 else self._signed
        size = len(held) if file < 2 else self._files[file - 2][1]
        end = offset + count
        if end > size:
            self._forget()
            return wire.S_RANGE
        status = wire.S_OK
        try:
            if file < 2:
                bulk.copy(buf, at, held, offset, count)
            else:
                if offset == 0:
                    self._shelf.begin(self._folder + "/" + self._files[file - 2][2])
                self._shelf.write(buf, at, count)
            place[1] = end
            if end == size:
                status = self._ended(file)
        except OSError:
            status = wire.S_FLASH_FAILED
        if status not in (wire.S_OK, wire.S_NOT_WHOLE):
            self._forget()
        return status

    def _stage(self) -> int:
        """Verify it all, then try it from the next start on; a status."""
        if self._place[0] != len(self._files) + 2:
            return wire.S_NOT_WHOLE
        status = self._verify_folder()
        try:
            if status == wire.S_OK:
                status = self._slots.stage(self._is_there)
        except OSError:
            status = wire.S_FLASH_FAILED
        self._forget()
        return status

    def _is_there(self, folder: str) -> bool:
        """Whether all files are as listed. If so, the log has it: before the record does, and a power cut between."""
        for digest, size, path in self._files:
            if not manifest.is_listed(self._shelf, folder + "/" + path, size, digest):
                return False
        if self._is_older:
            self._log.add(wire.LOG_OLDER, 0, self.version)
        self._log.add(wire.LOG_UPDATE, wire.S_OK, self.version)
        return True

    def _forget(self) -> None:
        self._folder = ""
        self._text = self._signed = bytearray(0)
        self._files = []

    def _ended(self, file: int) -> int:
        """All bytes of a file have come: whether they are those that were announced; a status."""
        if file == 0:
            if hashlib.sha256(self._text).digest() != self._digest:
                return wire.S_BAD_MANIFEST
        elif file == 1:
            text, signed = bytes(self._text), self._signed
            self._text = self._signed = bytearray(0)
            status = self._verify(text, signed)
            if status != wire.S_OK:
                return status
            self._empty(self._folder + "/")
            self._put(manifest.MANIFEST, text)
            self._put(manifest.SIGNATURE, signed)
        else:
            self._shelf.end()
            if not self._holds(file):
                self._go(file)
                return wire.S_NOT_WHOLE
        self._go(file + 1)
        return wire.S_OK

    def _go(self, file: int) -> None:
        """On to the first file from this one on that is not there as listed."""
        while 2 <= file < len(self._files) + 2 and self._holds(file):
            file += 1
        self._place[0] = file
        self._place[1] = 0

    def _holds(self, file: int) -> bool:
        """Whether a file is there as listed; one without bytes is made, as none will come for it."""
        digest, size, path = self._files[file - 2]
        if size == 0:
            self._put(path, b"")
        return manifest.is_listed(self._shelf, self._folder + "/" + path, size, digest)

    def _put(self, path: str, data: "bytes | bytearray") -> None:
        self._shelf.begin(self._folder + "/" + path)
        self._shelf.write(data, 0, len(data))
        self._shelf.end()

    def _verify_folder(self) -> int:
        """As `_verify`, of what is in the folder."""
        try:
            text = manifest.read(self._shelf, self._folder + "/" + manifest.MANIFEST)
            return self._verify(text, manifest.read(self._shelf, self._folder + "/" + manifest.SIGNATURE))
        except OSError:
            return wire.S_BAD_MANIFEST

    def _verify(self, text: bytes, signed: "bytes | bytearray") -> int:
        """Whether the manifest is the announced one, signed, and may run here; a status. Then its files are known."""
        self._files = []
        gc.collect()  # the list of files stays for long, and long buffers find room
        if hashlib.sha256(text).digest() != self._digest:
            return wire.S_BAD_MANIFEST
        if not signature.is_signed(text, signed, self._signer):
            return wire.S_BAD_SIGNATURE
        try:
            self.version, boards, files = manifest.parse(text)
        except ValueError:
            return wire.S_BAD_MANIFEST
        if self._board.model not in boards:
            return wire.S_OTHER_BOARD
        self._is_older = self.version < self._newest()
        if self._is_older and not self._older:
            return wire.S_OLDER_VERSION
        self._files = files
        return wire.S_OK

    def _newest(self) -> int:
        """The newer of the version that runs and the one that would be started, as its manifest's first line has it.

        It counts even where the rest does not read. Where that line does not, nothing but what runs is known.
        """
        runs = manifest.version(version.FIRMWARE.encode())
        piece = bytearray(_FIRST)
        n = self._shelf.read(slots.FOLDERS[self._slots.slot] + "/" + manifest.MANIFEST, 0, piece)
        try:
            return max(runs, manifest.version(bytes(piece[: max(0, n)]).split(b" ")[1]))
        except (IndexError, ValueError):
            return runs

    def _empty(self, folder: str) -> None:
        """Remove all that is in a folder, whose path ends in a slash."""
        for name in self._shelf.names(folder[:-1]):
            if name.endswith("/"):
                self._empty(folder + name)
            self._shelf.remove(folder + name)
