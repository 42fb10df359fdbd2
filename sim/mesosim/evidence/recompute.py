"""Recomputes every number of evidence.html from data/*.csv, and says which are not so: `python -I recompute.py`.

It lies beside the document and needs Python and numpy, nothing else; it knows nothing of what made the document.
`figures.json` says of each number which computation, table, column and rows it comes from, and its limits; of each
table its SHA-256, and which columns follow from others. Exit code 0: all numbers and columns are so, no table is
another, and the document says of each figure and line whether it is passed as follows from them; 1: not so.
"""

import csv
import hashlib
import json
import math
import sys
from collections.abc import Callable, Iterator
from functools import cache, partial
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Row = dict[str, str]
Given = dict[str, Any]
Array = NDArray[np.float64]
OfValues = Callable[[Array, Given], float | None]

NEAR, ITERATED = 1e-10, 1e-6
"""Relative difference that two ways to compute may have, and where the number is found by iteration."""


def main(folder: Path) -> tuple[int, int, list[str]]:
    """Compare everything: how many figures and lines of acceptance there are, and what is not so."""
    document = json.loads((folder / "figures.json").read_text(encoding="utf-8"))
    shown = Shown()
    shown.feed((folder / "evidence.html").read_text(encoding="utf-8"))
    tables, wrong = read(folder / "data", document["tables"])
    for column in document["columns"]:
        wrong += follows(tables[column["table"]], column)
    held: dict[str, bool | None] = {}
    for figure in document["figures"]:
        value = compute(tables.get(figure["how"]["table"], []), figure["how"])
        wrong += [f"{figure['id']}: {fault}" for fault in differs(figure, value, shown.figures.get(figure["id"], []))]
        held[figure["id"]] = within(value, figure)
        if held[figure["id"]] != figure["passed"]:
            wrong.append(f"{figure['id']}: recomputed passed = {held[figure['id']]}, said {figure['passed']}")
    known = {figure["id"] for figure in document["figures"]}
    wrong += [f"{name}: shown, and not in figures.json" for name in shown.figures if name not in known]
    for number, verdict in enumerate(document["verdicts"]):
        passed = bool(verdict["figures"]) and all(held[name] is True for name in verdict["figures"])
        said = shown.verdicts.get(str(number), [])
        if verdict["passed"] != passed or not said or any(one != ("passed" if passed else "FAILED") for one in said):
            wrong.append(f"{verdict['study']}: {verdict['text']}: recomputed passed = {passed}, shown {said}")
    return len(document["figures"]), len(document["verdicts"]), wrong


def read(folder: Path, digests: dict[str, str]) -> tuple[dict[str, list[Row]], list[str]]:
    """All tables, and which are not those that the document was made from; nothing was written of one without rows."""
    tables: dict[str, list[Row]] = {}
    wrong: list[str] = []
    for name, digest in digests.items():
        path = folder / f"{name}.csv"
        data = path.read_bytes() if path.is_file() else b""
        if hashlib.sha256(data).hexdigest() != digest:
            wrong.append(f"{name}.csv: not the table that the document was made from")
        tables[name] = list(csv.DictReader(data.decode("utf-8").splitlines(keepends=True)))
    return tables, wrong


def follows(rows: list[Row], column: dict[str, Any]) -> Iterator[str]:
    """What is wrong with a column that follows from others."""
    for number, row in enumerate(rows, 2):
        found = DERIVED[column["do"]]([row[name] for name in column["of"]], column["slack"])
        if not near(float(found), float(row[column["column"]]), NEAR):
            said = f"{column['column']} is {row[column['column']]}, {float(found):g} follows"
            yield f"{column['table']}.csv, line {number}: {said}"


class Shown(HTMLParser):
    """What the document shows: each `<data class="figure">` with value, limits and text, and each line's verdict."""

    def __init__(self) -> None:
        super().__init__()
        self.figures: dict[str, list[list[str]]] = {}
        self.verdicts: dict[str, list[str]] = {}
        self._open: list[str] | None = None
        self._line = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Where a figure begins, or a line."""
        said = {name: value or "" for name, value in attrs}
        if tag == "data" and "figure" in said.get("class", "").split():
            self._open = [said["value"], said["data-low"], said["data-high"], ""]
            self.figures.setdefault(said["data-id"], []).append(self._open)
        elif "data-verdict" in said:
            self._line = said["data-verdict"]
            self.verdicts.setdefault(self._line, []).append("")

    def handle_data(self, data: str) -> None:
        """A figure's text, or a line's."""
        if self._open is not None:
            self._open[3] += data
        elif self._line:
            self.verdicts[self._line][-1] += data

    def handle_endtag(self, tag: str) -> None:
        """Where a figure ends, or a line."""
        if tag == "data":
            self._open = None
        elif tag == "span":
            self._line = ""


def differs(figure: dict[str, Any], value: float | None, places: list[list[str]]) -> Iterator[str]:
    """What is wrong with a figure wherever it stands."""
    if not places:
        yield "not shown"
    nearly = NEAR if figure["how"]["do"] in EXACT else ITERATED
    if not near(figure["value"], value, nearly):
        yield f"recomputed {value}, figures.json has {figure['value']}"
    for whole, low, high, text in places:
        for end, limit in (("low", low), ("high", high)):
            if (float(limit) if limit else None) != figure[end]:
                yield f"limit shown {limit or 'none'}, figures.json has {figure[end]}"
        if not near(float(whole) if whole else None, value, nearly):
            yield f"recomputed {value}, shown {whole or 'nothing'}"
        elif value is None:
            if text.strip() != "\u2013":
                yield f"recomputed nothing, written {text}"
        else:
            said = text.replace("\u2212", "-").replace(",", "").strip()
            decimals = len(said.partition(".")[2])
            if abs(float(said) - value) > 0.5 * 10**-decimals * (1 + 1e-6) + nearly * abs(value):
                yield f"recomputed {value}, written {text}"


def near(one: float | None, other: float | None, nearly: float) -> bool:
    """Whether two numbers, or none, are the same."""
    if one is None or other is None:
        return one is other
    return math.isclose(one, other, rel_tol=nearly, abs_tol=1e-12)


def within(value: float | None, figure: dict[str, Any]) -> bool | None:
    """Whether it lies within its limits; None without limits."""
    low, high = figure["low"], figure["high"]
    if low is None and high is None:
        return None
    return value is not None and (low is None or value >= low) and (high is None or value <= high)


# --- Computations ---


def compute(rows: list[Row], how: dict[str, Any]) -> float | None:
    """The number that `how` says; None if there are too few rows."""
    chosen = [row for row in rows if all(row[name] in map(str, some) for name, some in how["where"].items())]
    given = how["parameters"]
    if how["do"] in OF_ROWS:
        found = OF_ROWS[how["do"]](chosen, how["column"], given)
    else:
        found = OF_VALUES[how["do"]](np.array([float(row[how["column"]]) for row in chosen]), given)
    return None if found is None else float(found) * float(given.get("scale", 1.0))


def at_least(n: int, compute: OfValues) -> OfValues:
    """Nothing, of fewer values."""
    return lambda values, given: compute(values, given) if len(values) >= n else None


def deviation(values: Array) -> float:
    """Standard deviation of a sample."""
    return math.sqrt(float(np.sum((values - values.mean()) ** 2)) / (len(values) - 1))


def quantile(values: Array, given: Given) -> float:
    """The least value that a share q does not exceed."""
    return float(np.sort(values)[max(0, math.ceil(given["q"] * len(values) - 1e-9) - 1)])


def tolerance(values: Array, given: Given, sign: int) -> float:
    """mean -+ k s."""
    return float(values.mean()) + sign * factor(len(values), given["content"], given["confidence"]) * deviation(values)


def free(values: Array, given: Given, end: int) -> float | None:
    """Between order statistics: as many left out at both ends as the confidence allows."""
    n, out = len(values), 0
    while 2 * (out + 1) < n and binomial(n, given["content"], n - 2 * (out + 1)) >= given["confidence"]:
        out += 1
    if not out:
        return None
    return float(np.sort(values)[out - 1 if end < 0 else n - out])


def binomial(n: int, p: float, most: int) -> float:
    """P(at most `most` of n), by its terms."""
    return math.fsum(term(n, i, p) for i in range(most + 1))


def term(n: int, i: int, p: float) -> float:
    """P(i of n)."""
    if p in (0.0, 1.0):
        return float(i == n * p)
    count = math.lgamma(n + 1) - math.lgamma(i + 1) - math.lgamma(n - i + 1)
    return math.exp(count + i * math.log(p) + (n - i) * math.log1p(-p))


def range_content(values: Array, given: Given) -> float:
    """The content p of least to greatest: 1 - n p^(n-1) + (n-1) p^n = confidence."""
    n = len(values)
    return bisect(lambda p: given["confidence"] - (1 - n * p ** (n - 1) + (n - 1) * p**n), 0.0, 1.0)


def share_bound(values: Array, given: Given, end: int) -> float:
    """Clopper and Pearson, 95 %."""
    n, count = len(values), round(float(values.sum()))
    if end < 0:
        return 0.0 if count == 0 else bisect(lambda p: 1 - binomial(n, p, count - 1) - 0.025, 0.0, 1.0)
    return 1.0 if count == n else bisect(lambda p: 0.025 - binomial(n, p, count), 0.0, 1.0)


def share_most(values: Array, given: Given) -> float:
    """Clopper and Pearson, 95 % on one side; of nothing seen the rule of three."""
    n, count = len(values), round(float(values.sum()))
    return 1.0 if count == n else bisect(lambda p: 0.05 - binomial(n, p, count), 0.0, 1.0)


def allan(values: Array, given: Given) -> float | None:
    """Overlapping Allan deviation from times: second differences over m intervals."""
    m = int(given["m"])
    if len(values) < 2 * m + 1:
        return None
    early = values[m:-m] - values[: -2 * m]
    late = values[2 * m :] - values[m:-m]
    return math.sqrt(float(np.sum((late - early) ** 2)) / (2 * len(early))) / (m * float(given["period"]))


def p_normal(values: Array, given: Given) -> float | None:
    """Anderson and Darling's test; critical values of D'Agostino and Stephens 1986, table 4.7, interpolated."""
    n = len(values)
    if n <= 6 or np.ptp(values) == 0:
        return None
    z = np.sort((values - values.mean()) / deviation(values)) / math.sqrt(2)
    below = [math.log(0.5 * math.erfc(-x)) for x in z]
    above = [math.log(0.5 * math.erfc(x)) for x in z]
    a2 = -n - math.fsum((2 * i + 1) / n * (below[i] + above[n - 1 - i]) for i in range(n))
    critical = np.round(np.array([0.561, 0.631, 0.752, 0.873, 1.035]) / (1 + 0.75 / n + 2.25 / n**2), 3)
    return float(np.interp(a2, critical, [0.15, 0.10, 0.05, 0.025, 0.01]))


@cache
def factor(n: int, content: float, confidence: float) -> float:
    """k of mean -+ k s: over where the mean may lie, the chance that s is large enough (ISO 16269-6, annex)."""
    nodes, weights = np.polynomial.legendre.leggauss(64)
    z = (nodes + 1) * 4.5
    density = weights * 4.5 * np.exp(-z * z / 2) / math.sqrt(2 * math.pi)
    reach = [bisect(partial(lacking, m, content), 0.0, 15.0 + m) for m in z / math.sqrt(n)]

    def short(k: float) -> float:
        held = [chi2_above((n - 1) * (r / k) ** 2, n - 1) for r in reach]
        return 2 * float(np.dot(density, held)) - confidence

    return bisect(short, 0.5, 1000.0)


def lacking(mean: float, content: float, reach: float) -> float:
    """By how much the share of a normal population between mean - reach and mean + reach exceeds a content."""
    return -content + 0.5 * (math.erf((mean + reach) / math.sqrt(2)) - math.erf((mean - reach) / math.sqrt(2)))


def chi2_above(x: float, freedom: int) -> float:
    """The upper regularized incomplete gamma function, by series or by Lentz's continued fraction."""
    a, x = freedom / 2, x / 2
    if x <= 0:
        return 1.0
    front = math.exp(a * math.log(x) - x - math.lgamma(a))
    if x < a + 1:
        part = total = 1 / a
        n = a
        while part > total * 1e-16:
            n += 1
            part *= x / n
            total += part
        return 1 - front * total
    b, c = x + 1 - a, 1e300
    d = h = 1 / b
    for i in range(1, 10_000):
        an = -i * (i - a)
        b += 2
        d = 1 / (an * d + b)
        c = b + an / c
        h *= d * c
        if abs(d * c - 1) < 1e-16:
            break
    return front * h


def bisect(rising: Callable[[float], float], low: float, high: float) -> float:
    """Where a function that rises through zero does so."""
    for _ in range(200):
        middle = (low + high) / 2
        if middle in (low, high):
            break
        low, high = (low, middle) if rising(middle) > 0 else (middle, high)
    return (low + high) / 2


def windows(rows: list[Row], column: str, given: Given) -> Iterator[float]:
    """Errors of sums over each so many consecutive rows of a group."""
    width = int(given["width"])
    groups: dict[str, list[tuple[float, float]]] = {}
    for row in rows:
        groups.setdefault(row[given["group"]], []).append((float(row[column]), float(row[given["asked"]])))
    for pairs in groups.values():
        for first in range(len(pairs) - width + 1):
            got = math.fsum(pair[0] for pair in pairs[first : first + width])
            asked = math.fsum(pair[1] for pair in pairs[first : first + width])
            yield (got - asked) / asked


OF_ROWS: dict[str, Callable[[list[Row], str, Given], float | None]] = {
    "count": lambda rows, column, given: len(rows),
    "window_min": lambda rows, column, given: min(windows(rows, column, given), default=None),
    "window_max": lambda rows, column, given: max(windows(rows, column, given), default=None),
}

OF_VALUES: dict[str, OfValues] = {
    "sum": lambda values, given: math.fsum(values),
    "mean": at_least(1, lambda values, given: math.fsum(values) / len(values)),
    "sd": at_least(2, lambda values, given: deviation(values)),
    "min": at_least(1, lambda values, given: min(values)),
    "max": at_least(1, lambda values, given: max(values)),
    "max_abs": at_least(1, lambda values, given: max(abs(values))),
    "quantile": at_least(1, quantile),
    "k": at_least(3, lambda values, given: factor(len(values), given["content"], given["confidence"])),
    "tolerance_low": at_least(3, lambda values, given: tolerance(values, given, -1)),
    "tolerance_high": at_least(3, lambda values, given: tolerance(values, given, 1)),
    "free_low": lambda values, given: free(values, given, -1),
    "free_high": lambda values, given: free(values, given, 1),
    "range_content": at_least(3, range_content),
    "p_normal": p_normal,
    "share": at_least(1, lambda values, given: math.fsum(values) / len(values)),
    "share_low": at_least(1, lambda values, given: share_bound(values, given, -1)),
    "share_high": at_least(1, lambda values, given: share_bound(values, given, 1)),
    "share_most": at_least(1, share_most),
    "allan": allan,
}


def error(of: list[str], slack: float) -> float:
    """What was given against what was asked, %."""
    given, asked = map(float, of)
    return 100 * (given - asked) / asked


def between(of: list[str], slack: float) -> bool:
    """Whether the second of three lies within the others; without bounds it does not."""
    low, value, high = of
    return low != "" and float(low) - slack <= float(value) <= float(high) + slack


def in_time(of: list[str], slack: float) -> bool:
    """Whether an alarm came, and, where anything was at stake, it and rest within their times."""
    raised, exposed, alarm, allowed, safe, hazard = of
    if raised != "1" or exposed != "1":
        return raised == "1"
    return alarm != "" and float(alarm) <= float(allowed) and safe != "" and float(safe) <= float(hazard)


def double(of: list[str], slack: float) -> bool:
    """Whether a dose moved twice, or moved and is said not to be given; a run made more punctures than asked for."""
    what, asked, said, motions, steps, punctures = of
    if what == "run":
        return int(punctures) > (0 if said == "NotDelivered" else int(asked))
    return int(motions) > 1 or (said == "NotDelivered" and steps != "0")


def unresolved(of: list[str], slack: float) -> bool:
    """Whether nobody knows of a dose: all but what a restart has cut short, within bounds."""
    said, reason = of
    return said == "nothing" or (said == "Unknown" and reason != "interrupted")


DERIVED: dict[str, Callable[[list[str], float], float]] = {
    "error": error,
    "within": between,
    "in_time": in_time,
    "double": double,
    "unresolved": unresolved,
}

EXACT = {*OF_ROWS, "sum", "mean", "sd", "min", "max", "max_abs", "quantile", "share", "free_low", "free_high"}
"""What is computed in one go."""

if __name__ == "__main__":
    figures, verdicts, faults = main(Path(__file__).resolve().parent)
    print(*faults, sep="\n", end="\n" if faults else "")
    print(f"{figures} numbers and {verdicts} lines of acceptance recomputed from data/, {len(faults)} not so")
    sys.exit(1 if faults else 0)
