"""Every limit, said a second time in the units of its source: what is mistyped once is not mistyped twice."""

from __future__ import annotations

import zlib

import pytest

from mesoprotocol import limits

ML, UL, MM, S, MS, KPA = 1_000_000, 1000, 1000, 1000, 1, 1000

AGAIN = {
    # volumes
    "DOSE_MIN_NL": 20 * UL,
    "DOSE_MAX_NL": 200 * UL,
    "PRIME_MAX_NL": ML // 2,
    "TREATMENT_MAX_NL": 20 * ML,
    "TEST_MIN_NL": ML // 100,
    "TEST_MAX_NL": ML // 50,
    "STROKE_MIN_NL": 5 * ML // 1000,
    "STROKE_MAX_NL": 5 * ML // 100,
    "REPEAT_MAX_NL": ML // 2,
    "OCCLUSION_NL": 10 * UL - 3 * UL - 5 * UL // 2,  # undelivered, less what normal flow stores and what errs
    "OVER_PERCENT": 100 // 10,
    "OVER_NL": 2 * UL,
    "COMPLIANCE_MIN_PERCENT": 100 // 2,
    "COMPLIANCE_MAX_PERCENT": 100 * 3 // 2,
    "NEEDLE_MIN_PERCENT": 86 - 16,  # 95 * (159 / 163)^4 of a wide needle, less as much again and more for what measures
    "LEAK_PERCENT": 100 - 100 // 10,
    "PRIME_FLUSH_NL": 10 * UL,
    # homing
    "CARRIAGE_TRAVEL_UM": 56 * MM + 14 * MM,
    "HOMING_UM_PER_S": 5 * MM // 2,
    # depths
    "METERED_DEPTH_MIN_UM": MM // 2,
    "METERED_DEPTH_MAX_UM": 4 * MM,
    "FRACTIONAL_DEPTH_MIN_UM": 4 * MM // 10,
    "FRACTIONAL_DEPTH_MAX_UM": 4 * MM,
    "DEPTH_TOLERANCE_UM": 15 * MM // 100,
    "DEPTH_OVER_UM": 4 * 15,
    "ENCODER_TOLERANCE_UM": 64 * 5 // 16,
    "ENCODER_SCALE_PERMILLE": 2 * 1,
    # flow
    "REPEAT_RATE_MIN_PER_MIN": 60 // 10,
    "REPEAT_RATE_MAX_PER_MIN": 60 * 5,
    "FLOW_MIN_NL_PER_S": 200 * UL // 200,
    "FLOW_MAX_NL_PER_S": ML // 20,
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
    "POINT_WAIT_S": 60,
    "PREPARED_MS": 5 * S,
    "ARMED_MS": 30 * S,
    "HELD_MS": 10 * S,
    "TRIGGER_PAIR_MS": 50 * MS,
    "CONTACT_STEADY_MS": 150 * MS,
    "NEEDLE_HOME_MS": 150 * MS,
    "DEADMAN_MS": S // 4,
    "SETTLE_MAX_MS": 5 * S,
    "SAFETY_LOOK_MS": S // 10 // 2,
    "POWER_CHECK_MS": S // 20,
    "LOOP_LATE_MS": 5 * MS,
    "SELF_TEST_MS": 3600 * S // 4,
    "TEST_WAIT_S": 20 * 60,
    # pressure
    "FLAT_PA": 5 * KPA // 2,
    "PRESSURE_MAX_PA": 10 * 15 * KPA,
    "PRESSURE_MIN_PA": -95 * KPA,
    # supply; the board restarts at 2.7 V
    "BATTERY_CUTOFF_MV": 2700 + 200,
    "BATTERY_START_MV": 2700 * 6 // 5 + 10,  # to the next 50 mV
    "BATTERY_LOW_MV": 3450,
    "BATTERY_MIN_MV": 4000 // 2,
    "BATTERY_MAX_MV": 5000 + 1000,
    # books
    "CHUNK_PERCENT": 100 // 20,
    "CHUNK_STROKES": 15,
    "STROKE_RING": 1 << 9,
    "EVENTS_KEPT": 1 << 4,
    "AUTH_FAILURES": 5,
    "AUTH_BACKOFF_S": 64,
    "LEDGER_DOSES": 1 << 8,
    "POINTS": 1 << 6,
    "CARTRIDGES_REMEMBERED": 1 << 6,
    "LOG_ENTRIES": (32 * 1024 - 28672 - 2 * 32) // (20 + 8) - 1,
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


def test_every_limit_is_here() -> None:
    assert AGAIN.keys() == set(limits.NAMES)


@pytest.mark.parametrize("name", AGAIN)
def test_a_limit_is_what_its_source_says(name: str) -> None:
    assert getattr(limits, name) == AGAIN[name]


def test_zones_are_what_their_sources_say() -> None:
    assert [row[0] for row in limits.ZONES] == list(range(1, 12))
    found = {row[1]: (row[2] / MM, row[3] / MM, row[4] / UL) for row in limits.ZONES}
    assert found == ZONES_AGAIN


def test_the_syringe_is_the_one_that_is_measured() -> None:
    """1 ml: a bore of 4.78 mm, 0.3125 um a step and 0.5 um a count of it; 30G x 4 mm with water,

    whose flow takes 15 kPa: what an occlusion may store makes three times as much beside it.
    """
    row = next(row for row in limits.PROFILES if row[1] == "1ml-30G4-aqueous")
    area_mm2 = 3.14159265 / 4 * 4.78**2
    assert row[0] == 1 and row[2] == round(4.78 * MM) and row[3] == ML
    assert row[4] == round(area_mm2 * 312.5)  # pl
    assert row[5] == round(area_mm2 * 500)
    # 8 mu L / (pi r^4), and K rho v^2 / 2 at 20 ul/s, in Pa.s/ul
    hagen_poiseuille = 8 * 0.001 * 0.004 / (3.14159265 * 79.5e-6**4) / 1e9
    kinetic = 1.2 * 1000 * (20e-9 / (3.14159265 * 79.5e-6**2)) ** 2 / 2 / 20
    assert abs(row[8] - hagen_poiseuille - kinetic) < 1
    assert row[6:] == (200, 255 + 500, 255 + 30, 20 * UL, 20, 4 * 15)


COLUMNS = (
    *("ID", "NAME", "BORE_UM", "CAPACITY_NL", "PL_PER_STEP", "PL_PER_COUNT", "COMPLIANCE_NL_PER_KPA"),
    *("RESISTANCE_PA_S_PER_UL", "NEEDLE_PA_S_PER_UL", "FLOW_NL_PER_S", "TOLERANCE_PERMILLE", "PRESSURE_MAX_KPA"),
)


def test_a_profiles_columns_are_named_in_their_order() -> None:
    assert [getattr(limits, f"PROFILE_{name}") for name in COLUMNS] == list(range(len(limits.PROFILES[0])))


@pytest.mark.requirement("SR-23")
def test_the_fingerprint_is_a_crc_of_them_all() -> None:
    text = "".join(f"{name}={AGAIN[name]};" for name in limits.NAMES)
    text += "".join(str(value) for table in (limits.ZONES, limits.PROFILES) for row in table for value in row)
    assert limits.fingerprint() == zlib.crc32(text.encode()).to_bytes(4, "little")
