"""Which application runs, through the whole device; and the safe one, which answers and gives nothing."""

from __future__ import annotations

import pytest

from mesofirmware import slots
from mesoinjector import AuthError, DeviceError, Service
from mesoprotocol import messages, wire
from tests.bench_of_one import SERVICE, Bench, world

DOSE = {"volume_ml": 0.02, "depth_mm": 1.0, "zone": "cheek"}


@pytest.mark.requirement("SR-33")
def test_only_service_confirms_a_trial(here: Bench) -> None:
    operator = here.keyed()
    folders = world(here).folders
    folders.update({path.replace("_a", "_b"): data for path, data in folders.items()})
    record = slots.Slots(world(here).board.files)
    assert record.stage(lambda folder: True) == wire.S_OK
    here.rest(1_000_000)
    here.device.control("reset")
    operator = here.connect()
    assert Service(operator).update()[2:] == (1, wire.UPDATE_PENDING, 2, 0)
    with pytest.raises(AuthError, match="ROLE"):
        Service(operator).confirm()
    assert Service(here.connect(SERVICE)).confirm()[2:] == (1, wire.UPDATE_CONFIRMED, 0, 0)
    assert record.values != slots.Slots(world(here).board.files).values


@pytest.mark.requirement("SR-34")
def test_the_safe_application_answers_and_gives_nothing(here: Bench) -> None:
    injector = here.ready()
    injector.dose(**DOSE)
    here.rest(1_000_000)
    whole = dict(world(here).folders)
    world(here).folders.clear()
    here.device.control("reset")
    injector = here.connect()
    injector.wait(1)
    assert Service(injector).update().safe == 1
    with pytest.raises(DeviceError, match=r"SAFE_APPLICATION.*Next: service: read UPDATE"):
        injector.dose(**DOSE)
    request = messages.Prepare(b"abcdefgh", injector.status().next_n, 20_000, 1_000, wire.MODE_SINGLE, 1, 6, 0)
    with pytest.raises(DeviceError, match="SAFE_APPLICATION"):
        injector._pump.request(request)
    assert injector.clear() == wire.LATCH_SAFE_APPLICATION
    with pytest.raises(DeviceError, match="SAFE_APPLICATION"):
        Service(here.connect()).confirm()
    injector = here.connect()
    assert injector.ledger(2).dose_state == wire.DOSE_DONE
    assert Service(injector).log().broken_n is None
    world(here).folders.update(whole)
    here.device.control("reset")
    again = here.connect()
    again.wait(1)
    assert again.status().latches == 0
