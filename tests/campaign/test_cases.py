"""What is to be played: files as they are written, draws by the seed, and what is refused before anything runs."""

from __future__ import annotations

import pickle

import pytest

from mesosim.lab import scenario
from mesosim.lab.campaign import cases, replay
from mesosim.lab.campaign.cases import CampaignError
from mesosim.lab.campaign.draw import Draw
from mesosim.lab.campaign.results import FILE, Result, lines
from mesosim.lab.play import play
from mesosim.lab.scenario import ScenarioError
from tests.campaign.conftest import ONE_DOSE, Played

CAMPAIGN = """
[campaign]
scenarios = ["one-dose.toml", "refused.toml"]
seeds = "1:3"

[draw]
device = true
"""


def test_a_campaign_file_names_what_lies_beside_it(played: Played) -> None:
    plan = cases.load([played.write("swarm.toml", CAMPAIGN)], None, None)
    assert [(job.name, list(seeds)) for job, seeds in plan.jobs] == [("one-dose", [1, 2, 3]), ("refused", [1, 2, 3])]
    assert all(case.job.scenario_of(case.seed).device.drawn for case in plan.cases())
    told = cases.load([str(played.folder / "swarm.toml")], "7", "micropython")
    assert [(case.seed, case.job.runtime) for case in told.cases()] == [(7, "micropython"), (7, "micropython")]


def test_a_case_is_another_when_its_device_was_measured_anew(played: Played) -> None:
    name = played.write("own.toml", ONE_DOSE + '[device]\nparameters = "measured.toml"\n')
    digests = []
    for bore_um in (160, 163, 160):
        played.write("measured.toml", f"[needle]\nbore_um = {bore_um}\n")
        (case,) = cases.load([name], "1", None).cases()
        digests.append(case.job.sha256)
        worker = pickle.loads(pickle.dumps(case.job))  # as on a machine that has none of these files
        assert worker.scenario_of(1).device.set == {"needle.bore_um": bore_um}
    assert digests[0] == digests[2] != digests[1]


def test_the_seed_draws_values_and_faults(played: Played) -> None:
    given = scenario.load(played.scenarios[0])
    draw = Draw.model_validate(
        {
            "set": {"needle.bore_um": [150.0, 170.0], "fluid.viscosity_mpa_s": [1.0, 3.0]},
            "fault": [
                {"name": "often", "probability": 0.8, "at_s": [1.0, 2.0]},
                {"name": "seldom", "probability": 0.2},
            ],
        }
    )
    drawn = [draw.scenario(given, seed) for seed in range(400)]
    assert drawn == [draw.scenario(given, seed) for seed in range(400)]
    bores = [one.device.set["needle.bore_um"] for one in drawn]
    assert 150 <= min(bores) < 151 and 169 < max(bores) <= 170
    assert 158 < sum(bores) / 400 < 162
    assert all(len(one.fault) <= 1 for one in drawn)
    often = [one.fault[0].at_s for one in drawn if one.fault and one.fault[0].name == "often"]
    assert 290 < len(often) < 350
    assert all(1 <= at_s <= 2 for at_s in often)

    fewer = draw.model_copy(update={"fault": draw.fault[:1], "set": {"needle.bore_um": draw.set["needle.bore_um"]}})
    assert [fewer.scenario(given, seed).device.set["needle.bore_um"] for seed in range(400)] == bores


def test_a_drawn_case_that_failed_is_replayed_by_its_own_file(played: Played) -> None:
    swarm = played.write("swarm.toml", CAMPAIGN)
    played.run("out", named=[swarm], seeds=None)
    found = [Result.of(line) for _, line in lines(played.folder / "out" / FILE) if "outcome" in line]
    failed = next(result for result in found if result.outcome.scenario == "refused" and result.key.seed == 2)
    command = replay.command(failed, played.folder / "out")
    assert command.startswith("mesoinjector sim run ")
    file, seed = command.split()[3], int(command.split()[5])
    assert play(scenario.load(file), seed).trace_sha256 == failed.outcome.trace_sha256


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[campaign]\nscenarios = []", r"campaign\.scenarios = \[\]: must have at least 1 item"),
        (
            '[campaign]\nscenarios = ["one-dose.toml"]\nruntime = "java"',
            r"campaign\.runtime = 'java': must be 'cpython' or",
        ),
        ('[campaign]\nscenarios = ["one-dose.toml"]\nspeed = 1', r"campaign\.speed = 1: unknown key"),
        ('[campaign]\nscenarios = ["one-dose.toml"]', "no seeds are given. Next: --seeds A:B"),
        ('[campaign]\nscenarios = ["one-dose.toml"]\nseeds = "9:1"', r"seeds = '9:1': must be A:B, both included"),
        (CAMPAIGN + "set = {x = [2.0, 1.0]}", r"draw\.set\.x = \[2.0, 1.0\]: must be the lower end first"),
        (
            CAMPAIGN + '[[draw.fault]]\nname = "x"\nprobability = 1.5',
            r"probability = 1.5: must be 0 to 1",
        ),
        (CAMPAIGN.replace("= true", '= "yes"'), r"draw\.device = 'yes': must be a valid boolean"),
        (CAMPAIGN.replace("refused.toml", "a\\u0000.toml"), r"a\\x00.toml': cannot be read: embedded null"),
        (CAMPAIGN.replace("refused.toml", "none.toml"), "none.toml: there is no such file"),
        (CAMPAIGN.replace("refused", "one-dose"), "scenario one-dose is named twice on cpython"),
    ],
)
def test_a_wrong_campaign_file_is_refused(played: Played, text: str, said: str) -> None:
    with pytest.raises((CampaignError, ScenarioError), match=said) as caught:
        cases.load([played.write("swarm.toml", text)], None, None)
    assert "Next: " in str(caught.value)


@pytest.mark.parametrize("text", ["0/3", "4/3", "1", "a/b", "1/0", "-1/3", "1/3/5"])
def test_a_wrong_shard_is_refused(text: str) -> None:
    with pytest.raises(CampaignError, match="must be i/n"):
        cases.shard_of(text)


def test_a_draw_may_not_reach_what_no_scenario_may_be(played: Played) -> None:
    text = CAMPAIGN + '[[draw.fault]]\nname = "occlusion"\nprobability = 0.01\nat_s = [0.0, 9000.0]'
    with pytest.raises(
        ScenarioError, match=r"swarm.toml: \[draw\] on .*one-dose.toml: .*[^$]*fault\[1\].at_s = 9000.0"
    ):
        cases.load([played.write("swarm.toml", text)], None, None)
