"""Last results are read as the tests' runner wrote them; both bills of materials fit CycloneDX's schema."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from mesosim.evidence import sbom, trace_account, traceability
from mesosim.evidence.computing import compute
from mesosim.evidence.study import How, Tables
from tests.house.rooms import ROOT

JUNIT = """<?xml version="1.0" encoding="utf-8"?>
<testsuites><testsuite name="pytest">
<testcase classname="tests.safety.test_alarms" name="test_one[cpython]" time="0.1" />
<testcase classname="tests.safety.test_alarms" name="test_one[wasm]" time="0.1"><failure message="no"/></testcase>
<testcase classname="tests.safety.test_alarms" name="test_two" time="0.1"><skipped message="here"/></testcase>
<testcase classname="tests.safety.test_alarms" name="test_three" time="0.1" />
</testsuite></testsuites>
"""


def test_the_worst_of_all_parameters_counts(tmp_path: Path) -> None:
    path = tmp_path / "tests.xml"
    path.write_text(JUNIT)
    file = "tests/safety/test_alarms.py"
    expected = {(file, "test_one"): "failed", (file, "test_two"): "skipped", (file, "test_three"): "passed"}
    assert traceability.last_results(path) == expected
    assert traceability.last_results(tmp_path / "none.xml") == {}


def test_this_checkout_is_whole() -> None:
    tables = Tables(traceability.run(str(ROOT)))
    said = {verdict.text: verdict.passed for verdict in trace_account.account(tables).verdicts}
    said.pop("The last result of every such test is passed")
    said.pop("The last result of every threat's tests is passed")
    assert all(said.values()), said
    assert compute(tables, How("count", trace_account.THREATS)) == 42


def test_elsewhere_it_says_that_there_is_nothing_to_read(tmp_path: Path) -> None:
    account = trace_account.account(Tables(traceability.run(str(tmp_path))))
    assert not any(verdict.passed for verdict in account.verdicts)
    assert "this is no checkout" in account.verdicts[0].cause


@pytest.mark.parametrize("name", ["sbom-host.cdx.json", "sbom-firmware.cdx.json"])
def test_bills_fit_the_schema(name: str) -> None:
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(sbom.files()[name]) is None


def test_the_firmware_s_bill_has_every_file_by_its_digest() -> None:
    parts = {one["name"]: one for one in json.loads(sbom.text(sbom.firmware()))["components"]}
    ledger = ROOT / "firmware" / "mesofirmware" / "ledger.py"
    assert parts["mesofirmware/ledger.py"]["hashes"][0]["content"] == hashlib.sha256(ledger.read_bytes()).hexdigest()
    assert "mesofirmware/build.py" not in parts and "micropython" in parts


def test_the_host_s_bill_has_what_the_driver_needs() -> None:
    parts = json.loads(sbom.text(sbom.host()))["components"]
    names = {one["name"] for one in parts}
    assert all("supplier" in one and "licenses" in one for one in parts)
    assert names >= {"python", "pydantic", "pyserial", "numpy", "typing-extensions"}
    assert not names & {"pytest", "scipy"}
