"""Only the safety channel gives permit, motor power and the dead-man's food."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.house.rooms import ROOT, package_files

GIVING = ("permit", "enable", "feed_deadman")
CHANNEL = "safety.py"


def taken(file: Path, text: str) -> Iterator[str]:
    """Where a Board's gates are named by anything but the safety channel."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Attribute) and node.attr in GIVING:
            owner = node.value.attr if isinstance(node.value, ast.Attribute) else getattr(node.value, "id", "")
            if owner not in ("safety", "_safety"):
                yield f"{file.name}:{node.lineno}: {owner}.{node.attr}"


@pytest.mark.requirement("SR-10")
def test_nobody_else_opens_a_gate_of_the_board() -> None:
    files = [file for file in package_files(ROOT, "mesofirmware") if file.parent.name not in ("boards", "start")]
    found = [line for file in files if file.name != CHANNEL for line in taken(file, file.read_text(encoding="utf-8"))]
    assert found == []
    channel = next(file for file in files if file.name == CHANNEL)
    assert {line.rpartition(".")[2] for line in taken(channel, channel.read_text(encoding="utf-8"))} == set(GIVING)


def test_a_gate_that_is_opened_elsewhere_is_seen() -> None:
    assert list(taken(Path("metered.py"), "self._board.permit(True, False)")) == ["metered.py:1: _board.permit"]
    assert list(taken(Path("metered.py"), "go = board.enable")) == ["metered.py:1: board.enable"]
    assert list(taken(Path("metered.py"), "self._safety.permit(False)")) == []
