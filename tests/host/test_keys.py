"""Key files: read, written for their owner only, and refused with a sentence that says what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from mesoinjector import Key, KeyFileError
from mesoprotocol import wire


def written(path: Path, text: str, mode: int = 0o600) -> Path:
    path.write_text(text)
    path.chmod(mode)
    return path


@pytest.mark.parametrize("role", ["operator", "service"])
def test_what_is_saved_is_loaded(role: str, tmp_path: Path) -> None:
    key = Key.new(role)
    key.save(tmp_path / "key")
    assert Key.load(tmp_path / "key") == key
    assert (tmp_path / "key").stat().st_mode & 0o777 == 0o600
    assert key.role == {"operator": wire.ROLE_OPERATOR, "service": wire.ROLE_SERVICE}[role]
    assert Key.new(role).secret != key.secret


def test_a_key_is_not_shown() -> None:
    key = Key.new("operator")
    assert key.secret.hex() not in repr(key) and repr(key.secret)[2:-1] not in repr(key)


def test_a_key_file_is_not_replaced(tmp_path: Path) -> None:
    path = written(tmp_path / "key", "something else")
    with pytest.raises(KeyFileError, match="not there yet"):
        Key.new("operator").save(path)
    assert path.read_text() == "something else"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "0 bytes of key"),
        ("operator", "0 bytes"),
        ("operator 0011", "2 bytes of key; it must be 32"),
        ("operator " + "00" * 32, "not all zero"),
        ("operator " + "0g" * 32, "one line"),
        ("observer " + "11" * 32, "'observer' has no key; choose one of operator, service"),
        ("schlüssel", "0 bytes of key"),
    ],
)
def test_what_is_no_key_is_refused(text: str, says: str, tmp_path: Path) -> None:
    with pytest.raises(KeyFileError, match=says):
        Key.load(written(tmp_path / "key", text))


@pytest.mark.parametrize("mode", [0o640, 0o604])
def test_a_key_that_others_may_read_is_refused(mode: int, tmp_path: Path) -> None:
    path = written(tmp_path / "key", "operator " + "11" * 32, mode)
    with pytest.raises(KeyFileError, match=r"read by others.*chmod 600"):
        Key.load(path)


def test_a_missing_file_says_so(tmp_path: Path) -> None:
    with pytest.raises(KeyFileError, match=r"nowhere.*Next"):
        Key.load(tmp_path / "nowhere")


def test_a_role_without_keys_is_named() -> None:
    with pytest.raises(KeyFileError, match="'boss' has no key"):
        Key.new("boss")
