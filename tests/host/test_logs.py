"""What the driver logs: all that a session did, in fields, and nothing of persons."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mesoinjector import Injector
from mesoinjector.errors import DeviceError
from mesoinjector.journal import Intended, Journal

DOSE: dict[str, Any] = {"volume_ml": 0.02, "depth_mm": 1.0, "zone": "cheek"}


def facts(records: list[logging.LogRecord], kind: str) -> list[dict[str, Any]]:
    return [vars(record)["facts"] for record in records if record.message == kind]


def test_a_session_is_logged_in_fields_and_its_persons_are_not(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, logger="mesoinjector")
    with Injector.open("sim://?seed=1") as injector:
        injector.begin_treatment("", {"patient_ref": "P-10442"})
        injector.prime(0.1)
        result = injector.dose(**DOSE)
        injector.stop()
        with pytest.raises(DeviceError):
            injector.dose(**DOSE)
    (session,) = facts(caplog.records, "session")
    assert session["uid"] == injector.uid and session["url"].startswith("sim://")
    kinds = ["treatment", "intended", "committed", "outcome", "intended", "committed", "outcome"]
    rows = [(record.message, vars(record)["facts"]["row"]) for record in caplog.records if record.message in kinds]
    assert rows == list(zip(kinds, range(1, 8), strict=True))
    ended = facts(caplog.records, "outcome")[-1]
    assert (ended["dose_id"], ended["data"]["delivered_nl"]) == (result.dose_id, getattr(result, "delivered_nl", None))
    assert {fact["state"] for fact in facts(caplog.records, "PhaseEvent")} >= {1, 2, 3}
    asked = facts(caplog.records, "request")
    assert {fact["message"] for fact in asked} >= {"Prepare", "Commit", "Status"}
    assert all(0 <= fact["took_us"] < 100_000 for fact in asked)
    assert [record.levelname for record in caplog.records if record.message == "STOP"] == ["WARNING"]
    assert "P-10442" not in repr([vars(record) for record in caplog.records])


def test_the_command_line_writes_a_json_object_a_line(tmp_path: Path) -> None:
    file = tmp_path / "log.jsonl"
    for _ in range(2):
        command = [sys.executable, "-m", "mesoinjector", "--log", str(file), "info", "--device", "sim://?seed=1"]
        assert subprocess.run(command, capture_output=True, check=False, timeout=60).returncode == 0
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    sessions = [line for line in lines if line["event"] == "session"]
    assert len(sessions) == 2 and sessions[0].keys() == {"utc", "level", "event", "facts"}
    assert sessions[0]["level"] == "INFO" and sessions[0]["facts"]["uid"] == "4d53494d01000000"


def test_a_log_that_cannot_be_written_is_said_before_anything_is_sent(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "mesoinjector", "--log", str(tmp_path), "info", "--device", "sim://"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 2 and "a log cannot be written there" in done.stderr and not done.stdout


def test_stop_waits_for_no_log(tmp_path: Path) -> None:
    journal = str(tmp_path / "journal.sqlite")
    where = ["--device", "sim://?seed=1", "--journal", journal]
    command = [sys.executable, "-m", "mesoinjector", "--log", str(tmp_path), "stop", *where]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0 and done.stdout.startswith("stopped") and "stopped without a log" in done.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no full device")
def test_a_log_on_a_full_disk_ends_and_all_else_goes_on() -> None:
    command = [sys.executable, "-m", "mesoinjector", "--log", "/dev/full", "info", "--device", "sim://?seed=1"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0 and "4d53494d01000000" in done.stdout
    [said] = done.stderr.splitlines()
    assert "It ends here; all else goes on." in said


def test_who_settles_a_dose_and_why_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, logger="mesoinjector")
    journal = Journal(":memory:")
    journal.intend("d", Intended("a1", 1, "dose", 1, "cheek", 1, 20_000, 1_000))
    journal.commit("d", "a1")
    journal.settle("a1", "Mueller", "Schmidt had to leave")
    assert facts(caplog.records, "settled") == [{"row": 4, "device": "d", "dose_id": "a1", "data": {}}]


def test_nothing_is_printed_of_what_nobody_asked_to_log() -> None:
    program = "from mesoinjector import Injector\nwith Injector.open('sim://') as injector: injector.stop()"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
