"""An application over the line: sent, tried and kept; cut off and gone on with; refused, and nothing has changed."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mesofirmware import build, slots
from mesoinjector import Injector, Service, application, errors, signing, updating
from mesoinjector.application import Application
from mesoinjector.journal import Journal
from mesoprotocol import messages, wire
from mesosim.lab import frames
from mesosim.lab.frames import UP, Fault
from mesosim.lab.line import FaultyLine
from mesosim.lab.link import MortalLink
from tests.bench_of_one import OPERATOR, SERVICE, Bench, world

FILES = {
    "mesofirmware/__init__.mpy": b"M\x06\0\x1f",
    "mesofirmware/app.mpy": bytes(range(256)) * 5,
    "mesofirmware/boards/rp2_pico.mpy": b"p" * updating.CHUNK,
    "mesofirmware/empty.mpy": b"",
    "mesoprotocol/wire.mpy": b"w" * (updating.CHUNK + 1),
}
A, B = slots.FOLDERS


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("keys") / "signer"
    signing.new_key(path)
    return path


@pytest.fixture
def make(tmp_path: Path, key: Path) -> Callable[..., Application]:
    """Makes signed applications."""

    def made(version: str = "0.2.0", boards: tuple[str, ...] = ("pico", "pico2"), text: bytes = b"") -> Application:
        folder = tmp_path / f"{version}-{'-'.join(boards)}-{len(text)}"
        for name, data in FILES.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(data + text)
        build.seal(folder, boards, version)
        return application.sign(folder, key.read_bytes())

    return made


@pytest.fixture
def device(here: Bench, key: Path) -> Bench:
    """A keyed device at rest that knows its signer."""
    world(here).files["signer"] = signing.modulus(key.read_bytes())
    here.keyed()
    here.rest(1_000_000)
    return here


def there(bench: Bench, folder: str) -> dict[str, bytes]:
    """What a folder of the device holds."""
    content: dict[str, bytes] = world(bench).folders
    return {path[len(folder) + 1 :]: data for path, data in content.items() if path.startswith(folder + "/")}


def holds(bench: Bench, folder: str, wanted: Application) -> bool:
    assert wanted.signature is not None
    return there(bench, folder) == {**dict(wanted.files), "manifest": wanted.manifest, "signature": wanted.signature}


def kept(found: messages.UpdateReply) -> tuple[int, int, int]:
    return found.slot, found.update, found.safe


KEPT = (1, wire.UPDATE_CONFIRMED, 0)
GIVEN_UP = (0, wire.UPDATE_ROLLED_BACK, 0)


@pytest.mark.requirement("SR-33")
def test_it_is_sent_tried_and_kept(device: Bench, make: Callable[..., Application]) -> None:
    before = there(device, A)
    wanted = make()
    told: list[tuple[int, int]] = []
    injector = device.connect(SERVICE)
    boot = injector.hello.boot_id
    assert kept(updating.install(injector, wanted, progress=lambda *each: told.append(each))) == KEPT
    assert injector.hello.boot_id != boot and injector.status().latches == 0
    assert holds(device, B, wanted) and there(device, A) == before
    assert told[0] == (0, wanted.size) and told[-1] == (wanted.size, wanted.size)
    assert [done for done, _ in told] == sorted({done for done, _ in told})
    entries = Service(injector).log().entries
    said = [messages.LOG_NAMES[entry.kind] for entry in entries]
    assert said[-4:-1] == ["UPDATE", "RESTART", "BOOT"] or said[-3:] == ["UPDATE", "RESTART", "BOOT"]
    account = device.plant()
    assert account["needle_home"] and not account["moving"]


def test_the_next_one_goes_into_the_other_folder(device: Bench, make: Callable[..., Application]) -> None:
    injector = device.connect(SERVICE)
    updating.install(injector, make("0.2.0"))
    newer = make("0.2.1", text=b"newer")
    assert kept(updating.install(injector, newer)) == (0, wire.UPDATE_CONFIRMED, 0)
    assert holds(device, A, newer)


# --- Cut off, and gone on with -----------------------------------------------------------------------------------


def broken(device: Bench, wanted: Application, after: int, act: Callable[[Injector], None]) -> list[int]:
    """An update with something done once so many bytes are there: where it stood each time it was told."""
    injector = device.connect(SERVICE)
    told: list[int] = []

    def progress(done: int, total: int) -> None:
        if done >= after and all(each < after for each in told):
            act(injector)
        told.append(done)

    updating.update(injector, wanted, progress=progress)
    return told


@pytest.mark.parametrize("after", [0, 500, 1200, 1500, 2300])
def test_a_line_that_breaks_is_opened_anew_and_it_goes_on(
    device: Bench, make: Callable[..., Application], after: int
) -> None:
    wanted = make()
    told = broken(device, wanted, after, lambda injector: device.link(injector).cut(2_000_000))
    assert told.count(0) <= 2 and holds(device, B, wanted)
    if after > len(wanted.manifest) + 384:
        assert told.count(0) == 1, "manifest and signature are not sent again"


def test_a_line_that_breaks_again_and_again_is_given_up(device: Bench, make: Callable[..., Application]) -> None:
    injector = device.connect(SERVICE)
    with pytest.raises(errors.LinkError, match="Next: "):
        updating.update(injector, make(), progress=lambda *_: device.link(injector).cut(1_000))


@pytest.mark.requirement("SR-34")
@pytest.mark.parametrize("after", [0, 500, 1200, 1500, 2300])
def test_a_device_that_restarts_in_the_middle_runs_on_and_is_updated_next(
    device: Bench, make: Callable[..., Application], after: int
) -> None:
    before, wanted = there(device, A), make()
    with pytest.raises(errors.SessionLost, match="Next: "):
        broken(device, wanted, after, lambda _: device.device.control("reset"))
    injector = device.connect(SERVICE)
    assert kept(Service(injector).update()) == (0, wire.UPDATE_CONFIRMED, 0) and there(device, A) == before
    told: list[int] = []
    updating.update(injector, wanted, progress=lambda done, _: told.append(done))
    first_files = len(wanted.manifest) + 384
    assert (told[0] >= first_files) == (after > first_files) and told[-1] == wanted.size
    assert kept(updating.try_out(injector)) == KEPT


def test_another_one_after_it_begins_anew(device: Bench, make: Callable[..., Application]) -> None:
    with pytest.raises(errors.SessionLost):
        broken(device, make(), 1500, lambda _: device.device.control("reset"))
    other = make("0.3.0", text=b"other")
    updating.update(device.connect(SERVICE), other)
    assert holds(device, B, other)


@pytest.mark.requirement("SR-33")
@pytest.mark.parametrize("kind", ["drop", "duplicate", "delay", "reorder", "corrupt", "truncate", "splice"])
@pytest.mark.parametrize("reply", ["", " reply"], ids=["request", "reply"])
def test_frames_that_are_lost_repeated_or_damaged(
    device: Bench, make: Callable[..., Application], kind: str, reply: str, tmp_path: Path
) -> None:
    """One of each message, and three that bring a file; `Update` asks how it stands."""
    wanted = make()
    line = FaultyLine(device.device)
    injector = Injector(MortalLink("sim", line, 5), Journal(tmp_path / "line.sqlite"), SERVICE)
    messages_hit = ["UpdateBegin", "UpdateStage", "Restart", "Confirm", "Update", *["UpdateWrite"] * 3]
    for k, message in enumerate(messages_hit, -4):
        line.arm(Fault(message + reply, max(1, 3 * k), kind, 40))
    assert kept(updating.install(injector, wanted)) == KEPT and holds(device, B, wanted)
    assert sorted(hit.fault.message for hit in line.hits) == sorted(message + reply for message in messages_hit)


# --- Refused, and nothing changed --------------------------------------------------------------------------------


def refused(
    device: Bench, wanted: Application, error: type[errors.MesoError], said: str, older: bool = False
) -> messages.LogReply:
    """The log's last entry. What runs, and what is started next, stays as it was."""
    injector = device.connect(SERVICE)
    runs, state = there(device, A), Service(injector).update()
    with pytest.raises(error, match=rf"(?s){said}.*Next: "):
        updating.update(injector, wanted, older)
    assert there(device, A) == runs and Service(injector).update() == state
    entry = Service(injector).log().entries[-1]
    device.device.control("reset")
    again = device.connect(SERVICE)
    assert kept(Service(again).update()) == (0, wire.UPDATE_CONFIRMED, 0)
    return entry


def altered(wanted: Application, manifest: bytes | None = None, signature: bytes | None = None) -> Application:
    return Application(
        wanted.version, wanted.boards, wanted.files, manifest or wanted.manifest, signature or wanted.signature
    )


@pytest.mark.requirement("SR-33")
def test_one_that_is_not_its_signers(device: Bench, make: Callable[..., Application], tmp_path: Path) -> None:
    wanted = make()
    assert wanted.signature is not None
    turned = bytes((wanted.signature[0],)) + bytes((wanted.signature[1] ^ 1,)) + wanted.signature[2:]
    newer = wanted.manifest.replace(b"0.2.0", b"0.9.0")
    signing.new_key(tmp_path / "other")
    theirs = signing.signature(wanted.manifest, (tmp_path / "other").read_bytes())
    for spoiled in (altered(wanted, signature=turned), altered(wanted, newer), altered(wanted, signature=theirs)):
        entry = refused(device, spoiled, errors.NotSigned, "BAD_SIGNATURE")
        assert (entry.kind, entry.a) == (wire.LOG_UPDATE, wire.S_BAD_SIGNATURE)


def test_a_device_without_a_signer_takes_none(device: Bench, make: Callable[..., Application]) -> None:
    del world(device).files["signer"]
    assert refused(device, make(), errors.NotSigned, "NO_SIGNER").a == wire.S_NO_SIGNER


def test_one_for_another_board(device: Bench, make: Callable[..., Application]) -> None:
    assert refused(device, make(boards=("pico2",)), errors.OtherBoard, "OTHER_BOARD").a == wire.S_OTHER_BOARD


@pytest.mark.requirement("SR-33")
def test_an_older_one_is_taken_on_demand_alone(device: Bench, make: Callable[..., Application]) -> None:
    older = make("0.0.9")
    assert refused(device, older, errors.OlderVersion, "OLDER_VERSION").a == wire.S_OLDER_VERSION
    injector = device.connect(SERVICE)
    assert kept(updating.install(injector, older, older=True)) == KEPT
    noted = [entry for entry in Service(injector).log().entries if entry.kind == wire.LOG_OLDER]
    assert len(noted) == 1 and noted[0].b == 9


@pytest.mark.requirement("SR-13", "SR-34")
def test_a_file_that_is_not_as_listed(device: Bench, make: Callable[..., Application]) -> None:
    wanted = make()
    files = tuple((path, data[:-1] + b"X" if path.endswith("wire.mpy") else data) for path, data in wanted.files)
    spoiled = Application(wanted.version, wanted.boards, files, wanted.manifest, wanted.signature)
    assert refused(device, spoiled, errors.NotWhole, "NOT_WHOLE").a == wire.S_NOT_WHOLE
    updating.update(device.connect(SERVICE), wanted)
    assert holds(device, B, wanted)


@pytest.mark.requirement("SR-33")
def test_an_operator_and_an_observer_may_not(device: Bench, make: Callable[..., Application]) -> None:
    for role in (OPERATOR, None):
        injector = device.connect(role)
        with pytest.raises(errors.AuthError, match=r"ROLE.*Next: "):
            updating.update(injector, make())
        for into in (updating.APPLICATION, updating.BOOT_ROM):
            with pytest.raises(errors.AuthError, match=r"ROLE.*Next: "):
                updating.restart(injector, into)
    assert there(device, B) == {}


def test_not_while_one_is_on_trial(device: Bench, make: Callable[..., Application]) -> None:
    injector = device.connect(SERVICE)
    updating.update(injector, make())
    with pytest.raises(errors.OnTrial, match=r"ON_TRIAL.*Next: "):
        updating.update(injector, make("0.3.0"))
    assert kept(updating.try_out(injector)) == KEPT


def test_an_unsigned_one_is_not_sent(device: Bench, make: Callable[..., Application]) -> None:
    wanted = make()
    unsigned = Application(wanted.version, wanted.boards, wanted.files, wanted.manifest, None)
    with pytest.raises(errors.ApplicationError, match=r"not signed.*Next: "):
        updating.update(device.connect(SERVICE), unsigned)
    assert there(device, B) == {}


# --- Tried, and not kept -----------------------------------------------------------------------------------------


@pytest.mark.requirement("SR-13", "SR-34")
def test_one_that_does_not_stay_whole_is_not_kept(device: Bench, make: Callable[..., Application]) -> None:
    before = there(device, A)
    injector = device.connect(SERVICE)
    updating.update(injector, make())
    world(device).folders[B + "/mesofirmware/app.mpy"] = b"rubbish"
    with pytest.raises(
        errors.UpdateFailed,
        match=r"did not start or stay, and the device went back: A runs, rolled_back.*RESTART.*Next: ",
    ) as failed:
        updating.try_out(injector)
    assert [entry.kind for entry in failed.value.entries][:2] == [wire.LOG_UPDATE, wire.LOG_RESTART]
    assert there(device, A) == before and injector.status().latches == 0


def test_one_whose_self_test_fails_is_given_up(device: Bench, make: Callable[..., Application]) -> None:
    injector = device.connect(SERVICE)
    updating.update(injector, make())
    device.device.control("set", ("sensor.pressure.offset_pa", 300_000_000))
    with pytest.raises(
        errors.UpdateFailed, match=r"test failed \(pressure\).* has gone back: A runs, rolled_back.*Next: "
    ):
        updating.try_out(injector)
    assert kept(Service(injector).update()) == GIVEN_UP


@pytest.mark.parametrize(
    ("requests", "error", "stands"),
    [
        ([1], "", KEPT),
        ([1, 3], r"test failed \(no answer\).* has gone back: A runs, rolled_back.*Next: ", GIVEN_UP),
        ([1, 2, 3], r"did not start or stay, and the device went back: A runs, rolled_back.*Next: ", GIVEN_UP),
    ],
    ids=["once", "twice", "until it goes back by itself"],
)
def test_one_that_dies_of_its_self_test_is_given_up(
    device: Bench,
    make: Callable[..., Application],
    tmp_path: Path,
    requests: list[int],
    error: str,
    stands: tuple[int, ...],
) -> None:
    """Not at once: a cable that was pulled looks the same."""
    line = FaultyLine(device.device)
    injector = Injector(MortalLink("sim", line, 5), Journal(tmp_path / "line.sqlite"), SERVICE)
    updating.update(injector, make())
    for k in requests:
        line.arm(Fault("SelfTest", k, "reset", 0))
    with pytest.raises(errors.UpdateFailed, match=error) if error else contextlib.nullcontext():
        updating.try_out(injector)
    assert kept(Service(injector).update()) == stands


def test_one_that_does_not_answer_is_not_kept(device: Bench, make: Callable[..., Application], tmp_path: Path) -> None:
    line = FaultyLine(device.device)
    injector = Injector(MortalLink("sim", line, 5), Journal(tmp_path / "line.sqlite"), SERVICE)
    updating.update(injector, make())
    line.cut.add(UP)
    with pytest.raises(errors.UpdateFailed, match=r"does not answer.*Next: .*goes back by itself"):
        updating.try_out(injector)
    line.cut.clear()
    injector.reconnect()
    assert Service(injector).update().update == wire.UPDATE_PENDING


@pytest.mark.requirement("SR-13")
def test_one_that_was_never_started_is_not_kept(
    device: Bench, make: Callable[..., Application], tmp_path: Path
) -> None:
    """A device that does not restart is found out by its boot's id, and takes no CONFIRM for the other folder."""
    line = FaultyLine(device.device)
    injector = Injector(MortalLink("sim", line, 5), Journal(tmp_path / "line.sqlite"), SERVICE)
    updating.update(injector, make())
    with pytest.raises(errors.UpdateFailed, match=r"not started yet.*Next: "):
        updating.confirm(injector)
    with pytest.raises(errors.DeviceBusy, match="WRONG_STATE"):
        Service(injector).confirm()
    for _ in range(4):
        line.arm(Fault("Restart", 1, "drop", 0))
    with pytest.raises(errors.UpdateFailed, match=r"has not restarted.*not kept yet"):
        updating.try_out(injector, within_s=5.0)
    assert Service(injector).update()[2:5] == (1, wire.UPDATE_PENDING, 3)


class Cut(MortalLink):
    """A cable that is pulled where an answer is on its way, for a second; once."""

    answer = ""

    def read(self, deadline_us: int) -> bytes:
        data = super().read(deadline_us)
        if self.answer in [frames.name(piece) for piece in frames.Splitter().split(data)]:
            self.answer = ""
            self.cut(1_000_000)
            return b""
        return data


@pytest.mark.requirement("SR-33")
@pytest.mark.parametrize(
    "answer", [f"Update{step} reply" for step in ("Begin", "Write", "Stage")] + ["Restart reply", "Confirm reply"]
)
def test_an_answer_that_is_lost_with_the_line_costs_no_start(
    device: Bench, make: Callable[..., Application], tmp_path: Path, answer: str
) -> None:
    link = Cut("sim", device.device, 5)
    link.answer = answer
    injector = Injector(link, Journal(tmp_path / "line.sqlite"), SERVICE)
    assert kept(updating.install(injector, make())) == KEPT and not link.answer
    kinds = [entry.kind for entry in Service(injector).log().entries]
    since = kinds[kinds.index(wire.LOG_UPDATE) :]
    assert since.count(wire.LOG_RESTART) == since.count(wire.LOG_BOOT) == 1


class Worn(FaultyLine):
    """Whenever the device restarts, its sensor has come off."""

    def control(self, name: str, value: Any = 0) -> Any:
        if name == "reset":
            super().control("set", ("sensor.pressure.offset_pa", 300_000_000))
        return super().control(name, value)


@pytest.mark.requirement("SR-13", "SR-33")
@pytest.mark.parametrize(
    ("line", "when", "error", "stands"),
    [
        (FaultyLine, 0, "", (1, wire.UPDATE_CONFIRMED, 0)),
        (FaultyLine, 2, "", (1, wire.UPDATE_CONFIRMED, 0)),
        (Worn, 0, r"fails \(pressure\).*not kept.*Next: ", (1, wire.UPDATE_PENDING, 1)),
    ],
    ids=["before", "after", "before, and it fails its self-test now"],
)
def test_a_device_that_restarts_when_it_is_confirmed(
    device: Bench,
    make: Callable[..., Application],
    tmp_path: Path,
    line: type[FaultyLine],
    when: int,
    error: str,
    stands: tuple[int, int, int],
) -> None:
    """Kept if the request was heard; else it is tested anew before it is asked for again."""
    bad = line(device.device)
    injector = Injector(MortalLink("sim", bad, 5), Journal(tmp_path / "line.sqlite"), SERVICE)
    updating.update(injector, make())
    bad.arm(Fault("Confirm", 1, "reset", when))
    with pytest.raises(errors.UpdateFailed, match=error) if error else contextlib.nullcontext():
        assert kept(updating.try_out(injector)) == KEPT
    assert Service(injector).update()[2:5] == stands and len(bad.hits) == 1


def test_a_device_that_wants_something_else(device: Bench, make: Callable[..., Application]) -> None:
    """Here because the host has less of a file than the manifest lists."""
    wanted = make()
    files = tuple((path, data[:-1]) for path, data in wanted.files)
    spoiled = Application(wanted.version, wanted.boards, files, wanted.manifest, wanted.signature)
    with pytest.raises(errors.ProtocolError, match=r"byte 3 of file 2.*does not know this application.*Next: "):
        updating.update(device.connect(SERVICE), spoiled)


def test_it_is_confirmed_later_and_only_if_it_passes(device: Bench, make: Callable[..., Application]) -> None:
    injector = device.connect(SERVICE)
    updating.update(injector, make())
    updating.restart(injector)
    injector.reconnect()
    device.device.control("set", ("sensor.pressure.offset_pa", 300_000_000))
    with pytest.raises(errors.UpdateFailed, match=r"fails \(pressure\).*not kept.*Next: "):
        updating.confirm(injector)
    assert Service(injector).update().update == wire.UPDATE_PENDING
    device.device.control("set", ("sensor.pressure.offset_pa", 0))
    assert kept(updating.confirm(injector)) == KEPT


def test_nothing_on_trial_is_not_confirmed(device: Bench) -> None:
    with pytest.raises(errors.UpdateFailed, match=r"nothing is on trial: A runs, confirmed.*Next: nothing, if"):
        updating.confirm(device.connect(SERVICE))


@pytest.mark.requirement("SR-34")
def test_one_that_leaves_nothing_to_go_back_to(device: Bench, make: Callable[..., Application]) -> None:
    """Both folders damaged: the safe application runs, and it is not called a success."""
    injector = device.connect(SERVICE)
    updating.update(injector, make())
    for folder in (A, B):
        world(device).folders[folder + "/manifest"] = b"rubbish"
    with pytest.raises(errors.UpdateFailed, match=r"the safe application runs.*Next: "):
        updating.try_out(injector)


def test_a_device_in_its_boot_rom_does_not_answer(device: Bench) -> None:
    injector = device.connect(SERVICE)
    updating.restart(injector, updating.BOOT_ROM)
    with pytest.raises(errors.LinkError):
        injector.status()


# --- From the command line ---------------------------------------------------------------------------------------


def test_the_command_says_what_runs_and_what_is_refused(make: Callable[..., Application], tmp_path: Path) -> None:
    def update(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "mesoinjector", "update", "--device", "sim://?seed=1", "--json", *words]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    said: dict[str, Any] = json.loads(update().stdout)
    assert (said["slot"], said["update"], said["safe"]) == ("A", "confirmed", False)
    both = update("--confirm", "nothing")
    assert both.returncode == 2 and "FOLDER or --confirm" in both.stderr
    make()
    (folder,) = tmp_path.glob("0.2.0*")
    refused = update(str(folder))
    assert refused.returncode == 3 and "NO_SIGNER" in refused.stderr and "Next: " in refused.stderr
