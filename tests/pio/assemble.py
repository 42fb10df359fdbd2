"""Assembles PIO sources with `adafruit_pioasm`, in the environment of its own that the Makefile makes.

Run by that environment's interpreter: `python assemble.py FILE...` prints a JSON list, for each file its words,
wrap target, wrap, and how many pins side-set has. Nothing else of this tree is imported.
"""

import json
import sys


def main(files: list[str]) -> None:
    """Print what the files come to."""
    import adafruit_pioasm

    programs = []
    for file in files:
        program = adafruit_pioasm.Program.from_file(file)
        settings = program.pio_kwargs
        words = list(program.assembled)
        programs.append(
            {
                "words": words,
                "wrap_target": settings.get("wrap_target", 0),
                "wrap": settings.get("wrap", len(words) - 1),
                "side_set": settings.get("sideset_pin_count", 0),
            }
        )
    print(json.dumps(programs))


if __name__ == "__main__":
    main(sys.argv[1:])
