"""Service: the self-test that is asked for."""

from __future__ import annotations

import json

from typer.testing import CliRunner

from mesoinjector.cli import app


def test_the_command_line_has_the_device_test_itself() -> None:
    done = CliRunner().invoke(app, ["selftest", "--device", "sim://cpython", "--json"])
    assert done.exit_code == 0
    assert json.loads(done.stdout) == {"failed": [], "self_tests": 2}
