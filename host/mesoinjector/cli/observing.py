"""`mesoinjector monitor`, `record`, `replay`, `latency`: what a device does, as it does it, or as it was recorded."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.live import Live

from mesoinjector import recording
from mesoinjector.cli.screen import screen
from mesoinjector.cli.service import AsJson, Device, JournalPath
from mesoinjector.injector import Injector
from mesoinjector.monitor import Monitor
from mesoprotocol import stream

LOOK_S = 0.2
"""How often a device at rest is asked where it stands."""

Seconds = Annotated[float | None, typer.Option(min=0, help="End after this time; by default at Ctrl-C.")]


def register(app: typer.Typer) -> None:
    """Add these commands to `mesoinjector`."""
    for command in (monitor, record, replay, latency):
        app.command()(command)


def monitor(device: Device, seconds: Seconds = None, journal: JournalPath = None, as_json: AsJson = False) -> None:
    """Watch a device: state, inputs, alarms; pressure, plunger, needle and cadence as moving plots. Moves nothing.

    With --json, one object a line. Ctrl-C ends it, and sends nothing.
    """
    with Injector.open(device, journal) as injector:
        _watch(injector, seconds, as_json)


def record(
    file: Annotated[Path, typer.Argument(help="New file; `decode` reads it, `replay` shows it again.")],
    device: Device,
    seconds: Seconds = None,
    journal: JournalPath = None,
    as_json: AsJson = False,
) -> None:
    """Watch a device and write down all that passes on the line. `run --record FILE` does so for a treatment."""
    with Injector.open(device, journal, record=file) as injector:
        _watch(injector, seconds, False)
    entries = len(recording.read(file).items)
    if as_json:
        print(json.dumps({"file": str(file), "entries": entries}))
    else:
        screen.print(f"{entries} entries in {file}", soft_wrap=True)


def replay(
    file: Annotated[Path, typer.Argument(help="File made with --record, or by `record`.")],
    speed: Annotated[float, typer.Option(min=0.01, max=1000, help="How many times as fast as it was.")] = 1.0,
    as_json: AsJson = False,
) -> None:
    """Show what a device did in a recorded session, at its pace; with --json at once, one object a line.

    The driver itself, or a program of yours, goes through a recorded session with the address replay:FILE.
    """
    decoder = stream.Decoder()
    with _shown(as_json) as take:
        now_us: int | None = None
        for item in recording.read(file).items:
            if not isinstance(item, recording.Transfer) or item.to_device:
                continue
            if now_us is not None and not as_json:
                time.sleep(max(0, item.t_us - now_us) / 1e6 / speed)
            now_us = item.t_us
            for frame in decoder.feed(item.data):
                take(frame.message)


def latency(
    device: Device,
    count: Annotated[int, typer.Option(min=1, max=100_000, help="Round trips.")] = 200,
    journal: JournalPath = None,
    as_json: AsJson = False,
) -> None:
    """Measure the round trip of a STATUS request, by the line's clock. Moves nothing."""
    with Injector.open(device, journal) as injector:
        injector.status()
        took_us: list[int] = []
        for _ in range(count):
            start_us = injector.link.now_us()
            injector.status()
            took_us.append(injector.link.now_us() - start_us)
        virtual = injector.link.virtual
    took_us.sort()
    facts = {
        "round_trips": count,
        "p50_us": took_us[count // 2],
        "p99_us": took_us[min(count - 1, count * 99 // 100)],
        "worst_us": took_us[-1],
        "virtual": virtual,
    }
    if as_json:
        print(json.dumps(facts))
        return
    print(f"{count} round trips of STATUS{', in virtual time' if virtual else ''}")
    for name in ("p50", "p99", "worst"):
        print(f"{name:8} {facts[f'{name}_us'] / 1000:9.3f} ms")


def _watch(injector: Injector, seconds: float | None, as_json: bool) -> None:
    end_us = None if seconds is None else injector.link.now_us() + round(seconds * 1e6)
    with _shown(as_json) as take:
        unlisten = injector.listen(take)
        try:
            while end_us is None or injector.link.now_us() < end_us:
                take(injector.status())
                injector.wait(LOOK_S)
        except KeyboardInterrupt:
            pass
        finally:
            unlisten()


@contextmanager
def _shown(as_json: bool) -> Generator[Callable[[Any], None]]:
    """What takes events, and shows them."""
    watched = Monitor()

    def take(event: Any) -> None:
        facts = watched.take(event)
        if as_json and facts is not None:
            print(json.dumps(facts), flush=True)

    with nullcontext() if as_json else Live(watched, console=screen, refresh_per_second=10):
        yield take
