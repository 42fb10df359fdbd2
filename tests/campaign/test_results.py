"""The file of results: cut anywhere and resumed, merged from shards, never silently wrong."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from mesosim.lab.campaign import cases, identity, results
from mesosim.lab.campaign.results import FILE, Results, ResultsError
from tests.campaign.conftest import ONE_DOSE, Played


def test_done_is_done(whole: Played) -> None:
    before = whole.results("out")
    standing = whole.run("out")
    assert (standing.played, len(standing.failing)) == (0, 6)
    assert whole.results("out") == before


def test_a_campaign_killed_at_any_line_resumes(played: Played, whole: Played) -> None:
    """The file is cut after every line, and once within each; what is torn off is played again."""
    scenario = played.scenarios[1:]
    played.run("out", named=scenario, seeds="1:4")
    file = played.folder / "out" / FILE
    text, expected = file.read_bytes(), played.results("out")
    ends = [i + 1 for i, byte in enumerate(text) if byte == 10]
    stream = random.Random(1)
    for start, end in zip([0, *ends], ends, strict=False):
        for cut in (end, stream.randrange(start + 1, end)):
            file.write_bytes(text[:cut])
            standing = played.run("out", named=scenario, seeds="1:4")
            assert standing.torn == (cut != end)
            assert played.results("out") == expected


def test_shards_merge_to_the_whole(played: Played, whole: Played) -> None:
    for i in (1, 2, 3):
        played.run(f"shard{i}", shard=(i, 3))
    counts = [len(played.results(f"shard{i}")) for i in (1, 2, 3)]
    assert counts == [4, 4, 4]
    folders = [played.folder / f"shard{i}" for i in (1, 2, 3)]
    assert results.merge(folders, played.folder / "merged") == 12
    assert played.results("merged") == whole.results("out")
    assert results.merge([played.folder / "merged", folders[0]], played.folder / "again") == 12
    assert played.run("merged").played == 0


def test_two_results_of_one_case_are_refused(played: Played, whole: Played) -> None:
    lines = (whole.folder / "out" / FILE).read_text().splitlines(keepends=True)
    other = []
    for line in lines:
        told = json.loads(line)
        if told.get("seed") == 3:
            told["outcome"]["records"] += 1
        other.append(json.dumps(told) + "\n")
    (played.folder / "other").mkdir()
    (played.folder / "other" / FILE).write_text("".join(other))
    with pytest.raises(
        ResultsError, match=r"2 cases have two different results[^$]*one-dose, seed 3: .*jsonl:\d+ and "
    ):
        results.merge([whole.folder / "out", played.folder / "other"], played.folder / "merged")
    assert not (played.folder / "merged").exists()


def test_a_changed_scenario_or_package_is_another_case(played: Played, monkeypatch: pytest.MonkeyPatch) -> None:
    one = played.scenarios[:1]
    assert played.run("out", named=one, seeds="1:2").played == 2
    played.write("one-dose.toml", ONE_DOSE.replace("0.02", "0.022"))
    assert played.run("out", named=one, seeds="1:2").played == 2
    monkeypatch.setattr(identity, "package", lambda: "9.9.9+0")
    assert played.run("out", named=one, seeds="1:2").played == 2
    assert played.run("out", named=one, seeds="1:2").played == 0


def test_one_campaign_writes_at_a_time(played: Played) -> None:
    with Results(played.folder / "out"), pytest.raises(ResultsError, match="another campaign is writing"):
        Results(played.folder / "out")


@pytest.mark.parametrize("line", [b"nonsense\n", b"[1]\n", b'{"seed": 1}\n', b"\xff\n"])
def test_a_line_that_is_no_result_is_named(tmp_path: Path, line: bytes) -> None:
    (tmp_path / FILE).write_bytes(b'{"begun": {}}\n' + line + b'{"ended": {}}\n')
    with pytest.raises(ResultsError, match="line 2 is no result"):
        Results(tmp_path)


def test_every_case_is_in_one_shard() -> None:
    job = cases.Job("x", None, None, "cpython", "")  # type: ignore[arg-type]
    plan = cases.Plan(((job, range(1, 8)), (job, range(1, 5))))
    for n in range(1, 13):
        parts = [case for i in range(1, n + 1) for case in plan.cases((i, n))]
        assert sorted(parts, key=id) == sorted(parts, key=id) and len(parts) == 11
        assert sorted(case.seed for case in parts) == sorted(case.seed for case in plan.cases())
