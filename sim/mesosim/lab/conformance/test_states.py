"""IDLE, PREPARED, ARMED; STOP in each of them; what latches, and what clears it."""

from __future__ import annotations

import pytest

from mesoprotocol import limits, messages, wire
from mesosim.lab.conformance.host import Host

MARGIN_S = 0.6
"""For the line and the host, where time is the wall's."""


def test_prepare_plans_and_commit_arms(host: Host) -> None:
    """Each answer and STATUS say the same state."""
    dose_id = host.dose_id()
    assert host.state == wire.STATE_IDLE
    plan = host.ask(host.run(dose_id))
    assert plan.state == wire.STATE_PREPARED == host.state
    assert host.injector.status().dose_id == dose_id
    armed = host.ask(host.commit(dose_id, plan.plan_crc))
    assert (armed.state, armed.dose_state) == (wire.STATE_ARMED, wire.DOSE_ARMED)
    assert host.state == wire.STATE_ARMED


@pytest.mark.requirement("SR-27")
def test_what_is_prepared_and_never_committed_expires(host: Host) -> None:
    """It was never armed: nothing is in the ledger."""
    dose_id, n = host.dose_id(), host.injector.status().next_n
    host.ask(host.run(dose_id))
    assert host.until(lambda: host.state == wire.STATE_IDLE, limits.PREPARED_MS / 1000 + MARGIN_S)
    assert host.outcome(dose_id, n).dose_state == wire.DOSE_EXPIRED
    assert host.injector.status().next_n == n


@pytest.mark.requirement("SR-30")
def test_an_armed_device_that_hears_nothing_disarms_itself(host: Host) -> None:
    """400 ms after the last heartbeat; nothing has moved, and a latch stands."""
    dose_id, n = host.dose_id(), host.injector.status().next_n
    assert host.arm(dose_id).dose_state == wire.DOSE_ARMED
    assert host.until(lambda: host.state == wire.STATE_IDLE, limits.HEARTBEAT_TIMEOUT_MS / 1000 + MARGIN_S)
    ended = host.outcome(dose_id, n)
    assert (ended.dose_state, ended.reason) == (wire.DOSE_ABORTED, wire.REASON_LINK_LOST)
    assert (ended.upper_nl, ended.strokes) == (0, 0)
    assert host.injector.status().latches & wire.LATCH_LINK_LOST
    assert host.refusal(host.run(host.dose_id())) == "LATCHED"


@pytest.mark.requirement("SR-30")
def test_heartbeats_keep_it_armed_or_doing(host: Host) -> None:
    """For longer than it would bear silence."""
    dose_id = host.dose_id()
    host.arm(dose_id)
    with host.beating(dose_id):
        host.injector.wait(limits.HEARTBEAT_TIMEOUT_MS / 1000 + 0.2)
        assert host.state in (wire.STATE_ARMED, wire.STATE_RUNNING)  # somebody may have pressed by now
        host.stop()
        assert host.until(lambda: host.state == wire.STATE_IDLE, MARGIN_S)


@pytest.mark.requirement("SR-30")
def test_heartbeats_for_another_dose_do_not(host: Host) -> None:
    """They name what they are for."""
    dose_id = host.dose_id()
    host.arm(dose_id)
    with host.beating(host.dose_id()):
        assert host.until(lambda: host.state == wire.STATE_IDLE, limits.HEARTBEAT_TIMEOUT_MS / 1000 + MARGIN_S)


@pytest.mark.requirement("SR-29")
@pytest.mark.parametrize("state", ["idle", "prepared", "armed"])
def test_stop_latches_in_every_state(host: Host, state: str) -> None:
    """What was in hand has ended, with nothing delivered; until CLEAR nothing is prepared."""
    dose_id, before = host.dose_id(), host.injector.status()
    if state == "prepared":
        host.ask(host.run(dose_id))
    elif state == "armed":
        host.arm(dose_id)
    status = host.injector.stop()
    assert status.latches & wire.LATCH_STOPPED and status.stop_count > before.stop_count
    assert host.until(lambda: host.state == wire.STATE_IDLE, MARGIN_S)
    if state == "armed":
        ended = host.outcome(dose_id, before.next_n)
        assert (ended.dose_state, ended.reason) == (wire.DOSE_ABORTED, wire.REASON_STOP)
        assert (ended.upper_nl, ended.strokes) == (0, 0)
    assert host.refusal(host.run(host.dose_id())) == "LATCHED"
    assert host.injector.clear() == 0
    assert host.refusal(host.run(host.dose_id())) == "OK"


@pytest.mark.requirement("SR-29")
def test_each_stop_counts(host: Host) -> None:
    """CLEAR names the count that was looked at: what came since stands."""
    host.injector.stop()
    seen = host.injector.status()
    host.injector.stop()
    assert host.refusal(messages.Clear(seen.latches, seen.latch_count)) == "COUNT_MISMATCH"
    assert host.injector.status().latches & wire.LATCH_STOPPED
    assert host.injector.clear() == 0
    assert host.injector.status().latches == 0


def test_one_dose_is_in_hand_at_a_time(host: Host) -> None:
    """While one is armed nothing else is prepared, and no treatment begun."""
    host.arm(host.dose_id())
    assert host.refusal(host.run(host.dose_id())) == "WRONG_STATE"
    assert host.refusal(messages.StartTreatment(7)) == "WRONG_STATE"


@pytest.mark.requirement("SR-28")
def test_another_host_ends_what_was_armed(host: Host) -> None:
    """Before its opening is acknowledged the dose of the session before has ended, and nothing was delivered."""
    from mesoinjector import opening

    dose_id, n = host.dose_id(), host.injector.status().next_n
    host.arm(dose_id)
    opening.open_session(host.injector._pump, host.injector._key)
    ended = host.outcome(dose_id, n)
    assert (ended.dose_state, ended.reason) == (wire.DOSE_ABORTED, wire.REASON_SESSION)
    assert (ended.upper_nl, ended.strokes) == (0, 0)
