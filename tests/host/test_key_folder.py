"""The folder that new keys are kept in."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mesoinjector import errors
from mesoinjector.key_keeping import KeyFolder, make_folder


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX's")
def test_a_new_folder_and_its_files_are_their_owners_alone(tmp_path: Path) -> None:
    folder = tmp_path / "keys"
    make_folder(folder)
    KeyFolder(folder).keep("M1", "00")
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {file.stat().st_mode & 0o777 for file in folder.iterdir()} == {0o600}


def test_a_folder_that_cannot_be_made_is_named_with_what_to_do_next(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(errors.KeyFileError, match=r"file.*cannot be made.*Next: "):
        KeyFolder(tmp_path / "file" / "keys").keep("M1", "00")
