"""The site beside its pages: files of this repository that they link to, and the reference of the command line.

Pages link to `../host/...`, as GitHub wants it. On the site those files lie below `files/`, as text that every browser
shows. A link to a file that is not there is left as it is, and fails the build.
"""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parents[1]
OUTSIDE = re.compile(r"\]\(\.\./([^)#]+)")
REFERENCE = [sys.executable, "-m", "typer", "mesoinjector.cli", "utils", "docs", "--name", "mesoinjector"]


def on_files(files: Files, config: Any) -> None:
    """Add what the pages link to outside docs/."""
    linked = {path for page in files.documentation_pages() for path in OUTSIDE.findall(page.content_string)}
    for path in sorted(linked):
        if (ROOT / path).is_file():
            files.append(File.generated(config, f"files/{path}.txt", abs_src_path=str(ROOT / path)))


def on_page_markdown(markdown: str, page: Any, files: Files, **_: Any) -> str:
    """Point links at the copies; add the reference of all commands to the page of the command line."""
    if page.file.src_uri == "commands.md":
        made = subprocess.run(REFERENCE, capture_output=True, text=True, check=True).stdout
        markdown += "\n" + re.sub(r"^#", "##", made.partition("\n")[2], flags=re.M)

    def local(link: re.Match[str]) -> str:
        return f"](files/{link[1]}.txt" if (ROOT / link[1]).is_file() else link[0]

    return OUTSIDE.sub(local, markdown)
