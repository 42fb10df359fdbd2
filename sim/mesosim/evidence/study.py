"""What a study is: cases that are played, tables of what came of them, and figures that follow from the tables alone.

A `Figure` is a number that the document shows. Its `How` names one of the computations of `computing.py`, so that
`recompute.py`, which knows nothing of this package, comes to the same number from the CSV files.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from matplotlib import figure as drawn
from numpy.typing import NDArray

Value = int | float | str
Row = dict[str, Value]
"""One row of a table: the same columns, in the same order, in all rows of it. Units end the columns' names."""

Rows = dict[str, list[Row]]
"""What one case gives: rows by the name of their table, `dose-devices`: it is the CSV file's name, too."""

Case = Any
"""Plain values that say all about one piece of work; they are pickled on their way to a worker."""

Where = Mapping[str, Value | Sequence[Value]]
"""Columns, and the value that each must have, or one of several."""


class Tables(dict[str, list[Row]]):
    """All rows of a study, by the name of their table."""

    def rows(self, table: str, where: Where | None = None) -> list[Row]:
        """Those rows of a table that fit, in the order of the cases; none of a table that nothing was written to."""
        wanted = {name: _several(value) for name, value in (where or {}).items()}
        return [row for row in self.get(table, []) if all(row[name] in some for name, some in wanted.items())]

    def column(self, table: str, column: str, where: Where | None = None) -> NDArray[np.float64]:
        """One column of `rows`, of numbers."""
        return np.array([float(row[column]) for row in self.rows(table, where)])

    def distinct(self, table: str, column: str, where: Where | None = None) -> list[Value]:
        """Each value of a column once, in the order that it appears."""
        return list(dict.fromkeys(row[column] for row in self.rows(table, where)))


def _several(value: Value | Sequence[Value]) -> Sequence[Value]:
    return (value,) if isinstance(value, int | float | str) else tuple(value)


@dataclass(frozen=True, slots=True)
class How:
    """How a figure is computed from a table: `do` is a name in `computing.COMPUTATIONS`."""

    do: str
    table: str
    column: str = ""
    where: Where = field(default_factory=dict)
    parameters: Mapping[str, Value] = field(default_factory=dict)
    """What the computation takes besides; `scale` multiplies any result."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A number in the document."""

    id: str
    """Its name in the document and in `figures.json`: `dose.20.front.low`."""
    label: str
    value: float | None
    """None: there are too few rows to say."""
    unit: str
    how: How
    digits: int = 2
    """Decimals shown; the whole value stands behind it."""
    low: float | None = None
    high: float | None = None

    @property
    def passed(self) -> bool | None:
        """Whether it lies within its limits; None if it has none. What cannot be said is not passed."""
        if self.low is None and self.high is None:
            return None
        if self.value is None:
            return False
        return (self.low is None or self.value >= self.low) and (self.high is None or self.value <= self.high)


def number(one: Figure) -> str:
    """A figure as people read it, with a minus as wide as the plus."""
    return "–" if one.value is None else f"{one.value:,.{one.digits}f}".replace("-", "−")


FEW = 4
"""Figures that a line of acceptance shows beside it."""


class Grid(NamedTuple):
    """A table of the document."""

    caption: str
    head: Sequence[str]
    rows: Sequence[Sequence[Figure | str]]
    """Figures are written as numbers with their verdict, text as it is."""


class Verdict(NamedTuple):
    """One line of acceptance."""

    text: str
    """What was asked, with its limit."""
    figures: Sequence[Figure]
    """The line is passed if all of these are; every one has a limit."""
    cause: str = ""
    """Why it failed, for the reader; shown only then."""

    @property
    def passed(self) -> bool:
        """Whether everything asked holds; nothing to show is not passed."""
        return bool(self.figures) and all(figure.passed for figure in self.figures)


class Column(NamedTuple):
    """A column of a table that follows from others of its row, and is held against them by `recompute.py`."""

    table: str
    column: str
    do: str
    """A name in `recompute.DERIVED`."""
    of: Sequence[str]
    slack: float = 0.0


class Plot(NamedTuple):
    """A drawing, made within `style.drawing`."""

    name: str
    title: str
    """What one sees, in a sentence; also for those who cannot see it."""
    figure: drawn.Figure


@dataclass(frozen=True, slots=True)
class Account:
    """What a study comes to."""

    verdicts: Sequence[Verdict]
    grids: Sequence[Grid]
    notes: Sequence[str] = ()
    """Paragraphs behind the tables: what follows, and what does not."""

    def beside(self, verdict: Verdict) -> list[Figure]:
        """What a line of acceptance shows beside it: few figures all, of many what failed or stands in no table."""
        in_grids = {figure.id for figure in self._of_grids()}
        few = len(verdict.figures) <= FEW
        return [one for one in verdict.figures if few or not one.passed or one.id not in in_grids]

    def _of_grids(self) -> Iterator[Figure]:
        return (cell for grid in self.grids for row in grid.rows for cell in row if isinstance(cell, Figure))

    def figures(self) -> Iterator[Figure]:
        """Each figure once, as the document shows them."""
        seen: set[str] = set()
        for figure in (*(one for verdict in self.verdicts for one in verdict.figures), *self._of_grids()):
            if figure.id not in seen:
                seen.add(figure.id)
                yield figure


@dataclass(frozen=True, slots=True)
class Study:
    """One study; its functions are a module's, so that a worker elsewhere finds them."""

    name: str
    """For `--only` and as the begin of its tables' names."""
    title: str
    question: str
    method: str
    """How it was asked, and after which standard's method; paragraphs are parted by empty lines."""
    cases: Callable[[bool, int], list[Case]]
    """All cases; `True` for the reduced form; by a seed."""
    run: Callable[[Case], Rows]
    """Play one case, in a worker."""
    account: Callable[[Tables], Account]
    plots: Callable[[Tables], list[Plot]]
    files: Callable[[], dict[str, str]] = dict
    """What else lies beside the document: texts by file name."""
    columns: Sequence[Column] = ()
    """What follows within its rows."""
    is_of_checkout: bool = False
    """Whether it reads the checkout that it is started in: no worker elsewhere can."""
