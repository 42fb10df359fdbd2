"""What a newcomer reads first, followed word by word: a fresh clone, an empty home, and the page's own commands only.

What is cloned is HEAD with the changes to tracked files that are not committed yet. Of the environment nothing is left
but PATH, without anybody's virtual environment, and what says how this machine reaches the package index.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.house.rooms import ROOT
from tests.system.test_pages_run import BLOCK

SECTION = re.compile(r"^## ([^\n]+)\n(.*?)(?=^## |\Z)", re.M | re.S)
REACH = re.compile(r"PIP_|SSL_|REQUESTS_|CURL_CA_|NODE_|NPM_|(HTTPS?|NO|ALL)_PROXY$", re.I)
TRACED = re.compile(r"\++ ")
"""How the shell says what it runs."""
LONGEST_S = 840


def fresh(home: Path) -> dict[str, str]:
    """A newcomer's environment."""
    home.mkdir()
    path = [each for each in os.environ["PATH"].split(os.pathsep) if not (Path(each).parent / "pyvenv.cfg").exists()]
    kept = {name: value for name, value in os.environ.items() if REACH.match(name)}
    return {**kept, "HOME": str(home), "PATH": os.pathsep.join(path)}


def git(*words: str, given: bytes | None = None) -> bytes:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    done = subprocess.run(["git", *words], input=given, capture_output=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Skips, with the reason, where a newcomer could not begin either."""
    if not (ROOT / ".git").exists() or not shutil.which("git"):
        pytest.skip("nothing to clone: this is no checkout, or git is not installed")
    folder = tmp_path_factory.mktemp("machine")
    environment = fresh(folder / "home")
    python = [shutil.which("python3", path=environment["PATH"]) or "false", "-c"]
    if subprocess.run([*python, "import sys; sys.exit(sys.version_info < (3, 11))"], check=False).returncode:
        pytest.skip("python3 on the PATH is not Python 3.11 or newer, which the pages ask for")
    fetch = [sys.executable, "-m", "pip", "download", "--no-deps", "--retries=0", "--dest", str(folder), "hatchling"]
    done = subprocess.run(fetch, capture_output=True, text=True, env=environment, check=False)
    if done.returncode:
        pytest.skip(f"the package index cannot be reached: {done.stderr.strip().splitlines()[-1]}")


def clone(folder: Path) -> None:
    git("clone", "--quiet", str(ROOT), str(folder))
    if changes := git("-C", str(ROOT), "diff", "--binary", "HEAD"):
        git("-C", str(folder), "apply", given=changes)
        git("-C", str(folder), "add", "--all")


def follow(commands: str, folder: Path) -> str:
    """Run them in one shell, up to the first that fails; what is printed."""
    clone(folder / "mesoinjector")
    (folder / "commands.sh").write_text(commands)
    done = subprocess.run(
        ["bash", "-ex", str(folder / "commands.sh")],
        cwd=folder / "mesoinjector",
        env=fresh(folder / "home"),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=LONGEST_S,
        check=False,
        text=True,
    )
    assert done.returncode == 0, f"{commands}\nended with {done.returncode}:\n{done.stdout}"
    return done.stdout


def blocks(text: str, language: str) -> list[str]:
    return [block[2] for block in BLOCK.finditer(text) if block[1] == language]


@pytest.mark.timeout(900)
@pytest.mark.usefixtures("machine")
@pytest.mark.parametrize("page", ["device-engineer", "clinic-developer", "qa"])
def test_where_a_reader_starts(page: str, tmp_path: Path) -> None:
    """It ends with what is shown, and leaves nothing in the checkout that git would show."""
    start = dict(SECTION.findall((ROOT / f"docs/{page}.md").read_text()))["Start here"]
    (commands,) = blocks(start, "sh")
    (shown,) = blocks(start, "text")
    printed = [line.rstrip() for line in follow(commands, tmp_path).splitlines() if not TRACED.match(line)]
    wanted = shown.splitlines()
    assert printed[-len(wanted) :] == wanted
    changed = git("-C", str(tmp_path / "mesoinjector"), "status", "--short", "--untracked-files").decode()
    assert [line for line in changed.splitlines() if line.startswith("??")] == []


@pytest.mark.timeout(900)
@pytest.mark.usefixtures("machine")
def test_the_first_page(tmp_path: Path) -> None:
    """README, from top to bottom, but for `make test`: that is the run in which this test is."""
    lines = "".join(blocks((ROOT / "README.md").read_text(), "sh")).splitlines(keepends=True)
    assert lines.count("make test\n") == 1
    lines.remove("make test\n")
    follow("".join(lines), tmp_path)
    assert (tmp_path / "mesoinjector/trial.html").stat().st_size > 10_000
