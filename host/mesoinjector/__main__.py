"""`python -m mesoinjector`: the command line."""

from mesoinjector.cli import main

main()
