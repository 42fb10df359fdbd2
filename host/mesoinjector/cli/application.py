"""`mesoinjector application`, `update`: applications built, signed and looked at, and brought to a device."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeElapsedColumn

from mesoinjector import application as applications
from mesoinjector import errors, updating
from mesoinjector.cli.screen import screen
from mesoinjector.cli.service import AsJson, Device, JournalPath, KeyFile
from mesoinjector.injector import Injector
from mesoinjector.service import Service
from mesoprotocol import messages

app: typer.Typer = typer.Typer(no_args_is_help=True, help="Build, sign and verify applications. Nothing is sent.")
Folder = Annotated[Path, typer.Argument(metavar="FOLDER", help="Folder of the application.")]


def register(root: typer.Typer) -> None:
    """Add these commands to `mesoinjector`."""
    root.add_typer(app, name="application")
    root.command()(update)


@app.command()
def build(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="New or empty folder.")],
    board: Annotated[
        list[str] | None, typer.Option(help="For this board alone; again for more. By default pico and pico2.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Compile this installation's firmware into a folder, with its manifest. Sign it next."""
    _tell(folder, applications.build(folder, tuple(board or applications.BOARDS)), as_json)


@app.command()
def sign(
    folder: Folder,
    key: Annotated[Path, typer.Option(help="Private half of the signing key, PEM.")],
    as_json: AsJson = False,
) -> None:
    """Sign an application that is whole. A signature that is there is replaced."""
    _tell(folder, applications.sign(folder, _read(key)), as_json)


@app.command()
def verify(
    folder: Folder,
    key: Annotated[Path | None, typer.Option(help="Public half of the signing key, PEM: is it this one's?")] = None,
    as_json: AsJson = False,
) -> None:
    """Hold every file against the manifest and, with --key, the signature against its key."""
    application = applications.Application.load(folder)
    if key is not None and not application.is_signed_by(_modulus(key)):
        what = "not signed" if application.signature is None else f"not signed with {key}"
        raise errors.ApplicationError(f"{folder}: {what}. Next: take it from where it was signed, or sign it.")
    _tell(folder, application, as_json, None if key is None else str(key))


@app.command()
def key(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="New file for the private half; the other is FILE.pub.")],
    as_json: AsJson = False,
) -> None:
    """Generate a key that signs applications. Whoever has FILE makes what devices run: keep it off this computer."""
    from mesoinjector import signing

    public = signing.new_key(file)
    _print({"private": str(file), "public": str(public)}, as_json)


def update(
    device: Device,
    folder: Annotated[
        Path | None, typer.Argument(metavar="FOLDER", help="Signed application; without, say what runs.")
    ] = None,
    confirm: Annotated[
        bool, typer.Option("--confirm", help="Without FOLDER: keep what is on trial, if its self-test passes.")
    ] = False,
    older: Annotated[
        bool, typer.Option("--older", help="Accept one that is older than what is on the device.")
    ] = False,
    journal: JournalPath = None,
    key: KeyFile = None,
    as_json: AsJson = False,
) -> None:
    """Bring an application to a device, try it, and keep it if its self-test passes. Moves nothing.

    An update that was cut off goes on where it stood: say the same again.
    """
    if folder is not None and confirm:
        raise errors.PlanError("say either FOLDER or --confirm. Next: mesoinjector update --help")
    application = None if folder is None else applications.Application.load(folder)
    with Injector.open(device, journal, key) as injector:
        if application is not None:
            with _bar() as bar:
                task = bar.add_task(f"version {application.version}", total=application.size)
                found = updating.install(injector, application, older, lambda done, _: bar.update(task, completed=done))
        else:
            found = updating.confirm(injector) if confirm else Service(injector).update()
        firmware = injector.hello.firmware
    facts: dict[str, object] = {
        "firmware": firmware,
        "slot": "AB"[found.slot],
        "update": messages.UPDATE_NAMES[found.update].lower(),
        "tries_left": found.tries_left,
        "safe": bool(found.safe),
    }
    if application is not None:
        facts["installed"] = application.version
    _print(facts, as_json)


def _bar() -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeElapsedColumn())
    return Progress(*columns, console=screen)


def _tell(folder: Path, application: applications.Application, as_json: bool, signer: str | None = None) -> None:
    facts: dict[str, object] = {
        "folder": str(folder),
        "version": application.version,
        "boards": ",".join(application.boards),
        "files": len(application.files),
        "bytes": application.size,
        "mpy": ",".join(map(str, application.mpy)),
        "signed": application.signature is not None,
    }
    if signer is not None:
        facts["signed_with"] = signer
    _print(facts, as_json)


def _print(facts: dict[str, object], as_json: bool) -> None:
    if as_json:
        print(json.dumps(facts))
        return
    for name, value in facts.items():
        print(f"{name.replace('_', ' '):24} {value}")


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise errors.ApplicationError(
            f"{path}: {error.strerror}. Next: name a key that `mesoinjector application key` has made."
        ) from None


def _modulus(path: Path) -> bytes:
    from mesoinjector import signing

    return signing.modulus(_read(path))
