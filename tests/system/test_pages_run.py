"""The Python on the pages runs as shown: blocks of a page in order, and what follows one is its output."""

from __future__ import annotations

import contextlib
import io
import re
from pathlib import Path

import pytest

from tests.house.rooms import ROOT

BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.M | re.S)
PAGES = ["README.md", *(f"docs/{path.name}" for path in sorted((ROOT / "docs").glob("*.md")))]


def examples(text: str) -> list[tuple[int, str, str | None]]:
    """Line, code, and the plain block right behind it, if there is one."""
    blocks = list(BLOCK.finditer(text))
    found = []
    for block, after in zip(blocks, [*blocks[1:], None], strict=True):
        if block[1] == "python":
            shown = after is not None and not after[1] and not text[block.end() : after.start()].strip()
            line = text.count("\n", 0, block.start()) + 2
            found.append((line, block[2], after[2] if after is not None and shown else None))
    return found


@pytest.mark.parametrize("page", [page for page in PAGES if "```python\n" in (ROOT / page).read_text()])
def test_a_page_runs_as_shown(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {"__name__": "page"}
    for line, code, shown in examples((ROOT / page).read_text()):
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            exec(compile("\n" * (line - 1) + code, page, "exec"), names)
        if shown is not None:
            assert out.getvalue() == shown, f"{page}:{line}"
