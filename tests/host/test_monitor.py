"""The monitor shows what it was told, and a program gets the same as facts."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from typer.testing import CliRunner

from mesoinjector import Delivered, Injector
from mesoinjector.cli import app
from mesoinjector.monitor import Monitor, plot
from mesoprotocol import messages, wire


def drawn(monitor: Monitor) -> str:
    console = Console(width=120, file=io.StringIO())
    with console.capture() as found:
        console.print(monitor)
    return found.get()


@pytest.mark.parametrize(
    ("values", "bars"),
    [
        ([], ""),
        ([3.0], "▅"),
        ([3.0, 3.0], "▅▅"),
        ([0.0, 8.0], "▁█"),
        ([0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0], "▁▂▃▄▅▆▇██"),
        ([10.0, 10.1], "▄▅"),
    ],
)
def test_a_plot(values: list[float], bars: str) -> None:
    assert plot(values, 1.0) == bars


def test_what_a_treatment_looks_like(tmp_path: Path) -> None:
    monitor, facts = Monitor(), []
    with Injector.open("sim://?seed=1", tmp_path / "journal.sqlite") as injector:
        injector.listen(lambda event: facts.append(monitor.take(event)))
        injector.begin_treatment()
        injector.prime(0.1)
        assert "ul" in drawn(monitor) and "█" in drawn(monitor)
        result = injector.fractional(30, depth_mm=0.5, zone="cheek", area_cm2=40)
        monitor.take(injector.status())
    assert isinstance(result, Delivered)
    said = drawn(monitor)
    assert "30 punctures, complete" in said and "idle" in said and "needle_home" in said
    told = [each for each in facts if each]
    assert max(each["sample"]["pressure_pa"] for each in told if "sample" in each) > 1_000
    assert sum(len(each["strokes"]) for each in told if "strokes" in each) == 30
    assert [each["outcome"] for each in told if "outcome" in each][-1] == result.dose_id


def test_alarms_and_latches_stand_out() -> None:
    monitor = Monitor()
    raised = messages.AlarmEvent(0, wire.ALARM_NEEDLE_NOT_HOME, wire.PRIORITY_HIGH, latches=0, value=0)
    assert monitor.take(raised) == {"alarm": "needle_not_home", "priority": "high"}
    assert "alarm: needle_not_home (high priority)" in drawn(monitor)
    assert monitor.take(messages.Stop()) is None


# --- The commands ---------------------------------------------------------------------------------------------


def lines(*words: str) -> list[Any]:
    done = CliRunner().invoke(app, [*words], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_a_device_at_rest_is_watched_for_a_time() -> None:
    seen = lines("monitor", "--device", "sim://?seed=1", "--seconds", "1", "--json")
    assert len(seen) == 5 and {each["status"]["state"] for each in seen} == {"idle"}


def test_what_is_recorded_is_shown_again(tmp_path: Path) -> None:
    file = str(tmp_path / "line.jsonl")
    CliRunner().invoke(app, ["record", file, "--device", "sim://?seed=1", "--seconds", "1"], catch_exceptions=False)
    assert len([each for each in lines("replay", file, "--json") if "status" in each]) == 5
    shown = CliRunner().invoke(app, ["replay", file, "--speed", "1000"], catch_exceptions=False)
    assert shown.exit_code == 0


def test_latency_in_virtual_time_is_none() -> None:
    (facts,) = lines("latency", "--device", "sim://", "--count", "10", "--json")
    assert facts == {"round_trips": 10, "p50_us": 0, "p99_us": 0, "worst_us": 0, "virtual": True}
