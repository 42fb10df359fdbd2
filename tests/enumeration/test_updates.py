"""An update on a board's littlefs, its power cut at every write: something whole starts, and the update still ends."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from mesofirmware import slots, update
from mesoinjector import signing
from mesoprotocol import wire
from tests.summary import TOLD

pytest.importorskip("littlefs", reason="littlefs-python is not installed: pip install 'mesoinjector[dev]'")
from mesosim.lab import flash
from mesosim.lab.enumeration import updates

TWICE = 112
"""Every so manieth image is cut again while it is brought to its end."""


@pytest.fixture(scope="module")
def pem(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    key = tmp_path_factory.mktemp("keys") / "signer"
    signing.new_key(key)
    return key.read_bytes()


@pytest.fixture(scope="module")
def play(pem: bytes) -> updates.Play:
    return updates.Play.small(lambda text: signing.signature(text, pem), signing.modulus(pem))


@pytest.fixture(scope="module")
def before(play: updates.Play) -> bytes:
    return play.device()


def fresh(image: bytes) -> flash.Flash:
    return flash.Flash(image, flash.BOARD_BLOCK)


def after(story: str, check: Callable[[bytes], list[flash.Write]], image: bytes) -> list[flash.Write]:
    """Hold a check against an image; what fails is named."""
    try:
        return check(image)
    except Exception as error:
        raise AssertionError(f"{story}: {error!r}") from error


@pytest.mark.requirement("SR-13", "SR-34")
def test_a_cut_at_every_write_of_an_update(
    play: updates.Play, before: bytes, record_property: Callable[[str, object], None]
) -> None:
    play.installed(device := fresh(before))
    cut = list(updates.images(before, device.writes))
    for story, image in cut:
        after(story, play.survives, image)
    said = f"{len(device.writes)} writes, {len(cut)} images: each starts and is updated"
    record_property(TOLD, ["enumeration: an update on littlefs", said])
    assert len(cut) > 200


@pytest.mark.requirement("SR-13", "SR-34")
def test_a_second_cut_in_what_brings_it_to_its_end(play: updates.Play, before: bytes) -> None:
    play.installed(device := fresh(before))
    held = 0
    for story, image in list(updates.images(before, device.writes))[TWICE // 2 :: TWICE]:
        for later, second in updates.images(image, after(story, play.survives, image)):
            if "missing" not in later:
                after(f"{story}, then {later}", play.survives, second)
                held += 1
    assert held > 50


@pytest.mark.requirement("SR-13", "SR-34")
@pytest.mark.parametrize("damage", ["", "mesofirmware/app.mpy", "manifest"], ids=["unconfirmed", "file", "manifest"])
def test_a_cut_at_every_write_of_one_that_is_bad(play: updates.Play, before: bytes, damage: str) -> None:
    """Nobody confirms it, or a file of it does not stay as it was: the one before runs in the end."""
    staged = fresh(before)
    with updates.on(staged) as sent:
        sent.send(play.new)
    play.given_up(device := fresh(before), damage)
    with updates.on(device) as ended:
        assert play.started(ended) is play.old and ended.state() == wire.UPDATE_ROLLED_BACK
    cut = list(updates.images(bytes(staged.buffer), device.writes[len(staged.writes) :]))
    for story, image in cut:
        after(story, play.goes_back, image)
    assert len(cut) >= 5


def test_nothing_of_the_former_one_is_left(play: updates.Play, before: bytes) -> None:
    play.installed(device := fresh(before))
    with updates.on(device) as ended:
        assert ended.start() == slots.FOLDERS[1]
        assert sorted(ended.paths(slots.FOLDERS[1])) == sorted(play.new.files)


@pytest.mark.requirement("SR-34")
def test_one_that_is_too_large_leaves_what_runs_and_room_for_another(
    play: updates.Play, before: bytes, pem: bytes
) -> None:
    """The folder is emptied before the flash is found full; what it held would never have been started again."""
    files = {path: data for path, data in play.new.files.items() if path.endswith(".mpy")}
    files["mesofirmware/more.mpy"] = b"m" * flash.BOARD_BLOCK * updates.BLOCKS
    large = updates.Application.of("0.3.0", files, lambda text: signing.signature(text, pem))
    with updates.on(medium := fresh(before)) as device:
        for _ in range(2):
            with pytest.raises(updates.Broken, match=f"status {wire.S_FLASH_FAILED}"):
                device.send(large)
            assert play.started(device) is play.old and device.state() == wire.UPDATE_CONFIRMED
        device.send(play.new)
    with updates.on(medium) as device:
        assert play.started(device) is play.new
        assert sorted(device.paths(slots.FOLDERS[1])) == sorted(play.new.files)


# --- Mistakes that must be found -------------------------------------------------------------------------------


def found(play: updates.Play, before: bytes) -> int:
    """How many of the images that a cut leaves start nothing whole, or cannot be updated."""
    n = 0
    device = fresh(before)
    try:
        play.installed(device)
    except updates.Broken:
        n = 1
    for _, image in updates.images(before, device.writes):
        try:
            play.survives(image)
        except updates.Broken:
            n += 1
    return n


def test_the_record_before_the_files_is_found(
    play: updates.Play, before: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin = update.Update._begin

    def hasty(self: update.Update, size: int, digest: bytes, older: bool) -> int:
        status = begin(self, size, digest, older)
        self._slots.save([0, 0, 1, 0, 0, 0])
        return status

    monkeypatch.setattr(update.Update, "_begin", hasty)
    assert found(play, before) > 10
