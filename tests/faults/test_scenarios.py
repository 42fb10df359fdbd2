"""Scenario files: what is wrong in one is said before anything runs, and the packaged ones come out as they say."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mesosim.lab import play, scenario
from mesosim.lab.scenario import DeviceTable, ScenarioError, changed, load, parse
from tests.system import record_scenarios

GOOD = """
title = "A dose"

[[step]]
do = "prime"
volume_ml = 0.06

[[step]]
do = "dose"
volume_ml = 0.02
depth_mm = 1.0
zone = "cheek"

[[fault]]
name = "occlusion"
step = 2
at_s = 1.0

[expect]
results = ["complete", "occlusion"]
alarm = "occlusion"
"""


@pytest.mark.parametrize("name", scenario.names())
def test_a_packaged_scenario_is_the_same_on_both_runtimes(name: str, runtime: str) -> None:
    recorded = json.loads(record_scenarios.FILE.read_text())
    outcome = record_scenarios.played(name, runtime)
    assert not outcome.findings
    assert outcome.trace_sha256 == recorded[name], "changed? `python -m tests.system.record_scenarios`, and look"


def test_all_packaged_scenarios_are_recorded() -> None:
    assert sorted(json.loads(record_scenarios.FILE.read_text())) == scenario.names()
    assert len(scenario.names()) >= 12


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ('title = "A dose"', "", "title: missing"),
        ('title = "A dose"', "title = 3", "title = 3: must be a valid string"),
        ('do = "dose"', 'do = "dosis"', "step[2].do = 'dosis': must be one of 'prime', 'dose'"),
        ('do = "dose"\n', "", "step[2].do: missing"),
        ("depth_mm = 1.0\n", "", "step[2].depth_mm: missing"),
        ("depth_mm = 1.0", "depth_mm = 9.0", "step[2].depth_mm = 9: must be 0.5 to 2 mm in zone cheek"),
        ("depth_mm = 1.0", 'depth_mm = "deep"', "step[2].depth_mm = 'deep': must be a valid number"),
        ("volume_ml = 0.02", "volume_ml = 0.5", "step[2].volume_ml = 0.5: must be 0.02 to 0.1 ml in zone cheek"),
        ("volume_ml = 0.02", "volume_ml = nan", "step[2].volume_ml = nan: must be a finite number"),
        ("volume_ml = 0.06", "volume_ml = 0.6", "step[1].volume_ml = 0.6: must be 0.001 to 0.5 ml"),
        ('zone = "cheek"', 'zone = "toe"', "step[2].zone = 'toe': must be one of forehead, temple"),
        ('zone = "cheek"', 'zone = "cheek"\ndept = 1', "step[2].dept = 1: unknown key"),
        ('name = "occlusion"', 'name = "oclusion"', "fault[1]: there is no fault 'oclusion'"),
        ("at_s = 1.0", 'at_s = 1.0\nkind = "gone"', "fault[1]: fault occlusion: kind = 'gone': must be one of step"),
        ("at_s = 1.0", "at_s = 1.0\nvalue = 0.1", "fault[1]: fault occlusion: value = 0.1: must be 2 to 1000000 times"),
        ("at_s = 1.0", "at_s = -1.0", "fault[1].at_s = -1.0: must be 0 to 7200 s"),
        ("step = 2", "step = 7", "fault[1].step = 7: must be 1 to 2, a step of this file"),
        ('results = ["complete", "occlusion"]', "results = []", "expect.results has 0 entries: must have 2"),
        ('alarm = "occlusion"', 'alarm = "smoke"', "expect.alarm = 'smoke': must be one of"),
        ("[expect]", "[hand]\nrelease_after_us = 1.5\n[expect]", "hand.release_after_us = 1.5: must be a valid int"),
        ("[expect]", "[devise]\n[expect]", "devise = {}: unknown key"),
        ("[expect]", '[device.set]\n"needle.bor" = 1\n[expect]', "device.set.'needle.bor' = 1: no such symbol"),
        ("[expect]", '[device.set]\n"needle.bore_um" = 5\n[expect]', "'needle.bore_um' = 5: must be 50 to 260 um"),
        ("[expect]", '[device]\nparameters = "no.toml"\n[expect]', "device.parameters = 'no.toml': "),
        ("[expect]", "[expect", "not a whole TOML file"),
        ('title = "A dose"', 'title = "A dose"\nname = "mine"', "name = 'mine': unknown key"),
        (
            'title = "A dose"',
            'title = "A dose"\nrequirements = ["SR-1"]',
            "requirements[1] = 'SR-1': must match pattern",
        ),
        ("at_s = 1.0", "at_s = 1.0\nvalue = true", "fault[1].value = True: must be a valid number"),
        ("at_s = 1.0", 'at_s = 1.0\nvalue = "7"', "fault[1].value = '7': must be a valid number"),
        ("step = 2", "step = 0", "fault[1].step = 0: must be 1 to 10000"),
        ('alarm = "occlusion"', "within_ms = 500", "expect.within_ms = 500: needs an alarm, and a [[fault]]"),
        ('"occlusion"]', '"oclusion"]', "expect.results[2] = 'oclusion': must be one of complete, "),
        ("[expect]", '[hand]\npresent = "no"\n[expect]', "hand.present = 'no': must be a valid boolean"),
        ("[expect]", "[hand]\none_line = 1\n[expect]", "hand.one_line = 1: must be a valid boolean"),
        ("[expect]", '[device]\ndrawn = "yes"\n[expect]', "device.drawn = 'yes': must be a valid boolean"),
        ("[expect]", '[device]\nparameters = "a\\u0000b"\n[expect]', "device.parameters = 'a\\x00b': embedded null"),
        ("[expect]", '[device.set]\n"needle.bor" = 1\n[expect]', "must be one of needle.bore_um, needle.length_um"),
        ("[expect]", '[device.set]\n"nedle.bor" = 1\n[expect]', "must be one of needle, fluid, "),
    ],
)
def test_a_wrong_file_is_refused_with_file_key_value_and_range(before: str, after: str, words: str) -> None:
    assert before in GOOD
    with pytest.raises(ScenarioError) as caught:
        parse(GOOD.replace(before, after, 1), "mine.toml")
    message = str(caught.value)
    assert words in message
    assert message.startswith("mine.toml: ") and "Next: " in message


def test_files_that_are_not_there_or_no_text(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match=r"nowhere\.toml: there is no such file, .* one of contact-lost"):
        load("nowhere.toml")
    (tmp_path / "mine.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ScenarioError, match="cannot be read"):
        load(tmp_path / "mine.toml")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "has no value in it: must have a table such as [needle]"),
        ("[needle]", "needle = {}: no such symbol: must be one of needle.bore_um"),
        ("[nedle]", "nedle = {}: no such symbol: must be one of needle, fluid"),
        ("[nedle]\nbore_um = 160", "nedle.bore_um = 160: no such symbol: must be one of needle, fluid"),
        ("[needle]\nbore = 160", "needle.bore = 160: no such symbol: must be one of needle.bore_um"),
    ],
)
def test_a_file_of_parameters_that_says_nothing_is_refused(text: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "measured.toml").write_text(text)
    with pytest.raises(ScenarioError) as caught:
        parse(GOOD.replace("[expect]", f'[device]\nparameters = "{tmp_path}/measured.toml"\n[expect]'), "mine.toml")
    assert words in str(caught.value)


def test_no_file_without_steps() -> None:
    with pytest.raises(ScenarioError, match="step: missing"):
        parse('title = "Nothing"', "mine.toml")


def test_a_file_of_ones_own_is_named_after_itself(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(GOOD)
    assert load(tmp_path / "mine.toml").name == "mine"


def test_another_fault_brings_its_own_expectations() -> None:
    other = changed(parse(GOOD, "mine.toml"), [], [{"name": "estop", "at_s": 1.0}])
    assert (other.fault[0].step, other.expect.alarm, other.expect.results) == (2, "estop", None)


def test_the_schema_is_that_of_the_file() -> None:
    schema = scenario.schema()
    assert {"title", "step", "fault", "expect", "hand", "device"} <= set(schema["properties"])
    assert "name" not in schema["properties"]
    json.dumps(schema)


def test_a_device_has_the_values_that_its_file_says(tmp_path: Path) -> None:
    (tmp_path / "measured.toml").write_text("[needle]\nbore_um = 163\n")
    device = DeviceTable.model_validate(
        {"drawn": True, "parameters": str(tmp_path / "measured.toml"), "set": {"depth.offset_um": 5.5}}
    )
    values = dict(device.values(7))
    assert (values["needle.bore_um"], values["depth.offset_um"]) == (163_000, 5_500)
    assert len(values) > 10
    assert device.values(7) == device.values(7) != device.values(8)
    measured = '[device]\nparameters = "measured.toml"\n[device.set]\n"needle.length_um" = 5000\n[expect]'
    (tmp_path / "mine.toml").write_text(GOOD.replace("[expect]", measured))
    given = load(tmp_path / "mine.toml").device  # the file lies beside it, wherever one is
    assert given.values(7) == [("needle.bore_um", 163_000), ("needle.length_um", 5_000_000)]
    assert given.parameters is None
    other = parse(GOOD.replace("[expect]", '[device.set]\n"syringe.bore_um" = 4400\n[expect]'), "mine.toml")
    assert "outside its bounds" in str(play.play(other, 1).findings)
