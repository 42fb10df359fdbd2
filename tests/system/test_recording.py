"""A session is recorded, and replayed without the device; the line does not suffer from its record."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mesoinjector import Delivered, Injector, LinkLost, RecordingError, Result, Unknown, listing, recording, simulated
from mesoinjector.connection import STOP_BYTES
from mesoinjector.decoding import Message
from mesoinjector.journal import Journal
from mesoinjector.keys import Key
from mesoinjector.links import Link
from mesoinjector.recorder import RecordingLink
from mesoinjector.replay import ReplayLink
from mesoinjector.simulated import SimulatedLink
from mesosim import runtime as simulator
from tests.bench_of_one import after_flow
from tests.system.record_session import SESSION

DOSE: dict[str, Any] = {"volume_ml": 0.02, "depth_mm": 1.0, "zone": "cheek"}


def treat(injector: Injector) -> list[Any]:
    """All that a host learns in a treatment of one dose and one run."""
    with injector:
        return [
            injector.hello,
            injector.begin_treatment(),
            injector.prime(0.1),
            injector.dose(**DOSE),
            injector.fractional(20, 1.0, "cheek", 100),
            injector.strokes(0),
            injector.stop(),
        ]


def test_a_replay_gives_the_same_results(tmp_path: Path) -> None:
    file = tmp_path / "session.jsonl"
    given = treat(Injector.open("sim://?seed=3", record=file))
    assert treat(Injector.open(f"replay:{file}")) == given
    assert isinstance(given[3], Delivered)


def test_a_replay_is_recorded_as_it_was(tmp_path: Path) -> None:
    first, again = tmp_path / "first.jsonl", tmp_path / "again.jsonl"
    treat(Injector.open("sim://?seed=3", record=first))
    treat(Injector.open(f"replay:{first}", record=again))
    assert again.read_text().splitlines()[1:] == first.read_text().splitlines()[1:]


def test_a_session_in_wall_time_is_replayed_without_it(tmp_path: Path) -> None:
    """The clock's readings are recorded too: COMMIT bears one of them."""
    file = tmp_path / "session.jsonl"

    def dose(link: Link) -> tuple[Result, Result]:
        with Injector(link, Journal(":memory:")) as injector:
            injector.begin_treatment()
            return injector.prime(0.1), injector.dose(**DOSE)

    given = dose(RecordingLink(simulated.paced_link("cpython", 1), file))
    assert dose(ReplayLink(file)) == given
    assert isinstance(given[1], Delivered)


def test_a_broken_line_breaks_again(tmp_path: Path) -> None:
    file = tmp_path / "session.jsonl"

    def lose(link: Link, cut: Callable[[], None]) -> tuple[Result, str]:
        with Injector(link, Journal(":memory:")) as injector:
            injector.begin_treatment()
            injector.prime(0.1)
            injector.listen(after_flow(5_000, cut))
            result = injector.dose(**DOSE)
            with pytest.raises(LinkLost) as lost:
                injector.status()
            return result, str(lost.value)

    device = SimulatedLink("sim", simulator.start("cpython", 1), 1)
    given = lose(RecordingLink(device, file), device.cut)
    assert isinstance(given[0], Unknown)
    assert lose(ReplayLink(file), lambda: None) == given


def test_no_key_is_in_a_recording(tmp_path: Path) -> None:
    """The first one is not sent; a later one is covered."""
    device = simulator.start("cpython", 1)
    first, second = Key.new("service"), Key.new("operator")
    files = [tmp_path / "first.jsonl", tmp_path / "second.jsonl"]
    lines = [SimulatedLink("sim", device, seed) for seed in (1, 2, 3)]
    with (
        Injector(RecordingLink(lines[0], files[0]), Journal(":memory:")) as recorded,
        pytest.raises(RecordingError, match="not recorded"),
    ):
        recorded.provision(first)
    with Injector(lines[1], Journal(":memory:")) as injector:
        injector.provision(first)
    with Injector(RecordingLink(lines[2], files[1]), Journal(":memory:"), first) as recorded:
        recorded.provision(second)
    for file in files:
        for key in (first, second):
            assert not any(key.secret[at : at + 4].hex() in file.read_text() for at in range(0, 32, 4))
    assert "PROVISION" in files[1].read_text() and "PROVISION" not in files[0].read_text()


# --- A host that does something else --------------------------------------------------------------------


@pytest.fixture
def recorded(tmp_path: Path) -> Path:
    """A session with one STATUS after HELLO."""
    with Injector.open("sim://?seed=1", record=tmp_path / "short.jsonl") as injector:
        injector.status()
    return tmp_path / "short.jsonl"


def test_another_request_is_named(recorded: Path) -> None:
    with Injector.open(f"replay:{recorded}") as injector, pytest.raises(RecordingError) as differs:
        injector.begin_treatment()
    text = str(differs.value)
    assert f"{recorded}, line 9: this host sends " in text
    assert "(SET_DATE request seq 3 " in text
    assert "(STATUS request seq 3 " in text
    assert text.index("SET_DATE") < text.index("recorded at 0 us: the host sent 0002") < text.index("Next: ")


@pytest.mark.parametrize(
    ("act", "said"),
    [
        (lambda link: link.token(4), "line 2: this host draws 4 random bytes; recorded at 0 us: the host drew 8 "),
        (
            lambda link: link.write(STOP_BYTES),
            "(STOP request seq 0 {}); recorded at 0 us: the host drew 8 random bytes",
        ),
        (lambda link: link.read(100), "line 2: this host waits until 100 us; recorded at 0 us: the host drew 8 "),
        (lambda link: (link.token(8), link.write(b"abc")), "line 3: this host sends 616263 (no frame); recorded"),
    ],
)
def test_another_call_is_named(recorded: Path, act: Callable[[Link], Any], said: str) -> None:
    with pytest.raises(RecordingError) as differs:
        act(ReplayLink(recorded))
    assert said in str(differs.value)


def test_a_session_that_goes_on_for_longer(recorded: Path) -> None:
    with Injector.open(f"replay:{recorded}") as injector:
        injector.status()
        with pytest.raises(RecordingError, match=r"line 11: .*\(STATUS request seq 4 .*: the host closed the line"):
            injector.status()


# --- The file -------------------------------------------------------------------------------------------


def test_each_line_says_what_it_holds(recorded: Path) -> None:
    rows = [json.loads(line) for line in recorded.read_text().splitlines()]
    assert rows[0]["format"] == "mesoinjector recording"
    assert [next(key for key in ("token", "direction", "closed") if key in row) for row in rows[1:]] == [
        *("token", *("direction",) * 8, "closed")
    ]
    told = [message["name"] for row in rows for message in row.get("messages", ())]
    assert told == [name for name in ("HELLO", "READ_EVENT", "SYNC", "STATUS") for _ in ("request", "reply")]


def test_a_frame_belongs_to_the_line_it_ends_in(tmp_path: Path) -> None:
    """Bytes in pieces of any size say the same, once, and nothing is lost between them."""
    data = b"".join(item.data for item in recording.read(SESSION).items if getattr(item, "to_device", False))
    for size in (1, 7, 64):
        file = tmp_path / f"{size}.jsonl"
        device = SimulatedLink("sim", simulator.start("cpython", 1), 1)
        link = RecordingLink(device, file)
        for at in range(0, len(data), size):
            link.write(data[at : at + size])
        link.close()
        entries = [row.entry for row in listing.read(file).rows if row.to_device and not isinstance(row.entry, str)]
        assert b"\0" + b"\0\0".join(entry.data.strip(b"\0") for entry in entries) + b"\0" == data[2:]
        told = [json.loads(line).get("messages", []) for line in file.read_text().splitlines()]
        assert [facts for row in told for facts in row] == [entry.facts() for entry in entries]


def test_a_host_that_was_killed_leaves_what_passed(recorded: Path) -> None:
    whole = recorded.read_text()
    lines = whole.splitlines(keepends=True)
    recorded.write_text("".join(lines[:9]) + lines[9][:40])
    read = listing.read(recorded)
    assert read.cut_off == 10
    assert [row.entry.name for row in read.rows if isinstance(row.entry, Message)][-2:] == ["SYNC", "STATUS"]
    with Injector.open(f"replay:{recorded}") as injector, pytest.raises(RecordingError, match="ends after line 9"):
        injector.status()


def test_each_line_is_on_disk_at_once(tmp_path: Path) -> None:
    file = tmp_path / "session.jsonl"
    with Injector.open("sim://?seed=1", record=file) as injector:
        before = file.read_text()
        injector.status()
        assert file.read_text().startswith(before)
        assert file.read_text().count("STATUS") == 2


@pytest.mark.parametrize("url", ["sim://?seed=1", "replay:absent.jsonl"])
def test_a_file_that_is_there_is_not_replaced(url: str, tmp_path: Path) -> None:
    (tmp_path / "absent.jsonl").write_text("mine")
    with pytest.raises(RecordingError, match=r"Next: "):
        Injector.open(url, record=tmp_path / "absent.jsonl")
    assert (tmp_path / "absent.jsonl").read_text() == "mine"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full, a full disk is NOT tested")
def test_a_full_disk_ends_the_record_and_nothing_else(tmp_path: Path) -> None:
    injector = Injector.open("sim://?seed=1", record=tmp_path / "session.jsonl")
    injector.begin_treatment()
    injector.prime(0.1)
    link: Any = injector.link
    link._file.close()
    link._file = open("/dev/full", "w")  # noqa: SIM115
    assert isinstance(injector.dose(**DOSE), Delivered)
    assert injector.stop().stop_count == 1
    with pytest.warns(UserWarning, match="has ended early .*No space left"):
        injector.close()
    injector.close()  # once


def test_stop_goes_out_before_it_is_recorded(tmp_path: Path) -> None:
    order: list[str] = []
    device = SimulatedLink("sim", simulator.start("cpython", 1), 1)
    link: Any = RecordingLink(device, tmp_path / "session.jsonl")
    device.write = lambda data: order.append("sent")  # type: ignore[method-assign]
    note = link._note
    link._note = lambda *row: (order.append("recorded"), note(*row))
    link.write(STOP_BYTES)
    link.close()
    assert order == ["sent", "recorded"]


def test_a_stop_from_another_thread_is_in_the_record(tmp_path: Path) -> None:
    file = tmp_path / "session.jsonl"
    with Injector.open("sim://?seed=1", record=file) as injector:
        injector.begin_treatment()
        injector.prime(0.1)
        stopper = threading.Thread(target=injector.stop)
        injector.listen(after_flow(10_000, stopper.start))
        result = injector.dose(volume_ml=0.1, depth_mm=1.0, zone="cheek")
        stopper.join()
    assert isinstance(result, Delivered) and not result.complete
    rows = listing.read(file).rows
    assert all(isinstance(row.entry, Message) for row in rows[:-1])
    told = [row.entry.name for row in rows if isinstance(row.entry, Message) and row.to_device]
    assert "STOP" in told
