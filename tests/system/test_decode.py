"""`mesoinjector decode`: what a recording says, to a person, a program and Wireshark; and what it says of none."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from mesoinjector import cli, listing
from mesoprotocol import wire
from tests.system.record_session import SESSION

LINES = SESSION.read_text().splitlines(keepends=True)


class Done(NamedTuple):
    """What a command line did."""

    returncode: int
    stdout: str
    stderr: str


Meso = Callable[..., Done]


@pytest.fixture
def meso(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Meso:
    """Runs a command line in this process."""

    def run(*arguments: object) -> Done:
        monkeypatch.setattr(sys, "argv", ["mesoinjector", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        return Done(int(ended.value.code or 0), *capsys.readouterr())

    return run


def test_to_a_person(meso: Meso) -> None:
    done = meso("decode", SESSION)
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0].startswith("    0.000000 -> HELLO request seq=0 session=0 nonce=")
    assert lines[-1].endswith(" -- closed by the host")
    (outcome,) = (line for line in lines if "<- OUTCOME event" in line and "asked_nl=20000" in line)
    assert "dose_state=DONE reason=COMPLETE mode=1 flags=NEEDLE_HOME|EXACT" in outcome
    assert any("time=" in line and " us state=RUNNING" in line for line in lines)


def test_to_a_program(meso: Meso) -> None:
    rows = [json.loads(line) for line in meso("decode", SESSION, "--json").stdout.splitlines()]
    told = [message for line in LINES for message in json.loads(line).get("messages", ())]
    assert [{k: v for k, v in row.items() if k not in ("t_us", "direction")} for row in rows[:-1]] == told
    assert rows[-1]["remark"] == "closed by the host"


def test_a_refusal_says_why(tmp_path: Path, meso: Meso) -> None:
    refused = "000401010402170201020303d9070572fcbd7700"
    file = tmp_path / "refused.jsonl"
    file.write_text(LINES[0] + f'{{"t_us": 7, "direction": "rx", "hex": "{refused}", "messages": []}}\n')
    out = meso("decode", file).stdout
    assert "0.000007 <- CLEAR reply seq=23 session=1 refused, CAUSE_PRESENT: the trigger is held" in out
    assert "(next: release the trigger" in out


def test_lost_events_and_bytes_that_are_no_frame_are_said(tmp_path: Path, meso: Meso) -> None:
    """Without the line that bears the third event, and with a traceback on the line."""
    kept = [line for line in LINES if not ('"PHASE"' in line and '"seq": 3' in line)]
    assert len(kept) == len(LINES) - 1
    kept.insert(5, json.dumps({"t_us": 0, "direction": "rx", "hex": b"Traceback\0".hex(), "messages": []}) + "\n")
    (tmp_path / "gap.jsonl").write_text("".join(kept))
    rows = listing.read(tmp_path / "gap.jsonl").rows
    assert [row.lost for row in rows if row.lost] == [1]
    out = meso("decode", tmp_path / "gap.jsonl").stdout
    assert "-- 1 event lost before this one" in out
    assert (
        "<- no frame: 54726163656261636b 'Traceback'".replace("6562", "6365 62".replace(" ", "")) in out
        or "'Traceback'" in out
    )
    assert all(not row.lost for row in listing.read(SESSION).rows)


def test_a_line_cut_off_is_said(tmp_path: Path, meso: Meso) -> None:
    (tmp_path / "cut.jsonl").write_text("".join(LINES[:9]) + LINES[9][:30])
    done = meso("decode", tmp_path / "cut.jsonl")
    assert done.returncode == 0
    assert len(done.stdout.splitlines()) == 8 - sum('"token"' in line for line in LINES[1:9])
    assert done.stderr.startswith("line 10 of ") and " is cut off: " in done.stderr


def test_a_capture_needs_a_folder(tmp_path: Path, meso: Meso) -> None:
    done = meso("decode", SESSION, "--pcap", tmp_path / "nowhere" / "x.pcap")
    assert done.returncode == 2
    assert "a capture cannot be written there" in done.stderr
    done = meso("decode", SESSION, "--pcap", tmp_path / "x.pcap")
    assert (done.returncode, done.stdout) == (0, "")
    assert "mesoinjector.lua" in done.stderr
    assert (tmp_path / "x.pcap").read_bytes()[:4] == bytes.fromhex("d4c3b2a1")


HEADER = json.loads(LINES[0])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "No such file"),
        ("", "is not a recording"),
        ("a plan\n", "is not a recording"),
        ("[1]\n", "is not a recording"),
        (json.dumps({**HEADER, "format": "other"}) + "\n", "is not a recording"),
        (json.dumps({**HEADER, "t_us": None}) + "\n", "is not a recording"),
        (json.dumps({**HEADER, "version": 2}) + "\n", "of format version 2, this host reads 1"),
        (json.dumps({**HEADER, "major": wire.MAJOR + 1}) + "\n", "of protocol version 2, this host reads 1"),
        (LINES[0] + LINES[1] + "{...\n" + LINES[2], "line 3: damaged: '{...'"),
        (LINES[0] + '{"t_us": 0, "direction": "up", "hex": ""}\n', "line 2: damaged"),
        (LINES[0] + '{"t_us": 0, "direction": "tx", "hex": "0g"}\n', "line 2: damaged"),
        (LINES[0] + "7\n", "line 2: damaged"),
    ],
)
def test_what_is_no_recording(text: str | None, said: str, tmp_path: Path, meso: Meso) -> None:
    if text is not None:
        (tmp_path / "file").write_text(text)
    done = meso("decode", tmp_path / "file")
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr and "Next: " in done.stderr
    assert "Traceback" not in done.stderr


def test_it_is_recorded_and_replayed_from_the_command_line(tmp_path: Path, meso: Meso) -> None:
    recorded = meso("info", "--device", "sim://?seed=5", "--record", tmp_path / "info.jsonl", "--json")
    replayed = meso("info", "--device", f"replay:{tmp_path / 'info.jsonl'}", "--json")
    assert json.loads(recorded.stdout) == json.loads(replayed.stdout)
    again = meso("info", "--device", "sim://?seed=5", "--record", tmp_path / "info.jsonl")
    assert again.returncode == 2
    assert "name a new file" in again.stderr
