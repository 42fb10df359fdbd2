"""Watch a dose on asyncio: `watch_events.py [DEVICE]`, by default a simulated one."""

import asyncio
import sys
from typing import Any

from mesoinjector import AsyncInjector, virtual_time
from mesoprotocol import messages


async def watch(events: asyncio.Queue[Any]) -> None:
    while True:
        match await events.get():
            case messages.PhaseEvent(state=state):
                print("state", messages.STATE_NAMES[state])
            case messages.AlarmEvent(alarm=alarm):
                print("alarm", messages.ALARM_NAMES[alarm])
            case messages.Telemetry(pressure_pa=pressure_pa, plunger_nl=plunger_nl):
                print(f"{pressure_pa / 1000:6.1f} kPa {plunger_nl / 1000:6.2f} ul")


async def main(device: str) -> None:
    async with await AsyncInjector.open(device) as injector:
        events: asyncio.Queue[Any] = asyncio.Queue()
        injector.listen(events.put_nowait)  # called in this loop
        watching = asyncio.create_task(watch(events))
        await injector.begin_treatment()
        await injector.prime(volume_ml=0.1)
        result = await injector.dose(volume_ml=0.02, depth_mm=1.0, zone="cheek")
        watching.cancel()
    print(type(result).__name__, result.reason)


if __name__ == "__main__":
    chosen = sys.argv[1] if len(sys.argv) > 1 else "sim://"
    run = virtual_time.run if chosen.startswith("sim:") else asyncio.run
    run(main(chosen))
