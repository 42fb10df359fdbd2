"""Records one whole session of the simulated device, seed 1, for docs/PROTOCOL-session.md.

`python -m tests.system.record_session` writes `tests/vectors/session.jsonl` if the session has changed; then run
`python -m mesoprotocol.generate`. What the host's clock and the interpreter's name say is not compared.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

from mesoinjector import Delivered, Injector
from mesoinjector.journal import Journal
from mesoinjector.keys import Key
from mesoinjector.recorder import RecordingLink
from mesoinjector.simulated import SimulatedLink
from mesoprotocol import wire
from mesosim import runtime as simulator
from tests.house.rooms import ROOT

SESSION = ROOT / "tests" / "vectors" / "session.jsonl"


KEY = Key(wire.ROLE_OPERATOR, bytes(range(1, 33)))
"""The operator's key, as the page tells it."""


def record(path: Path) -> None:
    """Prove a key, start a treatment, prime, give the smallest dose, stop, clear."""
    device = simulator.start("cpython", 1)
    factory = Injector(SimulatedLink("sim://?seed=1", device, 1), Journal(":memory:"))
    factory.provision(Key(wire.ROLE_SERVICE, bytes(range(101, 133))))
    factory.provision(KEY)
    link = RecordingLink(SimulatedLink("sim://?seed=1", device, 2), path)
    with Injector(link, Journal(":memory:"), KEY) as injector:
        injector.status()
        injector.begin_treatment()
        assert isinstance(injector.prime(volume_ml=0.1), Delivered)
        assert isinstance(injector.dose(volume_ml=0.02, depth_mm=1.0, zone="forehead", point=1), Delivered)
        injector.stop()
        # until the operator has let go of the trigger
        injector._pump.until(injector.link.now_us() + 400_000, lambda: False)
        assert injector.clear() == 0


def comparable(path: Path) -> list[dict[str, Any]]:
    """A recording's lines without what differs from one computer to another."""
    header, *rows = (json.loads(line) for line in path.read_text().splitlines())
    del header["utc"]
    for row in rows:
        for message in row.get("messages", ()):
            if "implementation" in message["fields"]:
                del message["fields"]["implementation"], row["hex"]
    return [header, *rows]


def main() -> None:
    """Write the recording, unless the one that is there says the same."""
    with tempfile.TemporaryDirectory() as folder:
        fresh = Path(folder) / "session.jsonl"
        record(fresh)
        if SESSION.exists() and comparable(fresh) == comparable(SESSION):
            print(f"unchanged: {SESSION.relative_to(ROOT)}")
            return
        SESSION.write_bytes(fresh.read_bytes())
        print(f"written: {SESSION.relative_to(ROOT)}; now run `python -m mesoprotocol.generate`")


if __name__ == "__main__":
    main()
