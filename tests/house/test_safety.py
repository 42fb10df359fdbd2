"""Requirements, code and tests fit together, and each check finds what does not."""

from pathlib import Path

import pytest

from tests.house import safety
from tests.house.rooms import ROOT

DATA = """
[[hazard]]
id = "H-01"
text = "Over-dose"

[[requirement]]
id = "SR-01"
text = "No dose above the maximum."
hazard = ["H-01"]
code = ["mesofirmware.rules.dose", "mesofirmware.rules.Limit.check"]
state = "met"
note = ""

[[requirement]]
id = "SR-02"
text = "A soft limit is confirmed."
hazard = ["H-01"]
code = []
state = "open"
note = ""

[[residual]]
text = "No board."

[[unmodelled]]
text = "Leaks."
"""
CODE = "def dose():\n    pass\n\n\nclass Limit:\n    def check(self):\n        pass\n"
TEST = 'import pytest\n\n\n@pytest.mark.requirement("SR-01")\ndef test_too_much():\n    pass\n'


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """One requirement met, one open; one room of firmware, one test."""
    write(tmp_path / safety.DATA, DATA)
    write(tmp_path / "firmware/mesofirmware/rules.py", CODE)
    write(tmp_path / "tests/firmware/test_rules.py", TEST)
    return tmp_path


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_this_tree_keeps_to_it() -> None:
    assert safety.findings(ROOT) == []
    assert (ROOT / safety.PAGE).read_text() == safety.page(ROOT)


def test_every_requirement_is_there() -> None:
    ids = [row["id"] for row in safety.load(ROOT)["requirement"]]
    assert ids == [f"SR-{n:02}" for n in range(1, 36)]


def test_what_is_allowed_passes(tree: Path) -> None:
    assert safety.findings(tree) == []


@pytest.mark.parametrize(
    ("file", "old", "new", "found"),
    [
        ("tests/firmware/test_rules.py", '@pytest.mark.requirement("SR-01")\n', "", "no test is marked"),
        ("tests/firmware/test_rules.py", "SR-01", "SR-77", "there is no requirement SR-77"),
        ("tests/firmware/test_rules.py", '"SR-01"', "", "names no requirement"),
        ("tests/firmware/test_rules.py", '"SR-01"', "SR_01", "not as a string"),
        ("tests/firmware/test_rules.py", '("SR-01")', "", "names no requirement"),
        ("tests/firmware/test_rules.py", "def test_too_much", "def too_much", "decorates no test"),
        ("tests/firmware/test_rules.py", "def test_too_much():", "class TestTooMuch:", "decorates no test"),
        ("tests/firmware/test_rules.py", "@pytest", "pytestmark = [pytest", "decorates no test"),
        ("tests/requirements.toml", 'state = "met"', 'state = "done"', "must be one of met, partly, open"),
        ("tests/requirements.toml", 'state = "met"', 'state = "partly"', "does not say what is missing"),
        ("tests/requirements.toml", 'state = "open"', 'state = "met"', "SR-02: is \"met\", and no test"),
        ("tests/requirements.toml", "rules.dose", "rules.run", "there is no mesofirmware.rules.run"),
        ("tests/requirements.toml", "Limit.check", "Limit.hold", "there is no mesofirmware.rules.Limit.hold"),
        ("tests/requirements.toml", "mesofirmware.rules.dose", "other.rules.dose", "there is no other.rules"),
        ("tests/requirements.toml", '["H-01"]', "[]", "names no hazard"),
        ("tests/requirements.toml", '["H-01"]', '["H-09"]', "there is no hazard H-09"),
        ("tests/requirements.toml", 'id = "SR-02"', 'id = "SR-01"', "SR-01: twice"),
        ("tests/requirements.toml", 'note = ""\n\n[[req', 'remark = ""\n\n[[req', "keys must be"),
        ("tests/requirements.toml", "[[requ", '[[hazard]]\nid = "H-2"\ntext = ""\n[[requ', "no requirement"),
        ("firmware/mesofirmware/rules.py", "def dose", "def doses", "there is no mesofirmware.rules.dose"),
    ],
)  # fmt: skip
def test_what_is_planted_is_found(tree: Path, file: str, old: str, new: str, found: str) -> None:
    text = (tree / file).read_text()
    assert old in text
    planted = text.replace(old, new, 1)
    if "pytestmark" in new:
        planted = planted.replace("\ndef test", "]\n\n\ndef test", 1)
    (tree / file).write_text(planted)
    assert any(found in line for line in safety.findings(tree)), safety.findings(tree)


def test_the_check_writes_nothing_and_finds_a_stale_page(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert safety.main(["--check"], tree) == 1
    assert "stale" in capsys.readouterr().err
    assert not (tree / safety.PAGE).exists()
    assert safety.main([], tree) == 0
    assert safety.main(["--check"], tree) == 0
    page = tree / safety.PAGE
    assert "test_too_much" in page.read_text()
    assert "No board." in page.read_text()
    assert "Leaks." in page.read_text()
    page.write_text(page.read_text().replace("Over-dose", "over-dose"))
    assert safety.main(["--check"], tree) == 1


def test_a_fault_is_an_error_even_where_the_page_is_written(tree: Path) -> None:
    write(tree / "tests/firmware/test_rules.py", "")
    assert safety.main([], tree) == 1
