"""MC/DC of conditions that `and` and `or` join, as pymcdc sees it: a second opinion beside mutants of each condition.

Of pymcdc 0.2.6 the instrumentation and the judgement of pairs are used: its command runs one unittest file. It takes an
`if` within an `if` for two decisions, of which each has one condition: that is left to the mutants.
"""

from __future__ import annotations

import ast
import itertools
import json
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.judges import mutants

TARGETS = mutants.TARGETS
TESTS = ("tests/safety", "tests/firmware")
CPU_S = 600
RECORDER = """
import json

SEEN = set()
UNDER_WAY = []


def recorder(name):
    def init(line, column, value):
        UNDER_WAY.append((line, column, []))
        return value

    def one(result, line, column, condition):
        UNDER_WAY[-1][2].append((condition, bool(result)))
        return result

    def end(result):
        line, column, conditions = UNDER_WAY.pop()
        seen = (name, line, column, bool(result), tuple(conditions))
        if seen not in SEEN:
            SEEN.add(seen)
            with open(LOG, "a") as book:
                book.write(json.dumps(seen) + chr(10))
        return result

    return init, one, end
"""
"""Writes each outcome of a decision once, at once: a process may be killed."""


def lacking(tests: Sequence[str] = TESTS) -> tuple[int, list[str]]:
    """How many conditions there are, and those whose effect on their decision the tests have not shown.

    Raises ValueError if a test fails.
    """
    from pymcdc.transform_log import LogTransformer

    files = sorted({file for pattern in TARGETS for file in mutants.FIRMWARE.glob(pattern)})
    decisions: dict[tuple[str, int, int], list[str]] = {}
    with tempfile.TemporaryDirectory() as name:
        folder, log = Path(name), Path(name) / "seen.jsonl"
        log.touch()
        (folder / "mcdc_recorder.py").write_text(f"LOG = {str(log)!r}\n{RECORDER}", encoding="utf-8")
        package = folder / mutants.FIRMWARE.name
        shutil.copytree(mutants.FIRMWARE, package, ignore=shutil.ignore_patterns("__pycache__"))
        for file in files:
            transformer = LogTransformer(file=str(file))
            transformer.go_visit()
            names = "init_bool_register, bool_register, end_bool_register"
            head = f"import mcdc_recorder\n{names} = mcdc_recorder.recorder({file.stem!r})\n"
            source = ast.unparse(ast.fix_missing_locations(transformer.tree))
            (package / file.name).write_text(head + source, encoding="utf-8")
            for place, terms in transformer.decisoes.items():
                if "*" in terms or "+" in terms:
                    decisions[(file.stem, *place)] = [term for term in terms if term not in ("*", "+", "-")]
        done = mutants.run(folder, [*tests, "-k", mutants.SLOW], CPU_S)
        if done.returncode:
            raise ValueError(f"the tests fail without any mistake: {done.stdout[-500:]}")
        rows = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    seen: dict[tuple[str, int, int], set[str]] = {place: set() for place in decisions}
    for module, line, column, result, conditions in rows:
        if (module, line, column) in seen:
            values = dict(conditions)
            row = (result, *(values.get(at) for at in range(len(decisions[module, line, column]))))
            seen[module, line, column].add("".join({True: "V", False: "F", None: "X"}[each] for each in row))
    missing = [
        f"{place[0]}.py:{place[1]}: {condition}"
        for place, conditions in decisions.items()
        for at, condition in enumerate(conditions, 1)
        if not is_shown(seen[place], at)
    ]
    return sum(map(len, decisions.values())), missing


def is_shown(rows: set[str], condition: int) -> bool:
    """Whether two outcomes of a decision differ by this condition alone, from 1: `V`, `F`, or `X`: not asked."""
    from pymcdc.verifica_mcdc import par_mcdc

    return any(par_mcdc(one, other, condition) for one, other in itertools.combinations(sorted(rows), 2))
