"""Where people read progress and errors; figures go to stdout."""

from collections.abc import Callable, Generator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

screen = Console(stderr=True, markup=False)


@contextmanager
def cases_bar() -> Generator[Callable[[int, int, str], None]]:
    """A progress bar of cases: done, all, and what is said of them; nothing where `screen` is no terminal."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=screen, transient=True, disable=not screen.is_terminal) as bar:
        task = bar.add_task("playing", total=None)

        def on_progress(done: int, cases: int, said: str) -> None:
            bar.update(task, description=said, completed=done, total=cases)

        yield on_progress
