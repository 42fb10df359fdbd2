"""Where people read progress and errors; figures go to stdout."""

from rich.console import Console

screen = Console(stderr=True, markup=False)
