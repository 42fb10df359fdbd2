"""Serial numbers: never two of one, whatever ends the program; labels, key files and whole files."""

from __future__ import annotations

import multiprocessing
import os
import sqlite3
import stat
import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mesoinjector import KeyFileError, PlanError, ProductionError, durable
from mesoinjector.key_keeping import KeyCommand, KeyFolder
from mesoinjector.keys import Key
from mesoinjector.production_file import load
from mesoinjector.production_register import Label, Register

GO = "MI-####"


def label(serial: str, uid: str) -> Label:
    return Label(serial, uid, "pico", "0.1.0", "2026-11-22", "00112233", "44556677")


@given(uids=st.lists(st.text("0123456789abcdef", min_size=16, max_size=16), max_size=12), first=st.integers(1, 9000))
@settings(max_examples=25, deadline=None)
def test_a_number_is_one_board_s_for_ever(
    tmp_path_factory: pytest.TempPathFactory, uids: list[str], first: int
) -> None:
    path = tmp_path_factory.mktemp("register") / "serials.sqlite"
    given_: dict[str, str] = {}
    for uid in uids:
        serial = Register(path, GO, first).claim(uid)
        assert given_.setdefault(uid, serial) == serial
    assert sorted(given_.values()) == [f"MI-{n:04}" for n in range(first, first + len(given_))]


def test_many_threads_get_many_numbers(tmp_path: Path) -> None:
    register = Register(tmp_path / "serials.sqlite", GO)
    found: list[str] = []
    threads = [threading.Thread(target=lambda k=k: found.append(register.claim(f"uid{k}"))) for k in range(24)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(found) == [f"MI-{n:04}" for n in range(1, 25)]


def _claim_and_die(path: Path, uid: str) -> None:
    Register(path, GO).claim(uid)
    os._exit(9)  # the number was told; nothing is closed


def test_a_number_outlives_the_program_that_asked(tmp_path: Path) -> None:
    path = tmp_path / "serials.sqlite"
    for uid in ("a", "b"):
        process = multiprocessing.get_context("spawn").Process(target=_claim_and_die, args=(path, uid))
        process.start()
        process.join(60)
        assert process.exitcode == 9
    assert [Register(path, GO).claim(uid) for uid in ("c", "a", "b")] == ["MI-0003", "MI-0001", "MI-0002"]


def test_a_write_that_was_cut_off_gives_no_number(tmp_path: Path) -> None:
    """A program that dies between writing and COMMIT leaves SQLite's journal; what it undoes was never told."""
    path = tmp_path / "serials.sqlite"
    register = Register(path, GO)
    assert register.claim("a") == "MI-0001"
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("begin immediate")
    other.execute("insert into board (number, serial, uid) values (2, 'MI-0002', 'b')")
    other.close()
    assert register.claim("c") == "MI-0002"


@pytest.mark.parametrize(
    ("pattern", "first"),
    [("MI", 1), ("#" * 17, 1), ("A#B#", 1), ("MI/#", 1), ("µ##", 1), ("", 1), ("MI-##", 0), ("MI-##", 100)],
)
def test_patterns_that_are_none(tmp_path: Path, pattern: str, first: int) -> None:
    with pytest.raises(PlanError, match="must be"):
        Register(tmp_path / "r", pattern, first)


def test_numbers_that_are_used_up(tmp_path: Path) -> None:
    register = Register(tmp_path / "r", "X#", 9)
    assert register.claim("a") == "X9"
    with pytest.raises(ProductionError, match=r"9 was the last number of 1 digits\. Next: another pattern"):
        register.claim("b")
    assert register.claim("a") == "X9"


def test_a_damaged_register_gives_nothing(tmp_path: Path) -> None:
    path = tmp_path / "r"
    path.write_bytes(b"not a register at all" * 100)
    with pytest.raises(ProductionError, match=r"No number was given\. Next: free space there, or bring back"):
        Register(path, GO).claim("a")
    assert path.read_bytes().startswith(b"not a register")


def test_labels_are_the_register_s(tmp_path: Path) -> None:
    register, path = Register(tmp_path / "r", GO), tmp_path / "labels.csv"
    for uid in ("a", "b"):
        register.claim(uid)
    register.passed(label("MI-0002", "b"))
    register.write_labels(path)
    assert path.read_text().splitlines() == [
        "serial,uid,board,firmware,made,service_key,operator_key",
        "MI-0002,b,pico,0.1.0,2026-11-22,00112233,44556677",
    ]
    assert register.label("a") is None and register.label("b") == label("MI-0002", "b")
    register.passed(label("MI-0001", "b"))  # not its own number: nothing
    assert len(register.labels()) == 1
    with pytest.raises(ProductionError, match="has MI-0002, which"):
        Register(tmp_path / "another", GO).write_labels(path)
    path.write_text("something else\n1\n")
    with pytest.raises(ProductionError, match="is left alone"):
        register.write_labels(path)
    assert path.read_text() == "something else\n1\n"


def test_a_file_is_whole_or_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"
    durable.replace(path, b"one")
    synced: list[int] = []
    real = os.fsync
    monkeypatch.setattr(os, "fsync", lambda fd: (synced.append(fd), real(fd)))
    durable.replace(path, b"two")
    assert len(synced) == 2 and path.read_bytes() == b"two"  # the file, then its folder
    with pytest.raises(FileExistsError):
        durable.create(path, b"three")

    def full(fd: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    for write in (durable.replace, durable.create):
        with pytest.raises(OSError, match="No space"):
            write(tmp_path / "file" if write is durable.replace else tmp_path / "new", b"four")
    assert [each.name for each in tmp_path.iterdir()] == ["file"] and path.read_bytes() == b"two"


def test_a_key_folder_keeps_the_first_keys(tmp_path: Path) -> None:
    folder = KeyFolder(tmp_path / "keys")
    with pytest.raises(KeyFileError):
        folder.recall("MI-1", "a")
    keys = folder.keep("MI-1", "a")
    assert folder.keep("MI-1", "a") == keys == folder.recall("MI-1", "a")
    for file in (tmp_path / "keys").iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    (tmp_path / "keys" / "MI-1.operator.key").unlink()  # a crash between the two
    again = folder.keep("MI-1", "a")
    assert again.service == keys.service and again.operator != keys.operator
    (tmp_path / "keys" / "MI-1.service.key").write_text("operator " + "11" * 32)
    with pytest.raises(KeyFileError, match="other roles"):
        folder.recall("MI-1", "a")


def test_a_key_folder_is_not_shared_by_two_lists_of_serial_numbers(tmp_path: Path) -> None:
    folder = KeyFolder(tmp_path / "keys")
    folder.keep("MI-1", "a")
    for ask in (folder.keep, folder.recall):
        with pytest.raises(KeyFileError, match=r"made for another board \(a\).*No key was set.*Next: "):
            ask("MI-1", "b")
    (tmp_path / "keys" / "MI-1.uid").unlink()
    with pytest.raises(KeyFileError, match="nobody knows which"):
        folder.keep("MI-1", "a")


def test_a_command_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ProductionError, match=r"did not run to its end \(FileNotFoundError\)\. No key was set"):
        KeyCommand([str(tmp_path / "vault")]).keep("MI-1", "a")


def test_fingerprints_tell_keys_apart() -> None:
    one, two = Key.new("service"), Key.new("service")
    assert one.fingerprint != two.fingerprint and len(one.fingerprint) == 8
    assert one.fingerprint not in one.secret.hex()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", r"serial: missing"),
        ('serial = "MI-#"', "say one of keys and key_command"),
        ('serial = "MI-#"\nkeys = "k"\nkey_command = ["x"]', "say one of keys and key_command"),
        ('serial = "MI"\nkeys = "k"', "one row of #"),
        ('serial = "MI-#"\nkeys = "k"\nkey = "x"', "unknown key"),
        ('serial = "MI-#"\nkeys = "k"\nfirst = 0', "first = 0: must be"),
        ('serial = "MI-#"\nkeys = "k"\n[axes]\nstrokes = 0', r"axes\.strokes = 0: must be"),
        ('serial = "MI-#"\nkeys = "k"\n[axes]\ndepth_mm = 9', r"axes\.depth_mm = 9: must be"),
        ('serial = "MI-#"\nkeys = "k"\n[axes]\nrate_per_min = 59', r"axes\.rate_per_min = 59: must be"),
        ("serial = ", "not a whole TOML file"),
    ],
)
def test_a_line_s_file_is_judged_before_anything_is_sent(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "line.toml"
    path.write_text(text)
    with pytest.raises(PlanError, match=said):
        load(path)
    assert [each.name for each in tmp_path.iterdir()] == ["line.toml"]


def test_a_line_s_file(tmp_path: Path) -> None:
    path = tmp_path / "line.toml"
    path.write_text('serial = "MI-######"\nfolder = "out"\nkeys = "k"\n')
    found = load(path, frozenset(["MI-000001"]))
    assert found.folder == tmp_path / "out" and found.dry is None and found.again == {"MI-000001"}
    path.write_text('serial = "MI-#"\nkey_command = ["vault"]\n[axes]\nstrokes = 10')
    assert load(path).dry == (10, 1.5, 600)
