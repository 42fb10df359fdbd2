"""`mesoinjector sim`: the simulated device. The simulator is imported only when one of these commands runs."""

from __future__ import annotations

import json
import secrets
from pathlib import Path
from typing import Annotated

import typer

from mesoinjector import errors
from mesoinjector.cli import campaign
from mesoinjector.cli.screen import screen
from mesoinjector.cli.service import AsJson

app: typer.Typer = typer.Typer(no_args_is_help=True, help="The simulated device.")
campaign.register(app)

SEED_MAX = (1 << 30) - 1


@app.command()
def serve(
    pty: Annotated[Path | None, typer.Option(help="Where to put a link to the device's pty.")] = None,
    tcp: Annotated[str | None, typer.Option(help="HOST:PORT to listen on, for socket:// addresses.")] = None,
    control: Annotated[
        Path | None, typer.Option(help="Where to put a socket for control: one JSON list [name, value] a line.")
    ] = None,
    devices: Annotated[
        int, typer.Option(min=1, max=16, help="How many; names get -2, -3 ..., ports and seeds count up.")
    ] = 1,
    runtime: Annotated[str | None, typer.Option(help="micropython or cpython; wasm has no port.")] = None,
    speed: Annotated[float, typer.Option(min=0.1, max=2.0, help="Times real time; hosts keep theirs.")] = 1.0,
    seed: Annotated[
        int | None,
        typer.Option(min=0, max=SEED_MAX, help="Seed of the simulated device; by default another each time."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Run a simulated device in real time behind a pty, a TCP port or both, until Ctrl-C."""
    from mesosim import micropython
    from mesosim import serve as server
    from mesosim.process import DeviceDied

    chosen = choose_runtime(runtime)

    def tell(seed: int, found_at: list[str]) -> None:
        facts = {"runtime": chosen, "seed": seed, "at": found_at}
        said = f"simulated device ({chosen}, seed {seed}) at {' and '.join(found_at)}"
        print(json.dumps(facts) if as_json else said, flush=True)

    if pty is None and tcp is None:
        raise errors.PlanError("sim serve: name a --pty, a --tcp address, or both.")
    try:
        number = secrets.randbelow(1 << 30) if seed is None else seed
        places = server.Places(pty, tcp, control)
        server.serve(chosen, number, speed, places, devices, on_ready=tell)
    except (OSError, ValueError) as error:
        raise errors.PlanError(f"sim serve: {error}") from None
    except DeviceDied as error:
        raise errors.LinkLost(f"sim serve: {error}") from None
    except micropython.NoMicroPython as error:
        raise errors.DeviceNotFound(str(error)) from None
    except KeyboardInterrupt:
        raise typer.Exit(0) from None


def choose_runtime(named: str | None) -> str:
    """The runtime that was named, or MicroPython where its wheel exists. Raises `PlanError`, `DeviceNotFound`."""
    if named not in (None, "cpython", "micropython", "wasm"):
        raise errors.PlanError(f"--runtime {named}: must be cpython, micropython or wasm.")
    if named:
        return named
    try:
        from mesosim import micropython
    except ImportError:
        raise errors.DeviceNotFound("the simulator is not installed. Next: pip install 'mesoinjector[sim]'.") from None
    try:
        micropython.command([])
    except micropython.NoMicroPython as error:
        screen.print(f"{error}\nUsing CPython.")
        return "cpython"
    return "micropython"
