"""The same document for paper, by fpdf2: A4, with the type that matplotlib ships, so that it looks alike everywhere."""

from __future__ import annotations

import io
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import matplotlib as mpl
from fpdf import FPDF
from fpdf.enums import Align, TableBordersLayout, VAlign, XPos, YPos
from fpdf.fonts import FontFace

from mesosim.evidence.study import Figure, Grid, Verdict, number

if TYPE_CHECKING:
    from mesosim.evidence.document import Chapter, Document

FONT = "DejaVu"
INK, MUTED, BAD, GOOD = (29, 42, 53), (91, 104, 115), (166, 60, 0), (0, 102, 75)
MARGIN_MM, LINE_MM = 18.0, 5.0
LONG_MM = 110.0
"""Wider than that no column wishes to be."""
ROOM_MM = 30.0
"""Left on a sheet on which a table still begins."""
DPI = 200
"""Of plots: enough for paper."""


def write(document: Document, path: Path) -> None:
    """Write the PDF. Raises OSError."""
    logging.getLogger("fontTools").setLevel(logging.WARNING)  # it tells of every table that it leaves out
    page = Page()
    page.add_page()
    page.heading("The evidence", 20)
    page.paragraph(
        "How accurate, how safe and how fast the mesoinjector's firmware and driver are, on the simulated device. "
        "Every volume and position is the simulated plant's. All numbers follow from the CSV files that lie beside "
        "this document; recompute.py there computes them anew."
    )
    page.grid(Grid("", ["", ""], [[label, fact] for label, fact in document.facts.items()]), head=False)
    page.heading("What was asked, and what came of it", 14)
    page.verdicts([(chapter.title, verdict) for chapter, verdict in document.verdicts()])
    for chapter in document.chapters:
        _chapter(page, chapter)
    page.output(str(path))


def _chapter(page: Page, chapter: Chapter) -> None:
    page.add_page()
    page.heading(chapter.title, 14)
    page.paragraph(chapter.question, MUTED, 11)
    for paragraph in chapter.method.split("\n\n"):
        page.paragraph(paragraph)
    page.verdicts([("", verdict) for verdict in chapter.account.verdicts])
    for plot in chapter.plots:
        file = io.BytesIO()
        plot.figure.savefig(file, format="png", dpi=DPI)
        page.picture(file, plot.title, *plot.figure.get_size_inches())
    for grid in chapter.account.grids:
        page.grid(grid)
    for note in chapter.account.notes:
        page.paragraph(note)
    page.paragraph("Raw data: " + ", ".join(f"data/{name}.csv" for name in chapter.tables), MUTED, 8)


def marked(one: Figure) -> str:
    """A figure, with a mark if it is not passed."""
    return f"{number(one)}\u00a0✗" if one.passed is False else number(one)


class Page(FPDF):
    """A4 sheets with this document's type."""

    def __init__(self) -> None:
        super().__init__(format="A4")
        fonts = Path(mpl.get_data_path()) / "fonts" / "ttf"
        self.add_font(FONT, "", fonts / "DejaVuSans.ttf")
        self.add_font(FONT, "B", fonts / "DejaVuSans-Bold.ttf")
        self.set_margin(MARGIN_MM)
        self.set_auto_page_break(True, MARGIN_MM)
        self.set_title("mesoinjector: the evidence")

    def footer(self) -> None:
        """The number of the sheet."""
        self.set_y(-MARGIN_MM + 4)
        self.set_font(FONT, "", 8)
        self.set_text_color(*MUTED)
        self.cell(0, LINE_MM, f"{self.page_no()}", align=Align.R)

    def heading(self, text: str, size: int) -> None:
        """A title."""
        self.ln(3)
        self.set_font(FONT, "B", size)
        self.set_text_color(*INK)
        self.multi_cell(0, size * 0.5, text, align=Align.L, new_x=XPos.LMARGIN, new_y=YPos.NEXT)
        self.ln(2)

    def paragraph(self, text: str, colour: tuple[int, int, int] = INK, size: int = 9) -> None:
        """A paragraph."""
        self.set_font(FONT, "", size)
        self.set_text_color(*colour)
        self.multi_cell(0, LINE_MM, text, align=Align.L, new_x=XPos.LMARGIN, new_y=YPos.NEXT)
        self.ln(1.5)

    def picture(self, file: io.BytesIO, title: str, wide: float, high: float) -> None:
        """A plot over the whole width, never torn from what it shows."""
        height = self.epw * high / wide
        if self.get_y() + height + 3 * LINE_MM > self.page_break_trigger:
            self.add_page()
        self.image(file, w=self.epw, h=height)
        self.paragraph(title, MUTED, 8)

    def verdicts(self, said: Sequence[tuple[str, Verdict]]) -> None:
        """Lines of acceptance, with the cause of those that failed."""
        if not said:
            return
        self.set_font(FONT, "", 8)
        self.set_text_color(*INK)
        named = any(title for title, _ in said)
        widths = (28, 100, 22) if named else (128, 22)
        with self.table(
            col_widths=widths, text_align=Align.L, line_height=4.2, borders_layout=TableBordersLayout.HORIZONTAL_LINES
        ) as table:
            table.row((*(("study",) if named else ()), "asked", "result"))
            for title, verdict in said:
                row = table.row()
                if named:
                    row.cell(title)
                row.cell(verdict.text if verdict.passed else f"{verdict.text}\nCause: {verdict.cause}")
                row.cell(
                    "passed" if verdict.passed else "FAILED",
                    style=FontFace(emphasis="BOLD", color=GOOD if verdict.passed else BAD),
                )
        self.ln(3)

    def grid(self, grid: Grid, *, head: bool = True) -> None:
        """A table; of a wide one the type is smaller."""
        if not grid.rows:
            return
        if self.get_y() + ROOM_MM > self.page_break_trigger:
            self.add_page()  # a caption stands above its table
        if grid.caption:
            self.set_font(FONT, "B", 9)
            self.set_text_color(*INK)
            self.multi_cell(0, LINE_MM, grid.caption, align=Align.L, new_x=XPos.LMARGIN, new_y=YPos.NEXT)
        columns = len(grid.head)
        size = 8 if columns <= 8 else 6
        self.set_font(FONT, "", size)
        self.set_text_color(*INK)
        cells = [[marked(cell) if isinstance(cell, Figure) else cell for cell in row] for row in grid.rows]
        lines = [list(grid.head), *cells] if head else cells
        widths = self._widths(list(zip(*lines, strict=True)))
        aligned = [Align.R if isinstance(cell, Figure) else Align.L for cell in grid.rows[0]]
        with self.table(
            col_widths=widths,
            width=min(self.epw, sum(widths)),
            align=Align.L,
            text_align=aligned,
            line_height=size * 0.55,
            first_row_as_headings=head,
            v_align=VAlign.T,
            borders_layout=TableBordersLayout.HORIZONTAL_LINES,
        ) as table:
            if head:
                table.row(list(grid.head))
            for row, said in zip(grid.rows, cells, strict=True):
                line = table.row()
                for cell, text in zip(row, said, strict=True):
                    bad = isinstance(cell, Figure) and cell.passed is False
                    if bad:
                        line.cell(text, style=FontFace(emphasis="BOLD", color=BAD))
                    else:
                        line.cell(text)
        self.ln(3)

    def _widths(self, columns: Sequence[Sequence[str]]) -> list[float]:
        """Widths of columns in mm: no word is broken, and what is left goes to those with the longest texts."""
        self.set_font(style="B")
        least = [max(self._wide(word) for cell in column for word in (cell.split() or [""])) for column in columns]
        wished = [max(self._wide(cell) for cell in column) for column in columns]
        self.set_font(style="")
        more = [max(0.0, min(wish, LONG_MM) - width) for wish, width in zip(wished, least, strict=True)]
        spare = max(0.0, self.epw - sum(least))
        share = min(1.0, spare / sum(more)) if sum(more) else 0.0
        return [width + extra * share for width, extra in zip(least, more, strict=True)]

    def _wide(self, text: str) -> float:
        """With room for a cell's margins and a mark."""
        return self.get_string_width(text) + 2 * self.c_margin + 1.5
