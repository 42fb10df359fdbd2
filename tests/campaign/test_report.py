"""The report: its numbers follow from the raw data beside it, it needs no network, what failed comes first."""

from __future__ import annotations

import csv
import math
import random
import re
import statistics as plain
from collections import defaultdict
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pytest

from mesosim.lab import report
from mesosim.lab.campaign import identity
from mesosim.lab.campaign.results import Key, Result, Results, ResultsError
from mesosim.lab.outcome import Outcome
from tests.campaign.conftest import Played

CASES = 60
FAULTS = ("occlusion", "contact_lost")


def outcome(seed: int, stream: random.Random) -> Outcome:
    """Plain data as a case would give it, with known spreads: the report only adds up."""
    fault = FAULTS[seed % 2] if seed % 3 == 0 else ""
    alarm_ms = round(stream.expovariate(1 / 600)) if fault and stream.random() < 0.8 else None
    late = alarm_ms is not None and alarm_ms > 1000
    doses = [
        {
            "kind": "prime" if i == 0 else "dose",
            "asked_nl": asked,
            "delivered_nl": asked,
            "lower_nl": asked - 800,
            "upper_nl": asked + 800,
            "plant_tip_nl": asked,
            "plant_skin_nl": round(asked * stream.gauss(0.99, 0.01)),
            "depth_um": 1500,
            "result": "Delivered",
            "reason": "complete" if stream.random() < 0.95 else "occlusion",
        }
        for i, asked in enumerate([60_000, 20_000, 50_000, 20_000, 50_000, 20_000, 20_000])
    ]
    return Outcome(
        scenario=f"made-{seed % 2}",
        seed=seed,
        runtime="cpython",
        passed=not late,
        findings=[f"the alarm came after {alarm_ms} ms <b>&"] if late else [],
        requirements=["SR-01", "SR-06"],
        hazard="H-08" if fault else "",
        fault=fault,
        alarm="" if alarm_ms is None else "occlusion",
        alarm_ms=alarm_ms,
        hazard_ms=1000 if fault else None,
        judged=not fault or seed % 2 == 0,
        standing="open: it is <late>" if fault == "occlusion" else "",
        doses=doses,
        strokes={
            "count": 100,
            "asked": 100,
            "worst_interval_us": seed,
            "worst_depth_um": 30,
            "intervals_us": {"66600": 90, "66700": 9, str(66_800 + 100 * (seed % 7)): 1},
        },
        pressure=[[t * 100_000, 1000 * t] for t in range(30)],
        duration_us=10_000_000,
        trace_sha256=f"{seed:064x}",
        records=1000,
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results of sixty made cases, and their report."""
    made, stream = tmp_path_factory.mktemp("made"), random.Random(3)
    jobs = [
        {"scenario": f"made-{i}", "origin": f"made-{i}.toml", "scenario_sha256": f"{i}", "runtime": "cpython"}
        | {"seeds": f"1:{CASES + 2}", "draw": {"set": {"needle.bore_um": [150, 170]}}}
        for i in (0, 1)
    ]
    facts = {"utc": "2026-01-01T00:00:00+00:00", "package": identity.package(), "commit": "abc", "python": "3"}
    with Results(made) as file:
        file.append([{"begun": {**facts, "machine": "m", "executor": "e", "shard": "1/1", "jobs": jobs}}])
        for seed in range(1, CASES + 1):
            said = outcome(seed, stream)
            key = Key(str(seed % 2), seed, "cpython", identity.package())
            file.add([Result(key, 10, "dose" if said.fault else "", "", {}, f"{said.scenario}.toml", said)])
        file.append([{"ended": {"wall_s": 1.5, "played": CASES, "played_again": 0}}])
    report.write(made, made / "junit.xml")
    return made


def rows(folder: Path, table: str) -> list[dict[str, str]]:
    with (folder / table).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def judged(folder: Path) -> Iterator[tuple[str, int, int, int]]:
    """Case, index, asked and in the skin, of each dose that counts, told from doses.csv and faults.csv alone."""
    faulty = {(row["scenario"], row["seed"]) for row in rows(folder, "faults.csv")}
    for row in rows(folder, "doses.csv"):
        case = (row["scenario"], row["seed"])
        if row["kind"] == "dose" and row["reason"] == "complete" and case not in faulty:
            yield "/".join(case), int(row["index"]), int(row["asked_nl"]), int(row["plant_skin_nl"])


def test_accuracy_follows_from_the_csv(folder: Path) -> None:
    errors = defaultdict(list)
    for _, _, asked, skin in judged(folder):
        errors[asked].append((skin - asked) / asked)
        errors[None].append((skin - asked) / asked)
    for volume in report.read(folder).account.volumes():
        expected = errors[volume.asked_nl]
        assert volume.spread.n == len(expected)
        assert volume.spread.mean == pytest.approx(plain.mean(expected))
        assert volume.spread.deviation == pytest.approx(plain.stdev(expected))
        assert volume.spread.k is not None and volume.spread.normal is not None
        assert volume.spread.normal[1] == pytest.approx(plain.mean(expected) + volume.spread.k * plain.stdev(expected))
        assert (volume.spread.least, volume.spread.most) == (min(expected), max(expected))
    assert len(errors) == 3


def test_the_trumpet_follows_from_the_csv(folder: Path) -> None:
    cases = defaultdict(list)
    for case, _, asked, skin in judged(folder):
        cases[case].append((asked, skin))
    windows = {window.width: window for window in report.read(folder).account.trumpet()}
    assert sorted(windows) == [1, 2, 5]
    for width, window in windows.items():
        sums = [
            [sum(column) for column in zip(*doses[i : i + width], strict=True)]
            for doses in cases.values()
            for i in range(len(doses) - width + 1)
        ]
        errors = [(skin - asked) / asked for asked, skin in sums]
        assert window.windows == len(errors)
        assert (window.least, window.most) == pytest.approx((min(errors), max(errors)))


def test_the_fault_matrix_follows_from_the_csv(folder: Path) -> None:
    matrix = {row.name: row for row in report.read(folder).account.faults()}
    assert set(matrix) == set(FAULTS)
    for name, row in matrix.items():
        cases = [case for case in rows(folder, "faults.csv") if case["fault"] == name]
        times = [int(case["alarm_ms"]) for case in cases if case["alarm"]]
        failed = sum(case["passed"] == "False" for case in cases)
        assert (row.runs, row.detected, row.failed) == (len(cases), len(times), failed)
        assert (row.median_ms, row.most_ms, row.hazard_ms) == (plain.median(times), max(times), 1000)
        assert row.not_judged == sum(case["judged"] == "False" for case in cases)
        assert {row.standing} == {case["standing"] for case in cases}
        assert row.in_time == sum(time <= 1000 for time in times)
        assert row.bounds[0] < row.detected / row.runs < row.bounds[1]


def test_cadence_follows_from_the_csv(folder: Path) -> None:
    strokes = sorted(int(row["interval_us"]) for row in rows(folder, "strokes.csv") for _ in range(int(row["strokes"])))
    cadence = report.read(folder).account.cadence()
    assert cadence is not None
    assert sum(count for _, count in cadence.histogram) == len(strokes) == 100 * CASES
    for share in (0.5, 0.99, 0.999, 1.0):
        assert cadence.quantile_us(share) == strokes[math.ceil(share * len(strokes)) - 1]
    assert cadence.worst_interval_us == CASES


class Page(HTMLParser):
    """What a browser would fetch, the text, and whether tags are closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.fetched: list[str] = []
        self.text = ""
        self.scripts = 0
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.scripts += tag == "script"
        self.fetched += [
            value
            for name, value in attrs
            if value and name in ("src", "href", "xlink:href", "data", "action") and not value.startswith("#")
        ]

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_page_is_alone_and_failed_cases_come_first(folder: Path) -> None:
    text = (folder / report.PAGE).read_text(encoding="utf-8")
    page = Page(text)
    assert page.fetched == [] and page.scripts == 0
    assert not re.search(r"url\((?!#)|@import", text)
    failing = report.read(folder).account.failing
    assert failing
    assert f"{len(failing)} of {CASES} cases failed" in page.text
    first = page.text.index("mesoinjector sim run made-")
    assert first < page.text.index("Dose accuracy")
    assert text.count("<svg") == 5
    assert "<b>&</" not in text and "&lt;b&gt;&amp;" in text
    assert "made-0 on cpython" in page.text and "32 of 62 seeds, from 1" in page.text
    undrawn = page.text[page.text.index("Values of the plant that no seed draws") :]
    assert "needle.length_um" in undrawn and "needle.bore_um" not in undrawn
    again = report.write(folder).read_text(encoding="utf-8")
    assert again == text


def test_junit_has_the_usual_structure(folder: Path) -> None:
    root = ElementTree.parse(folder / "junit.xml").getroot()
    assert root.tag == "testsuites"
    suites = list(root)
    assert [suite.tag for suite in suites] == ["testsuite"] * 2
    names = set()
    for suite in suites:
        assert {"name", "tests", "failures", "errors", "skipped", "time", "timestamp"} <= set(suite.attrib)
        cases = suite.findall("testcase")
        assert [child.tag for child in suite] == ["properties"] + ["testcase"] * len(cases)
        failed = [case for case in cases if case.find("failure") is not None]
        assert (int(suite.attrib["tests"]), int(suite.attrib["failures"])) == (len(cases), len(failed))
        for case in cases:
            assert float(case.attrib["time"]) >= 0
            properties = [(p.attrib["name"], p.attrib["value"]) for p in case.findall("properties/property")]
            seed = dict(properties)["seed"]
            assert f"seed={seed}]" in case.attrib["name"]
            assert [value for name, value in properties if name == "requirement"] == ["SR-01", "SR-06"]
            assert ("hazard", "H-08") in properties or int(seed) % 3
            names.add((case.attrib["classname"], case.attrib["name"]))
        for case in failed:
            failure = case.find("failure")
            assert failure is not None and failure.text is not None
            assert failure.attrib["message"].startswith("the alarm came after")
            assert "mesoinjector sim run made-" in failure.text
    assert len(names) == CASES
    assert int(root.attrib["tests"]) == CASES


def test_a_real_campaign_has_a_page(whole: Played) -> None:
    text = report.write(whole.folder / "out").read_text(encoding="utf-8")
    assert "6 of 12 cases failed" in text
    assert f"mesoinjector sim run {whole.scenarios[1]} --seed 1" in text


def test_nothing_to_report_is_said(tmp_path: Path) -> None:
    with pytest.raises(ResultsError, match=r"cannot be read .* Next: name a campaign's folder"):
        report.write(tmp_path)
    with Results(tmp_path):
        pass
    with pytest.raises(ResultsError, match=r"holds no result\. Next: run the campaign"):
        report.write(tmp_path)
