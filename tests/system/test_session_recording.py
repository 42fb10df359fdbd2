"""The session that docs/PROTOCOL-session.md shows is the one that driver and simulator make now."""

from __future__ import annotations

from pathlib import Path

from tests.system import record_session


def test_it_is_what_they_do_now(tmp_path: Path) -> None:
    record_session.record(tmp_path / "now.jsonl")
    now = record_session.comparable(tmp_path / "now.jsonl")
    kept = record_session.comparable(record_session.SESSION)
    first = next((i for i, pair in enumerate(zip(kept, now, strict=False), 1) if pair[0] != pair[1]), None)
    assert now == kept, (
        f"line {first} differs: python -m tests.system.record_session && python -m mesoprotocol.generate"
    )
