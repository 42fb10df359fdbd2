"""Schedules by construction: each message is brought about, and each kind of fault happens to it.

A message that is new in the schema needs its scene here; `cells` says so.
"""

from __future__ import annotations

import random

from mesosim.lab.frames import KINDS, MESSAGES, Fault
from mesosim.lab.schedules.words import Do, Schedule

DOSE = Do("dose", 20_000)
RUN = Do("run", 20)
SERIES = Do("perfusion", 20_000)
SECONDS = (0, 300, 3_000, 20_000)
"""What may pass before somebody looks after the first dose, ms."""

SCENES: dict[str, tuple[Schedule, Schedule, int]] = {
    "Hello": ([], [DOSE, Do("connect")], 2),
    "Auth": ([], [DOSE, Do("connect")], 1),
    "ReadEvent": ([], [DOSE, Do("connect")], 1),
    "Sync": ([], [DOSE], 2),
    "Provision": ([], [Do("provision"), Do("connect"), DOSE], 1),
    "Status": ([], [DOSE], 2),
    "Stop": ([], [DOSE], 1),
    "Clear": ([Do("stop"), Do("rest", 1_000)], [Do("clear"), DOSE], 1),
    "Heartbeat": ([], [DOSE], 15),
    "StartTreatment": ([], [Do("treatment"), Do("prime", 50_000), DOSE], 1),
    "Prepare": ([], [DOSE], 1),
    "PrepareSeries": ([], [SERIES], 1),
    "PrepareRun": ([], [RUN], 1),
    "PrepareDry": ([], [Do("dry", 20)], 1),
    "PrepareHome": ([], [Do("home")], 1),
    "Commit": ([], [DOSE], 1),
    "Query": ([], [DOSE], 4),
    "Ledger": ([], [DOSE, Do("ledger", 1)], 2),
    "Ack": ([DOSE, Do("rest", 20_000), Do("connect")], [Do("acknowledge"), Do("clear")], 1),
    "Cartridge": ([], [RUN, Do("cartridge")], 1),
    "SetDate": ([], [Do("treatment"), RUN], 1),
    "NewSyringe": ([], [Do("new_syringe"), Do("prime", 50_000), DOSE], 1),
    "Update": ([], [DOSE, Do("update")], 1),
    "Confirm": ([], [Do("confirm"), DOSE], 1),
    "UpdateBegin": ([], [DOSE, Do("application"), Do("connect"), DOSE], 1),
    "UpdateWrite": ([], [Do("application"), Do("connect"), DOSE], 1),
    "UpdateStage": ([], [Do("application"), Do("connect"), DOSE], 1),
    "Restart": ([], [DOSE, Do("restart"), Do("connect"), Do("prime", 50_000), DOSE], 1),
    "Log": ([], [DOSE, Do("log", 2)], 1),
    "Settings": ([], [DOSE, Do("settings")], 1),
    "Calibrate": ([], [DOSE, Do("calibrate", 500), DOSE], 1),
    "Alarms": ([], [DOSE, Do("alarms")], 1),
    "SelfTest": ([], [DOSE, Do("self_test")], 1),
    "AlarmEvent": ([Do("battery", 46)], [DOSE], 1),
    "Strokes": ([RUN], [Do("strokes")], 1),
    "OutcomeEvent": ([], [DOSE], 1),
    "PhaseEvent": ([], [DOSE], 4),
    "Telemetry": ([], [DOSE], 40),
    "StrokeRecordsEvent": ([], [RUN], 2),
}
"""Of each message and its reply: what comes before the fault is armed, what after it, and how often it then passes."""

NEVER: dict[tuple[str, str], str] = {}
"""Cells that cannot be, each with its reason."""

DURING = ("Prepare", "Commit", "Query", "Heartbeat", "OutcomeEvent", "PhaseEvent", "Telemetry")
"""Messages of every dose under way, for a second fault."""


def cells() -> list[tuple[str, str]]:
    """Every message x fault that can be."""
    strange = [message for message in MESSAGES if message.removesuffix(" reply") not in SCENES]
    assert not strange, (
        f"no scene brings about {', '.join(strange)}. Next: add them to SCENES in mesosim/lab/schedules/cover.py."
    )
    return [(message, kind) for message in MESSAGES for kind in KINDS if (message, kind) not in NEVER]


def of_cell(message: str, kind: str, seed: str) -> Schedule:
    """A schedule in which this fault happens to this message."""
    rng = random.Random(f"{seed} {message} {kind}")
    before, after, most = SCENES[message.removesuffix(" reply")]
    schedule = list(before)
    if "Ack" in message:
        schedule.insert(0, Fault("Telemetry", rng.randint(5, 30), "reset", 1))
    elif "Stop" in message:
        schedule.append(Do("stop later", rng.randrange(2_500)))
    schedule.append(Fault(message, rng.randint(1, most), kind, at(rng, kind)))
    if rng.random() < 0.4:
        other = rng.choice(KINDS)
        schedule.append(Fault(rng.choice(DURING), rng.randint(1, 4), other, at(rng, other)))
    schedule += after
    if rng.random() < 0.5:
        schedule += [Do("rest", rng.choice(SECONDS)), Do("connect"), Do("acknowledge"), Do("clear")]
        if rng.random() < 0.3:
            schedule += [Do("prime", 50_000)]
        schedule += [Do("dose", 25_000)]
    return schedule


def at(rng: random.Random, kind: str) -> int:
    """Where or how late."""
    if kind in ("delay", "duplicate"):
        return rng.randrange(rng.choice((2, 20, 400, 5_000)))
    return rng.randrange(10_000)
