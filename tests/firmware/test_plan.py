"""The plan takes what the rules have allowed, and nothing else."""

from __future__ import annotations

import pytest

from mesofirmware.plan import Plan
from mesoprotocol import codec, messages, typed, wire
from tests.safety.watch import DOSE, RUN


@pytest.mark.parametrize(
    ("request_", "kind", "fields", "what"),
    [
        (DOSE._replace(profile=9), wire.PREPARE, wire.PREPARE_FIELDS, "profile"),
        (RUN._replace(zone=99), wire.PREPARE_RUN, wire.PREPARE_RUN_FIELDS, "zone"),
    ],
)
def test_what_no_rule_allows_is_not_planned(
    request_: messages.Prepare | messages.PrepareRun, kind: int, fields: tuple[object, ...], what: str
) -> None:
    body = bytearray(typed.LAYOUTS[type(request_)][1].pack(request_._replace(dose_id=b"the one!")))
    args = [0] * 11
    assert codec.read(fields, body, 0, args) < 0
    plan = Plan()
    with pytest.raises(ValueError, match=what):
        plan.take(body, 0, len(body), args, kind)
    assert not plan.is_whole()
