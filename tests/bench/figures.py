"""Speed and size as ratios to a peer or a bound of the same run, and what has changed since the last release.

Seconds differ with the machine and its load; what was measured by turns with its peer differs in both alike. Hence each
round keeps both, and only their ratio is compared: its median, with the middle half of the rounds as its spread.
"""

from __future__ import annotations

import json
import math
import os
import platform
import statistics
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from rich.table import Table
from rich.text import Text

Better = Literal["more", "less"]
Verdict = Literal["same", "better", "REGRESSION", "new", "missing"]
STYLES: dict[Verdict, str] = {
    "same": "",
    "better": "green",
    "REGRESSION": "bold red",
    "new": "cyan",
    "missing": "yellow",
}
FEWEST_ROUNDS = 3
"""Of what is timed: with fewer there is no spread to tell a change from."""
MEDIAN_ERROR = 0.929
"""A normal sample's median has 1.2533 sd / sqrt(n), and its quartiles lie 1.349 sd apart."""
SMALLEST = 0.01
"""A change of less is none, whatever the spread says: counted figures have none."""
SMALLEST_TIMED = 0.35
"""The same of what is timed: on a machine shared with others, runs of the same sources hours apart were up to 32 %
apart, with spreads of 12 % within both."""


@dataclass(frozen=True)
class Figure:
    """One thing beside its peer or bound."""

    name: str
    against: str
    unit: str
    """Of both numbers of a round."""
    better: Better
    """Whether a greater or a smaller ratio is."""
    rounds: tuple[tuple[float, float], ...]
    """Ours and the peer's, or the bound, of each round."""

    @property
    def ratios(self) -> list[float]:
        """Ours by theirs, of each round."""
        return [ours / theirs for ours, theirs in self.rounds]

    @property
    def ratio(self) -> float:
        """The median round's, of two the lower: what was measured, and what the evidence recomputes."""
        return statistics.median_low(self.ratios)

    @property
    def spread(self) -> float:
        """Between the quartiles of the rounds' ratios, as a share of their median; 0 of a counted figure."""
        if len(self.rounds) == 1:
            return 0.0
        first, _, third = statistics.quantiles(self.ratios, n=4, method="inclusive")
        return (third - first) / self.ratio

    @property
    def error(self) -> float:
        """Standard error of the median round's ratio, as a share of it, from a normal sample's spread."""
        return MEDIAN_ERROR * self.spread / math.sqrt(len(self.rounds))

    def is_of(self, other: Figure) -> bool:
        """Whether both measure the same thing in the same way."""
        return (self.against, self.unit, self.better) == (other.against, other.unit, other.better)


def machine() -> str:
    """What figures were measured on: its processor, how many of them, and its Python."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    model = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "")
    return f"{model or platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"


def load() -> float:
    """Programs that wanted a core over the last minute, per core; 0 where the system does not say."""
    return os.getloadavg()[0] / (os.cpu_count() or 1) if hasattr(os, "getloadavg") else 0.0


@dataclass
class Figures:
    """One run's, by their names in the order of the table."""

    machine: str = field(default_factory=machine)
    load: float = field(default_factory=load)
    """Per core, before the run: well below 1 on a machine that does nothing else."""
    date: str = field(default_factory=lambda: time.strftime("%Y-%m-%d", time.gmtime()))
    found: dict[str, Figure] = field(default_factory=dict)

    def timed(
        self,
        name: str,
        against: str,
        unit: str,
        better: Better,
        rounds: Iterable[tuple[float, float]],
    ) -> None:
        """Keep what was measured in rounds, by turns with its peer. Raises ValueError if there are too few."""
        figure = Figure(name, against, unit, better, tuple(rounds))
        if len(figure.rounds) < FEWEST_ROUNDS:
            raise ValueError(f"{name}: {len(figure.rounds)} rounds; Next: measure at least {FEWEST_ROUNDS}")
        self._keep(figure)

    def counted(self, name: str, against: str, unit: str, ours: float, bound: float) -> None:
        """Keep what is the same in each run, beside its bound; less is better."""
        self._keep(Figure(name, against, unit, "less", ((ours, bound),)))

    def _keep(self, figure: Figure) -> None:
        if figure.name in self.found:
            raise ValueError(f"{figure.name}: measured twice; Next: give each figure a name of its own")
        if not all(ours > 0 and theirs > 0 for ours, theirs in figure.rounds):
            raise ValueError(f"{figure.name}: {figure.rounds}; Next: record what is greater than 0")
        self.found[figure.name] = figure

    def write(self, path: Path) -> None:
        """As JSON; ratio and spread are there for readers."""
        figures = {
            figure.name: {
                "against": figure.against,
                "unit": figure.unit,
                "better": figure.better,
                "ratio": significant(figure.ratio),
                "spread": significant(figure.spread),
                "rounds": [[significant(each) for each in both] for both in figure.rounds],
            }
            for figure in self.found.values()
        }
        head = {"date": self.date, "machine": self.machine, "load_per_core": round(self.load, 2)}
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({**head, "figures": figures}, indent=1) + "\n")


def significant(number: float) -> float:
    """Six digits of it."""
    return float(f"{number:.6g}")


def read(path: Path) -> Figures:
    """What `Figures.write` wrote."""
    told: dict[str, Any] = json.loads(path.read_text())
    found = {
        name: Figure(
            name,
            each["against"],
            each["unit"],
            each["better"],
            tuple((ours, theirs) for ours, theirs in each["rounds"]),
        )
        for name, each in told["figures"].items()
    }
    return Figures(told["machine"], told["load_per_core"], told["date"], found)


@dataclass(frozen=True)
class Change:
    """One figure, now and at the last release."""

    verdict: Verdict
    now: Figure | None
    then: Figure | None
    change: float = 0.0
    """Of the ratio, as a share of what it was."""
    noise: float = 0.0
    """What it may be by chance: by so much more, or by a factor so great less."""


def compare(now: Figures, then: Figures) -> list[Change]:
    """A line for each figure of this run, then one for each that only the release has."""
    lines = [_compared(each, then.found.get(each.name)) for each in now.found.values()]
    return lines + [Change("missing", None, each) for name, each in then.found.items() if name not in now.found]


def _compared(now: Figure, then: Figure | None) -> Change:
    if then is None or not now.is_of(then):
        return Change("new", now, None)
    change = now.ratio / then.ratio - 1
    is_timed = min(len(now.rounds), len(then.rounds)) > 1
    noise = max(SMALLEST_TIMED if is_timed else SMALLEST, 2 * math.hypot(now.error, then.error))
    if max(now.ratio / then.ratio, then.ratio / now.ratio) - 1 <= noise:
        verdict: Verdict = "same"
    else:
        verdict = "better" if (change > 0) == (now.better == "more") else "REGRESSION"
    return Change(verdict, now, then, change, noise)


def table(lines: Sequence[Change]) -> Table:
    """For a terminal: what is worse than by chance in red, and named so where there are no colours."""
    made = Table(title="each a ratio to a peer or a bound of the same run: medians of rounds", title_justify="left")
    for name in ("figure", "against", "better"):
        made.add_column(name, overflow="fold")
    for name in ("ours", "theirs", "ratio", "spread", "release", "change", "noise"):
        made.add_column(name, justify="right", no_wrap=True)
    made.add_column("", no_wrap=True)
    for line in lines:
        figure = line.now or line.then
        assert figure is not None
        cells = [figure.name, figure.against, figure.better, *_now(line.now)]
        cells.append(f"{line.then.ratio:,.3g}" if line.then else "")
        cells += [f"{line.change:+.1%}", f"{line.noise:.1%}"] if line.noise else ["", ""]
        made.add_row(*(Text(cell) for cell in [*cells, line.verdict]), style=STYLES[line.verdict])
    return made


def _now(figure: Figure | None) -> list[str]:
    if figure is None:
        return ["", "", "", ""]
    both = [statistics.median_low(each) for each in zip(*figure.rounds, strict=True)]
    return [*(f"{each:,.4g} {figure.unit}" for each in both), f"{figure.ratio:,.3g}", f"{figure.spread:.1%}"]


def summary(lines: Sequence[Change]) -> str:
    """How many figures have which verdict, and the names of those to look at."""
    counts: Mapping[Verdict, list[str]] = {
        verdict: [(line.now or line.then).name for line in lines if line.verdict == verdict]  # type: ignore[union-attr]
        for verdict in STYLES
    }
    told = [f"{len(names)} {verdict}" for verdict, names in counts.items() if names]
    named = [f"{verdict}: {', '.join(counts[verdict])}" for verdict in ("REGRESSION", "missing") if counts[verdict]]
    return "\n".join([", ".join(told) or "no figures", *named])
