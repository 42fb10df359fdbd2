"""An application that comes over the line: taken, tried, kept or given up; or refused, and all as it was."""

from __future__ import annotations

import hashlib
import json
import subprocess
from collections.abc import Callable
from types import ModuleType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mesofirmware import signature, slots, version
from mesofirmware.start import manifest
from mesoprotocol import limits, messages, wire
from mesosim import micropython, wasm
from mesosim.lab.enumeration.host import Unexpected
from mesosim.lab.enumeration.workloads import OPERATOR, PRIME, SERVICE
from tests import signed
from tests.safety.watch import SMALL, Watch

A, B = slots.FOLDERS
NEW = signed.application()
BOOT_US = 500_000
STILL = ("plunger_steps", "punctures", "needle_home", "moving")


def device(signer: bytes | None = None) -> Watch:
    """A device with a signer, and a session."""
    host = Watch()
    host.world.files["signer"] = signed.modulus("maker") if signer is None else signer
    host.open()
    return host


def restarted(host: Watch) -> Watch:
    """Power off and on."""
    host.world.control("reset", 1)
    host.rest(BOOT_US)
    host.open()
    return host


def update(host: Watch) -> tuple[int, ...]:
    """Slot, how it stands, tries left, whether the safe application runs."""
    return tuple(host.do(messages.Update())[2:])


def logged(host: Watch) -> list[tuple[int, int, int]]:
    """The log's entries from the first on: kind and figures."""
    newest = host.do(messages.Log(1)).newest
    return [host.do(messages.Log(n))[4:5] + host.do(messages.Log(n))[7:9] for n in range(1, newest + 1)]


def packed(a: int, b: int, c: int) -> int:
    return a << 20 | b << 10 | c


def kept(host: Watch) -> tuple[dict[str, bytes], dict[str, bytes]]:
    """What lies on the flash."""
    return dict(host.world.folders), dict(host.world.files)


# --- Taken ---------------------------------------------------------------------------------------------------


@pytest.mark.requirement("SR-33", "SR-34")
def test_an_application_is_taken_tried_and_kept() -> None:
    host = device()
    assert signed.begin(host.ask, NEW)[2:] == (0, 0)
    assert signed.send(host.ask, NEW)[2:] == (5, 0)
    assert update(host) == (0, wire.UPDATE_CONFIRMED, 0, 0), "nothing is tried that was not staged"
    before = kept(host)
    assert host.do(messages.UpdateStage()).update == wire.UPDATE_PENDING
    assert kept(host)[0] == before[0]
    assert {path: data for path, data in before[0].items() if path.startswith(B)} == {
        B + "/manifest": NEW.manifest,
        B + "/signature": NEW.signature,
        **{f"{B}/{path}": data for path, data in signed.FILES},
    }
    assert update(host) == (1, wire.UPDATE_PENDING, 3, 0)
    assert logged(host)[-1] == (wire.LOG_UPDATE, 0, packed(0, 2, 0))
    assert host.do(messages.Restart(0)).into == 0
    host.rest(BOOT_US)
    host.open()
    assert update(host) == (1, wire.UPDATE_PENDING, 2, 0)
    assert [row[:2] for row in logged(host)[-2:]] == [(wire.LOG_RESTART, 0), (wire.LOG_BOOT, wire.RESET_ASKED)]
    assert signed.begin(host.ask, NEW).status == wire.S_ON_TRIAL
    assert host.do(messages.Confirm()).update == wire.UPDATE_CONFIRMED
    assert update(restarted(host)) == (1, wire.UPDATE_CONFIRMED, 0, 0)


@pytest.mark.requirement("SR-34")
def test_a_trial_that_nobody_confirms_goes_back_and_can_be_staged_again() -> None:
    host = device()
    signed.send(host.ask, NEW)
    host.do(messages.UpdateStage())
    told = [update(restarted(host)) for _ in range(4)]
    pending = [(1, wire.UPDATE_PENDING, left, 0) for left in (2, 1, 0)]
    assert told == [*pending, (0, wire.UPDATE_ROLLED_BACK, 0, 0)]
    assert signed.begin(host.ask, NEW)[2:] == (5, 0), "it is there, whole"
    assert host.do(messages.UpdateStage()).update == wire.UPDATE_PENDING


@pytest.mark.requirement("SR-34")
def test_a_trial_that_was_altered_is_not_started() -> None:
    host = device()
    signed.send(host.ask, NEW)
    host.do(messages.UpdateStage())
    host.world.folders[B + "/main.mpy"] = b"M\x07"
    assert update(restarted(host)) == (0, wire.UPDATE_ROLLED_BACK, 0, 0)
    host.world.folders[A + "/application"] = b"altered"
    restarted(host)
    assert host.do(messages.Status()).latches == wire.LATCH_SAFE_APPLICATION
    assert update(host) == (0, wire.UPDATE_ROLLED_BACK, 0, 1)
    # the way out of it: another one, which comes over the line as well
    signed.send(host.ask, NEW)
    assert host.do(messages.UpdateStage()).update == wire.UPDATE_PENDING
    assert update(restarted(host)) == (1, wire.UPDATE_PENDING, 2, 0)
    assert host.do(messages.Status()).latches == 0


def test_what_was_sent_before_a_restart_is_kept() -> None:
    host = device()
    at = signed.send(host.ask, NEW, until=(3, signed.MOST))
    assert (at.file, at.offset) == (3, signed.MOST)
    assert signed.begin(host.ask, NEW)[2:] == (3, 0), "a file that was not ended begins anew"
    signed.send(host.ask, NEW, until=(3, signed.MOST))
    restarted(host)
    assert host.ask(signed.piece(NEW, 3, 0)).status == wire.S_NO_UPDATE
    assert signed.begin(host.ask, NEW)[2:] == (3, 0)
    before = host.world.folders[B + "/main.mpy"]
    host.world.folders[B + "/main.mpy"] = before[:-1]
    assert signed.begin(host.ask, NEW)[2:] == (2, 0)
    assert signed.send(host.ask, NEW)[2:] == (5, 0)
    other = signed.application("0.3.0", files=(("main.mpy", b"other"),))
    assert signed.begin(host.ask, other)[2:] == (0, 0)
    assert host.world.folders[B + "/manifest"] == NEW.manifest, "nothing is emptied for what is not verified yet"
    signed.send(host.ask, other)
    assert [path for path in host.world.folders if path.startswith(B)] == [
        *(B + "/manifest", B + "/signature", B + "/main.mpy"),
    ]


def test_what_is_not_the_next_place_writes_nothing() -> None:
    host = device()
    signed.send(host.ask, NEW, until=(2, signed.MOST))
    before = kept(host)
    for file, offset in ((0, 0), (1, 0), (2, 0), (3, 0), (2, 2 * signed.MOST), (2, signed.MOST - 1), (255, 0)):
        answer = host.ask(messages.UpdateWrite(file, offset, 1, bytes(signed.MOST)))
        assert answer == (wire.S_OK, wire.STATE_IDLE, 2, signed.MOST)
    assert kept(host) == before
    signed.send(host.ask, NEW)
    assert host.ask(messages.UpdateWrite(5, 0, 1, bytes(signed.MOST)))[2:] == (5, 0)
    assert host.do(messages.UpdateStage()).update == wire.UPDATE_PENDING


def test_more_than_a_file_has_is_refused() -> None:
    host = device()
    for place in ((0, 0), (2, signed.MOST)):
        signed.send(host.ask, NEW, until=place)
        size = len(NEW.parts[place[0]])
        at = size - size % signed.MOST
        signed.send(host.ask, NEW, until=(place[0], at))
        answer = host.ask(messages.UpdateWrite(place[0], at, size - at + 1, bytes(signed.MOST)))
        assert answer.status == wire.S_RANGE
        assert host.ask(signed.piece(NEW, place[0], at)).status == wire.S_NO_UPDATE


# --- Refused -------------------------------------------------------------------------------------------------

HASH = hashlib.sha256(b"").hexdigest().encode()


def malformed(lines: bytes) -> signed.Signed:
    """Signed all the same."""
    return signed.of_manifest(signed.sealed(lines))


def flipped(data: bytes) -> bytes:
    return data[:20] + bytes((data[20] ^ 1,)) + data[21:]


def announced(what: bytes) -> signed.Signed:
    """Another manifest under the former signature, whose SHA-256 is told as it is."""
    return NEW.altered(manifest=what, digest=hashlib.sha256(what).digest())


REFUSED: dict[str, tuple[Callable[[], signed.Signed], int, int]] = {
    "manifest not as announced": (lambda: NEW.altered(manifest=flipped(NEW.manifest)), wire.S_BAD_MANIFEST, 0),
    "altered manifest": (lambda: announced(flipped(NEW.manifest)), wire.S_BAD_SIGNATURE, 0),
    "altered signature": (lambda: NEW.altered(signature=flipped(NEW.signature)), wire.S_BAD_SIGNATURE, 0),
    "signature of ones": (lambda: NEW.altered(signature=b"\xff" * 384), wire.S_BAD_SIGNATURE, 0),
    "another's signature": (lambda: signed.application(name="somebody"), wire.S_BAD_SIGNATURE, 0),
    "another board": (lambda: signed.application(boards="pico2"), wire.S_OTHER_BOARD, packed(0, 2, 0)),
    "a board whose name begins so": (lambda: signed.application(boards="pico22"), wire.S_OTHER_BOARD, packed(0, 2, 0)),
    "older": (lambda: signed.application("0.0.1023"), wire.S_OLDER_VERSION, packed(0, 0, 1023)),
    "too few lines": (lambda: malformed(b"mesoinjector 0.2.0 pico\n"), wire.S_BAD_MANIFEST, 0),
    "another product": (lambda: malformed(b"other 0.2.0 pico\n" + HASH + b" 0 a\n"), wire.S_BAD_MANIFEST, 0),
    "no boards": (lambda: malformed(b"mesoinjector 0.2.0\n" + HASH + b" 0 a\n"), wire.S_BAD_MANIFEST, 0),
    **{
        f"version {number}": (
            lambda number=number: malformed(b"mesoinjector " + number.encode() + b" pico\n" + HASH + b" 0 a\n"),
            *(wire.S_BAD_MANIFEST, 0),
        )
        for number in ("0.2", "0.2.0.0", "0.2.x", "0.2.", "0.2.1024", "-1.2.3")
    },
    **{
        f"file {line}": (
            lambda line=line: malformed(b"mesoinjector 0.2.0 pico\n" + HASH + line.encode() + b"\n"),
            *(wire.S_BAD_MANIFEST, 0),
        )
        for line in (
            " 0",
            " x a",
            " -1 a",
            " 0 ../lib/a",
            " 0 a/../../b",
            " 0 /a",
            " 0 a//b",
            " 0 ./a",
            " 0 manifest",
            " 0 signature",
            " 16777216 a",
            " 0 a\n" + HASH.decode() + " 0 a",
            " 0 b\n" + HASH.decode() + " 0 a",
            *(f" 0 a\n{digest} 0 b" for digest in ("", "00" * 31, "00" * 33, "0" * 63, "0x" * 32)),
        )
    },
}


@pytest.mark.requirement("SR-33")
@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused_changes_nothing_and_is_logged(name: str) -> None:
    make, status, number = REFUSED[name]
    host = device()
    before = kept(host)
    assert signed.send(host.ask, make()).status == status
    assert kept(host) == before
    assert logged(host)[-1] == (wire.LOG_UPDATE, status, number)
    assert host.ask(messages.UpdateStage()).status == wire.S_NO_UPDATE
    assert host.ask(signed.piece(NEW, 0, 0)).status == wire.S_NO_UPDATE
    assert kept(host) == before and update(host) == (0, wire.UPDATE_CONFIRMED, 0, 0)
    assert signed.send(host.ask, NEW)[2:] == (5, 0)


@pytest.mark.requirement("SR-33")
def test_an_altered_file_is_refused_and_comes_again() -> None:
    host = device()
    image = NEW.altered(files=(NEW.files[0], flipped(NEW.files[1]), b""))
    assert signed.send(host.ask, image).status == wire.S_NOT_WHOLE
    assert logged(host)[-1] == (wire.LOG_UPDATE, wire.S_NOT_WHOLE, packed(0, 2, 0))
    assert host.ask(messages.UpdateStage()).status == wire.S_NOT_WHOLE
    assert update(host) == (0, wire.UPDATE_CONFIRMED, 0, 0)
    assert signed.begin(host.ask, NEW)[2:] == (3, 0)
    assert signed.send(host.ask, image).status == wire.S_NOT_WHOLE
    assert host.ask(signed.piece(NEW, 3, 0)).status == wire.S_OK, "it may be sent again without UPDATE_BEGIN"
    assert signed.send(host.ask, NEW)[2:] == (5, 0)


@pytest.mark.requirement("SR-33")
@pytest.mark.parametrize("path", ["/main.mpy", "/manifest", "/signature"])
def test_what_is_altered_on_the_flash_before_it_is_staged(path: str) -> None:
    host = device()
    signed.send(host.ask, NEW)
    host.world.folders[B + path] = flipped(host.world.folders[B + path])
    before = kept(host)
    said = {"/main.mpy": wire.S_NOT_WHOLE, "/manifest": wire.S_BAD_MANIFEST, "/signature": wire.S_BAD_SIGNATURE}
    assert host.ask(messages.UpdateStage()).status == said[path]
    assert kept(host) == before and update(host)[1] == wire.UPDATE_CONFIRMED
    del host.world.folders[B + path]
    assert signed.send(host.ask, NEW)[2:] == (5, 0)


@pytest.mark.requirement("SR-33")
def test_an_older_one_is_taken_only_on_demand() -> None:
    host = device()
    signed.send(host.ask, signed.application("7.1.3"))
    host.do(messages.UpdateStage())
    restarted(host)
    host.do(messages.Confirm())
    for between in ("7.1.2", "1.0.0", version.FIRMWARE, "0.0.0"):
        assert signed.send(host.ask, signed.application(between)).status == wire.S_OLDER_VERSION
        assert logged(host)[-1][:2] == (wire.LOG_UPDATE, wire.S_OLDER_VERSION)
    old = signed.application("7.1.2")
    assert signed.send(host.ask, old, older=1)[2:] == (5, 0)
    assert signed.begin(host.ask, old).status == wire.S_OLDER_VERSION, "asked for each time"
    assert host.ask(messages.UpdateStage()).status == wire.S_NO_UPDATE
    assert signed.begin(host.ask, old, older=1)[2:] == (5, 0)
    assert host.do(messages.UpdateStage()).update == wire.UPDATE_PENDING
    assert logged(host)[-2:] == [(wire.LOG_OLDER, 0, packed(7, 1, 2)), (wire.LOG_UPDATE, 0, packed(7, 1, 2))]
    assert signed.send(device().ask, signed.application(version.FIRMWARE)).status == wire.S_OK, "the same is not older"


def test_where_the_other_does_not_read_what_runs_is_the_newest() -> None:
    host = device()
    host.world.folders[A + "/manifest"] = b"spoilt"
    assert signed.send(host.ask, signed.application("0.0.9")).status == wire.S_OLDER_VERSION
    host.world.folders[A + "/manifest"] = b"mesoinjector 0.4.0 pico\nspoilt"
    assert signed.send(host.ask, NEW).status == wire.S_OLDER_VERSION, "its first line reads"
    del host.world.folders[A + "/manifest"]
    assert signed.send(host.ask, signed.application("0.0.9")).status == wire.S_OLDER_VERSION
    assert signed.send(host.ask, NEW)[2:] == (5, 0)


@pytest.mark.requirement("SR-33")
@pytest.mark.parametrize("signer", [b"", b"\x80" * 383, b"\x80" * 384, b"\x01" * 384, signed.modulus("maker") + b"\0"])
def test_without_a_signer_nothing_is_taken(signer: bytes) -> None:
    host = device(signer)
    before = kept(host)
    assert signed.begin(host.ask, NEW).status == wire.S_NO_SIGNER
    assert kept(host) == before and logged(host)[-1] == (wire.LOG_UPDATE, wire.S_NO_SIGNER, 0)
    del host.world.files["signer"]
    assert signed.begin(host.ask, NEW).status == wire.S_NO_SIGNER


@pytest.mark.requirement("SR-33")
def test_only_service_updates_and_restarts() -> None:
    host = device()
    host.do(messages.Provision(*SERVICE))
    host.do(messages.Provision(*OPERATOR))
    before = kept(host)
    for key in (None, OPERATOR):
        host.key = key
        host.open()
        for request in (messages.UpdateStage(), signed.piece(NEW, 0, 0), messages.Restart(0), messages.Restart(1)):
            assert host.ask(request).status == wire.S_ROLE
        assert signed.begin(host.ask, NEW).status == wire.S_ROLE
        assert logged(host)[-1] == (wire.LOG_UPDATE, wire.S_ROLE, 0)
    assert kept(host) == before
    assert len([row for row in logged(host) if row[0] == wire.LOG_UPDATE]) == 1, "nobody fills the log"
    host.key = SERVICE
    host.open()
    assert signed.send(host.ask, NEW)[2:] == (5, 0)


def prepared(host: Watch) -> None:
    host.opened()
    host.dose(PRIME)
    host.rest(1_000_000)
    host.do(SMALL._replace(dose_id=b"planned.", n=host.next_n))


def moving(host: Watch) -> None:
    host.world.meddle().add("depth.busy", "stuck", 0, 0, 1)


def low(host: Watch) -> None:
    host.world.meddle().add("battery_mv", "stuck", 0, 0, limits.BATTERY_LOW_MV - 1)


@pytest.mark.requirement("SR-33")
@pytest.mark.parametrize(
    ("make", "status"), [(prepared, wire.S_WRONG_STATE), (moving, wire.S_WRONG_STATE), (low, wire.S_BATTERY)]
)
def test_only_an_idle_device_with_charge_is_written(make: Callable[[Watch], None], status: int) -> None:
    host = device()
    signed.send(host.ask, NEW, until=(2, 0))
    make(host)
    before = kept(host)
    for request in (messages.UpdateStage(), signed.piece(NEW, 2, 0)):
        assert host.ask(request).status == status
    assert signed.begin(host.ask, NEW).status == status
    assert kept(host) == before
    assert logged(host)[-1] == (wire.LOG_UPDATE, status, 0)
    if status == wire.S_WRONG_STATE:
        assert host.ask(messages.Restart(0)).status == wire.S_WRONG_STATE
        assert host.ask(messages.Restart(1)).status == wire.S_WRONG_STATE
        assert host.ask(messages.Confirm()).status == wire.S_WRONG_STATE


def test_just_enough_charge_is_enough() -> None:
    host = device()
    host.world.meddle().add("battery_mv", "stuck", 0, 0, limits.BATTERY_LOW_MV)
    assert signed.send(host.ask, NEW)[2:] == (5, 0)


def test_nothing_is_taken_while_the_record_does_not_read() -> None:
    host = device()
    host.world.files["slots.a"] = b"spoilt"
    restarted(host)
    before = kept(host)
    assert signed.begin(host.ask, NEW).status == wire.S_WRONG_STATE
    assert kept(host) == before and update(host) == (0, wire.UPDATE_DAMAGED, 0, 1)


@pytest.mark.parametrize("call", ["shelf.begin", "shelf.write", "shelf.end"])
def test_a_flash_that_fails_ends_the_update(call: str) -> None:
    host = device()
    signed.send(host.ask, NEW, until=(2, 0))
    host.world.meddle().add(call, "exception")
    assert signed.send(host.ask, NEW).status == wire.S_FLASH_FAILED
    assert logged(host)[-1][:2] == (wire.LOG_UPDATE, wire.S_FLASH_FAILED)
    assert host.ask(messages.UpdateStage()).status == wire.S_NO_UPDATE
    assert signed.send(host.ask, NEW)[2:] == (5, 0)


class NoRoom:
    """A shelf for which the heap has no room."""

    def end(self) -> None:
        """See the port."""
        raise MemoryError


def test_without_room_on_the_heap_the_update_ends_and_nothing_else() -> None:
    host = device()
    before, shelf = kept(host), host.world.board.shelf
    host.world.board.shelf = NoRoom()
    assert signed.begin(host.ask, NEW).status == wire.S_NO_MEMORY
    assert logged(host)[-1] == (wire.LOG_UPDATE, wire.S_NO_MEMORY, 0) and kept(host) == before
    host.world.board.shelf = shelf
    assert host.ask(messages.UpdateStage()).status == wire.S_NO_UPDATE
    assert signed.send(host.ask, NEW)[2:] == (5, 0)


@pytest.mark.parametrize(("fault", "status"), [("stuck", wire.S_STORE_FAILED), ("exception", wire.S_FLASH_FAILED)])
def test_a_record_that_is_not_kept_stages_nothing(fault: str, status: int) -> None:
    host = device()
    signed.send(host.ask, NEW)
    host.world.meddle().add("files.write", fault, 0, 0)
    assert host.ask(messages.UpdateStage()).status == status
    assert logged(host)[-2:] == [(wire.LOG_UPDATE, said, packed(0, 2, 0)) for said in (0, status)], "said, then done"
    host.world.meddle().clear()
    assert update(restarted(host)) == (0, wire.UPDATE_CONFIRMED, 0, 0)


def test_as_many_files_as_a_manifest_can_list() -> None:
    """A byte numbers them, from 2 on."""
    line = len(HASH) + len(b" 0 000\n")
    many = signed.application(files=tuple((f"{n:03}", b"") for n in range((16384 - 95) // line)))
    assert len(many.manifest) > 16384 - line and 225 < len(many.files) < 254
    host = device()
    assert signed.send(host.ask, many)[2:] == (len(many.files) + 2, 0)
    assert host.do(messages.UpdateStage()).update == wire.UPDATE_PENDING


def test_before_it_was_begun_there_is_nothing_to_go_on_with() -> None:
    host = device()
    assert host.ask(messages.UpdateStage()).status == wire.S_NO_UPDATE
    assert host.ask(signed.piece(NEW, 0, 0)).status == wire.S_NO_UPDATE
    assert logged(host)[-1] == (wire.LOG_UPDATE, wire.S_NO_UPDATE, 0)


# --- Restart -------------------------------------------------------------------------------------------------


def test_into_the_boot_rom_the_device_is_gone_until_it_is_reset() -> None:
    host = device()
    assert host.do(messages.Restart(1)).into == 1
    host.rest(10_000_000)
    with pytest.raises(Unexpected, match="no answer"):
        host.ask(messages.Status())
    restarted(host)
    assert (wire.LOG_RESTART, 1, 0) in logged(host)


def test_a_restart_moves_nothing_and_ends_the_session() -> None:
    host = device()
    before = host.account()
    host.do(messages.Restart(0))
    host.rest(BOOT_US)
    assert host.ask(messages.Status()).status == wire.S_NO_SESSION
    after = host.account()
    assert [before[each] for each in STILL] == [after[each] for each in STILL]


# --- RSA and manifest -----------------------------------------------------------------------------------------


@given(text=st.binary(max_size=300), name=st.sampled_from(["maker", "somebody"]))
@settings(max_examples=20, deadline=None)
def test_a_genuine_signature_is_one(text: bytes, name: str) -> None:
    given_ = signed.signature(text, name)
    assert signature.is_signed(text, given_, signed.modulus(name))
    assert not signature.is_signed(text + b"\0", given_, signed.modulus(name))
    assert not signature.is_signed(text, given_[1:] + b"\0", signed.modulus(name))


def forged(encoded: bytes) -> bytes:
    """What an encoded message becomes under the signer's key."""
    numbers = signed.key("maker").private_numbers()
    n = numbers.public_numbers.n
    return pow(int.from_bytes(encoded, "big"), numbers.d, n).to_bytes(384, "big")


TEXT = b"a manifest"
PREFIX = bytes.fromhex("3031300d060960864801650304020105000420")
DIGEST = PREFIX + hashlib.sha256(TEXT).digest()


@pytest.mark.parametrize(
    "encoded",
    [
        b"\0\1" + b"\xff" * 8 + b"\0" + DIGEST + bytes(384 - 11 - len(DIGEST)),
        b"\0\1" + b"\xff" * (381 - len(DIGEST) - 1) + b"\0" + DIGEST + b"\0",
        b"\0\2" + b"\xff" * (381 - len(DIGEST)) + b"\0" + DIGEST,
        b"\0\1" + b"\xff" * (380 - len(DIGEST)) + b"\xfe\0" + DIGEST,
        b"\0\1" + b"\xff" * (381 - 32) + b"\0" + DIGEST[-32:],
        b"\0\1" + b"\xff" * (381 - 49) + b"\0" + DIGEST[:4] + DIGEST[6:],
    ],
    ids=["garbage behind", "a byte behind", "encryption", "padding", "no prefix", "shorter prefix"],
)
def test_what_only_looks_like_a_padded_hash_is_none(encoded: bytes) -> None:
    whole = b"\0\1" + b"\xff" * (381 - len(DIGEST)) + b"\0" + DIGEST
    assert len(encoded) == len(whole) == 384
    assert signature.is_signed(TEXT, forged(whole), signed.modulus("maker"))
    assert not signature.is_signed(TEXT, forged(encoded), signed.modulus("maker"))


def test_a_signature_beyond_the_modulus_is_none() -> None:
    """Adding the modulus leaves the power as it is."""
    n = int.from_bytes(signed.modulus("maker"), "big")
    beyond = int.from_bytes(signed.signature(TEXT, "maker"), "big") + n
    if beyond < 1 << 3072:
        assert not signature.is_signed(TEXT, beyond.to_bytes(384, "big"), signed.modulus("maker"))


@given(a=st.tuples(*[st.integers(0, 1023)] * 3), b=st.tuples(*[st.integers(0, 1023)] * 3))
def test_versions_compare_as_their_numbers(a: tuple[int, ...], b: tuple[int, ...]) -> None:
    one, other = (manifest.version(b"%d.%d.%d" % each) for each in (a, b))
    assert (one < other) == (a < b) and (one == other) == (a == b) and one < 1 << 30


PROGRAM = """
import gc, json
gc.threshold(%d)
from mesofirmware import slots, update
from mesoprotocol import wire
from mesosim.world import trace, world
gc.threshold(-1)

signer, digest, parts, other = [
    [bytes.fromhex(x) for x in each] if isinstance(each, list) else bytes.fromhex(each) for each in json.loads(%r)
]
device = world.World(1, trace.Untraced())
device.files["signer"] = signer
record = slots.Slots(device.board.files)
taken = update.Update(device.board, record, device.app._log)
device.meddle()  # all that a simulated device's heap ever holds
said = []
for signature in (other, parts[1]):
    parts[1] = signature
    answer = taken.take(wire.UPDATE_BEGIN, [len(parts[0]), 0, 0], bytearray(digest))
    while answer == wire.S_OK and taken.values[0] < len(parts):
        file, offset = taken.values
        data = parts[file][offset : offset + 192]
        answer = taken.take(wire.UPDATE_WRITE, [file, offset, len(data), 0], bytearray(data))
    said.append(answer)
said.append(taken.take(wire.UPDATE_STAGE, [], bytearray(0)))
device.control("reset", 1)
print(json.dumps(said + slots.Slots(device.board.files).values))
"""


@pytest.mark.parametrize("port", [micropython, wasm], ids=["64 bits", "32 bits"])
def test_a_board_takes_it_too(port: ModuleType) -> None:
    """MicroPython has its own long integers."""
    other = signed.signature(NEW.manifest, "somebody")
    parts = [part.hex() for part in NEW.parts]
    given = json.dumps([signed.modulus("maker").hex(), NEW.digest.hex(), parts, other.hex()])
    try:
        command = port.line(PROGRAM % (micropython.TIDY_BYTES, given))
    except micropython.NoMicroPython as missing:
        pytest.skip(str(missing))
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0 and done.stdout, done.stderr
    # on trial in B, one of three tries made
    assert json.loads(done.stdout) == [wire.S_BAD_SIGNATURE, wire.S_OK, wire.S_OK, 2, 1, 1, 1, 2, 0]
