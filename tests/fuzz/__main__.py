"""`python -m tests.fuzz decoder|session`: fuzz one of them for FUZZ_SECONDS, guided by coverage. For `make fuzz`.

What was found is written to `.fuzz/`; `python -m tests.fuzz decoder FILE` runs it again.
"""

import gc
import os
import sys
from importlib import import_module
from pathlib import Path

import atheris

GUIDES = {
    "decoder": ["mesoprotocol", "mesoinjector.connection"],
    # what decides about requests; the rest of the firmware runs at its own speed
    "session": [f"mesofirmware.{room}" for room in ("link", "session", "transaction", "plan", "rules")],
}
FOUND = Path(".fuzz")
MEMORY_MB = 512
SLOWEST_S = 30


def main(name: str, again: list[str]) -> None:
    """Never returns: libFuzzer ends the process, with 0 if nothing was found."""
    with atheris.instrument_imports(include=GUIDES[name]):
        target = import_module(f"tests.fuzz.{name}")
    gc.freeze()  # each boot of the simulated device collects garbage, which is not to be sought in modules
    corpus = FOUND / name
    corpus.mkdir(parents=True, exist_ok=True)
    for i, seed in enumerate(target.seeds()):
        (corpus / f"seed{i}").write_bytes(seed)
    limits = [f"-rss_limit_mb={MEMORY_MB}", f"-timeout={SLOWEST_S}", "-max_len=4096", "-print_final_stats=1"]
    duration = f"-max_total_time={os.environ.get('FUZZ_SECONDS', '60')}"
    where = [f"-artifact_prefix={corpus}-", *(again or [duration, str(corpus)])]
    atheris.Setup([sys.argv[0], *limits, *where], target.Target().run)
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
