"""Every limit, said a second time in the units of its source: what is mistyped once is not mistyped twice."""

from __future__ import annotations

import pytest

from mesoprotocol import limits

ML, UL, MM, S, MS, KPA = 1_000_000, 1000, 1000, 1000, 1, 1000

AGAIN = {
    # volumes
    "DOSE_MIN_NL": 20 * UL,
    "DOSE_MAX_NL": 200 * UL,
    "PRIME_MAX_NL": ML // 2,
    "TREATMENT_MAX_NL": 20 * ML,
    "OCCLUSION_NL": 6 * UL,
    "PRIME_FLUSH_NL": 10 * UL,
    # depths
    "METERED_DEPTH_MIN_UM": MM // 2,
    "METERED_DEPTH_MAX_UM": 4 * MM,
    "FRACTIONAL_DEPTH_MIN_UM": 4 * MM // 10,
    "FRACTIONAL_DEPTH_MAX_UM": 4 * MM,
    "DEPTH_TOLERANCE_UM": 15 * MM // 100,
    "DEPTH_OVER_UM": 4 * 15,
    "ENCODER_TOLERANCE_UM": 64 * 5 // 16,
    # runs
    "RATE_MIN_PER_MIN": 60,
    "RATE_MAX_PER_MIN": 30 * 60,
    "STROKES_MAX": 900 * 30,
    "RUN_MAX_S": 30 * 60,
    "NEEDLES_MIN": 12,
    "NEEDLES_MAX": 20,
    "AREA_MIN_CM2": 1,
    "AREA_MAX_CM2": 1500,
    "COVERAGE_MAX_PERCENT": 20,
    "NEEDLE_AREA_X1000_MM2": round(3.14159 / 4 * 0.25**2 * 1000),
    "INDEX_TOLERANCE_STEPS": 32,
    "BAD_STROKES_IN_A_ROW": 3,
    "BAD_STROKES_PER_300": 300 // 100,
    # time
    "HEARTBEAT_PERIOD_MS": S // 10,
    "HEARTBEAT_TIMEOUT_MS": 400 * MS,
    "LINK_LOST_FINISH_MS": 2 * S,
    "PREPARED_MS": 5 * S,
    "ARMED_MS": 30 * S,
    "HELD_MS": 10 * S,
    "TRIGGER_PAIR_MS": 50 * MS,
    "CONTACT_STEADY_MS": 150 * MS,
    "NEEDLE_HOME_MS": 150 * MS,
    "DEADMAN_MS": S // 4,
    "SETTLE_MAX_MS": 5 * S,
    # pressure
    "FLAT_PA": 5 * KPA // 2,
    # books
    "CHUNK_PERCENT": 100 // 20,
    "CHUNK_STROKES": 15,
    "STROKE_RING": 1 << 9,
    "EVENTS_KEPT": 1 << 4,
    "AUTH_FAILURES": 5,
    "AUTH_BACKOFF_S": 64,
    "LEDGER_DOSES": 1 << 8,
}

ZONES_AGAIN = {
    # deepest metered in mm, deepest fractional in mm, largest dose in ul
    "forehead": (2.0, 0.75, 50),
    "temple": (1.5, 0.5, 50),
    "periorbital": (1.0, 0.5, 20),
    "nose": (1.5, 0.5, 20),
    "cheekbone": (2.0, 1.0, 100),
    "cheek": (2.0, 2.0, 100),
    "upper_lip": (1.5, 0.75, 20),
    "chin": (2.0, 2.0, 100),
    "neck": (1.5, 0.5, 50),
    "scalp": (4.0, 1.5, 100),
    "body": (4.0, 2.0, 200),
}


@pytest.mark.parametrize("name", AGAIN)
def test_a_limit_is_what_its_source_says(name: str) -> None:
    assert getattr(limits, name) == AGAIN[name]


def test_zones_are_what_their_sources_say() -> None:
    assert [row[0] for row in limits.ZONES] == list(range(1, 12))
    found = {row[1]: (row[2] / MM, row[3] / MM, row[4] / UL) for row in limits.ZONES}
    assert found == ZONES_AGAIN


def test_the_syringe_is_the_one_that_is_measured() -> None:
    """1 ml: a bore of 4.78 mm, 0.3125 um a step and 0.5 um a count of it; 30G x 4 mm with water."""
    row = next(row for row in limits.PROFILES if row[1] == "1ml-30G4-aqueous")
    area_mm2 = 3.14159265 / 4 * 4.78**2
    assert row[0] == 1 and row[2] == round(4.78 * MM) and row[3] == ML
    assert row[4] == round(area_mm2 * 312.5)  # pl
    assert row[5] == round(area_mm2 * 500)
    assert row[6:] == (200, 755, 20 * UL, 20)
