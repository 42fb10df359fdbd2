"""The threat model: every interface has every kind of threat, and what is named as evidence is there."""

from __future__ import annotations

from collections import Counter

from mesosim.evidence import requirements
from tests.house.rooms import ROOT

MODEL = requirements.threats(ROOT)


def test_every_interface_has_every_kind_once() -> None:
    interfaces = [row["id"] for row in MODEL["interface"]]
    kinds = Counter((row["interface"], row["stride"]) for row in MODEL["threat"])
    assert kinds == Counter((interface, kind) for interface in interfaces for kind in "STRIDE")


def test_every_threat_has_a_control_with_tests_or_says_why_not() -> None:
    for row in MODEL["threat"]:
        assert row.keys() <= {"interface", "stride", "text", "control", "tests", "open"}, row
        assert bool(row["control"]) == bool(row["tests"]), row
        assert row["control"] or row["open"], row


def test_every_test_is_there() -> None:
    for row in MODEL["threat"]:
        for name in row["tests"]:
            file, _, test = name.partition("::")
            assert test in requirements.tests_of(ROOT, file), name
