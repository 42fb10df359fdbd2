"""Installing the udev rule: what is written and run is known before anything is asked, and looked at again afterwards.

As root the commands run as they are, else through sudo or pkexec; never through a shell. Done twice it is done once.
"""

from __future__ import annotations

import shlex
import subprocess
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from mesoinjector import errors
from mesoinjector.machine import RULE_FOLDERS, Machine

NAME = "70-mesoinjector.rules"
"""Before udev's 73-seat-late.rules, which reads the tag that gives the port to whoever sits there."""
WITHIN_S = 300.0
"""A command that has not ended by then is given up: somebody may have to type a password."""

_BY_HAND = "Next: run as root what `mesoinjector doctor` shows."


def file() -> Path:
    """The rule as this package brings it."""
    return Path(str(resources.files("mesoinjector") / "udev" / NAME))


@dataclass(frozen=True, slots=True)
class Installation:
    """What would be done."""

    target: Path
    text: str
    """What would be written to `target`."""
    commands: tuple[tuple[str, ...], ...]
    """What would run, in this order; empty if the rule is installed as it is here."""
    replaced: str | None
    """What lies at `target` now, which would be kept beside it as `...rules~`; None if nothing."""

    def lines(self) -> list[str]:
        """The commands as a person would type them."""
        return [shlex.join(each) for each in self.commands]


def plan(machine: Machine) -> Installation:
    """What installing it takes. Changes nothing.

    Raises `PlanError` elsewhere than on Linux, `PermissionDenied` for want of sudo and pkexec, `LinkError` where there
    is no udev, or where somebody has put something of his own in the rule's place.
    """
    if not machine.is_linux:
        raise errors.PlanError("udev rules are Linux's: here no rule is needed. Nothing was changed.")
    text = file().read_text()
    target = machine.root / RULE_FOLDERS[0] / NAME
    if target.is_symlink() or (target.exists() and not target.is_file()):
        raise errors.LinkError(
            f"{target} is no plain file: somebody has switched this rule off, or keeps it elsewhere. Nothing was "
            "changed. Next: remove it, if that is no longer wanted."
        )
    installed = machine.rule_file(NAME)
    if installed is not None and installed.read_bytes() == text.encode():
        return Installation(installed, text, (), text)
    replaced = target.read_text(errors="replace") if target.is_file() else None
    return Installation(target, text, _commands(machine, target), replaced)


def install(installation: Installation, machine: Machine) -> None:
    """Run the commands, and look whether the rule is there.

    Raises `LinkError` with what a command said; what was done before it stays, and doing it again is safe.
    """
    for command in installation.commands:
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=WITHIN_S)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise errors.LinkError(f"{shlex.join(command)} did not run: {error}. {_BY_HAND}") from None
        if done.returncode:
            said = done.stderr.strip() or "nothing"
            raise errors.LinkError(
                f"{shlex.join(command)} ended with {done.returncode} and said: {said[-300:]}. {_BY_HAND}"
            )
    left = plan(machine)
    if left.commands:
        raise errors.LinkError(f"{left.target} is still not this release's. {_BY_HAND}")


def _commands(machine: Machine, target: Path) -> tuple[tuple[str, ...], ...]:
    for needed in ("install", "udevadm"):
        if machine.program(needed) is None:
            raise errors.LinkError(f"there is no {needed} on this computer, so no udev. Nothing was changed.")
    prefix: tuple[str, ...] = ()
    if not machine.is_root:
        found = machine.program("sudo") or machine.program("pkexec")
        if found is None:
            raise errors.PermissionDenied(
                "only root may install the rule, and there is no sudo or pkexec. Nothing was changed. "
                "Next: run `mesoinjector doctor --fix` as root."
            )
        prefix = (found,)
    install, udevadm = str(machine.program("install")), str(machine.program("udevadm"))
    return (
        (*prefix, install, "-b", "-D", "-T", "-m", "644", str(file()), str(target)),
        (*prefix, udevadm, "control", "--reload"),
        (*prefix, udevadm, "trigger", "--subsystem-match=tty", "--subsystem-match=usb"),
        (udevadm, "settle", "--timeout=10"),
    )
