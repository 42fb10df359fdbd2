"""The udev rule, installed: a folder is the computer, and the programs that run are scripts in it that say so."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from mesoinjector import LinkError, PermissionDenied, PlanError, udev_rule
from mesoinjector.cli import app, devices
from mesoinjector.machine import Machine

TARGET = f"etc/udev/rules.d/{udev_rule.NAME}"


@pytest.fixture
def computer(tmp_path: Path) -> Machine:
    """Another user's Linux, with sudo, udevadm and the real install; `ran` holds what was run."""
    install = shutil.which("install")
    if install is None:
        pytest.skip("no coreutils here")
    bin_ = tmp_path / "bin"
    bin_.mkdir()
    (bin_ / "install").symlink_to(install)
    program(bin_ / "sudo", f'echo "sudo $*" >> {tmp_path}/ran; exec "$@"')
    program(bin_ / "udevadm", f'echo "udevadm $*" >> {tmp_path}/ran')
    return Machine(tmp_path, list, is_linux=True, is_root=False, programs=str(bin_))


def program(path: Path, text: str) -> None:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


def ran(computer: Machine) -> list[str]:
    file = computer.root / "ran"
    return file.read_text().splitlines() if file.exists() else []


def test_what_is_shown_is_what_is_done(computer: Machine) -> None:
    plan = udev_rule.plan(computer)
    assert ran(computer) == [] and not (computer.root / "etc").exists()
    assert plan.text == udev_rule.file().read_text() and plan.replaced is None
    udev_rule.install(plan, computer)
    assert (computer.root / TARGET).read_text() == plan.text
    assert (computer.root / TARGET).stat().st_mode & 0o777 == 0o644
    by_sudo = [line for line in ran(computer) if line.startswith("sudo")]
    assert [line.partition("/sudo ")[2] for line in plan.lines()[:3]] == [
        line.removeprefix("sudo ") for line in by_sudo
    ]
    assert [line for line in ran(computer) if line.startswith("udevadm")] == [
        "udevadm control --reload",
        "udevadm trigger --subsystem-match=tty --subsystem-match=usb",
        "udevadm settle --timeout=10",
    ]


def test_root_needs_no_sudo_and_twice_is_once(computer: Machine) -> None:
    root = dataclasses.replace(computer, is_root=True)
    udev_rule.install(udev_rule.plan(root), root)
    said = ran(computer)
    assert said and not any(line.startswith("sudo") for line in said)
    again = udev_rule.plan(root)
    assert again.commands == ()
    udev_rule.install(again, root)
    assert ran(computer) == said


def test_a_rule_of_the_system_s_packages_counts(computer: Machine) -> None:
    there = computer.root / "usr/lib/udev/rules.d" / udev_rule.NAME
    there.parent.mkdir(parents=True)
    shutil.copy(udev_rule.file(), there)
    assert udev_rule.plan(computer).commands == ()
    there.write_text("# of an older release")
    udev_rule.install(udev_rule.plan(computer), computer)
    assert (computer.root / TARGET).is_file() and there.read_text() == "# of an older release"


def test_what_lay_there_is_shown_and_kept(computer: Machine) -> None:
    target = computer.root / TARGET
    target.parent.mkdir(parents=True)
    target.write_text("# somebody's own\n")
    plan = udev_rule.plan(computer)
    assert plan.replaced == "# somebody's own\n"
    udev_rule.install(plan, computer)
    assert target.read_text() == plan.text
    assert target.with_name(f"{udev_rule.NAME}~").read_text() == "# somebody's own\n"


@pytest.mark.parametrize("to", ["/dev/null", "kept elsewhere"])
def test_a_rule_that_was_switched_off_stays_so(computer: Machine, to: str) -> None:
    target = computer.root / TARGET
    target.parent.mkdir(parents=True)
    (target.parent / "kept elsewhere").write_text("# somebody's own")
    target.symlink_to(to)
    with pytest.raises(LinkError, match=r"switched this rule off.*Nothing was changed"):
        udev_rule.plan(computer)
    assert target.is_symlink() and ran(computer) == []


def test_refused_elsewhere_and_without_means(computer: Machine, tmp_path: Path) -> None:
    with pytest.raises(PlanError, match="Linux's"):
        udev_rule.plan(dataclasses.replace(computer, is_linux=False))
    (tmp_path / "bin/sudo").unlink()
    with pytest.raises(PermissionDenied, match=r"Next: run `mesoinjector doctor --fix` as root"):
        udev_rule.plan(computer)
    program(tmp_path / "bin/pkexec", 'exec "$@"')
    assert udev_rule.plan(computer).commands[0][0].endswith("/pkexec")
    (tmp_path / "bin/udevadm").unlink()
    with pytest.raises(LinkError, match="no udevadm"):
        udev_rule.plan(computer)


def test_a_command_that_fails_says_what_it_said(computer: Machine, tmp_path: Path) -> None:
    program(tmp_path / "bin/sudo", "echo 'a password is required' >&2; exit 1")
    with pytest.raises(LinkError, match=r"ended with 1 and said: a password is required\. Next: "):
        udev_rule.install(udev_rule.plan(computer), computer)
    assert not (computer.root / TARGET).exists()


def test_what_says_it_is_done_and_is_not(computer: Machine, tmp_path: Path) -> None:
    program(tmp_path / "bin/sudo", "exit 0")
    with pytest.raises(LinkError, match="still not this release's"):
        udev_rule.install(udev_rule.plan(computer), computer)


def test_words_of_a_folder_s_name_are_no_commands(tmp_path: Path, computer: Machine) -> None:
    root = tmp_path / "a b; touch harm"
    root.mkdir()
    odd = dataclasses.replace(computer, root=root)
    udev_rule.install(udev_rule.plan(odd), odd)
    assert (root / TARGET).is_file() and not list(tmp_path.rglob("harm"))


# --- The command -------------------------------------------------------------------------------------------


@pytest.fixture
def run(computer: Machine, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    monkeypatch.setattr(devices, "Machine", lambda: computer)
    journal = ("--journal", str(computer.root / "j.sqlite"))
    return lambda *words, **more: CliRunner().invoke(app, ["doctor", "--fix", *journal, *words], **more)


@pytest.mark.parametrize("typed", ["n\n", ""])
def test_without_a_yes_nothing_is_changed(run: Callable[..., Any], computer: Machine, typed: str) -> None:
    done = run(input=typed)
    assert done.exit_code == 2 and "Nothing was changed" in done.stderr
    assert udev_rule.file().read_text() in done.stderr  # what would have been written
    assert "sudo" in done.stderr and "install -b -D -T -m 644" in done.stderr.replace("\n", " ")
    assert ran(computer) == [] and not (computer.root / TARGET).exists()


def test_a_yes_installs_it_and_the_examination_follows(run: Callable[..., Any], computer: Machine) -> None:
    done = run(input="y\n")
    assert done.exit_code == 3  # no device is there
    assert (computer.root / TARGET).is_file() and "devices" in done.stdout


def test_in_json(run: Callable[..., Any], computer: Machine) -> None:
    told = json.loads(run("--yes", "--json").stdout)
    assert told["fix"]["installed"] and told["fix"]["file"] == str(computer.root / TARGET) and told["checks"]
    assert len(told["fix"]["commands"]) == 4
    again = json.loads(run("--json").stdout)["fix"]
    assert again == {"file": str(computer.root / TARGET), "commands": [], "installed": False}
