"""The site holds every page, builds without a warning, and asks no network for anything."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.house.rooms import ROOT

NAMED = re.compile(r"^ +- [^:]+: (\S+\.md)$", re.M)
LOADED = re.compile(
    r"""<(?:script|img|iframe)\b[^>]*?\bsrc="?(?:https?:)?//[^>]*>|<link\b[^>]*\bhref="?(?:https?:)?//[^>]*>"""
)


def test_the_navigation_names_each_page_once() -> None:
    pages = sorted(path.name for path in (ROOT / "docs").glob("*.md"))
    assert sorted(NAMED.findall((ROOT / "mkdocs.yml").read_text())) == pages


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("mkdocs", reason="the site's tools are installed by `make docs`")
    folder = tmp_path_factory.mktemp("site")
    build = [sys.executable, "-m", "mkdocs", "build", "--site-dir", str(folder)]  # --quiet would count no warnings
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(build, cwd=ROOT, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    return folder


def test_the_site_asks_no_network(site: Path) -> None:
    loaded = {found for page in site.rglob("*.html") for found in LOADED.findall(page.read_text())}
    styles = {found for style in site.rglob("*.css") for found in re.findall(r"url\(.?https?:[^)]*", style.read_text())}
    assert (loaded, styles) == (set(), set())


def test_the_site_holds_what_the_pages_link_to(site: Path) -> None:
    for page in site.glob("*.html"):
        for link in re.findall(r'href="?(files/[^"# >]+)', page.read_text()):
            assert (site / link).is_file(), f"{page.name}: {link}"
    assert (site / "files/host/mesoinjector/giving.py.txt").read_text() == (
        ROOT / "host/mesoinjector/giving.py"
    ).read_text()


def test_the_site_refers_to_commands_and_public_names(site: Path) -> None:
    commands, names = (site / "commands.html").read_text(), (site / "api.html").read_text()
    assert 'id="mesoinjector-run"' in commands
    assert "--continue" in commands
    for name in (
        "Injector.dose",
        "results.Delivered",
        "errors.DoseUncertain",
        "Treatment.run",
        "journal.Journal.settle",
    ):
        assert f'id="mesoinjector.{name}"' in names, name
